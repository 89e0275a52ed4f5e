"""Mutations: one line for each command of the domain, in a module for each aggregate."""

import strawberry

from api.graphql.mutations.alarm import Alarms
from api.graphql.mutations.centre import Centres
from api.graphql.mutations.consent import Consents
from api.graphql.mutations.credential import Credentials
from api.graphql.mutations.device import Devices
from api.graphql.mutations.dispute import Disputes
from api.graphql.mutations.gate import Gates
from api.graphql.mutations.incident import Incidents
from api.graphql.mutations.inquiry import Inquiries
from api.graphql.mutations.key import Keys
from api.graphql.mutations.lead import Leads
from api.graphql.mutations.site import Sites
from api.graphql.mutations.visitor import Visitors
from api.graphql.mutations.watch import Watches


@strawberry.type(
    description="What can be done. Every mutation takes `requestId`: given twice, it is done once."
)
class Mutation(
    Incidents,
    Disputes,
    Alarms,
    Gates,
    Visitors,
    Consents,
    Credentials,
    Watches,
    Leads,
    Inquiries,
    Sites,
    Devices,
    Centres,
    Keys,
):
    """All of them."""
