"""Open calls: each ends once, however it ends, and leaves nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from agentbus.calls import Call, Calls, GatherCall, Replies, Reply, parse_reply
from agentbus.errors import Busy, Closed, DeadlineExceeded, HandlerFailed, NoResponders, SchemaMismatch
from agentbus.messages import FAILURE_TYPE, Frame, full_name, to_failure
from examples.climate.v1.climate_pb2 import Reading, TargetReply

REPLY = full_name(TargetReply)


def call(what: str = "TargetRequest to 'hall'") -> Call:
    return Call(asyncio.get_running_loop().create_future(), what, 2.0)


def gather(at_most: int | None = None) -> GatherCall[TargetReply]:
    future = asyncio.get_running_loop().create_future()
    return GatherCall(future, "all", 2.0, lambda kind, body: parse_reply(TargetReply, REPLY, kind, body), at_most)


def answers(kind: str, source: str, *pairs: tuple[int, bytes]) -> Frame:
    numbers = [number for number, _ in pairs]
    return Frame(kind, source, 1, 0, 1, 0, [payload for _, payload in pairs], [], [], numbers)


async def test_each_answer_reaches_its_call_and_unknown_ones_nobody() -> None:
    calls = Calls()
    first, second = call(), call()
    calls.add(5, first)
    calls.add(6, second)
    calls.answered(answers(REPLY, "hall", (6, b"b"), (99, b"late"), (5, b"a")))
    assert (await first.future, await second.future) == ((REPLY, b"a"), (REPLY, b"b"))


async def test_a_second_answer_changes_nothing() -> None:
    one = call()
    one.answer(REPLY, "hall", b"a")
    one.answer(REPLY, "hall", b"b")
    one.fail(Busy("late"))
    one.expire()
    one.nobody()
    assert await one.future == (REPLY, b"a")


async def test_a_failure_is_raised_as_what_it_says() -> None:
    one = call()
    one.answer(FAILURE_TYPE, "hall", to_failure(KeyError("x")).SerializeToString())
    with pytest.raises(HandlerFailed, match="KeyError"):
        await one.future


async def test_a_call_expires_and_says_what_it_waited_for() -> None:
    one = call()
    one.expire()
    with pytest.raises(DeadlineExceeded, match=r"TargetRequest to 'hall': no answer within 2 s"):
        await one.future


async def test_nobody_ends_the_calls_of_one_frame_and_no_others() -> None:
    calls = Calls()
    opened = {number: call() for number in range(1, 6)}
    for number, one in opened.items():
        calls.add(number, one)
    calls.nobody(2, 3)
    assert [number for number, one in opened.items() if one.future.done()] == [2, 3, 4]
    for number in (2, 3, 4):
        with pytest.raises(NoResponders, match="is the agent running"):
            await opened[number].future


async def test_a_hostile_count_costs_nothing() -> None:
    calls = Calls()
    calls.add(1, one := call())
    calls.nobody(0, 10**18)
    with pytest.raises(NoResponders):
        await one.future


async def test_a_call_that_ended_is_gone() -> None:
    calls = Calls()
    one, never_sent = call(), call()
    calls.add(7, one)
    assert calls.get(7) is one
    calls.remove(one)
    calls.remove(never_sent)
    assert (len(calls), calls.get(7)) == (0, None)


async def test_closing_ends_every_call() -> None:
    calls = Calls()
    opened = [call() for _ in range(3)]
    for number, one in enumerate(opened):
        calls.add(number, one)
    calls.close(Closed("gone"))
    assert len(calls) == 0
    for one in opened:
        with pytest.raises(Closed):
            await one.future


async def test_a_gather_keeps_answers_and_failures_apart() -> None:
    one = gather()
    one.answer(REPLY, "a", TargetReply(celsius=1).SerializeToString())
    one.answer(FAILURE_TYPE, "b", to_failure(Busy("full")).SerializeToString())
    one.answer(REPLY, "c", b"\xff\xff")
    one.answer(full_name(Reading), "d", b"")
    assert not one.future.done()
    one.expire()
    await one.future
    assert one.replies == [Reply("a", TargetReply(celsius=1))]
    assert {name: type(error) for name, error in one.replies.failures.items()} == {
        "b": Busy,
        "c": SchemaMismatch,
        "d": SchemaMismatch,
    }


async def test_one_foreign_error_does_not_end_a_gather() -> None:
    calls = Calls()
    one, other = gather(), call()
    calls.add(1, one)
    calls.add(2, other)
    calls.failed(1, 2, Busy("full"))
    one.answer(REPLY, "a", b"")
    one.expire()
    await one.future
    assert [reply.sender for reply in one.replies] == ["a"]
    assert isinstance(one.replies.failures[""], Busy)
    with pytest.raises(Busy):
        await other.future


async def test_a_gather_ends_at_most_then_and_takes_no_more() -> None:
    one = gather(at_most=2)
    for name in "abc":
        one.answer(REPLY, name, b"")
    assert one.future.done()
    assert [reply.sender for reply in one.replies] == ["a", "b"]
    one.nobody()
    one.expire()


async def test_a_gather_of_nobody_is_empty() -> None:
    one = gather()
    one.nobody()
    await one.future
    assert one.replies == Replies()
    assert one.replies.failures == {}


def test_a_reply_is_of_the_type_that_was_asked_for() -> None:
    assert parse_reply(TargetReply, REPLY, REPLY, b"") == TargetReply()
    assert parse_reply(TargetReply, REPLY, "", b"") == TargetReply(), "a foreign agent does not say"
    with pytest.raises(SchemaMismatch, match=r"the reply is a x\.Y, not a"):
        parse_reply(TargetReply, REPLY, "x.Y", b"")
    with pytest.raises(SchemaMismatch, match="can't be parsed"):
        parse_reply(TargetReply, REPLY, REPLY, b"\xff")
