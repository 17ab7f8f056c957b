"""Forms of admission: what a key has to show to be enrolled. Pure: the time is an argument.

Every form is an `Admission`; an enroller has several, and a request names the one it comes by.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from ...errors import Refused, Unauthorized
from ..enrolling import Issuers, verified_enrolment
from ..keys import verified
from .codec import DOMAIN
from .model import Request

JOIN_KEY, RENEWAL = "join-key", "renewal"
RESERVED = ("enroller", "joiner")
"""Names of the realm's own."""


class Admission(Protocol):
    """What a key has to show."""

    @property
    def form(self) -> str:
        """Its name, which requests give."""
        ...

    def check(self, request: Request, now_s: float) -> None:
        """Returns when the request is admitted. Raises `Refused` or `Unauthorized`, which says why it is not."""
        ...


def join_proof(secret: str, body: bytes) -> bytes:
    """What shows that somebody knows the join key, and does not show the key."""
    return hmac.digest(secret.encode(), b"agentbus join v1\0" + body, sha256)


class JoinKey:
    """Whoever knows the realm's join key is admitted.

    Args:
        secret: the key.
        roles: as what. Never as `operator` or `enroller`: these are enrolled by hand.
        any_agent: also to host agents of any name (``*``), which hears all that is sent by name.
        reserved: names that no newcomer may have, nor its agents.
        jobs: sharding jobs that a newcomer may work on.
    """

    form = JOIN_KEY

    def __init__(
        self,
        secret: str,
        roles: tuple[str, ...] = ("agent", "observer"),
        *,
        any_agent: bool = False,
        reserved: tuple[str, ...] = RESERVED,
        jobs: tuple[str, ...] = (),
    ) -> None:
        self._secret = secret
        self._roles = roles
        self._any_agent = any_agent
        self._reserved = frozenset(reserved)
        self._jobs = frozenset(jobs)

    def __repr__(self) -> str:
        return f"JoinKey(roles={self._roles})"

    def check(self, request: Request, now_s: float) -> None:
        """See `Admission.check`."""
        wanted = request.wish.wanted
        if wanted.role not in self._roles:
            raise Refused(f"the join key admits nobody as {wanted.role!r}: ask who has the realm's folder")
        if "*" in wanted.names and not self._any_agent:
            raise Refused("the join key admits nobody for agents of any name: name them, or be enrolled by hand")
        if taken := self._reserved & {wanted.node, *wanted.names}:
            raise Refused(f"the name {min(taken)!r} is reserved: take another")
        if beyond := {*wanted.jobs} - self._jobs:
            raise Refused(f"the join key admits nobody for job {min(beyond)!r}: be enrolled by hand")
        if not hmac.compare_digest(join_proof(self._secret, request.body), request.proof):
            raise Refused("that is not this realm's join key")


class StillEnrolled:
    """Whoever is enrolled is enrolled anew: as the same node, in the same role, for no more names
    or jobs.

    A node may change its key: the former one signs the request, too.

    Args:
        issuers: whom the realm knows now.
        realm: its name.
        revoked: whether what was issued to a key at a time has been made void: public key, seconds since 1970.
    """

    form = RENEWAL

    def __init__(self, issuers: Callable[[], Issuers], realm: str, revoked: Callable[[bytes, int], bool]) -> None:
        self._issuers = issuers
        self._realm = realm
        self._revoked = revoked

    def check(self, request: Request, now_s: float) -> None:
        """See `Admission.check`."""
        held = verified_enrolment(request.proof, self._issuers(), self._realm, now_s)
        wanted = request.wish.wanted
        if (held.node, held.role) != (wanted.node, wanted.role):
            raise Refused(f"node {held.node!r} is enrolled as {held.role!r}, and is not enrolled anew as anything else")
        if "*" not in held.names and not set(wanted.names) <= set(held.names):
            raise Refused(f"node {held.node!r} asks for names that it was not enrolled for: enroll it by hand")
        if not {*wanted.jobs} <= {*held.jobs}:
            raise Refused(f"node {held.node!r} asks for jobs that it was not enrolled for: enroll it by hand")
        if self._revoked(held.key, held.issued_s):
            raise Refused(f"node {held.node!r} has been revoked")
        if held.key != wanted.key and not verified(held.key, DOMAIN + request.body, request.former_signature):
            raise Unauthorized(f"node {held.node!r} changes its key: the former one has to sign that")
