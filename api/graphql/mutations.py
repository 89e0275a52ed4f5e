"""Mutations: one line for each command of the domain; arguments and description are those of the aggregate's method."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, get_type_hints
from uuid import UUID, uuid5

import strawberry

from api.graphql.context import Info
from api.graphql.types import CommandResult, GateInput, Position
from domain import commands
from domain.credentials import CredentialKind
from domain.deadlines import Urgency
from domain.errors import NotFoundError
from domain.incident import Incident, Source
from domain.key import Key
from domain.observation import NAMESPACE, require_code
from domain.personal import Personal, of_subject
from domain.site import Gate, Site, site_id

INPUTS: dict[Any, Any] = {
    Gate: GateInput,
    Incident: UUID,
    tuple[CredentialKind, ...]: list[CredentialKind],
}
"""What a command of the domain takes, and how it is written in GraphQL."""


def _result(done: commands.Done) -> CommandResult:
    return CommandResult(
        id=done.id, version=done.version, position=Position(done.position), repeated=done.repeated
    )


def command(kind: type[Any], method: Callable[..., None]) -> Any:
    """The mutation that calls `method` of the aggregate `kind`: its keyword arguments become the mutation's."""

    async def resolve(
        info: Info,
        id: UUID,
        expected_version: int | None = None,
        request_id: UUID | None = None,
        **given: Any,
    ) -> CommandResult:
        order = info.context.order(request_id)
        log = info.context.system.log
        values: dict[str, Any] = {
            name: value.of_domain() if isinstance(value, GateInput) else value
            for name, value in given.items()
        }
        return _result(
            await commands.act(log, order, kind, method, id, expected_version=expected_version, **values)
        )

    return _mutation(resolve, kind, method)


def key_command(method: Callable[..., None]) -> Any:
    """The mutation that calls `method` of a key, which is named by its scope: nobody has to make it first."""

    async def resolve(info: Info, scope: str, request_id: UUID | None = None, **given: Any) -> CommandResult:
        order = info.context.order(request_id)
        return _result(await commands.decide_key(info.context.system.log, order, method, scope, **given))

    return _mutation(resolve, Key, method)


def joint_command(function: Callable[..., Awaitable[commands.Done]], method: Callable[..., None]) -> Any:
    """The mutation that calls `function` of `domain/commands.py`: its command changes a second incident too."""

    async def resolve(info: Info, id: UUID, request_id: UUID | None = None, **given: Any) -> CommandResult:
        order = info.context.order(request_id)
        return _result(await function(info.context.system.log, order, id, **given))

    return _mutation(resolve, Incident, method)


def _mutation(
    resolve: Callable[..., Awaitable[CommandResult]], kind: type[Any], method: Callable[..., None]
) -> Any:
    """The mutation `resolve`, with the arguments and the description of `method` of the aggregate `kind`."""
    hints = get_type_hints(method)
    fields = {
        name: INPUTS.get(hints[name], hints[name])
        for name in inspect.signature(method).parameters
        if name not in {"self", "by", "at", "limits"}
    }
    _take_arguments(resolve, fields)
    return strawberry.mutation(
        resolver=resolve,
        description=inspect.getdoc(method),
        metadata={"command": f"{kind.TOPIC}.{method.__name__}"},
    )


def _take_arguments(resolve: Callable[..., Awaitable[CommandResult]], fields: dict[str, Any]) -> None:
    """Give `resolve` the arguments `fields` by name in place of its ** parameter: GraphQL arguments come from the signature."""
    signature = inspect.signature(resolve)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint)
        for name, hint in fields.items()
    ]
    resolve.__signature__ = signature.replace(parameters=own + added)  # type: ignore[attr-defined]
    resolve.__annotations__ = {**resolve.__annotations__, **fields}


def _reporter(order: commands.Order, text: str | None, subject: UUID | None) -> Personal | None:
    """The reporter, under a key of their own: a repeated request names the same one."""
    if text is None:
        return None
    return Personal(of_subject(subject or uuid5(NAMESPACE, f"reporter:{order.request_id}")), text)


