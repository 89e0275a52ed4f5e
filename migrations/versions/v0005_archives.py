"""Leaves of observations that are archived."""

from migrations.sql import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run(__file__)
