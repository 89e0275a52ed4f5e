"""Every projection there is; the runner and the commands know them from here."""

from projections import closure, deadlines, gate_traffic, incidents, reads, search
from projections.runner import Projection

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection
    for projection in (
        closure.PROJECTION,
        deadlines.PROJECTION,
        gate_traffic.PROJECTION,
        incidents.PROJECTION,
        reads.PROJECTION,
        search.PROJECTION,
    )
}
