"""The read models of figures as they were known at a position of the log, under their own names, in a schema before `public`."""

from migrations.sql import run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run(__file__)
