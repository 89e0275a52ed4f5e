"""A migration is the .sql file beside it, run as it is; there is no way back."""

from pathlib import Path

from alembic import op
from sqlalchemy import text

PROJECTIONS = Path(__file__).parents[1] / "projections"


def run(migration: str) -> None:
    """Run the SQL file that has the same name as the migration `migration` (its `__file__`)."""
    _execute(Path(migration).with_suffix(".sql"))


def make_tables(projection: str) -> None:
    """Make the tables of a projection, the first of which is called like it, unless an older migration made them as they are today."""
    if op.get_bind().scalar(text("select to_regclass(:name)"), {"name": f"public.{projection}"}) is None:
        _execute(PROJECTIONS / f"{projection}.tables.sql")


def _execute(script: Path) -> None:
    cursor = op.get_bind().connection.cursor()  # the driver's own: in SQLAlchemy's a % would need doubling
    cursor.execute(script.read_text(encoding="utf-8"))
    cursor.close()
