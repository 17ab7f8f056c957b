"""What one node believes of all others, and what it makes of what it hears. Pure.

Invariants: a member's rank never falls; the own incarnation never falls; this node is alive to itself.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from itertools import count
from math import inf
from typing import TYPE_CHECKING

from .awareness import Awareness
from .config import MembershipConfig
from .dissemination import Dissemination
from .freeze import Freeze
from .members import Member, Members
from .model import AgentEntry, ChangeKind, Effect, Notify, Packet, PacketKind, Send, State, Word
from .suspicion import Suspicion, retransmissions

if TYPE_CHECKING:
    from random import Random

MAX_URGENT = 256
"""Members that are to be probed out of turn, at most."""


class Beliefs:
    """One node's.

    Args:
        name, epoch: of this node.
        agents: what it hosts.
        config: the knobs.
        rng: chance.
        now: the time.

    Attributes:
        own: this node's last word of itself.
        members: the others.
        news: what is to be passed on.
        urgent: members to probe out of turn, as somebody believes them dead.
        out: effects, collected.
        over: this node has left, or a later life of its name is at work: it is silent.
    """

    def __init__(
        self, name: str, epoch: int, agents: tuple[AgentEntry, ...], config: MembershipConfig, rng: Random, now: float
    ) -> None:
        self.name = name
        self.own = Word(state=State.ALIVE, node=name, epoch=epoch, life=epoch, incarnation=0, agents=agents)
        self.members = Members(rng, config.reclaim_s)
        self.news = Dissemination()
        self.awareness = Awareness(config.max_health if config.local_health else 0)
        self.freeze = Freeze(config, now)
        self.urgent: deque[str] = deque(maxlen=MAX_URGENT)
        self.out: list[Effect] = []
        self.over = False
        self._config = config
        self._met: float | None = None  # when somebody else was first heard
        self._expiries: list[tuple[float, int, Member, Suspicion]] = []
        self._numbers = count()

    @property
    def size(self) -> int:
        """Nodes believed alive, this one among them."""
        return len(self.members.living) + 1

    def take_news(self, copies: int = 1) -> tuple[Word, ...]:
        """Words for one packet that goes to so many nodes."""
        news = self.news
        if not len(news):
            return ()
        config = self._config
        return news.take(config.packet_bytes, retransmissions(config.retransmit, self.size), copies)

    def table(self) -> list[tuple[Word, ...]]:
        """All that is known, in parts of `table_bytes`; this node's own word begins each."""
        parts: list[tuple[Word, ...]] = []
        part = [self.own]
        room = self._config.table_bytes - self.own.size
        for member in self.members:
            words = (member.word,) if member.suspicion is None or member.alive is None else (member.alive, member.word)
            size = sum(word.size for word in words)
            if size > room:
                parts.append(tuple(part))
                part, room = [self.own], self._config.table_bytes - self.own.size
            part.extend(words)
            room -= size
        return [*parts, tuple(part)]

    # -- hearing ---------------------------------------------------------------------------------------------------

    def knows(self, node: str, epoch: int) -> bool:
        """Whether that life of that node is believed alive: then it is listened to."""
        member = self.members.by_name.get(node)
        return member is not None and member.word.epoch == epoch and member.word.state < State.FAILED

    def hear(self, words: Iterable[Word], source: str, epoch: int, now: float, *, table: bool = False) -> None:
        """Takes words in: all of a living member's; of one that is believed dead, that somebody lives; of a stranger,
        what it says of itself. What is said of this node itself always counts, as it can be refuted.

        Args:
            source, epoch: who passes them on.
            table: they are all that the source knows, as against news. A death that stands in a table may be old, or
                seen from the other side of a partition: it is told to whom it is about, and looked into, not believed.
        """
        by_name = self.members.by_name
        speaker = by_name.get(source)
        stranger = speaker is None or speaker.word.epoch != epoch
        trusted = not stranger and speaker is not None and not speaker.dead
        if self._met is None and source != self.name:
            self._met = now
        for word in words:
            member = by_name.get(word.node)
            if member is not None:
                held = member.word
                if word is held or word.rank < held.rank:
                    continue
                if word.rank == held.rank:
                    suspicion = member.suspicion
                    if suspicion is None or suspicion.accusers.issuperset(word.by):
                        continue
            elif word.node == self.name:
                self._hear_of_myself(word, now)
                if self.over:
                    return
                continue
            if not trusted and (word.state is not State.ALIVE or (stranger and word.node != source)):
                continue
            if member is None:
                self._meet(word, now, news=not (table and self._is_new(now)))
            elif word.state is State.ALIVE:
                self._revive(member, word, now)
            elif word.state is State.SUSPECT:
                self._suspect(member, word, now)
                member.voices.add(source)
            elif word.state is State.FAILED and table and not member.dead:
                self._look_into(member, word)
            elif member.dead or source == member.name or self._is_believed(member, source):
                self._die(member, word, now, f"said by {source}")
            else:
                if word.state is State.LEFT:
                    member.farewell = word
                self._look_into(member, word)

    def _is_believed(self, member: Member, source: str) -> bool:
        """Whether enough have said that it is suspected, or dead."""
        member.voices.add(source)
        return len(member.voices) >= min(self._config.voices, self.size - 1)

    def _is_new(self, now: float) -> bool:
        """Whether this life has met others only just now. What it is told is no news to them."""
        return self._met is None or now - self._met < self._config.join_s

    def _meet(self, word: Word, now: float, *, news: bool) -> None:
        buried = self.members.buried(word.node)
        if buried is not None and word.rank <= buried.rank:
            return
        if word.state is State.SUSPECT or len(self.members) >= self._config.max_members:
            return
        member = self.members.add(word, now)
        if word.state is State.ALIVE:
            if news:
                self.news.put(word)
            kind = ChangeKind.JOINED if buried is None else ChangeKind.REJOINED
            self._notify(kind, member, "it has told of itself")

    def _revive(self, member: Member, word: Word, now: float) -> None:
        before, agents, dead = member.word, member.agents, member.dead
        reborn = before.epoch != word.epoch
        if reborn and not dead:
            self._notify(ChangeKind.FAILED, member, "a later life of it has begun")
        self.members.believe(member, word, now)
        self.news.put(word)
        if dead or reborn:
            self._notify(ChangeKind.REJOINED, member, "in a new life" if reborn else "it has spoken")
        elif before.state is State.SUSPECT:
            self._notify(ChangeKind.REFUTED, member, "it has spoken")
        if agents != word.agents and not (dead or reborn):
            self._notify(ChangeKind.CHANGED, member, "it has told of itself")

    def _suspect(self, member: Member, word: Word, now: float) -> None:
        if member.dead or member.word.epoch != word.epoch:
            return  # its own word, which makes that possible, will come
        by_name = self.members.by_name
        accusers = [
            name
            for name in word.by
            if name != member.name and (name == self.name or ((of := by_name.get(name)) is not None and not of.dead))
        ]
        if not accusers:
            return
        if word.rank == member.word.rank:
            self._confirm(member, accusers)
        else:
            self._begin_suspicion(member, word, accusers, now)

    def _look_into(self, member: Member, word: Word) -> None:
        if member.name not in self.urgent:
            self.urgent.append(member.name)
            self._tell(member.name, word)

    def _die(self, member: Member, word: Word, now: float, reason: str) -> None:
        dead = member.dead
        self.members.believe(member, word, now)
        self.news.put(word)
        if not dead:
            kind = ChangeKind.FAILED if word.state is State.FAILED else ChangeKind.LEFT
            self._notify(kind, member, reason)

    # -- accusing --------------------------------------------------------------------------------------------------

    def accuse(self, member: Member, now: float) -> None:
        """This node has found out by itself that a member does not answer."""
        word, farewell = member.word, member.farewell
        if self._is_believed(member, self.name) and farewell is not None and farewell.epoch == word.epoch:
            self._die(member, farewell, now, "it is said to have left, and does not answer")
            return
        if word.state is State.ALIVE:
            said = Word(
                state=State.SUSPECT,
                node=member.name,
                epoch=word.epoch,
                life=word.life,
                incarnation=word.incarnation,
                by=(self.name,),
            )
            self._begin_suspicion(member, said, (self.name,), now)
        elif word.state is not State.SUSPECT or not self._confirm(member, (self.name,)):
            return
        if self._config.buddy:
            self._tell(member.name, member.word)

    def _begin_suspicion(self, member: Member, word: Word, accusers: Iterable[str], now: float) -> None:
        known = member.suspicion is not None
        shortest_s = self._config.shortest_s(self.size)
        enough = min(self._config.confirmations, self.size - 2) if self._config.confirm else 0
        self.members.believe(member, word, now)
        member.suspicion = Suspicion(
            max(now, self.freeze.until),
            shortest_s=shortest_s,
            longest_s=self._config.beta * shortest_s,
            enough=max(0, enough),
            accusers=accusers,
        )
        self._expect(member, member.suspicion)
        self.news.put(word)
        if not known:
            self._notify(ChangeKind.SUSPECTED, member, f"it did not answer {', '.join(word.by)}")

    def _confirm(self, member: Member, accusers: Iterable[str]) -> bool:
        suspicion = member.suspicion
        if suspicion is None or not suspicion.confirm(accusers):
            return False
        word = member.word
        member.word = Word(
            state=word.state,
            node=word.node,
            epoch=word.epoch,
            life=word.life,
            incarnation=word.incarnation,
            by=tuple(sorted(suspicion.accusers)),
        )
        self._expect(member, suspicion)
        self.news.put(member.word)
        return True

    # -- the time that suspects have -------------------------------------------------------------------------------

    def next_expiry(self) -> float:
        """When the next suspicion ends, or infinity."""
        expiries = self._expiries
        if not expiries:
            return inf
        while expiries:
            due, _, member, suspicion = expiries[0]
            if member.suspicion is suspicion and suspicion.deadline == due:
                return due
            heapq.heappop(expiries)
        return inf

    def expire(self, now: float) -> None:
        """Declares failed whoever has not refuted in time."""
        while self.next_expiry() <= now:
            _, _, member, suspicion = heapq.heappop(self._expiries)
            word = member.word
            failed = Word(
                state=State.FAILED,
                node=member.name,
                epoch=word.epoch,
                life=word.life,
                incarnation=word.incarnation,
                by=tuple(sorted(suspicion.accusers)),
            )
            self._die(member, failed, now, f"it did not answer {', '.join(failed.by)}, and did not refute")

    def postpone(self, seconds: float) -> None:
        """So much time does not count for the suspicions that run."""
        if seconds <= 0.0 or not self._expiries:
            return
        running = {id(member): member for _, _, member, suspicion in self._expiries if member.suspicion is suspicion}
        self._expiries = []
        for member in running.values():
            if member.suspicion is not None:
                member.suspicion.postpone(seconds)
                self._expect(member, member.suspicion)

    def _expect(self, member: Member, suspicion: Suspicion) -> None:
        heapq.heappush(self._expiries, (suspicion.deadline, next(self._numbers), member, suspicion))

    # -- myself ----------------------------------------------------------------------------------------------------

    def describe(self, agents: tuple[AgentEntry, ...]) -> None:
        """This node hosts other agents than before."""
        if agents != self.own.agents:
            self._speak(self.own.life, self.own.incarnation + 1, agents)

    def leave(self) -> Word:
        """This node's last word."""
        own, self.over = self.own, True
        return Word(
            state=State.LEFT, node=own.node, epoch=own.epoch, life=own.life, incarnation=own.incarnation, by=(own.node,)
        )

    def _hear_of_myself(self, word: Word, now: float) -> None:
        own = self.own
        if word.epoch != own.epoch:
            self._hear_of_another_life(word, now)
        elif word.state is not State.ALIVE and word.rank > own.rank:
            self._speak(max(word.life, own.life), word.incarnation + 1, own.agents)
            self.awareness.apply(1)
        elif word.rank > own.rank:  # a word of my own that I have not said
            self._speak(word.life, word.incarnation + 1, own.agents)

    def _hear_of_another_life(self, word: Word, now: float) -> None:
        if word.life < self.own.life:
            return
        if self._is_new(now) or word.state >= State.FAILED:
            # An earlier life whose clock was ahead of ours: the one that begins is the later one.
            self._speak(word.life + 1, 0, self.own.agents)
            return
        self.over = True
        why = f"a later life of {self.name!r} is at work: epoch {word.epoch}"
        self.out.append(Notify(ChangeKind.SUPERSEDED, self.own, self.own.agents, why))

    def _speak(self, life: int, incarnation: int, agents: tuple[AgentEntry, ...]) -> None:
        self.own = Word(
            state=State.ALIVE,
            node=self.name,
            epoch=self.own.epoch,
            life=life,
            incarnation=incarnation,
            agents=agents,
        )
        self.news.put(self.own)

    # -- telling ---------------------------------------------------------------------------------------------------

    def send(self, to: str, kind: PacketKind, sequence: int, target: str = "", words: tuple[Word, ...] = ()) -> None:
        """A packet of this node's."""
        self.out.append(Send(to, Packet(kind, self.name, self.own.epoch, sequence, target, words)))

    def _tell(self, node: str, word: Word) -> None:
        self.send(node, PacketKind.GOSSIP, 0, "", (word,))

    def _notify(self, kind: ChangeKind, member: Member, reason: str) -> None:
        self.out.append(Notify(kind, member.word, member.agents, reason))
