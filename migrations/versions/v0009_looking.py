"""What an inquiry looks into: credentials as a read model, and the visits of a site in order of time."""

from migrations.sql import make_tables, run

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    make_tables("credentials")  # this projection is newer than 0006
    run(__file__)
