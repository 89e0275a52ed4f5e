"""Mutations of governance centres 综治中心."""

import strawberry

from api.graphql.mutations.command import command, creation
from domain.centre import Centre


@strawberry.type
class Centres:
    """What is done about a centre."""

    found_centre = creation(Centre.found)
    inspect_centre = command(Centre, Centre.inspect)
    accept_centre = command(Centre, Centre.accept)
    join_unit = command(Centre, Centre.join_unit)
    leave_unit = command(Centre, Centre.leave_unit)
    join_staff = command(Centre, Centre.join_staff)
    leave_staff = command(Centre, Centre.leave_staff)
