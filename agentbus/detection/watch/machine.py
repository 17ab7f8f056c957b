"""Watching: who is far from its fleet, by what this node has seen itself. Pure.

An agent is suspected when a measure of it is far above the others' of its group (median and median absolute deviation)
and above its own past (exponentially weighted mean and variance), for a while. So a fleet that is slow together
suspects nobody, nor does an observer whose own link is bad: to it all are slow. An agent that always differed, from
its first value on, has no past of its own and is compared with the others only.

Invariants: values of who is not believed alive in that life are forgotten; what is remembered has a limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from ...faults import SILENT
from ...peers import PeerId, PeerView
from ..verdicts.model import Finding, Witness
from .config import WatchConfig
from .history import Fleet, History
from .model import SILENCE, Measured, Suspicion

Key = tuple[PeerId, str]


class Watch:
    """One observer's side.

    Args:
        node: this node's name: it never suspects its own agents.
        peers: who is alive.
        config: the knobs.
    """

    def __init__(self, node: str, peers: PeerView, config: WatchConfig) -> None:
        self.config = config
        self._node = node
        self._peers = peers
        self._histories: dict[Key, History] = {}
        self._heard: dict[Witness, float] = {}
        self._doubtful_until = -inf
        self._anybody_at = -inf
        self._deaf_until = -inf

    # -- what is seen ----------------------------------------------------------------------------------------------

    def heard(self, who: Witness, now: float) -> None:
        """A node has reported or answered. When nobody was heard for a while, it was this node that did not hear:
        silence counts from now on."""
        if who.node != self._node:
            if now - self._anybody_at > max(4 * self.config.report_s, self.config.silent_s / 4):
                self._deaf_until = now
            self._anybody_at = now
        if len(self._heard) < self.config.max_values or who in self._heard:
            self._heard[who] = now

    def late(self, lag_s: float, now: float) -> None:
        """This node's own loop was late: what it measured meanwhile says nothing about others."""
        if lag_s > self.config.lag_s:
            self._doubtful_until = now + self.config.persist_s
            for history in self._histories.values():
                history.forget()

    def take(self, values: Iterable[Measured], now: float) -> None:
        """New values; judged by the next `suspicions`."""
        for value in values:
            key = (value.agent, value.measure)
            history = self._histories.get(key)
            if history is None:
                if len(self._histories) >= self.config.max_values:
                    continue
                history = self._histories[key] = History(value, now)
            history.last, history.at, history.fresh = value, now, True

    # -- what follows ----------------------------------------------------------------------------------------------

    def suspicions(self, now: float) -> list[Suspicion]:
        """Who is abnormal now. Forgets who is gone."""
        self._forget_the_gone()
        self._judge(now)
        if now < self._doubtful_until:
            return []
        found = [
            Suspicion(history.last.kind, agent, history.last.node, measure)
            for (agent, measure), history in self._histories.items()
            if history.last.node != self._node
            and now - history.at <= self.config.stale_s
            and history.is_far(self.config, now)
        ]
        silent = [Suspicion(SILENT, who.id, who.node, SILENCE) for who in self._silent(now)]
        return found + silent

    def finding(self, kind: str, agent: PeerId, measure: str, now: float) -> Finding:
        """What this node can say, from what it has seen itself, of another's suspicion."""
        if now < self._doubtful_until:
            return Finding.UNKNOWN
        if measure == SILENCE and kind == SILENT:
            return self._silence_of(agent, now)
        history = self._histories.get((agent, measure))
        if history is None or history.last.kind != kind or now - history.at > self.config.stale_s:
            return Finding.UNKNOWN
        if history.is_far(self.config, now, share=2 / 3):
            return Finding.CONFIRMED
        return Finding.DENIED if history.is_near(self.config, now) else Finding.UNKNOWN

    # -- inside ----------------------------------------------------------------------------------------------------

    def _judge(self, now: float) -> None:
        groups: dict[tuple[str, str], list[History]] = {}
        for history in self._histories.values():
            if now - history.at <= self.config.stale_s:
                groups.setdefault((history.last.measure, history.last.group), []).append(history)
        for mates in groups.values():
            fleet = Fleet([history.last.value for history in mates], self.config)
            for history in mates:
                if history.fresh and now >= self._doubtful_until:
                    history.judge(fleet, self.config, now)
                history.fresh = False

    def _silent(self, now: float) -> list[Witness]:
        """Nodes that say nothing; none when most do: then it is this node that does not hear."""
        others = [who for who in self._heard if who.node != self._node]
        since = now - self.config.silent_s
        if self._deaf_until > since:
            return []
        silent = [who for who in others if self._heard[who] < since]
        return silent if len(others) >= self.config.least and 2 * len(silent) < len(others) else []

    def _silence_of(self, agent: PeerId, now: float) -> Finding:
        who = next((who for who in self._heard if who.id == agent), None)
        if who is None:
            return Finding.UNKNOWN
        if who in self._silent(now):
            return Finding.CONFIRMED
        return Finding.DENIED if now - self._heard[who] < self.config.silent_s / 2 else Finding.UNKNOWN

    def _forget_the_gone(self) -> None:
        alive = {peer.id for peer in self._peers.alive()}
        for key in [key for key in self._histories if key[0] not in alive]:
            del self._histories[key]
        for who in [who for who in self._heard if who.id not in alive]:
            del self._heard[who]
