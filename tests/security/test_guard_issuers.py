"""Whom a guard believes when the realm's issuers change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentbus.errors import Unauthorized
from agentbus.security import KeyPair, signed_enrolment

from .realm import ISSUER, ISSUERS, Clock, enrolled, guard, pair_of

SUBJECT = "city.ev.x"


def test_what_an_issuer_that_is_gone_has_issued_is_believed_no_more() -> None:
    clock, fresh = Clock(), KeyPair.create()
    by, stranger = guard("b", clock=clock), guard("a", clock=clock)

    def heard() -> bytes:
        sent = stranger.seal(b"body", subject=SUBJECT, reply="", source="a", epoch=1, durable=False)
        return by.open(sent, subject=SUBJECT, reply="", ear="", durable=False)[0]

    assert heard() == b"body"
    own = by.enrolment
    renewed = signed_enrolment(replace(own, issuer=fresh.key), fresh)
    by.renew(renewed, issuers={fresh.key: "worker", ISSUER.key: "worker"})
    assert heard() == b"body"
    by.renew(renewed, issuers={fresh.key: "worker"})
    with pytest.raises(Unauthorized, match="not by the issuer"):
        heard()
    assert by.counters.strangers == 1


def test_a_renewal_that_fails_changes_nothing() -> None:
    clock = Clock()
    by, other = guard("b", clock=clock), guard("a", clock=clock)
    with pytest.raises(Unauthorized):
        by.renew(enrolled("b", now_s=clock.now), issuers={KeyPair.create().key: "worker"})
    with pytest.raises(Unauthorized):
        by.renew(enrolled("c", now_s=clock.now, pair=pair_of("b")), issuers={**ISSUERS, KeyPair.create().key: "spy"})
    sent = other.seal(b"body", subject=SUBJECT, reply="", source="a", epoch=1, durable=False)
    assert by.open(sent, subject=SUBJECT, reply="", ear="", durable=False)[0] == b"body"


def test_what_was_stored_before_an_issuer_was_replaced_is_still_believed() -> None:
    clock, fresh = Clock(), KeyPair.create()
    by, other = guard("b", clock=clock), guard("a", clock=clock)

    def sealed(*, durable: bool) -> bytes:
        return other.seal(b"body", subject=SUBJECT, reply="", source="a", epoch=1, durable=durable)

    def opened(sent: bytes, *, durable: bool) -> bytes:
        return by.open(sent, subject=SUBJECT, reply="", ear="", durable=durable)[0]

    before = sealed(durable=True)
    clock.now += 10
    replaced_s = int(clock.now)
    live, after = sealed(durable=False), sealed(durable=True)
    renewed = signed_enrolment(replace(by.enrolment, issuer=fresh.key), fresh)
    by.renew(renewed, issuers={fresh.key: "worker"}, former={ISSUER.key: ("worker", replaced_s)})
    for _ in range(2):  # also when its enrolment is known
        assert opened(before, durable=True) == b"body"
        for sent, durable in ((live, False), (after, True)):
            with pytest.raises(Unauthorized):
                opened(sent, durable=durable)
    by.renew(renewed, issuers={fresh.key: "worker"}, former={})  # the key was revoked
    with pytest.raises(Unauthorized, match="not by the issuer"):
        opened(before, durable=True)


def test_a_former_issuer_counts_for_its_role_only() -> None:
    clock, fresh = Clock(), KeyPair.create()
    by, other = guard("b", clock=clock), guard("a", clock=clock)
    before = other.seal(b"body", subject=SUBJECT, reply="", source="a", epoch=1, durable=True)
    renewed = signed_enrolment(replace(by.enrolment, issuer=fresh.key), fresh)
    by.renew(renewed, issuers={fresh.key: "worker"}, former={ISSUER.key: ("spy", int(clock.now) + 10)})
    with pytest.raises(Unauthorized, match="not by the issuer"):
        by.open(before, subject=SUBJECT, reply="", ear="", durable=True)
