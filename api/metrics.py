"""What is measured of a running system, in the text format of Prometheus. Never a name, a plate or an id of anybody."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

PROJECTION = (
    ("position", "Through which position of the log it has folded"),
    ("version", "Version of its tables"),
    ("lag", "Positions of the log that it has not seen yet"),
    ("lag_seconds", "How long the first of them has been waiting"),
    ("folded", "Events of its topics that it folded"),
    (
        "missing",
        "Events of its topics in the log up to its position, less those it folded: 0, or something was lost",
    ),
)
"""Each a gauge anju_projection_<name>; one that is not known at the moment is left out."""


class _Rows:
    """A collector of what is handed to it; nothing is kept between two scrapes."""

    def __init__(self, log_position: int, rows: Iterable[Any]) -> None:
        self._log_position, self._rows = log_position, list(rows)

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("anju_log_position", "Last position of the log", value=self._log_position)
        for name, description in PROJECTION:
            yield self._gauge(name, description, {row["name"]: row[name] for row in self._rows})
        yield self._gauge(
            "stopped",
            "1: an event cannot be folded, or the tables are of another version; systemStatus says which",
            {row["name"]: int(row["error"] is not None) for row in self._rows},
        )

    @staticmethod
    def _gauge(name: str, description: str, values: dict[str, float | None]) -> Metric:
        family = GaugeMetricFamily(f"anju_projection_{name}", description, labels=["projection"])
        for projection, value in values.items():
            if value is not None:
                family.add_metric([projection], value)
        return family


def exposition(log_position: int, rows: Iterable[Any]) -> bytes:
    """The metrics, of the rows that `projections.status.statuses` gives."""
    registry = CollectorRegistry()
    registry.register(_Rows(log_position, rows))
    return generate_latest(registry)
