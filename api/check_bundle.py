#!/usr/bin/env python3
"""Check a proof bundle of Anju, an exported case, or a directory of its checkpoints. Needs Python 3.11 and nothing else; talks to nobody.

    python check_bundle.py bundle.json --key verifier-key.txt
    python check_bundle.py case/ --key 9f86d081884c7d65...           the unpacked export of a case, with its evidence
    python check_bundle.py checkpoints/ --key 9f86d081884c7d65...

KEY is a verifier key, a file with one, or the fingerprint (SHA-256 of the public key, in hex) that the operator has published. Without
it everything is checked except who signed. Exit code 0: all holds; 1: something does not, and it is said where; 2: called wrongly.

This file stands alone on purpose: it was written from RFC 6962, RFC 9162 and RFC 8032 and from docs/proof.md, shares no code with
what makes bundles, and is short enough to be read by whoever must rely on it.
"""

import argparse
import base64
import hashlib
import json
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

FORMAT = "anju-proof/1"
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
BUNDLE_FIELDS = ["format", "key", "checkpoint", "statement", "originator_id", "events"]
LINE_FIELDS = ["position", "recorded_at", "originator_version", "topic", "metadata", "state", "reads"]
EVENT_FIELDS = [
    "position", "recorded_at", "originator_version", "request_id", "topic", "metadata", "state", "reads", "previous_hash", "inclusion",
]  # fmt: skip


class Refused(Exception):  # noqa: N818 - it is an answer, not an accident
    """Something is not as it should be: `where` in the bundle, and `why`."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class Key(NamedTuple):
    """A public key under the name of a log."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n\x01" + self.raw).digest()[:4]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def text(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.raw).decode()}"


class Checkpoint(NamedTuple):
    """How a log stood at a size. `made_at` as it is written."""

    origin: str
    size: int
    root: bytes
    last_hash: bytes
    recorded_at: str
    made_at: str


class Event(NamedTuple):
    """One proven row of the log."""

    position: int
    version: int
    recorded_at: datetime
    topic: str
    reads: Any


class Proven(NamedTuple):
    """What a bundle proves."""

    originator_id: str
    key: Key
    checkpoint: Checkpoint
    events: list[Event]


# Ed25519, RFC 8032, section 5.1. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(scalar: int, p: Point) -> Point:
    q: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            q = _add(q, p)
        p = _add(p, p)
        scalar >>= 1
    return q


def _decompress(data: bytes) -> Point | None:
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


