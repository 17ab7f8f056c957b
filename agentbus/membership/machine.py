"""SWIM with Lifeguard: whom to ask, when, and what follows from the answers. Pure: events in, effects out.

Das, Gupta, Motivala: SWIM, DSN 2002; Dadgar, Phillips, Currey: Lifeguard, DSN-W 2018.

The driver calls `start` once, `handle` for each event and `tick` when `next_deadline` is reached, and carries out what
they return, in order. Timers that are overdue may be ticked before or after the packets that waited: this node notices
that it was late and gives no verdict (`freeze`).

Invariants: at most one probe runs; a verdict is given only after something sent since was answered; nothing is said
after `Leave`, or when a later life of this name is at work.
"""

from __future__ import annotations

import heapq
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from .beliefs import Beliefs
from .config import MembershipConfig
from .model import (
    AgentEntry,
    Broadcast,
    Describe,
    Effect,
    Event,
    Link,
    Packet,
    PacketKind,
    Send,
    Word,
)
from .probing import Probing
from .relays import Relays

if TYPE_CHECKING:
    from random import Random

MAX_FAREWELLS = 256
"""Members that a node which leaves says good-bye to itself: from itself it needs no second voice."""


class Swim:
    """One node's side of the protocol.

    Args:
        name: the node's name.
        epoch: its life.
        config: the knobs.
        rng: chance.
        now: the time, seconds; all later calls give the same clock's.
        agents: what the node hosts.

    Attributes:
        started: whether `start` was called.
    """

    def __init__(
        self,
        name: str,
        epoch: int,
        config: MembershipConfig,
        rng: Random,
        now: float,
        agents: tuple[AgentEntry, ...] = (),
    ) -> None:
        self.name = name
        self.epoch = epoch
        self.config = config
        self.beliefs = Beliefs(name, epoch, agents, config, rng, now)
        self._members = self.beliefs.members
        self._rng = rng
        self.started = False
        self._told = False  # somebody has told us all that it knows
        self._untold = 0  # joins that nobody has answered
        self._probing = Probing(self.beliefs, config, now)
        self._relays = Relays(self.beliefs, self._probing, config)
        self._gossip_at = inf
        self._gossiped = -inf
        self._introduce_at = now
        self._later: list[tuple[float, int, str, str]] = []
        self._numbers = count()

    # -- what the driver calls -------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether this node has left, or was superseded: nothing will be said any more."""
        return self.beliefs.over

    def start(self, now: float) -> list[Effect]:
        """Joins: tells everybody, and begins to probe."""
        config, random = self.config, self._rng.random
        self.started = True
        self._probing.restart(now + random() * config.period_s)
        if config.push_pull_s:
            self._at(now + random() * config.push_pull_s, "push-pull")
        self._join(now)
        return self._effects(now)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event."""
        beliefs = self.beliefs
        if beliefs.over or not (self.started or isinstance(event, Describe)):
            return []
        if isinstance(event, Packet):
            self._notice_lag(now)
            self._receive(event, now)
        elif isinstance(event, Link):
            self._change_link(event.up, now)
        elif isinstance(event, Describe):
            beliefs.describe(event.agents)
        else:
            self._leave()
        return self._effects(now)

    def tick(self, now: float) -> list[Effect]:
        """Does what is due. Does nothing when nothing is."""
        beliefs = self.beliefs
        if beliefs.over or beliefs.freeze.down or not self.started:
            return []
        self._notice_lag(now)
        self._do_due(now)
        return self._effects(now)

    def next_deadline(self) -> float | None:
        """When `tick` is to be called, or None: not before the next event."""
        due = self._due()
        return None if due == inf else due

    # -- time ------------------------------------------------------------------------------------------------------

    def _due(self) -> float:
        beliefs = self.beliefs
        if beliefs.over or beliefs.freeze.down:
            return inf
        later = self._later[0][0] if self._later else inf
        return min(self._probing.at, self._gossip_at, later, self._relays.at, beliefs.next_expiry())

    def _notice_lag(self, now: float) -> None:
        late_s = now - self._due()
        if late_s > self.config.lag_s and self.config.freeze:
            self.beliefs.postpone(self.beliefs.freeze.late(now, late_s))
            self._relays.clear()
            self._probing.restart(now)

    def _do_due(self, now: float) -> None:
        later = self._later
        while later and later[0][0] <= now:
            _, _, what, about = heapq.heappop(later)
            self._do_later(what, about, now)
        if self._relays.at <= now:
            self._relays.step(now)
        if self._probing.at <= now:
            self._probing.step(now)
        if self._gossip_at <= now:
            self._gossip(now)
        beliefs = self.beliefs
        if beliefs.next_expiry() <= now:
            if beliefs.freeze.doubtful(now, self._probing.allowed_s):
                self._probing.send_echo(now)
                beliefs.postpone(self.config.timeout_s * beliefs.awareness.factor)
            else:
                beliefs.expire(now)

    def _at(self, when: float, what: str, about: str = "") -> None:
        heapq.heappush(self._later, (when, next(self._numbers), what, about))

    def _do_later(self, what: str, about: str, now: float) -> None:
        if what == "tell":
            if about not in self._members.living and (claim := self._claim(about)):
                self.beliefs.send(about, PacketKind.GOSSIP, 0, "", claim)
            self._send_table(PacketKind.TELL, about)
        elif what == "join" or (what == "join, if untold" and not self._told):
            self._join(now)
        elif what == "join, if untold":
            self._rejoin_some_day(now)
        else:
            self._at(now + (0.75 + 0.5 * self._rng.random()) * self.config.push_pull_s, "push-pull")
            partner = self._members.living.pick()
            if partner is not None:
                self._send_table(PacketKind.ASK, partner)

    def _effects(self, now: float) -> list[Effect]:
        beliefs = self.beliefs
        if self._gossip_at == inf and len(beliefs.news) and len(self._members.living):
            gossip_s = self.config.gossip_s
            self._gossip_at = max(now + gossip_s / 20, self._gossiped + gossip_s)
        out = beliefs.out
        if not out:
            return []
        beliefs.out = []
        return out

    # -- packets ---------------------------------------------------------------------------------------------------

    def _receive(self, packet: Packet, now: float) -> None:
        kind, source, epoch, sequence, target, words = packet
        beliefs = self.beliefs
        if source == self.name and epoch == self.epoch:
            if kind is PacketKind.ECHO:
                self._probing.hear_echo(sequence, now)
            return
        known = beliefs.knows(source, epoch)
        table = kind is PacketKind.ASK or kind is PacketKind.TELL
        if kind is PacketKind.JOIN:
            self._hear_join(packet, known, now)
            return
        if words:
            own = beliefs.own
            beliefs.hear(words, source, epoch, now, table=table)
            if beliefs.own is not own and not known:  # it had me for dead
                beliefs.send(source, PacketKind.GOSSIP, 0, "", (beliefs.own,))
            if not known and beliefs.knows(source, epoch):
                known = True
                beliefs.hear(words, source, epoch, now, table=table)
                self._introduce(source, kind, now)
            if beliefs.over:
                return
        if kind is PacketKind.PING:
            self._answer_ping(source, sequence, known)
        elif kind is PacketKind.ACK:
            self._probing.hear_ack(source, epoch, sequence, target, now)
            self._relays.hear_ack(source, sequence)
        elif kind is PacketKind.PING_REQUEST:
            if known:
                self._relays.ask(source, sequence, target, now)
        elif kind is PacketKind.NACK:
            self._probing.hear_nack(source, sequence)
        elif kind is PacketKind.ASK:
            self._told = True
            self._send_table(PacketKind.TELL, source)
        elif kind is PacketKind.TELL:
            self._told = True
        if not known:
            self._meet_stranger(source, kind, now)

    def _answer_ping(self, source: str, sequence: int, known: bool) -> None:
        words = self.beliefs.take_news()
        if not known:  # it is believed dead, or of another life: it is told so
            words = (*self._claim(source), *words)
        self.beliefs.send(source, PacketKind.ACK, sequence, self.name, words)

    def _claim(self, source: str) -> tuple[Word, ...]:
        word = self._members.claim(source)
        return () if word is None else (word,)

    # -- strangers and tables --------------------------------------------------------------------------------------

    def _introduce(self, source: str, kind: PacketKind, now: float) -> None:
        """Somebody who was not known, or dead, has told of itself: what else does it know?"""
        if kind is not PacketKind.ASK and kind is not PacketKind.TELL and now >= self._introduce_at:
            self._introduce_at = now + self.config.period_s
            self._send_table(PacketKind.ASK, source)

    def _meet_stranger(self, source: str, kind: PacketKind, now: float) -> None:
        """Somebody who is not known, or believed dead, speaks: it is told so, and may answer."""
        if now < self._introduce_at:
            return
        claim = self._claim(source)
        if claim:
            if kind is PacketKind.PING:
                return  # the ack says it
            self._introduce_at = now + self.config.period_s
            self.beliefs.send(source, PacketKind.GOSSIP, 0, "", claim)
        else:
            self._introduce(source, kind, now)

    def _send_table(self, kind: PacketKind, to: str) -> None:
        for number, words in enumerate(self.beliefs.table()):
            # Only the first part asks for the other's table.
            self.beliefs.send(to, kind if number == 0 else PacketKind.TELL, 0, "", words)

    # -- joining and leaving ---------------------------------------------------------------------------------------

    def _join(self, now: float) -> None:
        config, random = self.config, self._rng.random
        untold = not self._told
        self.beliefs.out.append(
            Broadcast(Packet(PacketKind.JOIN, self.name, self.epoch, int(untold), "", (self.beliefs.own,)))
        )
        if untold:
            again_s = config.join_s * 2**self._untold * (0.75 + 0.5 * random())
            self._untold = min(self._untold + 1, 16)
            self._at(now + (min(again_s, config.rejoin_s) if config.rejoin_s else again_s), "join, if untold")
        else:
            self._rejoin_some_day(now)

    def _rejoin_some_day(self, now: float) -> None:
        """At times that are known to nobody beforehand, so that one node of the realm in `rejoin_s` is heard."""
        if self.config.rejoin_s:
            self._at(now + self._rng.expovariate(1.0 / (self.config.rejoin_s * self.beliefs.size)), "join")

    def _hear_join(self, packet: Packet, known: bool, now: float) -> None:
        beliefs, source = self.beliefs, packet.source
        there = len(self._members.living) + 1
        beliefs.hear(packet.words, source, packet.epoch, now)
        if beliefs.over or source == self.name:
            return
        if (packet.sequence or not known) and self._rng.random() * there < self.config.answers:
            self._at(now + self._rng.random() * self.config.answer_within_s, "tell", source)
        elif not known and beliefs.knows(source, packet.epoch):
            beliefs.news.drop(source)  # everybody has heard it; those who answer pass it on to who has not

    def _leave(self) -> None:
        last = self.beliefs.leave()
        packet = Packet(PacketKind.GOSSIP, self.name, self.epoch, 0, "", (last,))
        for other in self._members.living.sample(MAX_FAREWELLS):
            self.beliefs.out.append(Send(other, packet))

    def _change_link(self, up: bool, now: float) -> None:
        freeze = self.beliefs.freeze
        if up == (not freeze.down):
            return
        self.beliefs.postpone(freeze.link(up, now))
        self._relays.clear()
        self._probing.restart(now + self._rng.random() * self.config.period_s)
        if up:
            self._do_due(now)

    # -- gossip ----------------------------------------------------------------------------------------------------

    def _gossip(self, now: float) -> None:
        beliefs = self.beliefs
        self._gossip_at = inf
        others = self._members.living.sample(self.config.fanout)
        words = beliefs.take_news(len(others)) if others else ()
        if not words:
            return
        self._gossiped = now
        packet = Packet(PacketKind.GOSSIP, self.name, self.epoch, 0, "", words)
        for other in others:
            beliefs.out.append(Send(other, packet))
        if len(beliefs.news):
            self._gossip_at = now + self.config.gossip_s
