"""What auditors ask of the log: positions by time, what became of verifications, and which incident names which evidence."""

from migrations.sql import make_tables, run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run(__file__)
    make_tables("evidence")  # this projection is newer than 0006
