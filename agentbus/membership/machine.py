"""SWIM with Lifeguard: whom to ask, when, and what follows from the answers. Pure: events in, effects out.

Das, Gupta, Motivala: SWIM, DSN 2002; Dadgar, Phillips, Currey: Lifeguard, DSN-W 2018.

The driver calls `start` once, `handle` for each event and `tick` when `next_deadline` is reached, and carries out what they
return, in order. Timers that are overdue may be ticked before or after the packets that waited: this node notices that
it was late and gives no verdict (`freeze`).

Invariants: at most one probe runs; a verdict is given only after something sent since was answered; nothing is said
after `Leave`, or when a later life of this name is at work.
"""

from __future__ import annotations

import heapq
from itertools import count
from math import inf
from random import Random

from .beliefs import Beliefs
from .config import MembershipConfig
from .members import Member
from .model import (
    AgentEntry,
    Broadcast,
    Describe,
    Effect,
    Event,
    Leave,
    Link,
    Packet,
    PacketKind,
    Send,
    State,
    Word,
)
from .suspicion import retransmissions

MAX_RELAYS = 1_024
"""Pings under way in others' place, at most."""


class _Probe:
    """A ping under way. `stage`: waiting for the target, then (asked) for those who ping it in our place, or answered."""

    __slots__ = ("asked", "began", "ends", "nacks", "sequence", "stage", "target")

    def __init__(self, target: Member, sequence: int, began: float, ends: float) -> None:
        self.target = target
        self.sequence = sequence
        self.began = began
        self.ends = ends
        self.stage = "waiting"
        self.asked: list[str] = []
        self.nacks: set[str] = set()


