"""A report in JSON, as the description of the interface shows it; `to_json` writes it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from projections.report import Kind


class Days(BaseModel):
    """A period in calendar days of China; both are in it."""

    from_: date = Field(alias="from")
    to: date


class Definition(BaseModel):
    """What a figure counts."""

    term: str
    definition: str


class Drawn(BaseModel):
    """How the table `section` is drawn: column y over column x, a line for each value of the column `series`."""

    title: str
    section: str
    x: str
    y: str
    series: str | None


class Column(BaseModel):
    """A column of a table. key: stable; title: for people."""

    key: str
    title: str
    kind: Kind


class Rate(BaseModel):
    """A rate, and what was divided; value is null where there is nothing to divide by."""

    value: float | None
    numerator: int
    denominator: int


Cell = str | int | float | Rate | None


class Table(BaseModel):
    """One of `counts`, `rates`, `numbers`, `series` and `lineage`."""

    section: str
    title: str
    columns: Sequence[Column]
    rows: Annotated[
        Sequence[Mapping[str, Cell]],
        Field(description="By the columns' keys; null: there is no such figure."),
    ]


class Report(BaseModel):
    """A report, with the definitions of what is in it. position: of the log, up to which it was counted."""

    report: str
    title: str
    period: Days
    cut_off: datetime
    as_of: date | None
    scope: Annotated[Mapping[str, str], Field(description="Which part; empty: the whole city.")]
    position: int
    generated_at: datetime
    definitions: Sequence[Definition]
    chart: Drawn | None
    sections: Sequence[Table]
