"""Mutations of consents 同意."""

import strawberry

from api.graphql.mutations.command import command, creation, joint_command
from domain import commands
from domain.consent import Consent


@strawberry.type
class Consents:
    """What a resident says, as somebody writes it down."""

    give_consent = creation(Consent.give)
    renew_consent = command(Consent, Consent.renew)
    withdraw_consent = joint_command(Consent, Consent.withdraw, commands.withdraw_consent)