_BASE = _decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is that of the key `public` (32 bytes) under `message`."""
    if len(public) != 32 or len(signature) != 64:  # noqa: PLR2004 - sizes of RFC 8032
        return False
    a, r, s = _decompress(public), _decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or _BASE is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    left, right = _times(s, _BASE), _add(r, _times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 == (left[1] * right[2] - right[1] * left[2]) % P


# The Merkle tree, RFC 6962 and RFC 9162, section 2.1.


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_above(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    """The root of the tree of `size` leaves that has `leaf` (its data) at `index`; None if `proof` has the wrong length."""
    reached, fn, sn = hashlib.sha256(b"\x00" + leaf).digest(), index, size - 1
    for sibling in proof:
        if sn == 0:
            return None
        if fn % 2 or fn == sn:
            reached = _node(sibling, reached)
            while fn % 2 == 0 and fn:
                fn, sn = fn // 2, sn // 2
        else:
            reached = _node(reached, sibling)
        fn, sn = fn // 2, sn // 2
    return reached if sn == 0 else None


def continues(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> bool:
    """Whether `proof` shows that the tree under `new` begins with the one under `old` (RFC 9162, 2.1.4.2)."""
    if not 0 < old.size < new.size:
        return False
    path = [old.root, *proof] if old.size.bit_count() == 1 else list(proof)
    if not path:
        return False
    fn, sn = old.size - 1, new.size - 1
    while fn % 2:
        fn, sn = fn // 2, sn // 2
    before = after = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            before, after = _node(sibling, before), _node(sibling, after)
            while fn % 2 == 0 and fn:
                fn, sn = fn // 2, sn // 2
        else:
            after = _node(after, sibling)
        fn, sn = fn // 2, sn // 2
    return sn == 0 and before == old.root and after == new.root


# Reading. Everything has one way to be written; what is written otherwise is refused.


def _bytes(text: Any, where: str, length: int | None = 32) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise Refused(where, "it is not base64") from None
    if base64.b64encode(data).decode() != text or (length is not None and len(data) != length):
        raise Refused(where, "it is not base64 of the right length")
    return data


def _time(text: Any, where: str) -> datetime:
    try:
        at = datetime.strptime(text, TIME).replace(tzinfo=UTC)
    except (ValueError, TypeError):
        raise Refused(where, f"{text!r} is not a time") from None
    if at.strftime(TIME) != text:
        raise Refused(where, f"{text!r} is not written as a time should be")
    return at


def _number(value: Any, where: str) -> int:
    if type(value) is not int or not 0 < value < 1 << 63:
        raise Refused(where, f"{value!r} is not a positive number")
    return value


def _uuid(text: Any, where: str) -> bytes:
    try:
        found = UUID(text)
    except (ValueError, TypeError, AttributeError):
        raise Refused(where, f"{text!r} is not a UUID") from None
    if str(found) != text:
        raise Refused(where, f"{text!r} is not written as a UUID should be")
    return found.bytes


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Refused(where, "it is not text")
    return value


def _fields(value: Any, names: list[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or sorted(value) != sorted(names):
        raise Refused(where, f"it must have exactly the fields {', '.join(names)}")
    return value


def _key(text: Any, where: str) -> Key:
    name, _, rest = _text(text, where).partition("+")
    key_id, _, data = rest.partition("+")
    raw = _bytes(data, where, 33)
    key = Key(name, raw[1:])
    if raw[0] != 1 or key.id.hex() != key_id or not name:
        raise Refused(where, "it is not a verifier key: its parts do not belong together")
    return key


def _opened(note: Any, key: Key, where: str) -> list[str]:
    """The lines that are signed, their signature checked."""
    text, empty, signature = _text(note, where).partition("\n\n")
    start = f"— {key.name} "
    if not empty or not signature.startswith(start) or not signature.endswith("\n"):
        raise Refused(where, f"it is not a note signed by {key.name}")
    signed = _bytes(signature[len(start) : -1], where, 68)
    if signed[:4] != key.id or not ed25519_holds(key.raw, f"{text}\n".encode(), signed[4:]):
        raise Refused(where, f"its signature by {key.name} is wrong")
    return text.split("\n")


def _checkpoint(note: Any, key: Key, where: str) -> Checkpoint:
    lines = _opened(note, key, where)
    names = ["", "", "", "last-hash ", "recorded-at ", "made-at "]
    if len(lines) != len(names) or not all(
        line.startswith(name) for line, name in zip(lines, names, strict=True)
    ):
        raise Refused(where, "it is not a checkpoint")
    origin, size, root, last, recorded, made = (
        line[len(name) :] for line, name in zip(lines, names, strict=True)
    )
    if origin != key.name or not size.isdecimal():
        raise Refused(where, f"it is not a checkpoint of {key.name}")
    _time(recorded, where)
    _time(made, where)
    return Checkpoint(
        origin, _number(int(size), where), _bytes(root, where), _bytes(last, where), recorded, made
    )


def _chain_hash(originator: bytes, event: dict[str, Any], state: bytes, where: str) -> bytes:
    """The hash of the chain at a row, from everything that stands in the row and the hash before."""
    since = _time(event["recorded_at"], f"{where}.recorded_at") - datetime(1970, 1, 1, tzinfo=UTC)
    topic = _text(event["topic"], f"{where}.topic").encode()
    metadata = _text(event["metadata"], f"{where}.metadata").encode()
    version = _number(event["originator_version"], f"{where}.originator_version")
    row = struct.pack(">Qq", event["position"], since // timedelta(microseconds=1))
    row += originator + struct.pack(">I", version) + _uuid(event["request_id"], f"{where}.request_id")
    row += struct.pack(">I", len(topic)) + topic + struct.pack(">I", len(metadata)) + metadata + state
    return hashlib.sha256(_bytes(event["previous_hash"], f"{where}.previous_hash") + row).digest()


def _event(value: Any, number: int, originator: bytes, checkpoint: Checkpoint) -> Event:
    where = f"events[{number}]"
    event = _fields(value, EVENT_FIELDS, where)
    position = _number(event["position"], f"{where}.position")
    if position > checkpoint.size:
        raise Refused(
            f"{where}.position", f"{position} lies behind the checkpoint, which ends at {checkpoint.size}"
        )
    if event["originator_version"] != number + 1:
        raise Refused(f"{where}.originator_version", f"it must be {number + 1}: versions go up by one")
    state = _bytes(event["state"], f"{where}.state", None)
    try:
        reads = json.loads(state)
    except ValueError:
        reads = None
    if json.dumps(event["reads"], sort_keys=True) != json.dumps(reads, sort_keys=True):
        raise Refused(f"{where}.reads", "it is not what the stored bytes say")
    inclusion = event["inclusion"]
    if not isinstance(inclusion, list):
        raise Refused(f"{where}.inclusion", "it is not a list")
    way = [_bytes(node, f"{where}.inclusion[{at}]") for at, node in enumerate(inclusion)]
    leaf = _chain_hash(originator, event, state, where)
    if root_above(leaf, position - 1, checkpoint.size, way) != checkpoint.root:
        raise Refused(where, f"this is not what the signed log holds at position {position}")
    return Event(position, number + 1, _time(event["recorded_at"], where), event["topic"], reads)


def check(bundle: Any) -> Proven:
    """What `bundle` (read by `load`) proves; Refused says where it does not hold. Compare the key's fingerprint with a published one."""
    _fields(bundle, BUNDLE_FIELDS, "bundle")
    if bundle["format"] != FORMAT:
        raise Refused("format", f"it is not {FORMAT}")
    key = _key(bundle["key"], "key")
    checkpoint = _checkpoint(bundle["checkpoint"], key, "checkpoint")
    originator = _uuid(bundle["originator_id"], "originator_id")
    if not isinstance(bundle["events"], list):
        raise Refused("events", "it is not a list")
    stated = [
        FORMAT,
        key.name,
        f"originator-id {bundle['originator_id']}",
        f"events {len(bundle['events'])}",
        f"size {checkpoint.size}",
    ]
    said = _opened(bundle["statement"], key, "statement")
    if said != stated:
        raise Refused(
            "statement", f"it says {'; '.join(said[2:])}, and the bundle has {'; '.join(stated[2:])}"
        )
    events = [_event(event, at, originator, checkpoint) for at, event in enumerate(bundle["events"])]
    return Proven(bundle["originator_id"], key, checkpoint, events)


