"""Mutations of leads 线索. One is proposed by the matcher, and by nobody else."""

import strawberry

from api.graphql.mutations.command import command
from domain.lead import Lead


@strawberry.type
class Leads:
    """What a named reviewer, and then an investigator, make of a lead."""

    confirm_lead = command(Lead, Lead.confirm)
    reject_lead = command(Lead, Lead.reject)
    link_lead = command(Lead, Lead.link)
