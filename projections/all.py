"""Every projection there is; the runner and the commands know them from here."""

from projections import (
    alarms,
    centres,
    closure,
    credentials,
    deadlines,
    devices,
    disputes,
    evidence,
    gate_traffic,
    incidents,
    leads,
    reads,
    search,
    sites,
    visitors,
)
from projections.runner import Projection

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection
    for projection in (
        alarms.PROJECTION,
        centres.PROJECTION,
        closure.PROJECTION,
        credentials.PROJECTION,
        deadlines.PROJECTION,
        devices.PROJECTION,
        disputes.PROJECTION,
        evidence.PROJECTION,
        gate_traffic.PROJECTION,
        incidents.PROJECTION,
        leads.PROJECTION,
        reads.PROJECTION,
        search.PROJECTION,
        sites.PROJECTION,
        visitors.PROJECTION,
    )
}
