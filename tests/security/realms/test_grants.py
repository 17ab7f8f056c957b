"""What a node takes from whoever answers for the enroller: only issuers that the realm's operator has signed."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentbus.errors import Unauthorized
from agentbus.security import Credentials, KeyPair
from agentbus.security.enroller.codec import EnrolmentGrant, encode_grant
from agentbus.security.keys import Kind
from agentbus.security.realm.claims import AccountLimits, account_claims, decode, encode
from agentbus.security.realm.folder import RealmFolder, create
from agentbus.security.realm.issuing import Issued, Wanted, issue
from agentbus.security.realm.permissions import Layout
from agentbus.security.renewing import renewed


class Answering:
    """A speaker whose requests are answered with one grant."""

    def __init__(self, grant: EnrolmentGrant) -> None:
        self.grant = grant

    async def request(self, *_: Any, **__: Any) -> EnrolmentGrant:
        return self.grant


@pytest.fixture
def realm(tmp_path: Path) -> RealmFolder:
    return create(tmp_path / "realm", Layout(realm="plant"), now_s=int(time.time()))


def held(realm: RealmFolder) -> Credentials:
    pair = KeyPair.create()
    wanted = Wanted(key=pair.key, node="hall", role="agent", names=("door",))
    return realm.enroll(pair, wanted, int(time.time()), 600)


async def taken(grant: EnrolmentGrant, credentials: Credentials) -> Credentials:
    return await renewed(Answering(grant), credentials, time.time())  # type: ignore[arg-type]


async def test_what_the_operators_account_names_is_taken(realm: RealmFolder) -> None:
    now = int(time.time())
    credentials = held(realm)
    jwt = realm.rotate("agent", now)
    fresh = realm.enroll(credentials.pair, Wanted(key=credentials.pair.key, node="hall", role="agent"), now, 600)
    grant = encode_grant(Issued(jwt=fresh.jwt, enrolment=fresh.enrolment), realm.public, jwt)
    assert (await taken(grant, credentials)).realm == realm.public


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
    grant = encode_grant(issue(wanted, mine, forged, now, 600), forged, jwt)
    with pytest.raises(Unauthorized):
        await taken(grant, credentials)


async def test_a_role_that_the_account_gives_to_another_key_is_refused(realm: RealmFolder) -> None:
    """Two roles' keys, exchanged: who has one of them would issue the other."""
    now = int(time.time())
    credentials, roles = held(realm), realm.public.roles
    forged = replace(realm.public, roles={**roles, "agent": roles["observer"], "observer": roles["agent"]})
    wanted = Wanted(key=credentials.pair.key, node="hall", role="agent")
    grant = encode_grant(issue(wanted, realm.signing("observer"), forged, now, 600), forged, realm.account_jwt(now))
    with pytest.raises(Unauthorized, match="names issuers"):
        await taken(grant, credentials)
