"""The tables of a read model belong to its projection: made here as it says today, and by a rebuild as it says then."""

from alembic import op

from migrations.sql import PROJECTIONS

revision = "0006"
down_revision = "0005"

BEFORE = "drop table if exists gate_traffic, incidents, closures, deadlines; delete from projections;"
"""What was in their place: derived from the log, and derived again."""


def upgrade() -> None:
    tables = [path.read_text(encoding="utf-8") for path in sorted(PROJECTIONS.glob("*.tables.sql"))]
    cursor = op.get_bind().connection.cursor()
    cursor.execute("\n".join([BEFORE, *tables]))
    cursor.close()
