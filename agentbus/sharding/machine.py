"""Who holds which shard: one worker's decisions, from whom it sees and what it holds. Pure.

Workers are ranked for each shard by weighted rendezvous hashing, so that all who see the same workers agree without a
word, and one that comes or goes moves its own shards only. Leases decide between those who see different ones.

Rules: the first of the ranking that has room wants the shard; the next ones watch it, with a patience that grows with
the rank, so that a shard whose first is deaf is not left alone. Whoever holds a shard keeps it until the first has been
there for `settle_s` without a break, twice as long for each time that it went away lately: a worker that flaps moves
its shards once, not each time.

Reference: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); weights as in Schindelhauer
and Schomaker, "Weighted distributed hash tables" (2005).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..peers import PeerId
from .config import ShardConfig
from .model import ShardJob

MAX_FLAPS = 5
"""Departures that double the time to settle: 2 ** 5 = 32 times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A worker that may hold shards.

    Attributes:
        weight: its share of the work, where 1 is everybody's.
        holds: how many shards it says that it holds.
    """

    peer: PeerId
    weight: float = 1.0
    holds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is seen now.

    Attributes:
        candidates: who may hold shards; this worker is one of them unless it is quarantined.
        held: the shards that this worker holds.
        holders: who holds each shard by its log; without those that nobody has held.
    """

    candidates: Sequence[Candidate]
    held: frozenset[int]
    holders: Mapping[int, PeerId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Want the shard's lease."""

    shard: int
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Hold the shard no more, or want it no more."""

    shard: int
    reason: str


Effect = Take | Drop


class Ownership:
    """One worker's.

    Args:
        me: the worker.
        job: the shards.
        config: the knobs.
        now: seconds.
    """

    def __init__(self, me: PeerId, job: ShardJob, config: ShardConfig, now: float) -> None:
        self.me = me
        self._job = job
        self._config = config
        self._since: dict[PeerId, float] = {}
        self._left: dict[str, list[float]] = {}
        self._wants: dict[int, float] = {}
        self._due_s = now
        self._looked_s = now

    def next_deadline(self) -> float:
        """When to look again."""
        return self._due_s

    def handle(self, look: Look, now: float) -> list[Effect]:
        """What to want and what to drop, given what is seen at `now` seconds."""
        self._due_s = now + self._config.decide_s
        self._notice(look, now)
        mine = next((candidate for candidate in look.candidates if candidate.peer == self.me), None)
        if mine is None:
            return self._drop_all(look)
        rankings = {shard: ranking(self._job.name, shard, look.candidates) for shard in range(self._job.shards)}
        room = self._config.limit - len(look.held) if self._config.limit else self._job.shards
        effects: list[Effect] = []
        alive = {candidate.peer for candidate in look.candidates}
        for shard, ranked in sorted(rankings.items(), key=lambda item: (item[1].index(mine), item[0])):
            if shard in look.held:
                effects += self._keep(shard, ranked, now)
                continue
            patience_s = self._patience_s(shard, ranked, mine, look.holders.get(shard), alive)
            if patience_s is None or room <= 0:
                effects += self._unwant(shard)
                continue
            room -= 1
            effects += self._want(shard, patience_s)
        return effects

    def released(self, shard: int) -> None:
        """The shard was given up for a reason that is not known here: it may be wanted again."""
        self._wants.pop(shard, None)

    # -- rules -----------------------------------------------------------------------------------------------------

    def _keep(self, shard: int, ranked: Sequence[Candidate], now: float) -> list[Effect]:
        first = next(one for one in ranked if one.peer == self.me or self._has_room(one))
        if first.peer == self.me or not self._settled(first.peer, now):
            return []
        self._wants.pop(shard, None)
        return [Drop(shard=shard, reason=f"handed over to {first.peer}")]

    def _patience_s(
        self, shard: int, ranked: Sequence[Candidate], mine: Candidate, holder: PeerId | None, alive: set[PeerId]
    ) -> float | None:
        before = [one for one in ranked[: ranked.index(mine)] if self._has_room(one) or one.peer == holder]
        rank = len(before)
        if rank < self._config.watchers or holder is None or holder not in alive or holder == self.me:
            return rank * self._config.patience_s
        return None

    def _has_room(self, candidate: Candidate) -> bool:
        return not self._config.limit or candidate.holds < self._config.limit

    def _settled(self, peer: PeerId, now: float) -> bool:
        flaps = min(MAX_FLAPS, len(self._left.get(peer.name, ())))
        return now - self._since[peer] >= self._config.settle_s * 2.0**flaps

    def _want(self, shard: int, patience_s: float) -> list[Effect]:
        if self._wants.get(shard) == patience_s:
            return []
        self._wants[shard] = patience_s
        return [Take(shard=shard, patience_s=patience_s)]

    def _unwant(self, shard: int) -> list[Effect]:
        return [Drop(shard=shard, reason="others are before")] if self._wants.pop(shard, None) is not None else []

    def _drop_all(self, look: Look) -> list[Effect]:
        shards = sorted({*look.held, *self._wants})
        self._wants.clear()
        return [Drop(shard=shard, reason="this worker may not hold any") for shard in shards]

    # -- who is there ----------------------------------------------------------------------------------------------

    def _notice(self, look: Look, now: float) -> None:
        if now - self._looked_s > self._config.settle_s:
            self._since.clear()  # this worker was away itself: it has not seen who was there
        self._looked_s = now
        there = {candidate.peer for candidate in look.candidates}
        for peer in [peer for peer in self._since if peer not in there]:
            del self._since[peer]
            self._left.setdefault(peer.name, []).append(now)
        for peer in there:
            self._since.setdefault(peer, now)
        for name, times in list(self._left.items()):
            recent = [when for when in times[-MAX_FLAPS:] if now - when < self._config.flap_memory_s]
            if recent:
                self._left[name] = recent
            else:
                del self._left[name]


def ranking(job: str, shard: int, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, the first for this shard first. A share of w / (sum of all w) of all shards has each first."""
    return sorted(candidates, key=lambda one: (-_score(job, shard, one), one.peer))


def _score(job: str, shard: int, candidate: Candidate) -> float:
    return candidate.weight * _drawn(job, shard, candidate.peer.name)


@lru_cache(maxsize=1 << 14)
def _drawn(job: str, shard: int, name: str) -> float:
    """-1 / ln(u) with u from the hash of shard and name, uniform in (0, 1): not of the life, so that a worker that
    comes back is the first for the same shards. Asked again at every look."""
    drawn = hashlib.sha256(f"{job}/{shard}/{name}".encode()).digest()
    return -1.0 / math.log((int.from_bytes(drawn[:7]) + 0.5) / 2.0**56)