@strawberry.type(
    description="What can be done. Every mutation takes `requestId`: given twice, it is done once."
)
class Mutation:
    """What can be done. Every mutation takes `requestId`: given twice, it is done once."""

    @strawberry.mutation(
        description="上报: report an incident at a site, named by its code.",
        metadata={"command": "incident.report"},
    )
    async def report_incident(
        self,
        info: Info,
        site: str,
        source: Source,
        category: str,
        description: str,
        occurred_at: datetime | None = None,
        urgency: Urgency = Urgency.NORMAL,
        reporter: Annotated[
            str | None,
            strawberry.argument(description="Who reports it and how to reach them; stored sealed."),
        ] = None,
        reporter_subject: Annotated[
            UUID | None,
            strawberry.argument(
                description="The reporter's own id, if they have one; a new one if not given."
            ),
        ] = None,
        request_id: UUID | None = None,
    ) -> CommandResult:
        order = info.context.order(request_id)
        place = site_id(require_code(site, "site"))
        try:
            done = await commands.report_incident(
                info.context.system.log,
                order,
                site_id=place,
                source=source,
                category=category,
                description=description,
                occurred_at=occurred_at,
                urgency=urgency,
                reporter=_reporter(order, reporter, reporter_subject),
            )
        except NotFoundError:
            raise NotFoundError(f"there is no site {site!r}") from None
        return _result(done)

    accept_incident = command(Incident, Incident.accept)
    reject_incident = command(Incident, Incident.reject)
    merge_incident = joint_command(commands.merge_incident, Incident.merge)
    unmerge_incident = joint_command(commands.unmerge_incident, Incident.unmerge)
    close_on_the_spot = command(Incident, Incident.close_on_the_spot)
    dispatch_incident = command(Incident, Incident.dispatch)
    ask_assistance = command(Incident, Incident.ask_assistance)
    release_assistance = command(Incident, Incident.release_assistance)
    request_return = command(Incident, Incident.request_return)
    decide_return = command(Incident, Incident.decide_return)
    sign_incident = command(Incident, Incident.sign)
    start_handling = command(Incident, Incident.start_handling)
    give_feedback = command(Incident, Incident.give_feedback)
    request_extension = command(Incident, Incident.request_extension)
    decide_extension = command(Incident, Incident.decide_extension)
    park_incident = command(Incident, Incident.park)
    unpark_incident = command(Incident, Incident.unpark)
    supervise_incident = command(Incident, Incident.supervise)
    escalate_incident = command(Incident, Incident.escalate)
    verify_incident = command(Incident, Incident.verify)
    evaluate_incident = command(Incident, Incident.evaluate)
    reopen_incident = command(Incident, Incident.reopen)
    archive_incident = command(Incident, Incident.archive)
    attach_evidence = command(Incident, Incident.attach_evidence)
    comment_on_incident = command(Incident, Incident.comment)
    open_dispute = command(Incident, Incident.open_dispute)
    tag_mechanism = command(Incident, Incident.tag_mechanism)

    @strawberry.mutation(
        description="A new site of the programme; its code is its name for ever.",
        metadata={"command": "site.plan"},
    )
    async def plan_site(
        self, info: Info, code: str, name: str, township: str, request_id: UUID | None = None
    ) -> CommandResult:
        order = info.context.order(request_id)
        return _result(
            await commands.plan_site(info.context.system.log, order, code=code, name=name, township=township)
        )

    start_construction = command(Site, Site.start_construction)
    accept_site = command(Site, Site.accept)
    start_operation = command(Site, Site.start_operation)
    add_gate = command(Site, Site.add_gate)
    change_credentials = command(Site, Site.change_credentials)
    install_measure = command(Site, Site.install_measure)
    count_households = command(Site, Site.count_households)

    destroy_key = key_command(Key.destroy)
    place_hold = key_command(Key.place_hold)
    lift_hold = key_command(Key.lift_hold)
