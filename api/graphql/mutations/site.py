"""Mutations of sites 小区/社区/村居."""

import strawberry

from api.graphql.mutations.command import command, creation
from domain.site import Site


@strawberry.type
class Sites:
    """What is done to a site."""

    plan_site = creation(Site.plan)
    start_construction = command(Site, Site.start_construction)
    accept_site = command(Site, Site.accept)
    start_operation = command(Site, Site.start_operation)
    add_gate = command(Site, Site.add_gate)
    change_credentials = command(Site, Site.change_credentials)
    install_measure = command(Site, Site.install_measure)
    count_households = command(Site, Site.count_households)