class Swim:
    """One node's side of the protocol.

    Args:
        name: the node's name.
        epoch: its life.
        config: the knobs.
        rng: chance.
        now: the time, seconds; all later calls give the same clock's.
        agents: what the node hosts.
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
        self._started = False
        self._told = False  # somebody has told us all that it knows
        self._untold = 0  # joins that nobody has answered
        self._sequence = 0
        self._probe: _Probe | None = None
        self._probe_at = inf
        self._gossip_at = inf
        self._gossiped = -inf
        self._revive_at = now + config.revive_s if config.revive_s else inf
        self._introduce_at = now
        self._relays: dict[int, tuple[str, int, str]] = {}
        self._echo: tuple[int, float] = (0, -inf)
        self._later: list[tuple[float, int, str, object]] = []
        self._numbers = count()

    # -- what the driver calls -------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether this node has left, or was superseded: nothing will be said any more."""
        return self.beliefs.over

    def start(self, now: float) -> list[Effect]:
        """Joins: tells everybody, and begins to probe."""
        config, random = self.config, self._rng.random
        self._started = True
        self._probe_at = now + random() * config.period_s
        if config.push_pull_s:
            self._at(now + random() * config.push_pull_s, "push-pull")
        self._join(now)
        return self._effects(now)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """One event."""
        beliefs = self.beliefs
        if beliefs.over or not self._started:
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
        if beliefs.over or beliefs.freeze.down or not self._started:
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
        due = self._probe_at
        if self._gossip_at < due:
            due = self._gossip_at
        if self._later and self._later[0][0] < due:
            due = self._later[0][0]
        expiry = beliefs.next_expiry()
        return expiry if expiry < due else due

    def _notice_lag(self, now: float) -> None:
        late_s = now - self._due()
        if late_s > self.config.lag_s and self.config.freeze:
            self.beliefs.postpone(self.beliefs.freeze.late(now, late_s))
            self._relays.clear()
            if self._probe is not None:
                self._probe = None
                self._probe_at = now

    def _do_due(self, now: float) -> None:
        later = self._later
        while later and later[0][0] <= now:
            _, _, what, about = heapq.heappop(later)
            self._do_later(what, about, now)
        if self._probe_at <= now:
            self._step_probe(now)
        if self._gossip_at <= now:
            self._gossip(now)
        beliefs = self.beliefs
        if beliefs.next_expiry() <= now:
            if beliefs.freeze.doubtful(now, self._allowed_s()):
                self._send_echo(now)
                beliefs.postpone(self.config.timeout_s * beliefs.awareness.factor)
            else:
                beliefs.expire(now)

    def _at(self, when: float, what: str, about: object = None) -> None:
        heapq.heappush(self._later, (when, next(self._numbers), what, about))

    def _do_later(self, what: str, about: object, now: float) -> None:
        if what == "nack":
            self._end_relay(about, now)
        elif what == "drop":
            self._relays.pop(about, None)  # pyright: ignore[reportArgumentType, reportCallIssue]
        elif what == "tell":
            self._send_table(PacketKind.TELL, str(about))
        elif what == "join":
            self._join(now)
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

    # -- probing ---------------------------------------------------------------------------------------------------

    def _allowed_s(self) -> float:
        """Two rounds of probing: something was answered within that, unless the own link is not well."""
        return 2.0 * self.config.period_s * self.beliefs.awareness.factor

    def _step_probe(self, now: float) -> None:
        probe = self._probe
        if probe is None or probe.stage == "answered":
            self._begin_probe(now)
        elif probe.stage == "waiting":
            self._ask_others(probe, now)
        else:
            self._give_up(probe, now)
            self._begin_probe(now)

    def _begin_probe(self, now: float) -> None:
        config = self.config
        self._members.reclaim(now)
        if now >= self._revive_at:
            self._revive_at = now + config.revive_s
            self._ping_a_failed_one()
        target = self._choose()
        factor = self.beliefs.awareness.factor
        if target is None:
            self.beliefs.freeze.nobody_asked(now)
            self._probe = None
            self._probe_at = now + config.period_s
            return
        self._sequence += 1
        self._probe = _Probe(target, self._sequence, now, now + config.period_s * factor)
        self._probe_at = now + config.timeout_s * factor
        self._ping(target, self._sequence)

    def _choose(self) -> Member | None:
        by_name, living, urgent = self._members.by_name, self._members.living, self.beliefs.urgent
        while urgent:
            name = urgent.popleft()
            if name in living:
                return by_name[name]
        chosen = living.turn() if self.config.probe_order == "round-robin" else living.pick()
        return None if chosen is None else by_name[chosen]

    def _ping(self, target: Member, sequence: int) -> None:
        words = self.beliefs.take_news()
        if self.config.buddy and target.word.state is not State.ALIVE and target.word not in words:
            words = (target.word, *words)
        self._send(target.name, PacketKind.PING, sequence, target.name, words)

    def _ping_a_failed_one(self) -> None:
        name = self._members.failed.pick()
        if name is not None:
            self._sequence += 1
            word = self._members.by_name[name].word
            self._send(name, PacketKind.PING, self._sequence, name, (word,))

    def _ask_others(self, probe: _Probe, now: float) -> None:
        probe.stage = "asked"
        probe.asked = self._members.living.sample(self.config.indirect, but=(probe.target.name,))
        for other in probe.asked:
            self._send(other, PacketKind.PING_REQUEST, probe.sequence, probe.target.name)
        if self.config.freeze:
            self._send_echo(now)
        self._probe_at = probe.ends

    def _give_up(self, probe: _Probe, now: float) -> None:
        beliefs, config = self.beliefs, self.config
        missing = len(probe.asked) - len(probe.nacks)
        beliefs.awareness.apply(missing if config.nacks and probe.asked else 1)
        if config.freeze and (beliefs.freeze.proved < probe.began or beliefs.freeze.frozen(now)):
            return
        if not probe.target.dead:
            beliefs.accuse(probe.target, now)

    def _answered(self, sent: float, now: float) -> None:
        beliefs = self.beliefs
        beliefs.postpone(beliefs.freeze.proof(sent, now, self._allowed_s()))

    def _send_echo(self, now: float) -> None:
        sequence, sent = self._echo
        if now - sent < self.config.timeout_s:
            return
        self._echo = (sequence + 1, now)
        self._send(self.name, PacketKind.ECHO, sequence + 1)

    # -- packets ---------------------------------------------------------------------------------------------------

    def _receive(self, packet: Packet, now: float) -> None:
        kind, source, epoch, sequence, target, words = packet
        beliefs = self.beliefs
        if source == self.name and epoch == self.epoch:
            if kind is PacketKind.ECHO and sequence == self._echo[0]:
                self._answered(self._echo[1], now)
            return
        known = beliefs.knows(source, epoch)
        table = kind is PacketKind.ASK or kind is PacketKind.TELL
        if kind is PacketKind.JOIN:
            self._hear_join(packet, known, now)
            return
        if words:
            beliefs.hear(words, source, now, trusted=known, table=table)
            if not known and beliefs.knows(source, epoch):
                known = True
                beliefs.hear(words, source, now, trusted=True, table=table)
                self._introduce(source, kind, now)
            if beliefs.over:
                return
        if kind is PacketKind.PING:
            self._answer_ping(source, sequence, known)
        elif kind is PacketKind.ACK:
            self._hear_ack(source, epoch, sequence, target, now)
        elif kind is PacketKind.PING_REQUEST:
            if known:
                self._relay(source, sequence, target, now)
        elif kind is PacketKind.NACK:
            probe = self._probe
            if probe is not None and probe.sequence == sequence and source in probe.asked:
                probe.nacks.add(source)
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
        self._send(source, PacketKind.ACK, sequence, self.name, words)

    def _claim(self, source: str) -> tuple[Word, ...]:
        member = self._members.by_name.get(source)
        return () if member is None else (member.word,)

    def _hear_ack(self, source: str, epoch: int, sequence: int, target: str, now: float) -> None:
        probe = self._probe
        if probe is not None and probe.sequence == sequence:
            if target != probe.target.name or probe.stage == "answered":
                return
            if source == target and epoch != probe.target.word.epoch:
                return
            self._answered(probe.began, now)
            self.beliefs.awareness.apply(-1)
            probe.stage = "answered"
            self._probe_at = probe.ends
            return
        relay = self._relays.get(sequence)
        if relay is not None and relay[2] == source:
            del self._relays[sequence]
            asker, asked, _ = relay
            self._send(asker, PacketKind.ACK, asked, source, self.beliefs.take_news())

    def _relay(self, source: str, sequence: int, target: str, now: float) -> None:
        member = self._members.by_name.get(target)
        if member is None or len(self._relays) >= MAX_RELAYS:
            return
        self._sequence += 1
        self._relays[self._sequence] = (source, sequence, target)
        self._ping(member, self._sequence)
        config = self.config
        if config.nacks:
            self._at(now + config.nack_share * (config.period_s - config.timeout_s), "nack", self._sequence)
        self._at(now + 2.0 * config.period_s, "drop", self._sequence)

    def _end_relay(self, sequence: object, now: float) -> None:
        relay = self._relays.get(sequence)  # pyright: ignore[reportArgumentType, reportCallIssue]
        if relay is not None:
            asker, asked, target = relay
            self._send(asker, PacketKind.NACK, asked, target)

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
            self._send(source, PacketKind.GOSSIP, 0, "", claim)
        else:
            self._introduce(source, kind, now)

    def _send_table(self, kind: PacketKind, to: str) -> None:
        for number, words in enumerate(self.beliefs.table()):
            # Only the first part asks for the other's table.
            self._send(to, kind if number == 0 else PacketKind.TELL, 0, "", words)

    # -- joining and leaving ---------------------------------------------------------------------------------------

    def _join(self, now: float) -> None:
        config, random = self.config, self._rng.random
        untold = not self._told
        self.beliefs.out.append(
            Broadcast(Packet(PacketKind.JOIN, self.name, self.epoch, int(untold), "", (self.beliefs.own,)))
        )
        rare_s = config.rejoin_s * self.beliefs.size if config.rejoin_s else inf
        if untold:
            rare_s = min(rare_s, config.join_s * 2**self._untold)
            self._untold = min(self._untold + 1, 16)
        if rare_s < inf:
            self._at(now + (0.75 + 0.5 * random()) * rare_s, "join")

    def _hear_join(self, packet: Packet, known: bool, now: float) -> None:
        beliefs, source = self.beliefs, packet.source
        there = len(self._members.living) + 1
        beliefs.hear(packet.words, source, now, trusted=known)
        if beliefs.over or source == self.name:
            return
        if (packet.sequence or not known) and self._rng.random() * there < self.config.answers:
            self._at(now + self._rng.random() * self.config.answer_within_s, "tell", source)
        elif not known and beliefs.knows(source, packet.epoch):
            beliefs.news.drop(source)  # everybody has heard it; those who answer pass it on to who has not

    def _leave(self) -> None:
        last = self.beliefs.leave()
        packet = Packet(PacketKind.GOSSIP, self.name, self.epoch, 0, "", (last,))
        copies = retransmissions(self.config.retransmit, self.beliefs.size)
        for other in self._members.living.sample(copies):
            self.beliefs.out.append(Send(other, packet))

    def _change_link(self, up: bool, now: float) -> None:
        freeze = self.beliefs.freeze
        if up == (not freeze.down):
            return
        self.beliefs.postpone(freeze.link(up, now))
        self._probe = None
        self._relays.clear()
        if up:
            self._probe_at = now + self._rng.random() * self.config.period_s
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

    def _send(self, to: str, kind: PacketKind, sequence: int, target: str = "", words: tuple[Word, ...] = ()) -> None:
        self.beliefs.out.append(Send(to, Packet(kind, self.name, self.epoch, sequence, target, words)))
