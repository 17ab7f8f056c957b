"""Many deadlines on one timer, against a plain list, on a loop whose time is a number."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.deadlines import GRAIN_S, Bucket, DeadlineQueue


class Handle:
    def __init__(self, when: float, act: Callable[[], None]) -> None:
        self.when, self.act, self.cancelled = when, act, False

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: Handle) -> bool:
        return self.when < other.when


class Clock:
    """As much of a loop as a deadline queue needs."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, act: Callable[[], None]) -> Handle:
        handle = Handle(when, act)
        heapq.heappush(self.timers, handle)
        return handle

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self.timers and self.timers[0].when <= until:
            handle = heapq.heappop(self.timers)
            self.now = max(self.now, handle.when)
            if not handle.cancelled:
                handle.act()
        self.now = until

    @property
    def armed(self) -> int:
        return sum(not timer.cancelled for timer in self.timers)


class Item:
    def __init__(self, clock: Clock, then: Callable[[], None] | None = None) -> None:
        self.clock, self.then = clock, then
        self.expired_at: float | None = None

    def expire(self) -> None:
        assert self.expired_at is None, "expired twice"
        self.expired_at = self.clock.now
        if self.then is not None:
            self.then()


def made() -> tuple[Clock, DeadlineQueue]:
    clock = Clock()
    return clock, DeadlineQueue(clock)  # type: ignore[arg-type]


operation = st.one_of(
    st.tuples(st.just("add"), st.floats(0.0, 3.0)),
    st.tuples(st.just("discard"), st.integers(0, 60)),
    st.tuples(st.just("advance"), st.floats(0.0, 1.0)),
)


@settings(deadline=None)
@given(operations=st.lists(operation, max_size=60))
def test_each_item_expires_within_a_grain_of_its_deadline_unless_discarded(
    operations: list[tuple[str, float]],
) -> None:
    clock, queue = made()
    items: list[tuple[Item, float, Bucket]] = []
    discarded: set[int] = set()
    for what, value in operations:
        if what == "add":
            item, when = Item(clock), clock.now + value
            items.append((item, when, queue.add(item, when)))
        elif what == "discard" and items:
            place = int(value) % len(items)
            item, _, bucket = items[place]
            if item.expired_at is None:
                bucket.pop(item, None)
                discarded.add(place)
        else:
            clock.advance(value)
        waiting = [i for i, (item, _, _) in enumerate(items) if item.expired_at is None and i not in discarded]
        assert len(queue) == len(waiting)
        assert clock.armed <= 1
    clock.advance(5.0)
    for place, (item, when, _) in enumerate(items):
        if place in discarded:
            assert item.expired_at is None
        else:
            assert item.expired_at is not None
            assert when <= item.expired_at <= when + GRAIN_S + 1e-9
    assert len(queue) == 0
    assert clock.armed == 0


def test_an_item_that_expires_may_add_another() -> None:
    clock, queue = made()
    second = Item(clock)
    first = Item(clock, lambda: queue.add(second, clock.now + 1.0))
    queue.add(first, clock.now + 1.0)
    clock.advance(1.5)
    assert (first.expired_at, second.expired_at) == (101.0, None)
    clock.advance(1.0)
    assert second.expired_at == 102.0


def test_an_item_that_expires_may_discard_another_of_the_same_moment() -> None:
    clock, queue = made()
    buckets: list[Bucket] = []
    kept = Item(clock)
    items = [Item(clock, lambda: buckets[0].pop(kept, None))]
    for item in (kept, *items):
        buckets.append(queue.add(item, clock.now + 1.0))
    clock.advance(2.0)
    assert items[0].expired_at is not None
    assert kept.expired_at is None, "the last one in is the first to expire, and took it out"


def test_a_closed_queue_forgets_everything() -> None:
    clock, queue = made()
    item = Item(clock)
    queue.add(item, clock.now + 1.0)
    queue.close()
    queue.close()
    clock.advance(5.0)
    assert item.expired_at is None
    assert (len(queue), clock.armed) == (0, 0)


def test_a_hundred_thousand_long_deadlines_that_are_met_leave_little_behind() -> None:
    clock, queue = made()
    for number in range(100_000):
        item = Item(clock)
        queue.add(item, clock.now + 3600.0 + number * GRAIN_S).pop(item)
    assert len(queue) == 0
    assert len(queue._buckets) <= 8192


async def test_on_a_real_loop_nothing_expires_early() -> None:
    loop = asyncio.get_running_loop()
    queue = DeadlineQueue(loop)
    over: asyncio.Future[float] = loop.create_future()

    class Once:
        def expire(self) -> None:
            over.set_result(loop.time())

    when = loop.time() + 0.02
    queue.add(Once(), when)
    assert await asyncio.wait_for(over, 5.0) >= when
