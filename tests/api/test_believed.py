"""A token that was believed is believed again without being checked, while it lasts and while its key does."""

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from given import person

from api.believed import Believed
from api.tokens import Issuer
from domain.errors import TokenError
from domain.people import Role

SOMEBODY = person(Role.AUDITOR)
KEY = object()


def at(*times):
    """A clock that says these times, one after another."""
    return iter(times).__next__


def test_who_was_believed_is_known_until_their_token_expires():
    believed = Believed(at(99.9, 100.0, 0.0))
    believed.remember("token", KEY, SOMEBODY, 100.0)

    assert believed.recall("token", KEY) is SOMEBODY
    assert believed.recall("token", KEY) is None
    assert believed.recall("token", KEY) is None, "it comes back when the clock goes back"


def test_another_token_or_another_key_says_nothing():
    believed = Believed(at(0.0, 0.0, 0.0))
    believed.remember("token", KEY, SOMEBODY, 100.0)

    assert believed.recall("tokem", KEY) is None
    assert believed.recall("token", object()) is None
    assert believed.recall("token", KEY) is None, "a key that was replaced is to be asked again"


def test_no_more_are_remembered_than_there_is_room_for_and_those_in_use_stay():
    believed = Believed(lambda: 0.0, most=2)
    for token in ("a", "b"):
        believed.remember(token, KEY, SOMEBODY, 100.0)
    believed.recall("a", KEY)
    believed.remember("c", KEY, SOMEBODY, 100.0)

    assert [believed.recall(token, KEY) for token in "abc"] == [SOMEBODY, None, SOMEBODY]


def test_the_token_itself_is_not_kept():
    believed = Believed()
    believed.remember("a-secret", KEY, SOMEBODY, 100.0)

    assert "a-secret" not in str(vars(believed))


def test_a_token_of_ours_that_was_believed_is_refused_once_it_has_expired():
    issuer = Issuer(Ed25519PrivateKey.generate())
    token = issuer.sign(SOMEBODY, datetime.now(UTC), timedelta(seconds=2))
    assert issuer.person(token) == issuer.person(token) == SOMEBODY
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]

    while time.time() < expires:
        time.sleep(0.1)
    with pytest.raises(TokenError, match="expired"):
        issuer.person(token)


def test_what_one_issuer_believed_another_does_not():
    one, other = Issuer(Ed25519PrivateKey.generate()), Issuer(Ed25519PrivateKey.generate())
    token = one.sign(SOMEBODY, datetime.now(UTC))
    assert one.person(token) == SOMEBODY

    with pytest.raises(TokenError):
        other.person(token)
