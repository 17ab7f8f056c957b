"""Who may come, and as what: the rules beside the forms of admission (`security.admission`), and renewal. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...errors import Refused, Unauthorized
from ..admission import Admission, AllOf, Probation, Puzzle, Quorum, Quota, RealmKey
from ..enrolling import Issuers, verified_enrolment
from ..keys import verified
from ..model import Enrolment
from ..realm.demands import JOIN_KEY, PUZZLE, QUORUM, Demands
from ..realm.issuing import Wanted
from .codec import signed_part
from .model import Request

RESERVED = ("enroller", "joiner")
"""Names of the realm's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What any newcomer may be, whatever it shows. Only by hand, or by a token, is anybody more.

    Attributes:
        roles: as what. Never as `operator` or `enroller`.
        any_agent: also to host agents of any name (``*``), which hears all that is sent by name.
        reserved: names that no newcomer may have, nor its agents.
        jobs: sharding jobs that a newcomer may work on.
    """

    roles: tuple[str, ...] = ("agent", "observer")
    any_agent: bool = False
    reserved: frozenset[str] = frozenset(RESERVED)
    jobs: frozenset[str] = frozenset()

    def check(self, wanted: Wanted) -> None:
        """Raises `Refused`, which says what is not to be had."""
        if wanted.role not in self.roles:
            raise Refused(f"nobody is admitted over the bus as {wanted.role!r}: ask who has the realm's folder")
        if "*" in wanted.names and not self.any_agent:
            raise Refused("nobody is admitted over the bus for agents of any name: name them, or be enrolled by hand")
        if taken := self.reserved & {wanted.node, *wanted.names}:
            raise Refused(f"the name {min(taken)!r} is reserved: take another")
        if beyond := {*wanted.jobs} - self.jobs:
            raise Refused(f"nobody is admitted over the bus for job {min(beyond)!r}: be enrolled by hand")


def policy_of(demands: Demands, join_key: Callable[[], str], secret: bytes) -> Admission:
    """The policy that a realm's settings ask for. The quota comes last: it counts what it admits.

    Args:
        demands: the settings.
        join_key: gives the realm's join key, if it is demanded.
        secret: by which the enroller knows its own puzzles, in this life of it.
    """
    policies: list[Admission] = []
    if JOIN_KEY in demands.admit:
        policies.append(RealmKey(join_key))
    if k := demands.number(QUORUM):
        policies.append(Quorum(k))
    if bits := demands.number(PUZZLE):
        policies.append(Puzzle(bits, secret))
    if demands.probation_s:
        policies.append(Probation(demands.probation_s))
    if demands.quota:
        quota = demands.demanded_quota()
        policies.append(Quota(quota.per_sponsor, quota.period_s, beyond=quota.beyond))
    return AllOf(*policies)


class StillEnrolled:
    """Whoever is enrolled is enrolled anew: as the same node, in the same role, for no more names
    or jobs.

    A node may change its key: the former one signs the request, too.

    Args:
        issuers: whom the realm knows now.
        realm: its name.
        revoked: whether what was issued to a key at a time has been made void: public key, seconds since 1970.
    """

    def __init__(self, issuers: Callable[[], Issuers], realm: str, revoked: Callable[[bytes, int], bool]) -> None:
        self._issuers = issuers
        self._realm = realm
        self._revoked = revoked

    def check(self, request: Request, now_s: float) -> Enrolment:
        """What it holds, when it may be renewed. Raises `Refused` or `Unauthorized`, which says why not."""
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
        if held.key != wanted.key and not verified(
            held.key, signed_part(request.body, request.proof), request.former_signature
        ):
            raise Unauthorized(f"node {held.node!r} changes its key: the former one has to sign that")
        return held
