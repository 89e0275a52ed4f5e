"""How a command of the domain becomes a mutation: the arguments and the description are those of the aggregate's method."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

import strawberry

from api.graphql.context import Info
from api.graphql.types import CommandResult, GateInput, Position
from domain import commands
from domain.errors import NotFoundError
from domain.incident import Incident
from domain.lead import Evidence
from domain.lifecycle import topic_of
from domain.observation import require_code
from domain.people import Person
from domain.personal import KeyScope, Personal, of_subject
from domain.ports import EventLog
from domain.site import Gate, Site, site_id

ExpectedVersion = Annotated[
    int | None,
    strawberry.argument(
        description="The version that you saw: CONFLICT, with `currentVersion`, if it has another one."
    ),
]
RequestId = Annotated[UUID | None, strawberry.argument(description="Given twice, it is done once.")]
SiteCode = Annotated[str, strawberry.argument(description="The site's code.")]
Sealed = Annotated[str, strawberry.argument(description="Personal: it is stored sealed.")]
SealedIfAny = Annotated[str | None, strawberry.argument(description="Personal: it is stored sealed.")]


@strawberry.input(description="线索: what the reviewer of a lead has seen; it must be what was found.")
class EvidenceInput:
    reference_sha256: str | None = strawberry.field(
        default=None, description="Of the image it is looked for by; null for a plate, which has none."
    )
    probe_sha256: str = strawberry.field(description="Of the image at the gate.")
    score: float = strawberry.field(description="0 to 1.")

    def of_domain(self) -> Evidence:
        """The evidence as the domain knows it."""
        return Evidence(self.reference_sha256, self.probe_sha256, self.score)


INPUTS: dict[Any, Any] = {
    Gate: GateInput,
    Evidence: EvidenceInput,
    Incident: UUID,
    Site: SiteCode,
    Personal: Sealed,
    Personal | None: SealedIfAny,
}
"""What a command of the domain takes, and how it is written in GraphQL."""
_NOT_GIVEN = {"self", "id", "by", "at", "limits"}
"""Parameters of a command that follow from the request."""

R = TypeVar("R", bound=CommandResult)


def result(done: commands.Done, kind: type[R] = CommandResult, **more: Any) -> R:  # type: ignore[assignment]  # R's own default
    """What a command became, as it is shown; `more` are the fields that `kind` adds."""
    position = Position(done.position)
    return kind(id=done.id, version=done.version, position=position, repeated=done.repeated, **more)


def command(kind: type[Any], method: Callable[..., None]) -> Any:
    """The mutation that calls `method` of the aggregate `kind`; what is personal is sealed under the aggregate's own key."""

    def act(
        log: EventLog, order: commands.Order, id: UUID, *, expected_version: int | None, **given: Any
    ) -> Awaitable[commands.Done]:
        fields = _read(method, given, of_subject(id))
        return commands.act(log, order, kind, method, id, expected_version=expected_version, **fields)

    return joint_command(kind, method, act)


def creation(method: Callable[..., Any]) -> Any:
    """The mutation that begins an aggregate by its class method `method`; what is personal is sealed under the new one's key."""

    async def resolve(info: Info, *, request_id: RequestId = None, **given: Any) -> CommandResult:
        order = info.context.order(request_id)
        fields = _read(method, given, of_subject(commands.subject_id(order)))
        return result(await create(info, order, method, **fields))

    return _mutation(resolve, method.__self__, method)  # type: ignore[attr-defined]  # a class method has its class


def key_command(kind: type[Any], method: Callable[..., None]) -> Any:
    """The mutation that calls `method` of a key, which is named by its scope: nobody has to make it first."""

    async def resolve(
        info: Info,
        scope: str,
        *,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
        **given: Any,
    ) -> CommandResult:
        order = info.context.order(request_id)
        log = info.context.system.log
        return result(
            await commands.decide_key(log, order, method, scope, expected_version=expected_version, **given)
        )

    return _mutation(resolve, kind, method)


