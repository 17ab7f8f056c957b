"""JWTs in nats-server's form. That a server takes them is what the tests with realms show."""

from __future__ import annotations

import json
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import new as new_hash

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import Unauthorized
from agentbus.security import KeyPair, Kind
from agentbus.security.realm.claims import (
    AccountLimits,
    account_claims,
    decode,
    encode,
    operator_claims,
    revocations,
    user_claims,
)
from agentbus.security.realm.permissions import Layout, permissions

OPERATOR, ACCOUNT, SIGNING, USER = (
    KeyPair(bytes([number]) * 32, kind)
    for number, kind in enumerate((Kind.OPERATOR, Kind.ACCOUNT, Kind.ACCOUNT, Kind.USER), 1)
)


def user(now_s: int = 100) -> str:
    return encode(user_claims(USER.public, "hall", ACCOUNT.public, now_s + 60, ("agent:door",)), SIGNING, now_s)


def test_a_user_says_who_it_is_and_nothing_of_what_it_may() -> None:
    claims = decode(user())
    assert (claims["iss"], claims["sub"], claims["name"]) == (SIGNING.public, USER.public, "hall")
    assert (claims["iat"], claims["exp"]) == (100, 160)
    assert claims["nats"] == {
        "type": "user",
        "version": 2,
        "issuer_account": ACCOUNT.public,
        "tags": ["agent:door"],
    }


def test_its_number_is_the_hash_of_the_rest() -> None:
    claims = decode(user())
    plain = {**claims, "jti": ""}
    digest = new_hash("sha512_256", json.dumps(plain, separators=(",", ":")).encode()).digest()
    assert claims["jti"] == b32encode(digest).decode().rstrip("=")
    assert user() == user() != user(101)


def test_an_account_has_a_scope_for_each_signing_key() -> None:
    allowed = permissions(Layout(realm="plant"))
    claims = account_claims(
        ACCOUNT.public,
        "plant",
        AccountLimits(disk_bytes=1 << 20),
        [(SIGNING.public, "observer", allowed["observer"])],
        {USER.public: 99},
    )
    told = decode(encode(claims, OPERATOR, 1))
    scope = told["nats"]["signing_keys"][0]
    assert (scope["kind"], scope["key"], scope["role"]) == ("user_scope", SIGNING.public, "observer")
    assert scope["template"]["pub"]["allow"] == list(allowed["observer"].publish)
    assert "resp" not in scope["template"], "allow_responses opens every subject that a request names"
    assert told["nats"]["limits"]["disk_storage"] == 1 << 20
    assert revocations(told) == {USER.public: 99}


def test_an_operator_names_its_system_account() -> None:
    told = decode(encode(operator_claims(OPERATOR.public, "plant", ACCOUNT.public), OPERATOR, 1))
    assert told["nats"]["system_account"] == ACCOUNT.public
    assert told["iss"] == told["sub"] == OPERATOR.public


@given(st.data())
def test_what_is_altered_is_not_believed(data: st.DataObject) -> None:
    jwt = user()
    place = data.draw(st.integers(0, len(jwt) - 1))
    other = data.draw(st.sampled_from("ABCxyz019-_.%"))
    altered = jwt[:place] + other + jwt[place + 1 :]
    if _bytes_of(altered) == _bytes_of(jwt):
        return  # the last letter of a part says less than it could
    with pytest.raises(Unauthorized):
        decode(altered)


def _bytes_of(jwt: str) -> object:
    try:
        return [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in jwt.split(".")]
    except ValueError:
        return jwt


@given(st.one_of(st.text(max_size=200), st.text("ABCabc019-_.", max_size=200)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        decode(text)


@pytest.mark.parametrize(
    "claims",
    [
        [],
        3,
        {},
        {"iss": 3},
        {"iss": "U" * 56},
        {"iss": OPERATOR.public},
        {"iss": OPERATOR.public, "iat": "x", "nats": 1},
    ],
)
def test_claims_of_another_shape(claims: object) -> None:
    def text(value: object) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = f"{text({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{text(claims)}"
    signature = urlsafe_b64encode(OPERATOR.sign(body.encode())).decode().rstrip("=")
    with pytest.raises(Unauthorized, match="not a NATS JWT"):
        decode(f"{body}.{signature}")


def test_another_algorithm_is_not_believed() -> None:
    head, body, signature = user().split(".")
    none = urlsafe_b64encode(b'{"typ": "JWT", "alg": "none"}').decode().rstrip("=")
    with pytest.raises(Unauthorized):
        decode(f"{none}.{body}.{signature}")
    with pytest.raises(Unauthorized, match="at most"):
        decode("x" * (1 << 21))
    assert head
