"""A fair mailbox: nothing is lost or invented under every order of operations, and nobody's share is taken."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentbus.inbound import Inbound
from agentbus.messages import Frame
from agentbus.turns import LINES, QUANTUM, FairMailbox

SENDERS = st.sampled_from("abcd")


def arrival(sender: str, first: int, count: int) -> Inbound:
    """A frame whose payloads say their numbers."""
    payloads = [str(number).encode() for number in range(first, first + count)]
    return Inbound(Frame("t", sender, 1, 0, first, 9, payloads, [], [], []), "subject", "", 0.0)


def at(inbound: Inbound, index: int) -> tuple[str, int]:
    number = int(inbound.frame.payloads[index])
    assert inbound.frame.message_id(index).sequence == number
    return inbound.frame.source, number


class FairMailboxAgainstLists(RuleBasedStateMachine):
    """Rules are the mailbox's methods; the model is a list of numbers a sender."""

    @initialize(limit=st.integers(1, 24))
    def begin(self, limit: int) -> None:
        self.mailbox = FairMailbox(limit)
        self.limit = limit
        self.model: dict[str, list[int]] = {}
        self.next = 0
        self.served: list[str] = []

    def arrive(self, sender: str, count: int) -> Inbound:
        first, self.next = self.next, self.next + count
        self.model.setdefault(sender, []).extend(range(first, first + count))
        return arrival(sender, first, count)

    @rule(sender=SENDERS, count=st.integers(1, 30), drop_oldest=st.booleans())
    def put(self, sender: str, count: int, drop_oldest: bool) -> None:
        before = {who: len(numbers) for who, numbers in self.model.items()}
        inbound = self.arrive(sender, count)
        rejected = [] if self.mailbox.put(inbound) else self.mailbox.put_some(inbound, drop_oldest=drop_oldest)
        lost = [at(frame, index) for frame, places in rejected for index in places]
        assert len(lost) == max(0, sum(before.values()) + count - self.limit)
        for who, number in lost:
            self.model[who].remove(number)
        self.model = {who: numbers for who, numbers in self.model.items() if numbers}
        wanted = Counter(before) + Counter({sender: count})
        share = self.limit // len(wanted)
        for who, number in wanted.items():
            assert len(self.model.get(who, [])) >= min(number, share), "more than its share was taken from it"

    @rule()
    def take(self) -> None:
        if not self.model:
            with pytest.raises(IndexError, match="empty"):
                self.mailbox.take()
            return
        waiting = set(self.model)
        sender, number = at(*self.mailbox.take())
        assert self.model[sender].pop(0) == number, "a sender's messages keep their order"
        self.served = [who for who in (*self.served, sender) if who in waiting][-len(waiting) :]
        if not self.model[sender]:
            del self.model[sender]

    @rule(handled=st.integers(0, 40), arriving=st.integers(0, 12), sender=SENDERS)
    def sweep_a_frame(self, handled: int, arriving: int, sender: str) -> None:
        """A worker takes a frame, handles some of it while more arrives, and gives the rest back."""
        if not self.model:
            with pytest.raises(IndexError, match="empty"):
                self.mailbox.take_frame()
            return
        others = len(self.model) > 1
        inbound, index = self.mailbox.take_frame()
        count = len(inbound.frame.payloads) - index
        assert not others or count <= QUANTUM
        for _ in range(min(handled, count)):
            self.mailbox.size -= 1
            who, number = at(inbound, index)
            assert self.model[who].pop(0) == number
            index += 1
        self.model = {who: numbers for who, numbers in self.model.items() if numbers}
        if arriving and self.mailbox.size + arriving <= self.limit:
            assert self.mailbox.put(self.arrive(sender, arriving))
        self.mailbox.give_back(inbound, index)

    @invariant()
    def as_many_wait_as_should(self) -> None:
        if hasattr(self, "mailbox"):
            assert self.mailbox.size == sum(map(len, self.model.values())) <= self.limit
            assert self.mailbox.waiting is bool(self.model)

    def teardown(self) -> None:
        while hasattr(self, "mailbox") and self.model:
            self.take()


TestFairMailboxAgainstLists = FairMailboxAgainstLists.TestCase
TestFairMailboxAgainstLists.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@settings(deadline=None)
@given(counts=st.dictionaries(SENDERS, st.integers(1, 50), min_size=2))
def test_senders_take_turns(counts: dict[str, int]) -> None:
    mailbox = FairMailbox(1000)
    first = 0
    for sender, count in counts.items():
        mailbox.put(arrival(sender, first, count))
        first += count
    left = Counter(counts)
    while left:
        turn = [at(*mailbox.take())[0] for _ in range(len(left))]
        assert len(set(turn)) == len(turn), "each once before anybody twice"
        left -= Counter(turn)


def test_who_is_alone_has_all_of_it_and_its_frames_whole() -> None:
    mailbox = FairMailbox(100)
    assert mailbox.put(arrival("a", 0, 100))
    inbound, index = mailbox.take_frame()
    assert (len(inbound.frame.payloads), index) == (100, 0)


def test_senders_beyond_the_limit_share_a_turn() -> None:
    mailbox = FairMailbox(10 * LINES)
    for number in range(LINES + 50):
        mailbox.put(arrival(f"s{number}", 10 * number, 1))
    heard = [at(*mailbox.take())[0] for _ in range(LINES + 50)]
    assert len(set(heard)) == LINES + 50
    assert not mailbox.waiting
