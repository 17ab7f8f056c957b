"""A mailbox against a plain list, under every order of operations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentbus.inbound import Inbound
from agentbus.mailbox import Mailbox, part
from agentbus.messages import Frame


def arrival(first: int, count: int) -> Inbound:
    """A frame whose payloads say their numbers, with every column."""
    numbers = range(first, first + count)
    payloads = [str(number).encode() for number in numbers]
    frame = Frame("t", "s", 1, 0, first, 9, payloads, [n + 1 for n in numbers], [f"t{n}" for n in numbers], [])
    return Inbound(frame, "subject", "reply", 2.5, "", None)


def at(inbound: Inbound, index: int) -> int:
    """The number of the message there; all columns must agree on it."""
    frame = inbound.frame
    number = int(frame.payloads[index])
    assert frame.message_id(index).sequence == number
    assert frame.deadlines_ms[index] == number + 1
    assert frame.traces[index] == f"t{number}"
    assert (inbound.reply, inbound.received_s) == ("reply", 2.5)
    return number


class MailboxAgainstList(RuleBasedStateMachine):
    """Rules are the mailbox's methods; the model is a list of numbers."""

    @initialize(limit=st.integers(1, 12))
    def begin(self, limit: int) -> None:
        self.mailbox = Mailbox(limit)
        self.limit = limit
        self.model: list[int] = []
        self.next = 0

    def frame(self, count: int) -> tuple[Inbound, list[int]]:
        first, self.next = self.next, self.next + count
        return arrival(first, count), list(range(first, first + count))

    @rule(count=st.integers(1, 16))
    def put(self, count: int) -> None:
        inbound, numbers = self.frame(count)
        fits = len(self.model) + count <= self.limit
        assert self.mailbox.put(inbound) is fits
        if fits:
            self.model += numbers

    @rule(count=st.integers(1, 16))
    def put_some_and_reject(self, count: int) -> None:
        inbound, numbers = self.frame(count)
        room = self.limit - len(self.model)
        rejected = self.mailbox.put_some(inbound, drop_oldest=False)
        assert [at(old, index) for old, places in rejected for index in places] == numbers[room:]
        self.model += numbers[:room]

    @rule(count=st.integers(1, 16))
    def put_some_and_drop_the_oldest(self, count: int) -> None:
        inbound, numbers = self.frame(count)
        everything = self.model + numbers
        lost = max(0, len(everything) - self.limit)
        rejected = self.mailbox.put_some(inbound, drop_oldest=True)
        assert [at(old, index) for old, places in rejected for index in places] == everything[:lost]
        self.model = everything[lost:]

    @rule()
    def take(self) -> None:
        if self.model:
            assert at(*self.mailbox.take()) == self.model.pop(0)
        else:
            with pytest.raises(IndexError, match="empty"):
                self.mailbox.take()

    @rule(handled=st.integers(0, 16), arriving=st.integers(0, 16))
    def sweep_a_frame(self, handled: int, arriving: int) -> None:
        """A worker takes a frame, handles some of it while more arrives, and gives the rest back."""
        if not self.model:
            with pytest.raises(IndexError, match="empty"):
                self.mailbox.take_frame()
            return
        inbound, index = self.mailbox.take_frame()
        for _ in range(min(handled, len(inbound.frame.payloads) - index)):
            self.mailbox.size -= 1
            assert at(inbound, index) == self.model.pop(0)
            index += 1
        if arriving:
            self.put_some_and_reject(arriving)
        self.mailbox.give_back(inbound, index)

    @invariant()
    def as_many_wait_as_should(self) -> None:
        if hasattr(self, "mailbox"):
            assert self.mailbox.size == len(self.model) <= self.limit
            assert self.mailbox.waiting is bool(self.model)

    def teardown(self) -> None:
        while hasattr(self, "mailbox") and self.model:
            self.take()


TestMailboxAgainstList = MailboxAgainstList.TestCase
TestMailboxAgainstList.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(count=st.integers(1, 9), data=st.data())
def test_a_part_of_a_frame_is_that_part_in_every_column(count: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(start + 1, count))
    whole = arrival(100, count)
    piece = part(whole, range(start, stop))
    assert [at(piece, index) for index in range(stop - start)] == list(range(100 + start, 100 + stop))
    assert len(whole.frame.payloads) == count, "frames are shared and never changed"


def test_an_untouched_mailbox_is_empty() -> None:
    with pytest.raises(IndexError, match="empty"):
        Mailbox(3).take()
