"""The enroller's list: who was admitted, who votes, and the sets that follow from it. Pure.

Invariants: a key is admitted once, its probation counts from there, and a renewal changes neither; a node's name has
one key; the number of a set grows with every set that differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...errors import Refused
from ..admission import Admitted, Application
from ..keys import KeyPair
from .codec import MAX_SEATS, digest, signed_epoch_set
from .model import EpochSet, Seat


@dataclass(frozen=True, slots=True)
class _Entry:
    seat: Seat
    votes_from: float | None  # None: never


class Register:
    """Who is enrolled in one realm.

    Args:
        realm: its name.
        issuer: the key pair that signs its sets.
        last: the set to go on from, and its bytes: after a restart, what the enroller had issued. Identities in it
            that had no vote get one when they are admitted again, or by `give_vote`.
    """

    def __init__(self, realm: str, issuer: KeyPair, last: tuple[EpochSet, bytes] | None = None) -> None:
        self._realm = realm
        self._issuer = issuer
        self._last, self._signed = last or (None, b"")
        self._entries: dict[bytes, _Entry] = {}
        for seat in self._last.seats if self._last else ():
            self._entries[seat.key] = _Entry(seat, 0.0 if seat.votes else None)

    def admit(self, application: Application, admitted: Admitted, now: float) -> None:
        """Enrolls a key. One that is enrolled stays as it is.

        Raises:
            Refused: the node's name is another key's, or there is no seat left.
        """
        if application.key in self._entries:
            return
        if any(entry.seat.node == application.node for entry in self._entries.values()):
            raise Refused(f"node {application.node!r} is enrolled with another key: remove that one first")
        if len(self._entries) >= MAX_SEATS:
            raise Refused(f"{MAX_SEATS} identities are enrolled: no more")
        seat = Seat(key=application.key, node=application.node, sponsor=application.sponsor, votes=False)
        self._entries[application.key] = _Entry(seat, now + admitted.vote_after_s if admitted.vote else None)

    def give_vote(self, key: bytes, now: float) -> None:
        """An identity that was enrolled without a vote has one from now on. Raises `Refused`: it is not enrolled."""
        if key not in self._entries:
            raise Refused("that key is not enrolled")
        self._entries[key] = replace(self._entries[key], votes_from=now)

    def remove(self, key: bytes) -> None:
        """Strikes a key off; nothing when it is not enrolled."""
        self._entries.pop(key, None)

    def next_deadline(self) -> float | None:
        """When a vote falls due that the newest set does not have; None: no time changes anything."""
        told = {seat.key for seat in self._last.seats if seat.votes} if self._last else set[bytes]()
        due = [
            entry.votes_from for key, entry in self._entries.items() if key not in told and entry.votes_from is not None
        ]
        return min(due, default=None)

    def issue(self, now_s: float) -> tuple[EpochSet, bytes]:
        """The set of this moment and its signed bytes: the last one when nothing has changed."""
        seats = tuple(
            replace(entry.seat, votes=entry.votes_from is not None and entry.votes_from <= now_s)
            for _, entry in sorted(self._entries.items())
        )
        if self._last is None or seats != self._last.seats:
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
