"""A realm for tests: its issuer, and nodes that are enrolled in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from agentbus.security import Enrolment, Guard, KeyPair, signed_enrolment
from tests.wire import Heard

ISSUER = KeyPair(b"issuer".ljust(32))
ISSUERS = {ISSUER.key: "worker"}
HOUR_S = 3600


def pair_of(node: str) -> KeyPair:
    return KeyPair(node.encode().ljust(32))


def enrolled(
    node: str, *names: str, now_s: float | None = None, valid_s: int = HOUR_S, pair: KeyPair | None = None
) -> bytes:
    now = int(time.time() if now_s is None else now_s)
    enrolment = Enrolment(
        key=(pair or pair_of(node)).key,
        realm="city",
        node=node,
        names=names,
        role="worker",
        issued_s=now,
        expires_s=now + valid_s,
        issuer=ISSUER.key,
    )
    return signed_enrolment(enrolment, ISSUER)


def guard(node: str, *names: str, clock: Callable[[], float] | None = None, **options: Any) -> Guard:
    """A guard of a node of the realm, enrolled now for an hour."""
    enrolment = enrolled(node, *names, now_s=clock() if clock else None)
    return Guard(pair_of(node), enrolment, ISSUERS, "city", clock=clock, **options)


class Clock:
    """Seconds since 1970, as a test says. Each look at it is a microsecond later."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


def frames(heard: list[Heard], within: str) -> list[Heard]:
    """Those that came on a subject with that in it."""
    return [one for one in heard if within in one.subject]
