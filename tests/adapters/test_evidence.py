"""The evidence store keeps bytes under their digest: whole, once, and never altered unseen."""

import errno
import hashlib

import pytest

from adapters import evidence
from adapters.evidence import EvidenceStore, content
from domain.errors import CorruptError, InvalidError, NotFoundError, UnavailableError

PICTURE = b"\xff\xd8 a picture " * 1000
DIGEST = hashlib.sha256(PICTURE).hexdigest()


async def pieces(data, size=700):
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture
def store(tmp_path):
    return EvidenceStore(tmp_path / "evidence", largest=len(PICTURE))


def left_behind(store):
    return list((store.folder / "incoming").iterdir())


async def test_what_was_kept_comes_back_under_its_digest(store):
    kept = await store.put(pieces(PICTURE), "p-guard")
    assert (kept.sha256, kept.size, kept.repeated) == (DIGEST, len(PICTURE), False)
    path = await store.checked(DIGEST)
    assert b"".join([chunk async for chunk in content(path)]) == PICTURE
    assert path.stat().st_mode & 0o077 == 0
    assert left_behind(store) == []


async def test_the_same_again_is_kept_once(store):
    await store.put(pieces(PICTURE), "p-guard")
    before = store.path(DIGEST).stat()
    assert (await store.put(pieces(PICTURE, 9), "p-guard")).repeated
    assert store.path(DIGEST).stat().st_mtime_ns == before.st_mtime_ns
    assert left_behind(store) == []


async def test_an_altered_file_is_found_and_not_given_out_and_mended_by_the_same_bytes(store):
    await store.put(pieces(PICTURE), "p-guard")
    path = store.path(DIGEST)
    path.write_bytes(PICTURE[:-1] + b"x")
    with pytest.raises(CorruptError, match="was altered"):
        await store.checked(DIGEST)
    assert not (await store.put(pieces(PICTURE), "p-guard")).repeated
    assert (await store.checked(DIGEST)).read_bytes() == PICTURE


@pytest.mark.parametrize(("data", "why"), [(b"", "is empty"), (PICTURE + b"x", "at most 13000 bytes")])
async def test_what_is_empty_or_too_large_is_refused_and_leaves_nothing(store, data, why):
    with pytest.raises(InvalidError, match=why):
        await store.put(pieces(data), "p-guard")
    assert left_behind(store) == []


async def test_a_sender_who_goes_away_leaves_nothing(store):
    async def broken():
        yield PICTURE[:100]
        raise ConnectionAbortedError(errno.ECONNABORTED, "gone")

    with pytest.raises(UnavailableError):
        await store.put(broken(), "p-guard")
    assert left_behind(store) == []
    assert store.path(DIGEST) is None


async def test_a_full_disk_is_said_to_be(store, monkeypatch):
    def full(_file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(evidence, "_flush", full)
    with pytest.raises(UnavailableError, match="No space left on device; is there room"):
        await store.put(pieces(PICTURE), "p-guard")
    assert left_behind(store) == []


async def test_a_folder_that_is_a_file_is_said_to_be(tmp_path):
    (tmp_path / "evidence").write_text("")
    with pytest.raises(UnavailableError, match="cannot be used"):
        await EvidenceStore(tmp_path / "evidence").put(pieces(PICTURE), "p-guard")


async def test_what_is_not_there_or_no_digest_is_refused(store):
    with pytest.raises(NotFoundError, match="is not in the store"):
        await store.checked(DIGEST)
    for wrong in ("../../etc/passwd", DIGEST.upper(), DIGEST[:-1]):
        with pytest.raises(InvalidError, match="64 lower-case hex digits"):
            await store.checked(wrong)
