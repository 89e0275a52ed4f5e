"""Mutations: one line for each command of the domain; arguments and description are those of the aggregate's method."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, get_type_hints
from uuid import UUID, uuid5

import strawberry

from api.graphql.context import Info
from api.graphql.types import CommandResult, Position
from domain import commands
from domain.incident import Incident, Source
from domain.key import Key
from domain.observation import NAMESPACE
from domain.personal import Personal, of_subject
from domain.site import site_id


def _result(done: commands.Done) -> CommandResult:
    return CommandResult(
        id=done.id, version=done.version, position=Position(done.position), repeated=done.repeated
    )


def command(kind: type[Any], method: Callable[..., None]) -> Any:
    """The mutation that calls `method` of the aggregate `kind`: its keyword arguments become the mutation's."""
    hints = get_type_hints(method)
    fields = {
        name: hints[name] for name in inspect.signature(method).parameters if name not in {"self", "by", "at"}
    }

    async def resolve(
        info: Info,
        id: UUID,
        expected_version: int | None = None,
        request_id: UUID | None = None,
        **given: Any,
    ) -> CommandResult:
        order = info.context.order(request_id)
        log = info.context.system.log
        return _result(
            await commands.act(log, order, kind, method, id, expected_version=expected_version, **given)
        )

    _take_arguments(resolve, fields)
    return strawberry.mutation(resolver=resolve, description=inspect.getdoc(method))


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


async def _decide_key(
    info: Info, method: Callable[..., None], scope: str, request_id: UUID | None, **fields: str
) -> CommandResult:
    order = info.context.order(request_id)
    return _result(await commands.decide_key(info.context.system.log, order, method, scope, **fields))


@strawberry.type
class Mutation:
    """What can be done. Every mutation takes `requestId`: given twice, it is done once."""

    @strawberry.mutation(description="上报: report an incident at a site, named by its code.")
    async def report_incident(
        self,
        info: Info,
        site: str,
        source: Source,
        category: str,
        description: str,
        occurred_at: datetime | None = None,
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
        done = await commands.report_incident(
            info.context.system.log,
            order,
            site_id=site_id(site),
            source=source,
            category=category,
            description=description,
            occurred_at=occurred_at,
            reporter=_reporter(order, reporter, reporter_subject),
        )
        return _result(done)

    accept_incident = command(Incident, Incident.accept)
    dispatch_incident = command(Incident, Incident.dispatch)
    sign_incident = command(Incident, Incident.sign)
    start_handling = command(Incident, Incident.start_handling)
    give_feedback = command(Incident, Incident.give_feedback)
    verify_incident = command(Incident, Incident.verify)

    @strawberry.mutation(description=inspect.getdoc(Key.destroy))
    async def destroy_key(
        self, info: Info, scope: str, reason: str, request_id: UUID | None = None
    ) -> CommandResult:
        return await _decide_key(info, Key.destroy, scope, request_id, reason=reason)

    @strawberry.mutation(description=inspect.getdoc(Key.place_hold))
    async def place_hold(
        self, info: Info, scope: str, case: str, reason: str, request_id: UUID | None = None
    ) -> CommandResult:
        return await _decide_key(info, Key.place_hold, scope, request_id, case=case, reason=reason)

    @strawberry.mutation(description=inspect.getdoc(Key.lift_hold))
    async def lift_hold(
        self, info: Info, scope: str, case: str, reason: str, request_id: UUID | None = None
    ) -> CommandResult:
        return await _decide_key(info, Key.lift_hold, scope, request_id, case=case, reason=reason)
