"""Tokens of an identity provider: what is believed, and what is made of it. The provider is a real server with keys of its own."""

import asyncio
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import jwt
import pytest
from asking import Asker
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import Response
from given import person
from jwt.algorithms import RSAAlgorithm
from provider import AUDIENCE, by_hand, idp, json_of, make_key
from telling import tell

from api import jwks, oidc
from api.bootstrap import system
from api.http import application
from api.jwks import COOLDOWN, FRESH, STALE, KeySet
from api.oidc import ClaimNames, Provider, person_of_claims
from api.serving import serving
from api.settings import Settings, load_settings
from domain import policy
from domain.errors import ForbiddenError, InvalidError, TokenError, UnavailableError
from domain.people import CITY, Person, Role, Scope
from domain.site import site_id

NAMES = ClaimNames("sub", "roles", "units", "township", "site")
WHO = "{ systemStatus { position } }"
DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


class Clock:
    """Goes when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def their():
    async with idp() as made:
        yield made


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def provider(their, clock):
    async with httpx.AsyncClient(trust_env=False) as client:
        yield Provider(their.issuer, AUDIENCE, NAMES, KeySet(client, their.issuer, None, clock))


async def refused(provider, token, why, error=TokenError):
    with pytest.raises(error, match=why):
        await provider.person(token)


# --- what is believed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_of_the_provider_says_who_asks_what_for_and_where(provider, their, algorithm):
    their.add("k2", algorithm)
    somebody = Person("staff-7", frozenset({Role.DISPATCHER}), CITY, frozenset({"fire-safety"}))
    for header in ({}, {"typ": "at+jwt"}, {"typ": "application/AT+JWT"}):
        assert await provider.person(their.token("k2", header)) == somebody
    assert await provider.person(their.token("k2", aud=["others", AUDIENCE], typ="Bearer")) == somebody
    assert their.asked == [DISCOVERY, KEYS]


async def test_the_address_of_the_keys_can_be_given_and_then_the_provider_is_not_asked_for_it(their):
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = KeySet(client, their.issuer, f"{their.issuer}/keys")
        await Provider(their.issuer, AUDIENCE, NAMES, keys).person(their.token())
    assert their.asked == [KEYS]


async def test_clocks_may_differ_by_a_little(provider, their):
    now = datetime.now(UTC)
    second = timedelta(seconds=1)
    within = timedelta(seconds=oidc.LEEWAY) - 10 * second
    await provider.person(their.token(exp=now - within))
    await provider.person(their.token(nbf=now + within, iat=now + within))
    await refused(provider, their.token(exp=now - within - 20 * second), "expired")
    await refused(provider, their.token(nbf=now + within + 20 * second), "not yet valid")


# --- what is not -----------------------------------------------------------------------------------------------------


def hmac_of(their, secret):
    """A token signed with HS256 under what everybody can read: the classic confusion."""
    header, claims = {"alg": "HS256", "typ": "JWT", "kid": "k1"}, their.claims()
    signed = by_hand(header, claims, b"").rstrip(".")
    return by_hand(header, claims, hmac.new(secret, signed.encode(), sha256).digest())


def pem(their):
    return their.keys["k1"][0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def cut(token):
    return ".".join(token.split(".")[:2]) + "."


HOUR = timedelta(hours=1)
UNBELIEVED = {
    "nothing signed": (lambda t: by_hand({"alg": "none", "kid": "k1"}, t.claims(), b""), "signed with 'none'"),
    "nothing signed, in other letters": (lambda t: by_hand({"alg": "nOnE", "kid": "k1"}, t.claims(), b""), "'nOnE'"),
    "signature cut off": (lambda t: cut(t.token()), "not accepted"),
    "HMAC with the PEM": (lambda t: hmac_of(t, pem(t)), "signed with 'HS256'"),
    "HMAC with the JWK": (lambda t: hmac_of(t, json.dumps(t.jwk("k1")).encode()), "signed with 'HS256'"),
    "an algorithm as a list": (lambda t: by_hand({"alg": ["ES256"], "kid": "k1"}, t.claims(), b"x"), "signed with"),
    "the right key, another algorithm": (lambda t: by_hand({"alg": "RS256", "kid": "k1"}, t.claims(), b"x"), "publish"),
    "somebody else's key": (lambda t: jwt.encode(t.claims(), make_key("ES256"), "ES256", {"kid": "k1"}), "Signature"),
    "no kid": (lambda t: jwt.encode(t.claims(), t.keys["k1"][0], "ES256"), "does not name the key"),
    "a kid that is a number": (lambda t: by_hand({"alg": "ES256", "kid": 1}, t.claims(), b"x"), "not accepted"),
    "a kid that is a list": (lambda t: by_hand({"alg": "ES256", "kid": ["k1"]}, t.claims(), b"x"), "not accepted"),
    "another issuer": (lambda t: t.token(iss="https://elsewhere.example"), "issuer"),
    "the issuer with a slash": (lambda t: t.token(iss=f"{t.issuer}/"), "issuer"),
    "another audience": (lambda t: t.token(aud="payroll"), "Audience"),
    "no audience": (lambda t: t.token(aud=None), "aud"),
    "expired": (lambda t: t.token(exp=datetime.now(UTC) - HOUR), "expired"),
    "for ever": (lambda t: t.token(exp=None), "exp"),
    "from the future": (lambda t: t.token(nbf=datetime.now(UTC) + HOUR), "not yet valid"),
    "issued in the future": (lambda t: t.token(iat=datetime.now(UTC) + HOUR), "not yet valid"),
    "never issued": (lambda t: t.token(iat=None), "iat"),
    "about nobody": (lambda t: t.token(sub=None), "sub"),
    "about a number": (lambda t: t.token(sub=7), "not accepted"),
    "an ID token": (lambda t: t.token(typ="ID"), "of another kind"),
    "a logout token": (lambda t: t.token(header={"typ": "logout+jwt"}), "of another kind"),
    "a header that must be understood": (lambda t: t.token(header={"crit": ["b64", "x"], "x": 1}), "not accepted"),
    "no token": (lambda t: "nonsense", "not accepted"),
    "no JSON": (lambda t: "e30.bm8.bm8", "signed with None"),
    "letters that are not ASCII": (lambda t: "tök.€.n", "not accepted"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNBELIEVED)
async def test_what_the_provider_did_not_sign_for_us_and_for_now_is_not_believed(provider, their, case):
    make, why = UNBELIEVED[case]
    await refused(provider, make(their), why)


async def test_a_short_rsa_key_is_not_believed_even_if_it_is_published(provider, their):
    key = generate_private_key(65537, 1024)
    their.extra = [{"kid": "short"} | RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)]
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(their.claims(), key, "RS256", {"kid": "short"})
    await refused(provider, token, "not accepted")


KIDS = [
    "../../../../etc/passwd", "/dev/null", "k1' or '1'='1", "'; drop table events; --", "http://127.0.0.1:1/keys",
    "k1\x00", "k1\n", " k1", "K1", "", "k" * 100_000, "{{7*7}}", "$(id)",
]  # fmt: skip


@pytest.mark.parametrize("kid", KIDS, ids=range(len(KIDS)))
async def test_the_name_of_a_key_is_looked_up_and_nothing_more(provider, their, kid):
    key = their.keys["k1"][0]
    await refused(provider, jwt.encode(their.claims(), key, "ES256", {"kid": kid}), "does not publish")
    assert their.asked == [DISCOVERY, KEYS]


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_keys_that_a_token_brings_along_are_neither_fetched_nor_used(provider, their, name):
    async with idp() as foreign:
        own = foreign.jwk("k1")
        value = {
            "jku": f"{foreign.issuer}/keys",
            "x5u": f"{foreign.issuer}/keys",
            "jwk": own,
            "x5c": ["MIIB"],
        }[name]
        theirs = jwt.encode(their.claims(), foreign.keys["k1"][0], "ES256", {"kid": "k1", name: value})
        await refused(provider, theirs, "Signature verification failed")
        assert await provider.person(their.token(header={name: value}))
        assert foreign.asked == []


# --- keys come and go ------------------------------------------------------------------------------------------------


async def test_a_new_key_is_believed_without_a_restart_and_an_old_one_no_longer(provider, their, clock):
    old = their.token("k1")
    await provider.person(old)
    their.add("k2")
    del their.keys["k1"]
    clock.now += COOLDOWN
    await provider.person(their.token("k2"))  # it is not known: the keys are fetched
    await refused(provider, old, "does not publish")


async def test_a_withdrawn_key_is_believed_for_a_bounded_time(provider, their, clock):
    old = their.token("k1")
    await provider.person(old)
    del their.keys["k1"]
    clock.now += FRESH
    await provider.person(old)
    clock.now += 1
    await refused(provider, old, "does not publish")


async def test_a_key_that_changes_under_the_same_name_is_found_after_a_while(provider, their, clock):
    await provider.person(their.token())
    their.add("k1")
    await refused(provider, their.token(), "Signature")
    clock.now += FRESH + 1
    await provider.person(their.token())


async def test_while_the_provider_is_down_its_last_keys_are_used_for_a_bounded_time(
    provider, their, clock, caplog
):
    await provider.person(their.token())
    their.instead = dict.fromkeys((DISCOVERY, KEYS), Response("oh", 500))
    for _ in range(int(STALE / COOLDOWN / 10)):
        clock.now += COOLDOWN * 10
        await provider.person(their.token())
    clock.now += 1
    await refused(provider, their.token(), "gives us no keys: is it up", UnavailableError)
    assert "500" in caplog.text
    their.instead.clear()
    clock.now += COOLDOWN
    await provider.person(their.token())


async def test_who_cannot_be_reached_at_all_is_unavailable_and_tried_again(their, clock):
    async with httpx.AsyncClient(trust_env=False) as client:
        provider = Provider(
            their.issuer, AUDIENCE, NAMES, KeySet(client, their.issuer, "http://127.0.0.1:1/", clock)
        )
        await refused(provider, their.token(), "gives us no keys", UnavailableError)
        provider.keys._url = f"{their.issuer}/keys"
        await refused(provider, their.token(), "gives us no keys", UnavailableError)
        clock.now += COOLDOWN
        await provider.person(their.token())


async def test_a_provider_that_hangs_is_waited_for_briefly(provider, their, monkeypatch):
    monkeypatch.setattr(jwks, "TIMEOUT", 0.05)
    their.delay = 1.0
    async with asyncio.timeout(0.8):
        await refused(provider, their.token(), "gives us no keys", UnavailableError)


GARBAGE = {
    "a page": Response("<html>please log in</html>", media_type="text/html"),
    "nothing": Response(b""),
    "a list": json_of([]),
    "no list": json_of({"keys": 5}),
    "no keys in it": json_of({"keys": [5, None, "k1", [], {}, {"kty": "RSA"}, {"kty": "EC", "kid": "k1", "crv": "P-256"}]}),
    "half a key": json_of({"keys": [{"kty": "RSA", "kid": "k1", "n": "AQAB"}, {"kty": "EC", "kid": "k1", "x": 5}]}),
    "a secret": json_of({"keys": [{"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}, {"kty": "oct", "kid": "k1"}]}),
    "keys for encryption": json_of({"keys": [{"kty": "EC", "kid": "k1", "crv": "P-256", "use": "enc"}]}),
    "bytes": Response(b"\xff\xfe\x00"),
    "too deep": Response(b'{"keys":' + b"[" * 100_000),
    "too long": Response(b'{"keys":[' + b" " * (1 << 20) + b"]}"),
    "a redirect": Response(status_code=302, headers={"Location": "/elsewhere"}),
    "an error": Response("no", 503),
}  # fmt: skip


@pytest.mark.parametrize("case", GARBAGE)
async def test_what_is_no_key_set_changes_nothing(provider, their, clock, case):
    await provider.person(their.token())
    their.instead[KEYS] = GARBAGE[case]
    clock.now += FRESH + 1
    await provider.person(their.token())
    assert their.asked == [DISCOVERY, KEYS] * 2


async def test_keys_of_kinds_that_we_do_not_know_stand_beside_those_that_we_do(provider, their):
    their.extra = [
        5,
        {"kty": "LATTICE", "kid": "k9"},
        {"kty": "EC", "kid": "k8", "crv": "P-521"},
        {"kid": "k1"},
    ]
    await provider.person(their.token())


async def test_a_provider_that_publishes_no_key_is_taken_at_its_word(provider, their, clock):
    await provider.person(their.token())
    token = their.token()
    their.keys.clear()
    clock.now += FRESH + 1
    await refused(provider, token, "does not publish")


async def test_a_description_of_another_issuer_or_of_keys_that_anybody_could_change_is_not_used(
    provider, their, clock
):
    for described in (
        {"issuer": "https://elsewhere.example", "jwks_uri": f"{their.issuer}/keys"},
        {"issuer": their.issuer, "jwks_uri": "http://keys.example/"},
        {"issuer": their.issuer, "jwks_uri": "file:///etc/passwd"},
        {"issuer": their.issuer},
    ):
        their.instead[DISCOVERY] = json_of(described)
        clock.now += COOLDOWN
        await refused(provider, their.token(), "gives us no keys", UnavailableError)
    assert set(their.asked) == {DISCOVERY}


async def test_a_thousand_tokens_with_made_up_keys_cause_few_fetches(provider, their, clock):
    await provider.person(their.token())
    key = their.keys["k1"][0]
    forged = [jwt.encode(their.claims(), key, "ES256", {"kid": f"x{n}"}) for n in range(1000)]
    for begin in range(0, 1000, 100):
        clock.now += 1
        results = await asyncio.gather(
            *(provider.person(token) for token in forged[begin : begin + 100]), return_exceptions=True
        )
        assert {type(result) for result in results} == {TokenError}
        assert await provider.person(their.token())
    assert their.asked == [DISCOVERY, KEYS] * 2  # ten seconds: one more than the first


async def test_who_comes_first_fetches_the_keys_and_the_others_wait_for_them(provider, their):
    their.delay = 0.05
    people = await asyncio.gather(*(provider.person(their.token()) for _ in range(50)))
    assert len(people) == 50
    assert their.asked == [DISCOVERY, KEYS]


# --- who the claims describe -----------------------------------------------------------------------------------------


def claims(**changes):
    return {"sub": "staff-7", "roles": ["guard"], "township": "yuhai"} | changes


@pytest.mark.parametrize(
    ("given", "scope"),
    [
        ({"township": "yuhai"}, Scope("yuhai")),
        ({"township": ["yuhai"]}, Scope("yuhai")),
        ({"township": None, "site": "runjinyuan"}, Scope(site_id=site_id("runjinyuan"))),
        ({"site": "runjinyuan"}, Scope("yuhai", site_id("runjinyuan"))),
        ({"township": "*"}, CITY),
    ],
)
def test_claims_say_for_where(given, scope):
    assert person_of_claims(claims(**given), NAMES).scope == scope


def test_claims_can_have_other_names_lie_deeper_and_hold_one_word_instead_of_a_list():
    names = ClaimNames("employee", "resource_access.anju.roles", "https://anju.example/units", "ou", "site")
    found = {
        "sub": "6f1c", "employee": "p-12", "resource_access": {"anju": {"roles": "guard"}},
        "https://anju.example/units": ["fire-safety"], "ou": "tangxia",
    }  # fmt: skip
    assert person_of_claims(found, names) == Person(
        "p-12", frozenset({Role.GUARD}), Scope("tangxia"), frozenset({"fire-safety"})
    )


def test_a_person_without_roles_may_do_nothing():
    nobody = person_of_claims(claims(roles=None), NAMES)
    for command in policy.ALLOWED:
        with pytest.raises(ForbiddenError, match="staff-7 has no role"):
            policy.require(nobody, command)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"roles": ["guard", "emperor"]}, "a role that there is not: 'emperor'; there are admin, auditor"),
        ({"roles": ["GUARD"]}, "'GUARD'"),
        ({"roles": [5]}, "'roles' must be a list of words"),
        ({"roles": {"guard": True}}, "'roles' must be a list of words"),
        ({"roles": ["device"]}, "which no person has: devices have credentials of their own"),
        ({"roles": ["guard", "device"]}, "which no person has"),
        ({"township": None}, r"does not say for where: .* 'township' .*'\*': the whole city"),
        ({"township": []}, "does not say for where"),
        ({"township": ""}, "'township'.* is not a code"),
        ({"township": ["yuhai", "tangxia"]}, "'township' holds 2 words"),
        ({"township": "' or 1=1"}, "'township'.* is not a code"),
        ({"township": "*", "site": "runjinyuan"}, "which"),
        ({"township": None, "site": "*"}, "'site'.* is not a code"),
        ({"township": 5}, "'township' must be a list of words"),
        ({"units": ["Fire Safety"]}, "'units'.* is not a code"),
        ({"sub": ""}, "'sub' must hold a staff number"),
        ({"sub": "x" * 256}, "'sub' must hold a staff number"),
        ({"sub": "a\x00b"}, "'sub' must hold a staff number"),
    ],
)
def test_claims_that_say_too_little_or_what_we_do_not_know_open_nothing(given, why):
    with pytest.raises(ForbiddenError, match=why):
        person_of_claims(claims(**given), NAMES)


def test_a_person_who_is_also_a_device_may_do_nothing_of_either():
    both = person(Role.DEVICE, Role.GUARD)
    for command in ("alarm.trip", "alarm.acknowledge"):
        with pytest.raises(ForbiddenError, match="a person is no device"):
            policy.require(both, command)


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(running, provider):
    """Asks an API that believes the provider only."""
    transport = httpx.ASGITransport(application(replace(running, provider=provider)))
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as made:
        yield made


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def figures(client, headers, **parameters):
    asked = {"from": "2018-11-01", "to": "2018-11-30"} | parameters
    return await client.get("/api/reports/safety.json", params=asked, headers=headers)


async def graphql(client, token):
    return (await client.post("/graphql", json={"query": WHO}, headers=bearer(token))).json()


async def test_the_scope_of_the_token_bounds_what_is_seen(running, client, their):
    await tell(running.log, running.pool)
    for where, incidents in (
        ({"township": "*"}, 4),
        ({"township": "yuhai"}, 3),
        ({"township": "tangxia"}, 1),
        ({"township": None, "site": "shaozhai"}, 1),
        ({"township": "yuhai", "site": "shaozhai"}, 0),
    ):
        found = await figures(client, bearer(their.token(roles=["supervisor"], **where)))
        rows = {
            row["measure"]: row["now"]
            for s in found.json()["sections"]
            if s["section"] == "counts"
            for row in s["rows"]
        }
        assert rows["incidents"] == incidents, where
    hidden = await figures(
        client, bearer(their.token(roles=["supervisor"], township="yuhai")), site="shaozhai"
    )
    assert hidden.status_code == 404


async def test_graphql_and_reports_refuse_the_same_tokens_in_their_own_ways(running, client, their, asker):
    supervisor = their.token(roles=["supervisor"])
    assert (await graphql(client, supervisor))["data"]["systemStatus"] == {"position": 0}
    for token, code, status in (
        (their.token(aud="payroll"), "UNAUTHENTICATED", 401),
        (asker.token(person(Role.SUPERVISOR)), "UNAUTHENTICATED", 401),
        (their.token(roles=["emperor"]), "FORBIDDEN", 403),
        (their.token(roles=["device"]), "FORBIDDEN", 403),
        (their.token(township=None), "FORBIDDEN", 403),
        (their.token(roles=None), "FORBIDDEN", 403),
    ):
        assert (await graphql(client, token))["errors"][0]["extensions"]["code"] == code
        answer = await figures(client, bearer(token))
        assert (answer.status_code, answer.json()["title"]) == (status, code)


async def test_who_shows_no_token_is_asked_for_one_and_who_shows_a_bad_one_for_another(client, their):
    expired = their.token(exp=datetime.now(UTC) - HOUR)
    for headers, challenge in (
        ({}, "Bearer"),
        ({"Authorization": "Basic dTpw"}, "Bearer"),
        ({"Authorization": "Bearer "}, "Bearer"),
        (bearer(expired), 'Bearer error="invalid_token"'),
        (bearer("x" * 20_000), 'Bearer error="invalid_token"'),
    ):
        answer = await figures(client, headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge)
    assert "www-authenticate" not in (await figures(client, bearer(their.token(roles=None)))).headers


async def test_a_token_in_the_address_is_refused_even_beside_a_good_one(client, their):
    good = their.token(roles=["supervisor"])
    for headers in ({}, bearer(good)):
        answer = await figures(client, headers, access_token=good)
        assert (answer.status_code, "ends up in logs" in answer.text, good in answer.text) == (
            401,
            True,
            False,
        )
        answer = await client.post(
            "/graphql", params={"access_token": good}, json={"query": WHO}, headers=headers
        )
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_of_two_authorizations_neither_counts(client, their):
    good = f"Bearer {their.token(roles=['supervisor'])}"
    for second in (good, "Bearer x", "Basic dTpw"):
        for headers in (
            [("Authorization", good), ("Authorization", second)],
            [("authorization", second), ("Authorization", good)],
        ):
            assert (await figures(client, headers)).status_code == 401
    assert (await figures(client, {"Authorization": f"{good}, {good}"})).status_code == 401


async def test_without_the_provider_it_is_unavailable_and_health_and_pages_are_there(client, their):
    their.instead = dict.fromkeys((DISCOVERY, KEYS), Response("oh", 500))
    assert (await figures(client, bearer(their.token()))).status_code == 503
    assert (await graphql(client, their.token()))["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    for path in ("/healthz", "/readyz", "/docs", "/"):
        assert (await client.get(path)).status_code == 200


async def test_a_request_finds_out_once_who_asks(client, their, monkeypatch):
    asked = []
    person_of_token = Provider.person

    async def counted(self, token):
        asked.append(token)
        return await person_of_token(self, token)

    monkeypatch.setattr(Provider, "person", counted)
    several = "{ a: systemStatus { position } b: systemStatus { position } }"
    answer = await client.post(
        "/graphql", json={"query": several}, headers=bearer(their.token(roles=["admin"]))
    )
    assert "errors" not in answer.json()
    assert len(asked) == 1


async def test_settings_name_the_provider_and_keys_rotate_while_it_runs(settings, their, monkeypatch):
    monkeypatch.setattr(jwks, "COOLDOWN", 0.0)
    more = {"oidc_issuer": their.issuer, "oidc_audience": AUDIENCE, "oidc_roles_claim": "realm_access.roles"}
    async with (
        system(settings.model_copy(update=more)) as started,
        serving(application(started), "127.0.0.1", 0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        for kid in ("k1", "k2", "k3"):
            their.add(kid)
            token = their.token(kid, realm_access={"roles": ["admin"]})
            assert (await graphql(client, token))["data"]["systemStatus"] == {"position": 0}
            del their.keys[kid]
        ours = Asker(client, started.issuer)
        assert (await ours.refusal(WHO, person(Role.ADMIN)))["code"] == "UNAUTHENTICATED"


async def test_both_kinds_of_token_are_believed_only_where_that_is_set(running, provider, their):
    both = replace(
        running, provider=provider, settings=running.settings.model_copy(update={"own_tokens": True})
    )
    transport = httpx.ASGITransport(application(both))
    async with httpx.AsyncClient(transport=transport, base_url="http://anju") as client:
        ours = Asker(client, running.issuer)
        assert await ours.data(WHO, person(Role.ADMIN)) == {"position": 0}
        assert (await graphql(client, their.token(roles=["admin"])))["data"]["systemStatus"] == {
            "position": 0
        }
        for forged in (their.token(iss="anju", roles=["admin"]), "nonsense"):
            assert (await ours.refusal(WHO, forged))["code"] == "UNAUTHENTICATED"


async def test_a_provider_without_an_audience_is_refused_before_anything_is_served(settings, their):
    only = settings.model_copy(update={"oidc_issuer": their.issuer})
    with pytest.raises(InvalidError, match="ANJU_OIDC_ISSUER needs ANJU_OIDC_AUDIENCE"):
        async with system(only):
            pass


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_JWKS_URL"])
@pytest.mark.parametrize(
    "url",
    ["http://idp.example", "idp.example", "file:///keys", "https://", "http://localhost.evil", "https://[x"],
)
def test_a_provider_whose_keys_anybody_on_the_way_could_change_is_refused(monkeypatch, name, url):
    monkeypatch.setenv(f"ANJU_{name}", url)
    with pytest.raises(InvalidError, match=f"ANJU_{name}: write it as https://host/path"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["https://idp.example/realms/rui-an", "http://127.0.0.1:8080/realms/x", "http://[::1]:8080"]
)
def test_https_and_this_machine_will_do(url):
    assert Settings(oidc_issuer=url).oidc_issuer == url
