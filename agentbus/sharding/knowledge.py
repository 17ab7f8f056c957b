"""What one worker knows of the others: who is there, who is to be trusted, whose life is over."""

from __future__ import annotations

from collections.abc import Callable

from ..peers import PeerId, PeerView, Standing, StandingView
from ..storage.leases import Holder
from .config import ShardConfig
from .machine import Candidate
from .model import Report

FORGET_S = 60.0
"""Seconds after which a worker that is neither alive nor heard of is forgotten."""
MAX_KNOWN = 4096


class Fleet:
    """The workers of one job, as one of them sees them.

    Args:
        me: this worker, in this life.
        config: the knobs.
        peers: who is alive now; asked each time, as the node may adopt another view.
        standing: how far others are to be trusted; None: all are.
    """

    def __init__(
        self, me: PeerId, config: ShardConfig, peers: Callable[[], PeerView], standing: StandingView | None
    ) -> None:
        self._me = me
        self._config = config
        self._peers = peers
        self._standing = standing
        self._reports: dict[str, tuple[Report, float]] = {}
        self._seen: dict[PeerId, None] = {}
        self._alive: dict[PeerId, str] = {}

    def heard(self, report: Report, now: float) -> Report | None:
        """A worker has said that it is there. Returns what it had said before in this life."""
        known, _ = self._reports.get(report.peer.name, (None, now))
        if known is None and len(self._reports) >= MAX_KNOWN:
            return report
        if known is not None and known.peer.epoch > report.peer.epoch:
            return report  # said by a life that is over
        self._reports[report.peer.name] = (report, now)
        return known if known is not None and known.peer == report.peer else None

    def look(self, now: float) -> None:
        """Asks anew who is alive."""
        self._alive = {peer.id: peer.node for peer in self._peers().alive()}
        for peer in self._alive:
            self._seen.pop(peer, None)
            self._seen[peer] = None
        while len(self._seen) > MAX_KNOWN:
            del self._seen[next(iter(self._seen))]
        for name, (report, when) in list(self._reports.items()):
            if report.peer not in self._alive and now - when > FORGET_S:
                del self._reports[name]

    def node_of(self, peer: PeerId) -> str | None:
        """Which node hosts that life; None when it is not believed alive."""
        return self._alive.get(peer)

    def standing(self, peer: PeerId) -> Standing:
        """How far that life of that agent is to be trusted."""
        return Standing.TRUSTED if self._standing is None else self._standing.standing(peer)

    def trusted(self, peer: PeerId) -> bool:
        """Whether it is not quarantined."""
        return self.standing(peer) is not Standing.QUARANTINED

    def over(self, holder: Holder) -> bool:
        """Whether a life is over: it was alive and is not any more, a later one of the name is, or it is quarantined.
        Who was never seen alive is not over: not to know is no verdict."""
        peer = PeerId(holder.name, holder.epoch)
        if not self.trusted(peer):
            return True
        if peer in self._alive:
            return False
        later = any(other.name == peer.name and other.epoch > peer.epoch for other in self._alive)
        return later or peer in self._seen

    def candidates(self, holds: int) -> list[Candidate]:
        """Who may hold shards: alive, heard of, not quarantined. `holds`: how many this worker does."""
        found: list[Candidate] = []
        if self.trusted(self._me):
            found.append(Candidate(peer=self._me, weight=self._weight(self._me), holds=holds))
        for report, _ in self._reports.values():
            peer = report.peer
            if peer.name != self._me.name and peer in self._alive and self.trusted(peer):
                found.append(Candidate(peer=peer, weight=self._weight(peer), holds=len(report.holds)))
        return found

    def _weight(self, peer: PeerId) -> float:
        return self._config.probation_weight if self.standing(peer) is Standing.PROBATION else 1.0
