"""Which user runs PostgreSQL: we ourselves, or, when we are root (whom it refuses), one without privileges."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from domain.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

_STATUS = Path("/proc/self/status")
# capability(7), the narrower first: Docker's usual set lacks the first and has the second.
_WAYS_IN = (("dac_read_search", 2), ("dac_override", 1))
_OTHERWISE = "Run as an ordinary user, or set ANJU_DATABASE_URL to a server of your own."


@dataclass(frozen=True)
class Account:
    """A user and the command that becomes it; the command is empty when we are that user already."""

    uid: int
    gid: int
    become: tuple[str, ...] = ()


def account_for(data: Path, others: Iterable[Path]) -> Account:
    """Who runs the server on `data`, able to reach `others` too. Changes nobody's permissions; UnavailableError if it cannot be.

    As root: the owner of `data` when it exists already, or `nobody`, with no capability at all where the folders are open.
    Below a closed one (a checkout in root's home) it keeps the one capability that passes it.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    uid, gid = _unprivileged(data)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UnavailableError(
            f"PostgreSQL does not run as root, and setpriv (util-linux) is missing to change that. {_OTHERWISE}"
        )
    capabilities = "-all" if all(_open_to_all(path) for path in (data, *others)) else f"-all,+{_way_in(data)}"
    sets = (f"--{name}={capabilities}" for name in ("inh-caps", "ambient-caps", "bounding-set"))
    user = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    # PostgreSQL asks access(2) for its own programs, which drops the capabilities of an ordinary user but for this bit.
    return Account(uid, gid, (setpriv, *user, "--securebits=+no_setuid_fixup", *sets))


def _unprivileged(data: Path) -> tuple[int, int]:
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise UnavailableError(
            f"PostgreSQL does not run as root, and this system has no user `nobody`. {_OTHERWISE}"
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _way_in(data: Path) -> str:
    status = _STATUS.read_text() if _STATUS.exists() else ""
    bounding = next((line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), "0")
    for name, bit in _WAYS_IN:
        if int(bounding, 16) >> bit & 1:
            return name
    raise UnavailableError(
        f"PostgreSQL does not run as root, and no other user may enter a folder above {data} or above its programs. "
        f"Move the project out of it. {_OTHERWISE}",
    )
