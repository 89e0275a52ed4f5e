"""What is known of each projection: what it folded beside what the log has, and when it was last proved."""

from migrations.sql import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run(__file__)
