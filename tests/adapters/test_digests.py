"""Keyed digests: one key for a whole installation, and what it makes of plates, cards and codes."""

import stat
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from adapters.digests import Digests, load_digests
from domain.access import require_digest
from domain.credentials import CredentialKind
from domain.errors import CorruptError, UnavailableError

PLATE, CARD = CredentialKind.PLATE, CredentialKind.CARD
OURS, THEIRS = Digests(b"a" * 32), Digests(b"b" * 32)


def test_a_plate_has_one_digest_however_it_is_written_and_another_plate_another():
    assert OURS.of(PLATE, "浙C·12345") == OURS.of(PLATE, " 浙ｃ 12345 ") == OURS.of(PLATE, "浙C12345")
    assert OURS.of(PLATE, "浙C12346") != OURS.of(PLATE, "浙C12345")


def test_the_number_of_a_card_is_taken_as_it_is():
    assert OURS.of(CARD, " 04-a2 ") == OURS.of(CARD, "04-a2")
    assert OURS.of(CARD, "04A2") != OURS.of(CARD, "04-a2")


def test_without_the_key_nobody_has_the_digest():
    assert require_digest(OURS.of(CARD, "1")) != THEIRS.of(CARD, "1")
    assert "a" * 8 not in repr(OURS)
    assert b"a".hex() * 8 not in repr(OURS)


def test_what_is_no_text_has_a_digest_too_and_is_refused_by_the_domain():
    assert len(OURS.of(CARD, "\ud800")) == 32


def test_a_visit_has_one_code_of_eight_digits():
    visits = [uuid4() for _ in range(200)]
    codes = [OURS.code_of(visit) for visit in visits]
    assert codes == [OURS.code_of(visit) for visit in visits]
    assert all(len(code) == 8 and code.isdecimal() for code in codes)
    assert len(set(codes)) > 195
    assert OURS.code_of(visits[0]) != THEIRS.code_of(visits[0])


def test_the_key_is_made_once_for_its_owner_only_and_found_again(tmp_path):
    path = tmp_path / "keys" / "digest-key"
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(load_digests, [path] * 32))
    assert len({digests.of(CARD, "1") for digests in found}) == 1
    assert [file.name for file in path.parent.iterdir()] == ["digest-key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", [b"", b"nonsense", b"ab" * 31, b"\xff" * 64])
def test_a_file_that_holds_no_key_is_refused_with_what_to_do(tmp_path, text):
    path = tmp_path / "digest-key"
    path.write_bytes(text)
    with pytest.raises(CorruptError, match="restore it from its backup"):
        load_digests(path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UnavailableError, match="digest-key, cannot be used"):
        load_digests(file / "digest-key")
