"""Claims, kept: by whoever judges, in order, whatever others write meanwhile, and in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agentbus.errors import AgentBusError, StorageFailed
from agentbus.security import positions as module
from agentbus.security.claims import Claim, Claims
from agentbus.security.pages import Page
from agentbus.security.positions import Delivery, Positions, page_of
from agentbus.transport import Headers, Transport
from agentbus.transports import open_transport
from tests.waiting import until


class Place:
    """A job of which only its place counts."""

    subject, body, attempt = "city.log.x", b"", 1
    headers: Headers | None = None

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence

    def ack(self) -> None: ...
    def retry(self, delay_s: float = 0.0) -> None: ...
    def discard(self) -> None: ...
    def progress(self) -> None: ...


class Desk:
    """One node's positions, and what they said."""

    def __init__(self, transport: Transport, writer: str) -> None:
        self.transport = transport
        self.node = writer
        self.positions = Positions(transport, "city", node=writer, age_s=3600.0, writer=writer, replicas=1)
        self.said: list[tuple[str, int, int, Claim | AgentBusError]] = []

    def deliver(self, number: int, place: int, stream: str = "s") -> None:
        def then(verdict: Claim | AgentBusError) -> None:
            self.said.append((stream, number, place, verdict))

        self.positions.judge("c", Delivery(stream, stream_of(stream), number, Place(place), number, then))

    def complete(self, number: int, place: int, stream: str = "s") -> None:
        self.positions.complete("c", stream, stream_of(stream), number, place)

    async def verdict(self, number: int, place: int, stream: str = "s") -> Claim | AgentBusError:
        before = len(self.said)
        self.deliver(number, place, stream)
        await until(lambda: len(self.said) > before)
        return self.said[-1][3]

    async def kept(self, stream: str = "s") -> Claims:
        message = await self.transport.last("agentbus_city_seen", f"city.seen.{self.node}.c.{stream}")
        return Page.from_bytes(message.body if message else b"").claims(stream_of(stream)) or Claims()


def stream_of(page: str) -> bytes:
    """The name of the only stream of a page."""
    return page.encode().ljust(16)


@asynccontextmanager
async def desks(url: str) -> AsyncIterator[tuple[Desk, Desk]]:
    links = [open_transport(url, name=name) for name in ("one", "two")]
    for link in links:
        await link.connect()
    both = Desk(links[0], "one"), Desk(links[1], "two")
    try:
        yield both
    finally:
        for desk in both:
            desk.positions.close()
        for link in links:
            await link.close()


async def test_a_claim_is_known_to_all_nodes_and_written_before_it_is_told(url: str) -> None:
    async with desks(url) as (one, two):
        assert await one.verdict(1, 10) is Claim.FIRST
        assert (await one.kept()).open == {1: 10}
        assert await two.verdict(1, 11) is Claim.COPY
        assert await two.verdict(1, 10) is Claim.AGAIN
        assert await two.verdict(2, 12) is Claim.FIRST
        assert await one.verdict(2, 13) is Claim.COPY, "what the other wrote meanwhile is read"
        one.complete(1, 10)
        assert await one.verdict(3, 14) is Claim.FIRST
        assert (await one.kept()).open == {2: 12, 3: 14}
        assert (await two.kept()).open == {1: 10, 2: 12}, "nobody writes for another"
        assert await two.verdict(4, 15) is Claim.FIRST
        assert await two.verdict(1, 10) is Claim.DONE


async def test_who_takes_over_goes_on_where_another_has_ended(url: str) -> None:
    async with desks(url) as (one, two):
        for number in (1, 2):
            assert await one.verdict(number, 10 + number) is Claim.FIRST
        one.complete(1, 11)
        assert await one.verdict(3, 13) is Claim.FIRST
        one.positions.close()  # for good
        assert await two.verdict(2, 22) is Claim.COPY
        assert await two.verdict(2, 12) is Claim.AGAIN
        assert await two.verdict(1, 11) is Claim.DONE
        assert await two.verdict(9000, 14) is Claim.FIRST
        assert await two.verdict(3, 13) is Claim.AGAIN, "however far the others have gone meanwhile"
        two.complete(3, 13)
        assert await two.verdict(9001, 15) is Claim.FIRST
        assert await two.verdict(3, 13) in (Claim.DONE, Claim.OLD)


