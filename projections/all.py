"""Every projection there is; the runner and the commands know them from here."""

from projections import (
    alarms,
    centres,
    closure,
    deadlines,
    devices,
    disputes,
    gate_traffic,
    incidents,
    leads,
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
        deadlines.PROJECTION,
        devices.PROJECTION,
        disputes.PROJECTION,
        gate_traffic.PROJECTION,
        incidents.PROJECTION,
        leads.PROJECTION,
        sites.PROJECTION,
        visitors.PROJECTION,
    )
}
