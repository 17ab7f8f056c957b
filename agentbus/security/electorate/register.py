"""The enroller's list: who was admitted, until when, who votes, and the sets that follow from it. Pure.

Invariants: a key has one node and a node one key; a probation counts from when the key was admitted, and a renewal
changes neither it nor the vote; who has expired is struck off; the number of a set grows with every set that differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from ...errors import Refused
from ..admission import Admitted, Application
from ..keys import KeyPair
from .codec import MAX_SEATS, digest, signed_epoch_set
from .model import EpochSet, Member


class Register:
    """Who is enrolled in one realm.

    Args:
        realm: its name.
        issuer: the key pair that signs its sets.
        last: the set to go on from, and its bytes: what the enroller had issued.
        members: who was enrolled, as `members` said. What `last` says beside them is nobody's any more.
    """

    def __init__(
        self,
        realm: str,
        issuer: KeyPair,
        last: tuple[EpochSet, bytes] | None = None,
        members: Iterable[Member] = (),
    ) -> None:
        self._realm = realm
        self._issuer = issuer
        self._last, self._signed = last or (None, b"")
        self._members = {member.key: member for member in members}

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is enrolled, ordered by key."""
        return tuple(member for _, member in sorted(self._members.items()))

    def member(self, key: bytes) -> Member | None:
        """The identity of that key."""
        return self._members.get(key)

    def holder(self, node: str) -> Member | None:
        """Who has that name."""
        return next((member for member in self._members.values() if member.node == node), None)

    def check(self, key: bytes, node: str, now: float) -> None:
        """Raises `Refused` when that key can't be admitted as that node: the name is another's, the key has another
        name, or there is no seat left."""
        self.expire(now)
        known, holder = self._members.get(key), self.holder(node)
        if known is not None and known.node != node:
            raise Refused(f"that key is enrolled as node {known.node!r}: one key, one node, one vote")
        if holder is not None and holder.key != key:
            left_s = holder.until_s - now
            until = f", until {left_s:.0f} s from now" if left_s < inf else ""
            raise Refused(f"node {node!r} is enrolled with another key{until}")
        if known is None and len(self._members) >= MAX_SEATS:
            raise Refused(f"{MAX_SEATS} identities are enrolled: no more")

    def admit(self, application: Application, admitted: Admitted, now: float, *, until_s: float = inf) -> None:
        """Enrolls a key. One that is enrolled keeps its sponsor, and its vote or the lack of it. Raises as `check`."""
        self.check(application.key, application.node, now)
        known = self._members.get(application.key)
        if known is not None:
            self._members[known.key] = replace(known, issued_s=now, until_s=until_s)
            return
        self._members[application.key] = Member(
            key=application.key,
            node=application.node,
            role=application.role,
            issued_s=now,
            until_s=until_s,
            sponsor=application.sponsor,
            votes_from_s=now + admitted.vote_after_s if admitted.vote else None,
        )

    def renew(self, key: bytes, node: str, role: str, now: float, *, until_s: float, former: bytes = b"") -> None:
        """A node's enrolment goes on, also under another key than its `former` one, which gives its seat up then and
        can't take it back. One that nothing is known of gets a seat without a vote. Raises as `check`."""
        self.expire(now)
        holder = self.holder(node)
        if holder is not None and holder.key == former != key and key not in self._members:
            self.remove(former)
        self.check(key, node, now)
        known = holder or self._members.get(key) or Member(key=key, node=node)
        self._members[key] = replace(known, key=key, role=role, issued_s=now, until_s=until_s)

    def put(self, member: Member) -> None:
        """Enrolls by hand: the name and the key are this member's from now on."""
        for other in (self._members.get(member.key), self.holder(member.node)):
            if other is not None:
                self._members.pop(other.key, None)
        self._members[member.key] = member

    def give_vote(self, key: bytes, now: float) -> None:
        """An identity that was enrolled without a vote has one from now on. Raises `Refused`: it is not enrolled."""
        if key not in self._members:
            raise Refused("that key is not enrolled")
        self._members[key] = replace(self._members[key], votes_from_s=now)

    def remove(self, key: bytes) -> None:
        """Strikes a key off; nothing when it is not enrolled."""
        self._members.pop(key, None)

    def expire(self, now: float) -> None:
        """Strikes off whose enrolment has ended."""
        self._members = {key: member for key, member in self._members.items() if member.until_s > now}

    def next_deadline(self) -> float | None:
        """When a vote falls due that the newest set does not have, or an enrolment ends; None: no time changes
        anything."""
        told = {seat.key for seat in self._last.seats if seat.votes} if self._last else set[bytes]()
        due = [
            member.votes_from_s
            for key, member in self._members.items()
            if key not in told and member.votes_from_s is not None
        ]
        due += [member.until_s for member in self._members.values() if member.until_s < inf]
        return min(due, default=None)

    def issue(self, now_s: float) -> tuple[EpochSet, bytes]:
        """The set of this moment and its signed bytes: the last one when nothing has changed."""
        self.expire(now_s)
        seats = tuple(member.seat(now_s) for member in self.members)
        if len(seats) > MAX_SEATS:  # of two books, say: better a set without some than none at all
            kept = {seat.key for seat in sorted(seats, key=lambda seat: not seat.votes)[:MAX_SEATS]}
            seats = tuple(seat for seat in seats if seat.key in kept)
        if self._last is None or seats != self._last.seats or self._last.issuer != self._issuer.key:
            self._last = EpochSet(
                realm=self._realm,
                number=self._last.number + 1 if self._last else 1,
                issued_s=int(now_s),
                issuer=self._issuer.key,
                previous=digest(self._signed) if self._last else b"",
                seats=seats,
            )
            self._signed = signed_epoch_set(self._last, self._issuer)
        return self._last, self._signed