def load(text: str) -> Any:
    """`text` as JSON in which no name stands twice; Refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused("bundle", "a name stands twice in one object")
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused("bundle", f"it is not JSON: {error}") from None


def check_directory(directory: Path) -> tuple[Key, list[Checkpoint]]:
    """The checkpoints in `directory`: each is signed and continues the one before it; Refused names the file."""
    key = _key(_file(directory / "verifier-key.txt").removesuffix("\n"), "verifier-key.txt")
    found: list[Checkpoint] = []
    for path in sorted(directory.glob("*.checkpoint")):
        note, proof = _file(path), path.with_suffix(".consistency").name
        checkpoint = _checkpoint(note, key, path.name)
        body, _, repeated = _file(path.with_suffix(".consistency")).partition("\n\n")
        first, *lines = body.split("\n")
        if repeated != note or first != f"old {found[-1].size if found else 0}":
            raise Refused(
                proof, "it is not the proof from the checkpoint before: a file is missing or altered"
            )
        hashes = [_bytes(line, proof) for line in lines]
        if not continues(found[-1], checkpoint, hashes) if found else bool(hashes):
            raise Refused(proof, f"the log of {checkpoint.size} events does not continue the one before")
        found.append(checkpoint)
    return key, found


def check_case(directory: Path) -> tuple[Proven, dict[str, int]]:
    """What the unpacked case in `directory` proves, and the evidence that it names and lacks, by digest with the position; Refused."""
    bundle = load(_file(directory / "proof.json"))
    proven = check(bundle)
    for name, wanted in (
        ("checkpoint.txt", bundle["checkpoint"]),
        ("verifier-key.txt", f"{proven.key.text}\n"),
    ):
        if _file(directory / name) != wanted:
            raise Refused(name, "it is not the one in proof.json")
    lines = _file(directory / "events.jsonl").removesuffix("\n").split("\n")
    if len(lines) != len(proven.events):
        raise Refused(
            "events.jsonl", f"it has {len(lines)} lines, and {len(proven.events)} events are proved"
        )
    for number, (line, event) in enumerate(zip(lines, bundle["events"], strict=True), start=1):
        said = {name: event[name] for name in LINE_FIELDS}
        if json.dumps(load(line), sort_keys=True) != json.dumps(said, sort_keys=True):
            raise Refused(f"events.jsonl, line {number}", "it is not the event that is proved")
    return proven, _missing(directory / "evidence", proven)


def _missing(folder: Path, proven: Proven) -> dict[str, int]:
    """The evidence that is named and not in `folder`; Refused if a file there is not what its event names."""
    named = {
        event.reads["sha256"]: event.position
        for event in proven.events
        if event.topic == "incident.evidence_attached"
    }
    there = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    for name, path in sorted(there.items()):
        if name not in named:
            raise Refused(f"evidence/{name}", "no event of the case names it")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != name:
                raise Refused(f"evidence/{name}", f"its bytes are not those named at position {named[name]}")
    return {name: position for name, position in named.items() if name not in there}


def _file(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(path.name, f"it cannot be read: {error}") from None


def require_key(key: Key, wanted: str) -> None:
    """`key` is the one that `wanted` (a fingerprint, a verifier key, or a file with one) names; Refused."""
    text = wanted.strip()
    if Path(text).is_file():
        text = _file(Path(text)).strip()
    if text.lower() != key.fingerprint and text != key.text:
        raise Refused(
            "key", f"it is signed by {key.name}, fingerprint {key.fingerprint}: not by the key you named"
        )


def _words(value: Any) -> str:
    """A field of an event as a person reads it; one that is not flat is told part by part."""
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return " ".join(map(_words, value.values())) if isinstance(value, dict) else str(value)


def story(proven: Proven) -> list[str]:
    """The history in words, one line for an event."""
    lines = []
    for event in proven.events:
        reads = event.reads if isinstance(event.reads, dict) else {}
        rest = {
            k: v
            for k, v in reads.items()
            if k not in {"originator_id", "originator_version", "actor", "timestamp"} and v not in ([], None)
        }
        said = "; ".join(f"{k.replace('_', ' ')}: {_words(v)}" for k, v in rest.items())
        lines.append(
            f"{event.recorded_at:%Y-%m-%d %H:%M:%S} UTC  {event.version}. {event.topic.replace('_', ' ').replace('.', ' ')}"
            f" by {reads.get('actor', 'nobody named')}{' (' + said + ')' if said else ''}, position {event.position}"
        )
    return lines


def result(path: Path, wanted: str | None) -> dict[str, Any]:
    """What `path` (a bundle, a case, or a directory of checkpoints) proves, as JSON; Refused."""
    missing: dict[str, int] = {}
    if path.is_dir() and not (path / "proof.json").exists():
        key, checkpoints = check_directory(path)
        found: dict[str, Any] = {
            "checkpoints": len(checkpoints),
            "size": checkpoints[-1].size if checkpoints else 0,
        }
        told = [f"{one.made_at}  {one.size} events, root {one.root.hex()}" for one in checkpoints]
    else:
        if path.is_dir():
            proven, missing = check_case(path)
        else:
            proven = check(load(_file(path)))
        key, told = proven.key, story(proven)
        found = {
            "originator_id": proven.originator_id,
            "events": len(proven.events),
            "size": proven.checkpoint.size,
            "made_at": proven.checkpoint.made_at,
        }
    if wanted is not None:
        require_key(key, wanted)
    return {
        "holds": True,
        **found,
        "origin": key.name,
        "fingerprint": key.fingerprint,
        "key_compared": wanted is not None,
        "missing_evidence": missing,
        "story": told,
    }


def report(path: Path, wanted: str | None, *, as_json: bool) -> int:
    """Print what `path` proves, or where it does not hold; the exit code."""
    try:
        found = result(path, wanted)
    except Refused as refused:
        if as_json:
            print(
                json.dumps({"holds": False, "where": refused.where, "why": refused.why}, ensure_ascii=False)
            )
        else:
            print(f"REFUSED  {refused}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    print("\n".join(found["story"]))
    what = (
        "checkpoints, each continuing the one before"
        if "checkpoints" in found
        else f"events of {found['originator_id']}"
    )
    print(
        f"\nHOLDS  {found.get('events', found.get('checkpoints'))} {what}; the log had {found['size']} events"
    )
    for digest, position in found["missing_evidence"].items():
        print(f"NOT INCLUDED: evidence {digest}, which the event at position {position} names")
    print(f"signed by {found['origin']}, key fingerprint {found['fingerprint']}")
    if wanted is None:
        print(
            "WHO SIGNED WAS NOT CHECKED: compare the fingerprint with the one that the operator has published, or give --key"
        )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    described = str(__doc__)
    parser = argparse.ArgumentParser(
        description=described, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a bundle, a case, or a directory of checkpoints")
    parser.add_argument("--key", help="a fingerprint, a verifier key, or a file with one")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args(arguments)
    return report(given.path, given.key, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
