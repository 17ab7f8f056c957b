"""One machine, and whatever may happen to it: Hypothesis looks for a history that breaks what must always hold."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentbus.membership import Swim
from agentbus.membership.model import (
    AgentEntry,
    Broadcast,
    ChangeKind,
    Describe,
    Effect,
    Leave,
    Link,
    Notify,
    Packet,
    PacketKind,
    Send,
    State,
    Word,
)
from tests.membership.world import quick

NAMES = ("me", "a", "b", "c", "d")
names = st.sampled_from(NAMES)
epochs = st.integers(1, 3)
said = st.builds(
    Word,
    state=st.sampled_from(State),
    node=names,
    epoch=epochs,
    life=epochs,
    incarnation=st.integers(0, 4),
    by=st.lists(names, max_size=4, unique=True).map(lambda by: tuple(sorted(by))),
)
packets = st.builds(
    Packet,
    st.sampled_from(PacketKind),
    names,
    epochs,
    st.integers(0, 12),
    names,
    st.lists(said, max_size=4).map(tuple),
)


class Life(RuleBasedStateMachine):
    """The machine "me", in its second life, and its history."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.swim = Swim("me", 2, quick(reclaim_s=20.0), Random(5), self.now)
        self.ranks: dict[str, tuple[int, int, int]] = {}
        self.own = self.swim.beliefs.own
        self.dead: dict[str, tuple[int, int]] = {}
        self.over = False
        self.take(self.swim.start(self.now))

    def take(self, effects: list[Effect]) -> None:
        assert not (self.over and effects), "a machine that is over has spoken"
        for effect in effects:
            if isinstance(effect, Send | Broadcast):
                assert effect.packet.source == "me"
                assert effect.packet.epoch == 2
                assert sum(word.size for word in effect.packet.words) <= 70_000
                assert not any(word.node == "me" and word.state is State.FAILED for word in effect.packet.words)
            elif isinstance(effect, Notify):
                self.note(effect)
        self.over = self.swim.over

    def note(self, change: Notify) -> None:
        node, place = change.word.node, (change.word.life, change.word.incarnation)
        if change.kind is ChangeKind.SUPERSEDED:
            assert node == "me"
            return
        assert node != "me"
        if change.kind in (ChangeKind.FAILED, ChangeKind.LEFT):
            self.dead[node] = max(place, self.dead.get(node, place))
        elif node in self.dead:
            assert place > self.dead[node], f"{node} is back by a word that is no later than its death"

    @rule(packet=packets)
    def hear(self, packet: Packet) -> None:
        self.take(self.swim.handle(packet, self.now))

    @rule(packet=packets)
    def hear_twice(self, packet: Packet) -> None:
        self.take(self.swim.handle(packet, self.now))
        before = {member.name: member.word for member in self.swim.beliefs.members}
        own = self.swim.beliefs.own
        if packet.kind is not PacketKind.JOIN and not self.swim.over:
            self.take(self.swim.handle(packet, self.now))
            after = {member.name: member.word for member in self.swim.beliefs.members}
            for name, word in before.items():
                assert after[name].rank >= word.rank
            assert self.swim.beliefs.own.incarnation >= own.incarnation or self.swim.beliefs.own.life > own.life

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.05, 0.3, 3.0, 25.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; each timer is ticked when it is due."""
        end = self.now + seconds
        while (due := self.swim.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.take(self.swim.tick(self.now))
        self.now = end

    @rule(seconds=st.floats(0.06, 40.0))
    def stand_still(self, seconds: float) -> None:
        """The process is stopped; its timers fire when it goes on, all of them before anything is heard."""
        if self.swim.beliefs.freeze.down or self.swim.over:
            return
        due = self.swim.next_deadline()
        self.now = max(self.now, due if due is not None else self.now) + seconds
        changes: list[Notify] = []
        for _ in range(100):
            due = self.swim.next_deadline()
            if due is None or due > self.now:
                break
            effects = self.swim.tick(self.now)
            changes += [effect for effect in effects if isinstance(effect, Notify)]
            self.take(effects)
        assert not [change for change in changes if change.kind in (ChangeKind.FAILED, ChangeKind.SUSPECTED)]

    @rule(up=st.booleans())
    def change_link(self, up: bool) -> None:
        self.take(self.swim.handle(Link(up), self.now))

    @rule(count=st.integers(0, 3))
    def describe(self, count: int) -> None:
        agents = tuple(AgentEntry(name=f"agent{number}") for number in range(count))
        self.take(self.swim.handle(Describe(agents), self.now))

    @precondition(lambda self: not self.swim.over)
    @rule(chance=st.integers(0, 9))
    def leave(self, chance: int) -> None:
        if chance == 0:
            self.take(self.swim.handle(Leave(), self.now))

    @invariant()
    def ranks_never_fall(self) -> None:
        for member in self.swim.beliefs.members:
            assert member.word.rank >= self.ranks.get(member.name, (0, 0, 0))
            self.ranks[member.name] = member.word.rank

    @invariant()
    def the_own_word_is_alive_and_never_falls(self) -> None:
        own = self.swim.beliefs.own
        assert own.state is State.ALIVE
        assert own.rank >= self.own.rank
        self.own = own

    @invariant()
    def the_books_agree(self) -> None:
        members = self.swim.beliefs.members
        assert "me" not in members.by_name
        for member in members:
            assert (member.name in members.living) != member.dead
            assert (member.name in members.failed) == (member.word.state is State.FAILED)
            suspected = member.word.state is State.SUSPECT
            assert (member.name in members.suspected) == suspected == (member.suspicion is not None)
        assert all(name in members.by_name for name in (*members.living, *members.failed))

    @invariant()
    def the_next_deadline_is_not_long_past(self) -> None:
        due = self.swim.next_deadline()
        assert due is None or due > 0.0


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
