"""What every benchmark shares: interleaved runs, medians, a ratio, a table or one line of JSON."""

import argparse
import json
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

RUNS = 5
Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True)
class Row:
    """Medians of interleaved runs; `what` says the unit. `ratio` = ours / peer, not rounded, and must be at least (or at most) a bound."""

    what: str
    ours: float
    peer: float
    ratio: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        return (self.at_least is None or self.ratio >= self.at_least) and (
            self.at_most is None or self.ratio <= self.at_most
        )


async def compare(
    what: str, ours: Measure, peer: Measure, *, at_least: float | None = None, at_most: float | None = None
) -> Row:
    """Run both `RUNS` times, one after the other, so that a noisy minute hits both; the row of their medians."""
    results: tuple[list[float], list[float]] = [], []
    for _ in range(RUNS):
        results[0].append(await ours())
        results[1].append(await peer())
    mine, other = (statistics.median(values) for values in results)
    return Row(what, round(mine, 1), round(other, 1), mine / other, at_least, at_most)


def arguments(description: str, **sizes: int) -> argparse.Namespace:
    """The arguments that every benchmark takes, and an option for each of its `sizes`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, in the last line")
    for name, size in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=size, help=f"how many; {size:,}")
    return parser.parse_args()


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows; a row that does not hold is shown as such and changes no exit code."""
    if as_json:
        print(json.dumps({"rows": [{**asdict(row), "holds": row.holds} for row in rows]}, ensure_ascii=False))
        return
    table = Table("what", "ours", "peer", "ratio", "bound", "")
    for row in rows:
        bound = f"≥ {row.at_least}" if row.at_least else f"≤ {row.at_most}" if row.at_most else ""
        table.add_row(
            row.what, f"{row.ours:,}", f"{row.peer:,}", f"{row.ratio:.3g}", bound, "✓" if row.holds else "✗"
        )
    Console().print(table)
