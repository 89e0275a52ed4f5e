"""Mutations of gate passes 通行: what a guard decides about whom a gate holds."""

import strawberry

from api.graphql.mutations.command import command
from domain.gatepass import GatePass, RefusalGround, ReleaseGround

strawberry.enum(ReleaseGround, description="放行: why a guard lets somebody pass whom the gate held.")
strawberry.enum(RefusalGround, description="拒绝: why a guard turns somebody away.")


@strawberry.type
class Gates:
    """What is done about whoever a gate holds."""

    release_pass = command(GatePass, GatePass.release)
    refuse_pass = command(GatePass, GatePass.refuse)
