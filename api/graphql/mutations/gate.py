"""Mutations of gate passes 通行: what a guard decides about whom a gate holds."""

import strawberry

from api.graphql.mutations.command import command
from domain.gatepass import GatePass


@strawberry.type
class Gates:
    """What is done about whoever a gate holds."""

    release_pass = command(GatePass, GatePass.release)
    refuse_pass = command(GatePass, GatePass.refuse)
