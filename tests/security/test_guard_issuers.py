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
