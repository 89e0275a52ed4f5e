"""`anju keys`: what becomes of the keys of personal data, and of the master keys that wrap them."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import uuid4

import typer
import uvloop
from rich.table import Table

from adapters import rotation
from api.bootstrap import System, system
from api.console import AsJson, configured, counting, out, print_json
from domain import commands
from domain.commands import Done, Order
from domain.key import Key
from domain.people import Person, Role

keys = typer.Typer(
    help="Keys of personal data: destroying one forgets for good what is sealed under it.",
    no_args_is_help=True,
)

Scope = Annotated[str, typer.Argument(help="subject:<uuid> or day:<site>:<date>.")]
Case = Annotated[str, typer.Option(help="The case that needs it.")]
Reason = Annotated[str, typer.Option(help="Why; kept for ever, in clear: no names.")]
By = Annotated[str, typer.Option(help="Staff number of the privacy officer who decides.")]


@keys.command()
def destroy(scope: Scope, *, reason: Reason, by: By, as_json: AsJson = False) -> None:
    """销毁: destroy the key of SCOPE. Nothing brings back what was sealed under it; refused under legal hold."""
    done = _decide(Key.destroy, scope, by, reason=reason)
    _tell(done, f"the key of {scope} is destroyed (log position {done.position})", as_json=as_json)


@keys.command()
def hold(scope: Scope, *, case: Case, by: By, reason: Reason = "legal hold", as_json: AsJson = False) -> None:
    """保全: keep the key of SCOPE for a case; until it is released, nobody can destroy it."""
    done = _decide(Key.place_hold, scope, by, case=case, reason=reason)
    _tell(done, f"the key of {scope} is held for {case} (log position {done.position})", as_json=as_json)


@keys.command()
def release(
    scope: Scope, *, case: Case, by: By, reason: Reason = "hold ended", as_json: AsJson = False
) -> None:
    """解除保全: the case no longer needs the key of SCOPE."""
    done = _decide(Key.lift_hold, scope, by, case=case, reason=reason)
    _tell(
        done,
        f"the key of {scope} is no longer held for {case} (log position {done.position})",
        as_json=as_json,
    )


@keys.command()
def rotate(*, as_json: AsJson = False) -> None:
    """Add a master key and wrap every key with it; nobody has to stop. Interrupted, it goes on when it is run again."""
    with counting("keys") as progress:
        done = _with_system(lambda running: rotation.rotate(running.pool, running.vault, progress))
    if as_json:
        print_json(done)
    else:
        what = "an interrupted rotation is complete" if done.resumed else "a new master key wraps"
        out.print(f"{what}: {done.master_key}, {done.rewrapped} keys wrapped anew", highlight=False)
        out.print("Back the file up now; then take the old ones out of it: anju keys retire")


@keys.command()
def retire(*, as_json: AsJson = False) -> None:
    """Take every master key but the newest out of the vault and the file. Older backups then need an older file."""
    retired = _with_system(lambda running: rotation.retire(running.pool, running.vault))
    if as_json:
        print_json({"retired": retired})
    else:
        out.print(f"retired: {', '.join(retired) or 'none, there is one only'}", highlight=False)


@keys.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """How many keys there are, by kind of scope and by master key; never which, and never what they are."""
    found = _with_system(lambda running: rotation.inventory(running.pool))
    if as_json:
        print_json(found)
        return
    table = Table("scope", "live", "destroyed")
    for kind in found.kinds:
        table.add_row(kind["kind"], f"{kind['live']:,}", f"{kind['destroyed']:,}")
    out.print(table)
    out.print(f"under legal hold: {found.held}")
    for master in found.masters:
        out.print(f"master key {master['master_key']} wraps {master['wraps']:,}", highlight=False)


def _decide(method: Callable[..., None], scope: str, by: str, **fields: str) -> Done:
    person = Person(by, frozenset({Role.PRIVACY_OFFICER}))

    async def decide(running: System) -> Done:
        order = Order(person, running.now(), uuid4(), {"channel": "cli"})
        return await commands.decide_key(running.log, order, method, scope, **fields)

    done: Done = _with_system(decide)
    return done


def _with_system(use: Callable[[System], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with system(configured(), with_bus=False) as running:
            return await use(running)

    return uvloop.run(main())


def _tell(done: Done, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        out.print(text, highlight=False)
