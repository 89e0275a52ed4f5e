"""What auditors ask of the log: positions by time, what became of verifications, and which incident names which evidence."""

from alembic import op
from sqlalchemy import text

from migrations.sql import run
from migrations.versions.v0006_tables_of_projections import PROJECTIONS

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run(__file__)
    if (
        op.get_bind().scalar(text("select to_regclass('public.evidence')")) is None
    ):  # this projection is newer than 0006
        cursor = op.get_bind().connection.cursor()
        cursor.execute((PROJECTIONS / "evidence.tables.sql").read_text(encoding="utf-8"))
        cursor.close()
