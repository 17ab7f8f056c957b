"""The electorate as a member sees it: the newest epoch set that it was shown, and who of a quorum counts. Pure.

Invariants: the number never falls; every set that was taken is signed by the realm's enroller; of one identity there
is one vote, whatever names, nodes or heartbeats it has; two sets of one number are evidence against the enroller, and
the second is not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from ...errors import Unauthorized
from .codec import digest, verified_epoch_set
from .model import EpochSet, Seat

MAX_FORKS = 16


class Fork(NamedTuple):
    """Two different sets that the enroller has signed, of one number or with another past: whoever knows its key can
    verify them."""

    one: bytes
    other: bytes


class Electorate:
    """Who is enrolled, by the newest set. See `agentbus.peers.Electorate`, which it is.

    Args:
        realm: whose.
        issuer: the public key that signs the realm's sets, 32 bytes; or what gives those that may sign now, as the key
            may be changed.
        signed: the set to begin with, as it was kept.

    Attributes:
        epoch: the newest set; None before the first.
        signed: its bytes.
        forks: evidence, the oldest 16.

    Raises:
        Unauthorized: `signed` is not one of the realm's.
    """

    def __init__(
        self, realm: str, issuer: bytes | Callable[[], Collection[bytes]], signed: bytes | None = None
    ) -> None:
        self.epoch: EpochSet | None = None
        self.signed = b""
        self.forks: list[Fork] = []
        self._realm = realm
        self._issuers = issuer if callable(issuer) else lambda: (issuer,)
        self._by_key: dict[bytes, Seat] = {}
        self._by_node: dict[str, Seat] = {}
        if signed is not None:
            self.take(signed)

    def take(self, signed: bytes) -> EpochSet:
        """Goes on with a later set; the present one again changes nothing.

        Raises:
            Unauthorized: it is not the enroller's, not later, or forks off; a fork is kept in `forks`.
        """
        if self.epoch is not None and signed == self.signed:
            return self.epoch
        epoch = self._verified(signed)
        if self.epoch is not None:
            if epoch.number == self.epoch.number:
                raise self._forked(signed, f"two different sets of number {epoch.number}")
            if epoch.number < self.epoch.number:
                raise Unauthorized(f"epoch set {epoch.number} is older than {self.epoch.number}, which was seen before")
            if epoch.number == self.epoch.number + 1 and epoch.previous != digest(self.signed):
                raise self._forked(signed, f"set {epoch.number} follows another {self.epoch.number} than this one")
        self.epoch, self.signed = epoch, signed
        self._by_key = {seat.key: seat for seat in epoch.seats}
        self._by_node = {seat.node: seat for seat in epoch.seats}
        return epoch

    def seat(self, key: bytes) -> Seat | None:
        """The identity's seat."""
        return self._by_key.get(key)

    def seat_of(self, node: str) -> Seat | None:
        """The node's seat."""
        return self._by_node.get(node)

    def votes(self, node: str, key: bytes | None = None) -> bool:
        """Whether that node has a vote; with a key, whether it has it under that key."""
        seat = self._by_node.get(node)
        return seat is not None and seat.votes and (key is None or key == seat.key)

    @property
    def voters(self) -> int:
        """How many votes there are."""
        return sum(seat.votes for seat in self._by_key.values())

    def count(self, keys: Iterable[bytes]) -> int:
        """How many votes those identities have together: one each, none for who has no seat."""
        return sum(seat.votes for key in set(keys) if (seat := self._by_key.get(key)) is not None)

    def _verified(self, signed: bytes) -> EpochSet:
        wrong = Unauthorized(f"nobody is known that signs the epoch sets of realm {self._realm!r}")
        for issuer in self._issuers():
            try:
                return verified_epoch_set(signed, issuer, self._realm)
            except Unauthorized as error:
                wrong = error
        raise wrong

    def _forked(self, signed: bytes, why: str) -> Unauthorized:
        if len(self.forks) < MAX_FORKS:
            self.forks.append(Fork(self.signed, signed))
        return Unauthorized(f"the enroller of realm {self._realm!r} has signed {why}: do not trust it; show both")
