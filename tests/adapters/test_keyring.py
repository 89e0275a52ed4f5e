"""The file of master keys."""

import stat
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from adapters import keyring
from domain.errors import CorruptError, UnavailableError

KEY = UUID(int=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "master-keys"


def test_it_is_made_once_and_only_its_owner_may_read_it(path):
    made = keyring.load(path, may_make=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(keyring.load(path, may_make=True).keys) == list(made.keys) == [made.newest.id]
    assert [file.name for file in path.parent.iterdir()] == ["master-keys"]


def test_of_many_that_make_it_at_once_one_does(path):
    with ThreadPoolExecutor(8) as threads:
        rings = list(threads.map(lambda _: keyring.load(path, may_make=True), range(32)))
    assert len({ring.newest.id for ring in rings}) == 1


def test_a_missing_file_that_must_be_there_is_named_with_what_to_do(path):
    with pytest.raises(UnavailableError, match=rf"there is no {path}.*Restore the file from its backup"):
        keyring.load(path, may_make=False)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "# nothing\n", "0000000000000000 AAAA\n", "\x00\x01", "x\n"])
def test_a_file_that_is_not_a_keyring_is_refused_and_left_as_it_is(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(UnavailableError, match="restore the file from its backup"):
        keyring.load(path, may_make=True)
    assert path.read_text() == text


def test_a_damaged_key_is_known_by_its_id(path):
    keyring.load(path, may_make=True)
    text = path.read_text()
    last = text.rstrip()[-5]
    path.write_text(text[::-1].replace(last, "A" if last != "A" else "B", 1)[::-1])
    with pytest.raises(UnavailableError, match=r"line 2 of .* is not a master key as it was written"):
        keyring.load(path, may_make=False)


def test_the_newest_key_wraps_and_the_older_ones_still_open(path):
    first = keyring.load(path, may_make=True)
    wrapped = first.wrap(b"k" * 32, KEY, "s")
    ring = keyring.add(path)
    assert ring.newest.id != first.newest.id
    assert ring.unwrap(wrapped, first.newest.id, KEY, "s") == b"k" * 32
    with pytest.raises(UnavailableError, match="lacks the master key"):
        keyring.remove(path, [first.newest.id]).unwrap(wrapped, first.newest.id, KEY, "s")


def test_the_newest_key_is_never_removed(path):
    ring = keyring.load(path, may_make=True)
    assert keyring.remove(path, [ring.newest.id]).newest.id == ring.newest.id


def test_keys_added_at_once_are_all_kept(path):
    keyring.load(path, may_make=True)
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda _: keyring.add(path), range(16)))
    assert len(added) == 16
    assert len(keyring.load(path, may_make=False).keys) == 17


def test_a_wrapped_key_opens_only_in_its_own_row(path):
    ring = keyring.load(path, may_make=True)
    wrapped = ring.wrap(b"k" * 32, KEY, "s")
    for moved in (
        (wrapped, KEY, "t"),
        (wrapped, UUID(int=2), "s"),
        (wrapped[:-1], KEY, "s"),
        (b"", KEY, "s"),
    ):
        with pytest.raises(CorruptError, match=r"row of . is damaged"):
            ring.unwrap(moved[0], ring.newest.id, *moved[1:])


def test_no_way_of_printing_shows_a_key(path):
    ring = keyring.load(path, may_make=True)
    secret = path.read_text().split()[-1]
    assert secret not in repr(ring)
    assert "AESGCM" in repr(ring)
