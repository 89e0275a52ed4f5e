"""Tokens say who asks; only those signed here, for here and now, are believed."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from given import person
from hypothesis import given
from hypothesis import strategies as st

from api.tokens import AUDIENCE, ISSUER, Issuer, load_issuer
from domain.errors import CorruptError, UnauthenticatedError, UnavailableError
from domain.people import CITY, Person, Role, Scope
from domain.site import site_id

ISSUER_HERE = Issuer(Ed25519PrivateKey.generate())
HOUR = timedelta(hours=1)


def now():
    return datetime.now(UTC)


def claims(**changes):
    at = now()
    return {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "x-1", "iat": at, "nbf": at, "exp": at + HOUR, "roles": ["admin"],
    } | changes  # fmt: skip


def signed(content, key=ISSUER_HERE.key, algorithm="EdDSA"):
    return jwt.encode(
        {name: value for name, value in content.items() if value is not None}, key, algorithm=algorithm
    )


@given(
    st.builds(
        Person,
        id=st.text(min_size=1, max_size=20, alphabet=st.characters(exclude_categories=["Cs"])),
        roles=st.frozensets(st.sampled_from(Role)),
        scope=st.sampled_from(
            [CITY, Scope("yuhai"), Scope(site_id=site_id("a")), Scope("yuhai", site_id("a"))]
        ),
        units=st.frozensets(st.sampled_from(["police-station", "fire-safety", "public-works"])),
    )
)
def test_who_signed_in_is_who_comes_out(somebody):
    assert ISSUER_HERE.person(ISSUER_HERE.sign(somebody, now())) == somebody


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "tök€n",
        signed(claims(exp=now() - HOUR)),
        signed(claims(nbf=now() + HOUR)),
        signed(claims(iat=now() + HOUR)),
        signed(claims(aud="elsewhere")),
        signed(claims(iss="elsewhere")),
        signed(claims(roles=["emperor"])),
        signed(claims(roles=5)),
        signed(claims(site="not-an-id")),
        *(signed(claims(**{name: None})) for name in ("exp", "iat", "sub", "iss", "aud")),
        signed(claims(), Ed25519PrivateKey.generate()),
        signed(claims(), generate_private_key(SECP256R1()), "ES256"),
        signed(claims(), "a secret that is long enough for HS256", "HS256"),
        signed(claims(), None, "none"),
    ],
)
def test_a_token_that_is_not_ours_for_here_and_now_is_refused(token):
    with pytest.raises(UnauthenticatedError, match="the token is not accepted"):
        ISSUER_HERE.person(token)


def test_a_token_without_roles_is_somebody_who_may_do_nothing():
    assert ISSUER_HERE.person(signed(claims(roles=None))) == Person("x-1", frozenset())


def test_the_key_is_made_once_for_its_owner_only_and_found_again(tmp_path):
    folder = tmp_path / "data"
    token = load_issuer(folder).sign(person(Role.ADMIN), now())
    assert load_issuer(folder).person(token) == person(Role.ADMIN)
    assert [path.name for path in folder.iterdir()] == ["token-key.pem"]
    assert stat.S_IMODE((folder / "token-key.pem").stat().st_mode) == 0o600


def test_many_that_make_the_key_at_once_get_the_same_one(tmp_path):
    with ThreadPoolExecutor(16) as threads:
        issuers = list(threads.map(load_issuer, [tmp_path] * 64))
    token = issuers[0].sign(person(Role.ADMIN), now())
    assert {issuer.person(token).id for issuer in issuers} == {"p-admin"}
    assert os.listdir(tmp_path) == ["token-key.pem"]  # noqa: PTH208


def test_a_file_that_is_no_such_key_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "token-key.pem"
    path.write_text("nonsense")
    with pytest.raises(CorruptError, match=r"token-key\.pem is not a private key: .*; remove it"):
        load_issuer(tmp_path)
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    with pytest.raises(CorruptError, match="is not an Ed25519 key; remove it"):
        load_issuer(tmp_path)


def test_a_data_folder_that_cannot_be_one_is_refused_with_what_to_do(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UnavailableError, match="ANJU_DATA_DIR"):
        load_issuer(file)
