"""What a node takes from whoever answers for the enroller: only issuers that the realm's operator has signed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentbus.errors import Unauthorized
from agentbus.security import Credentials, KeyPair, RealmFile
from agentbus.security.enroller.codec import EnrolmentGrant, EnrolmentRequest, encode_grant
from agentbus.security.keys import Kind
from agentbus.security.realm.claims import AccountLimits, account_claims, decode, encode
from agentbus.security.realm.folder import RealmFolder, create
from agentbus.security.realm.issuing import Issued, Wanted, issue
from agentbus.security.realm.permissions import Layout
from agentbus.security.renewing import renewed

Grants = Callable[[bytes], EnrolmentGrant]
"""What is answered to a wish."""


class Answering:
    """A speaker whose requests are answered by somebody."""

    def __init__(self, grants: Grants) -> None:
        self.grants = grants

    async def request(self, request: EnrolmentRequest, *_: Any, **__: Any) -> EnrolmentGrant:
        return self.grants(request.wish)


@pytest.fixture
def realm(tmp_path: Path) -> RealmFolder:
    return create(tmp_path / "realm", Layout(realm="plant"), now_s=int(time.time()))


def held(realm: RealmFolder) -> Credentials:
    pair = KeyPair.create()
    wanted = Wanted(key=pair.key, node="hall", role="agent", names=("door",))
    return realm.enroll(pair, wanted, int(time.time()), 600)


async def taken(grants: Grants, credentials: Credentials) -> Credentials:
    return await renewed(Answering(grants), credentials, time.time())  # type: ignore[arg-type]


def granting(realm: RealmFolder, credentials: Credentials, jwt: str) -> Grants:
    """An honest enroller's, for whoever asks."""
    wanted = Wanted(key=credentials.pair.key, node="hall", role="agent")
    issued = issue(wanted, realm.signing("agent"), realm.public, int(time.time()), 600)
    public, issuer = realm.public, realm.signing("agent")
    return lambda wish: encode_grant(issued, public, jwt, wish, issuer)


async def test_what_the_operators_account_names_is_taken(realm: RealmFolder) -> None:
    now = int(time.time())
    credentials = held(realm)
    jwt = realm.rotate("agent", now)
    assert (await taken(granting(realm, credentials, jwt), credentials)).realm == realm.public


async def test_what_was_answered_to_another_request_is_refused(realm: RealmFolder) -> None:
    credentials = held(realm)
    honest = granting(realm, credentials, realm.account_jwt(int(time.time())))
    answered: list[EnrolmentGrant] = []

    def first(wish: bytes) -> EnrolmentGrant:
        answered.append(honest(wish))
        return answered[0]

    assert (await taken(first, credentials)).realm == realm.public
    with pytest.raises(Unauthorized, match="not signed by an enroller for this request"):
        await taken(lambda _: answered[0], credentials)


async def test_who_has_no_signing_key_leads_nobody_to_other_servers(realm: RealmFolder) -> None:
    credentials, spy = held(realm), KeyPair.create(Kind.ACCOUNT)
    jwt = realm.account_jwt(int(time.time()))
    honest = granting(realm, credentials, jwt)
    for change in ({"urls": ["tls://127.0.0.1:1"]}, {"ca": "mine"}, {"tls_first": False}):

        def altered(wish: bytes, change: dict[str, object] = change) -> EnrolmentGrant:
            grant = honest(wish)
            grant.realm = json.dumps({**json.loads(grant.realm), **change})
            return grant

        def signed_anew(wish: bytes, altered: Grants = altered) -> EnrolmentGrant:
            grant = altered(wish)
            issued = Issued(jwt=grant.jwt, enrolment=grant.enrolment)
            return encode_grant(issued, RealmFile.of_json(json.loads(grant.realm)), jwt, wish, spy)

        for grants in (altered, signed_anew):
            with pytest.raises(Unauthorized, match="not signed by an enroller"):
                await taken(grants, credentials)


async def test_an_enroller_that_is_behind_the_operator_is_not_followed(realm: RealmFolder) -> None:
    """Its folder was put back from a copy, or somebody has: what was cut off since would be let in again."""
    now = int(time.time())
    credentials = held(realm)
    before = granting(realm, credentials, realm.account_jwt(now))
    jwt = realm.rotate("agent", now + 5)
    newer = await taken(granting(realm, credentials, jwt), credentials)
    assert newer.realm.issued_s == now + 5
    with pytest.raises(Unauthorized, match="5 s older than what is known"):
        await taken(before, newer)


async def test_the_operators_clock_does_not_go_back(realm: RealmFolder) -> None:
    now = int(time.time())
    realm.write(realm.state, now + 100)
    assert decode(realm.rotate("agent", now))["iat"] == realm.public.issued_s == now + 100


@pytest.mark.parametrize("account", ["none", "the operator's", "its own", "another account's"])
async def test_issuers_of_who_answers_are_refused(realm: RealmFolder, account: str) -> None:
    now = int(time.time())
    credentials, mine, operator = held(realm), KeyPair.create(Kind.ACCOUNT), KeyPair.create(Kind.OPERATOR)
    forged = replace(realm.public, roles={**realm.public.roles, "agent": (mine.public,)})
    wanted = Wanted(key=credentials.pair.key, node="hall", role="agent")
    honest = realm.account_jwt(now)
    claims = decode(honest)
    jwt = {
        "none": "",
        "the operator's": honest,
        "its own": encode({key: claims[key] for key in ("name", "sub", "nats")}, operator, now),
        "another account's": encode(account_claims(mine.public, "x", AccountLimits()), operator, now),
    }[account]
    issued = issue(wanted, mine, forged, now, 600)
    with pytest.raises(Unauthorized):
        await taken(lambda wish: encode_grant(issued, forged, jwt, wish, mine), credentials)


async def test_a_role_that_the_account_gives_to_another_key_is_refused(realm: RealmFolder) -> None:
    """Two roles' keys, exchanged: who has one of them would issue the other."""
    now = int(time.time())
    credentials, roles = held(realm), realm.public.roles
    forged = replace(realm.public, roles={**roles, "agent": roles["observer"], "observer": roles["agent"]})
    wanted = Wanted(key=credentials.pair.key, node="hall", role="agent")
    mine, jwt = realm.signing("observer"), realm.account_jwt(now)
    issued = issue(wanted, mine, forged, now, 600)
    with pytest.raises(Unauthorized, match="names issuers"):
        await taken(lambda wish: encode_grant(issued, forged, jwt, wish, mine), credentials)
