"""A migration is the .sql file beside it, run as it is; there is no way back."""

from pathlib import Path

from alembic import op


def run(migration: str) -> None:
    """Run the SQL file that has the same name as the migration `migration` (its `__file__`)."""
    script = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    cursor = op.get_bind().connection.cursor()  # the driver's own: in SQLAlchemy's a % would need doubling
    cursor.execute(script)
    cursor.close()