async def test_a_node_that_lies_withholds_and_lets_nothing_pass_again(url: str) -> None:
    async with desks(url) as (one, _):
        lie = Page()
        lies = lie.opened(stream_of("s"))
        for number in (1, 2):
            assert await one.verdict(number, 10 + number) is Claim.FIRST
        one.complete(1, 11)
        lies.claim(1, 21)
        lies.claim(2, 22)
        lies.claim(3, 23)
        await one.transport.store("city.seen.liar.c.s", lie.to_bytes(), message_id="lies")
        assert await one.verdict(9, 19) is Claim.FIRST
        assert [await one.verdict(number, 20 + number) for number in (1, 2)] == [Claim.DONE, Claim.COPY]
        assert await one.verdict(3, 13) is Claim.COPY, "this it can do"
        assert await one.verdict(3, 23) is Claim.AGAIN
        await one.transport.store("city.seen.liar.c.s", b"", message_id="unsaid")
        assert await one.verdict(10, 20) is Claim.FIRST
        assert await one.verdict(3, 13) is Claim.COPY


async def test_deliveries_are_told_in_their_order_whatever_their_streams(url: str) -> None:
    async with desks(url) as (one, two):
        for number in range(1, 200):
            one.deliver(number, number, f"s{number % 7}")
            two.deliver(number, 1000 + number, f"s{number % 7}")
        await until(lambda: len(one.said) == len(two.said) == 199)
        for desk in (one, two):
            assert [number for _, number, _, _ in desk.said] == list(range(1, 200))
        firsts = [{said[1] for said in desk.said if said[3] is Claim.FIRST} for desk in (one, two)]
        assert not firsts[0] & firsts[1]
        assert firsts[0] | firsts[1] == set(range(1, 200))


async def test_completions_are_written_after_a_while_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_S", 0.01)
    async with desks("memory://positions") as (one, two):
        await one.verdict(1, 10)
        one.complete(1, 10)
        while (await one.kept()).open:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
        assert await two.verdict(1, 10) is Claim.DONE


async def test_what_is_remembered_is_bounded_and_what_is_unwritten_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CACHED", 4)
    monkeypatch.setattr(module, "REST_S", 1000.0)
    async with desks("memory://positions") as (one, _):
        for number in range(1, 30):
            await one.verdict(1, number, f"s{number}")
        line = one.positions._lines["c"]
        assert len(line.pages) <= 5
        for number in range(1, 10):
            one.complete(1, number, f"s{number}")
        for number in range(1, 30):
            await one.verdict(2, 100 + number, f"s{number}")
        assert len(line.pages) <= 15
        assert (await one.kept("s9")).open == {2: 109}
        assert (await one.kept("s10")).open == {1: 10, 2: 110}


async def test_what_is_kept_and_can_not_be_read_is_never_taken_for_nothing(url: str) -> None:
    async with desks(url) as (one, _):
        await one.verdict(1, 10)
        await one.transport.store("city.seen.three.c.t", b"nonsense", message_id="x")
        assert isinstance(await one.verdict(1, 10, "t"), StorageFailed)


def test_streams_of_all_that_differs_have_names_of_their_own_and_those_of_a_key_few_pages() -> None:
    names = {
        page_of(key, epoch, source, subject)
        for key in (b"a" * 32, b"b" * 32)
        for epoch in (1, 11)
        for source in ("hall", "1")
        for subject in ("city.log.x", "hall.city.log.x")
    }
    assert len({stream for _, stream in names}) == 16
    assert all(page.isalnum() for page, _ in names)
    pages = [{page_of(key, epoch, "hall", "x")[0] for epoch in range(5000)} for key in (b"a" * 32, b"b" * 32)]
    assert len(pages[0]) == len(pages[1]) == module.PAGES
    assert not pages[0] & pages[1]
