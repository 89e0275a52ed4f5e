"""The event log."""

from migrations.sql import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    run(__file__)
