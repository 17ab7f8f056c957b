"""Enrolments: what holds is believed, and each way in which one does not hold is refused by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import Unauthorized
from agentbus.security import Enrolment, KeyPair, signed_enrolment, verified_enrolment

ISSUER, NODE = KeyPair(bytes(32)), KeyPair(bytes(range(32)))
ISSUERS = {ISSUER.key: "worker"}
VALID = Enrolment(
    key=NODE.key,
    realm="city",
    node="n1",
    names=("hall", "courier-*"),
    role="worker",
    issued_s=1_000_000,
    expires_s=1_003_600,
    issuer=ISSUER.key,
)


def test_what_holds_is_believed() -> None:
    signed = signed_enrolment(VALID, ISSUER)
    assert verified_enrolment(signed, ISSUERS, "city", 1_000_000.0) == VALID
    assert len(signed) < 256, "it travels with frames"


def test_whom_it_may_host() -> None:
    for name in ("n1", "hall", "courier-1", "courier-"):
        assert VALID.hosts(name)
    for name in ("n2", "hal", "halls", "courier", "", "*"):
        assert not VALID.hosts(name)
    assert replace(VALID, names=("*",)).hosts("anybody")


@pytest.mark.parametrize(
    ("changes", "now_s", "says"),
    [
        ({}, 1_003_600.0, "expired"),
        ({}, 999_900.0, "not valid yet"),
        ({"realm": "town"}, 1_000_001.0, "in realm 'town'"),
        ({"role": "enroller"}, 1_000_001.0, "not by the issuer of role 'enroller'"),
    ],
)
def test_what_does_not_hold_is_refused(changes: dict[str, str], now_s: float, says: str) -> None:
    signed = signed_enrolment(replace(VALID, **changes), ISSUER)  # type: ignore[arg-type]
    with pytest.raises(Unauthorized, match=says):
        verified_enrolment(signed, ISSUERS, "city", now_s)


def test_nobody_else_can_issue() -> None:
    mallory = KeyPair.create()
    with pytest.raises(Unauthorized, match="can't sign"):
        signed_enrolment(VALID, mallory)
    with pytest.raises(Unauthorized, match="not by the issuer"):
        verified_enrolment(signed_enrolment(replace(VALID, issuer=mallory.key), mallory), ISSUERS, "city", 1e6)


def test_every_byte_counts() -> None:
    signed = signed_enrolment(VALID, ISSUER)
    for place in range(len(signed)):
        altered = signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :]
        with pytest.raises(Unauthorized):
            verified_enrolment(altered, ISSUERS, "city", 1e6)
        with pytest.raises(Unauthorized):
            verified_enrolment(signed[:place], ISSUERS, "city", 1e6)


@given(st.binary(max_size=5000))
def test_bytes_that_are_no_enrolment(body: bytes) -> None:
    with pytest.raises(Unauthorized):
        verified_enrolment(body, ISSUERS, "city", 1e6)