def joint_command(
    kind: type[Any], method: Callable[..., None], function: Callable[..., Awaitable[commands.Done]]
) -> Any:
    """The mutation that calls `function` of `domain/commands.py`: its command, `method`, changes a second aggregate too."""

    async def resolve(
        info: Info,
        id: UUID,
        *,
        expected_version: ExpectedVersion = None,
        request_id: RequestId = None,
        **given: Any,
    ) -> CommandResult:
        order = info.context.order(request_id)
        log = info.context.system.log
        return result(await function(log, order, id, expected_version=expected_version, **given))

    return _mutation(resolve, kind, method)


async def create(
    info: Info,
    order: commands.Order,
    method: Callable[..., Any],
    /,
    *,
    site: str | None = None,
    **fields: Any,
) -> commands.Done:
    """`commands.create`, at the site with the code `site` if it is at one."""
    log = info.context.system.log
    if site is None:
        return await commands.create(log, order, method, **fields)
    place = site_of(site)
    return await at_sites({site: place}, commands.create(log, order, method, site_id=place, **fields))


def site_of(code: str) -> UUID:
    """The id of the site with this code; InvalidError if it is no code."""
    return site_id(require_code(code, "site"))


async def at_sites(sites: Mapping[str, UUID], doing: Awaitable[commands.Done]) -> commands.Done:
    """What `doing` becomes; a site that is not there is named by its code, as the asker named it."""
    try:
        return await doing
    except NotFoundError as error:
        text = str(error)
        for code, place in sites.items():
            text = text.replace(str(place), repr(code))
        raise NotFoundError(text) from None


def metadata(kind: type[Any], name: str) -> dict[str, str]:
    """Which command of the policy a mutation is."""
    return {"command": f"{topic_of(kind)}.{name}"}


def _mutation(
    resolve: Callable[..., Awaitable[CommandResult]], kind: type[Any], method: Callable[..., Any]
) -> Any:
    """The mutation `resolve`, with the arguments and the description of `method` of the aggregate `kind`."""
    _take_arguments(resolve, method)
    return strawberry.mutation(
        resolver=resolve, description=inspect.getdoc(method), metadata=metadata(kind, method.__name__)
    )


def _take_arguments(resolve: Callable[..., Awaitable[CommandResult]], method: Callable[..., Any]) -> None:
    """Give `resolve` the arguments of `method` in place of its ** parameter: GraphQL arguments come from the signature."""
    hints = _hints(method)
    signature = inspect.signature(resolve)
    own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            one.name,
            one.KEYWORD_ONLY,
            annotation=_written(hints[one.name]),
            default=one.empty if one.default is None else one.default,
        )
        for one in inspect.signature(method).parameters.values()
        if one.name not in _NOT_GIVEN
    ]
    named = [
        one for one in own if one.kind is one.KEYWORD_ONLY
    ]  # of every command, and so the last in the list
    parameters = [*own[: -len(named)], *added, *named]
    resolve.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    resolve.__annotations__ |= {one.name: one.annotation for one in added}


@cache
def _hints(method: Callable[..., Any]) -> Mapping[str, Any]:
    """The types of the parameters of `method`; some modules of the domain import these two for the type checker only."""
    return get_type_hints(method, localns={"Person": Person, "Site": Site})


def _written(hint: Any) -> Any:
    """How a parameter of the domain's type `hint` is written in GraphQL."""
    if get_origin(hint) is tuple:  # of any length
        return list[get_args(hint)[0]]  # type: ignore[misc]  # a type that is known at run time only
    return INPUTS.get(hint, hint)


def _read(method: Callable[..., Any], given: Mapping[str, Any], scope: KeyScope) -> dict[str, Any]:
    """The arguments as `method` takes them; what is personal is sealed under `scope`."""
    hints = _hints(method)
    return {name: _meant(value, hints[name], scope) for name, value in given.items()}


def _meant(value: Any, hint: Any, scope: KeyScope) -> Any:
    if isinstance(value, GateInput | EvidenceInput):
        return value.of_domain()
    if value is not None and Personal in {hint, *get_args(hint)}:
        return Personal(scope, value)
    return value
