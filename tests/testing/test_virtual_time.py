"""The loop: its time, its order, and what it refuses."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import time

import pytest
import structlog

from agentbus.testing import NotSimulated, Simulation


def test_time_is_exact() -> None:
    async def sleeps(sim: Simulation) -> None:
        loop = asyncio.get_running_loop()
        assert loop.time() == sim.now() == 0.0
        await asyncio.sleep(30.0)
        assert sim.now() == 30.0
        await asyncio.sleep(0.1)
        assert sim.now() == 30.1
        await asyncio.sleep(200_000.0)
        assert sim.now() == 30.1 + 200_000.0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        assert sim.now() == 30.1 + 200_005.0

    Simulation(limit_s=1e6).run(sleeps)


def test_callbacks_keep_their_order() -> None:
    async def order(sim: Simulation) -> None:
        seen: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(100):
            loop.call_soon(seen.append, number)
        await asyncio.sleep(0)
        assert seen == list(range(100))

    Simulation().run(order)


def cancelled_in_order(seed: int, waste: int) -> list[str]:
    """The order in which a task group cancels, after objects of other addresses were made."""
    kept = [bytearray(random.randrange(1, 2000)) for _ in range(waste)]
    order: list[str] = []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(100.0)
        finally:
            order.append(name)

    async def groups(sim: Simulation) -> None:
        async def fail() -> None:
            await asyncio.sleep(1.0)
            raise OSError("enough")

        async def fail_together() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(wait(str(number)))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await fail_together()
        tasks = [asyncio.create_task(wait(f"w{number}")) for number in range(20)]
        futures = [asyncio.get_running_loop().create_future() for _ in range(20)]
        _, pending = await asyncio.wait([*tasks, *futures], timeout=1.0)
        for waiting in pending:
            if isinstance(waiting, asyncio.Task):
                order.append(waiting.get_name())
            waiting.cancel()
        await asyncio.wait(tasks)

    Simulation(seed).run(groups)
    del kept
    return order


def test_task_groups_cancel_in_one_order() -> None:
    orders = [tuple(cancelled_in_order(1, waste)) for waste in range(0, 2000, 100)]
    assert len(orders) == 20
    assert len(orders[0]) == 70
    assert len(set(orders)) == 1


def test_names_of_tasks_do_not_depend_on_the_process() -> None:
    async def names(sim: Simulation) -> list[str]:
        async def nothing() -> None: ...

        tasks = [asyncio.create_task(nothing()), asyncio.create_task(nothing(), name="mine")]
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(nothing()), group.create_task(nothing(), name="ours")]
        await asyncio.gather(*tasks)
        return [task.get_name() for task in tasks]

    first = Simulation().run(names)
    assert first == Simulation().run(names)
    assert first[1::2] == ["mine", "ours"]


def test_the_context_of_a_task_is_kept() -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default=0)

    async def tell() -> int:
        return variable.get()

    async def contexts(sim: Simulation) -> list[int]:
        context = contextvars.copy_context()
        context.run(variable.set, 5)
        return [await asyncio.create_task(tell(), context=context), await asyncio.create_task(tell())]

    assert Simulation().run(contexts) == [5, 0]


def sleep_for_real() -> None:
    raise AssertionError("this must not be called")


@pytest.mark.parametrize(
    ("text", "leave"),
    [
        ("a thread .*sleep_for_real", lambda loop: asyncio.to_thread(sleep_for_real)),
        ("a thread .*sleep_for_real", lambda loop: loop.run_in_executor(None, sleep_for_real)),
        ("a socket .*create_connection", lambda loop: asyncio.open_connection("127.0.0.1", 1)),
        ("a socket .*create_server", lambda loop: asyncio.start_server(print, "127.0.0.1", 0)),
        ("a name server .*getaddrinfo", lambda loop: loop.getaddrinfo("localhost", 80)),
        ("a process .*subprocess_exec", lambda loop: asyncio.create_subprocess_exec("true")),
    ],
)
def test_what_leaves_virtual_time_is_named(text: str, leave: object) -> None:
    async def leaves(sim: Simulation) -> None:
        await leave(asyncio.get_running_loop())  # type: ignore[operator]

    with pytest.raises(NotSimulated, match=text):
        Simulation().run(leaves)


def test_leaving_virtual_time_fails_the_run_even_when_it_is_caught() -> None:
    async def leaves(sim: Simulation) -> None:
        with pytest.raises(NotSimulated):
            await asyncio.to_thread(sleep_for_real)
        with pytest.raises(NotSimulated):
            asyncio.get_running_loop().set_task_factory(lambda loop, coro: asyncio.Task(coro, loop=loop))

    with pytest.raises(NotSimulated, match="sleep_for_real"):
        Simulation().run(leaves)


def test_another_thread_cannot_reach_in() -> None:
    raised: list[BaseException] = []

    async def reached(sim: Simulation) -> None:
        loop = asyncio.get_running_loop()

        def reach() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except NotSimulated as error:
                raised.append(error)

        thread = threading.Thread(target=reach)
        thread.start()
        thread.join()

    with pytest.raises(NotSimulated, match="another thread"):
        Simulation().run(reached)
    assert len(raised) == 1


def test_the_process_is_as_it_was() -> None:
    async def draws(sim: Simulation) -> float:
        assert not gc.isenabled()
        return random.random()

    random.seed(99)
    state = random.getstate()
    processors = list(structlog.get_config()["processors"])
    first, second, other = Simulation(4).run(draws), Simulation(4).run(draws), Simulation(5).run(draws)
    assert first == second != other
    assert random.getstate() == state
    assert gc.isenabled()
    assert not gc.get_freeze_count()
    assert list(structlog.get_config()["processors"]) == processors


def test_waiting_is_not_real() -> None:
    async def a_day(sim: Simulation) -> None:
        await sim.sleep(86_400.0 * 3)

    began = time.perf_counter()
    Simulation(limit_s=1e9).run(a_day)
    assert time.perf_counter() - began < 1.0


def test_garbage_is_collected_at_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbus.testing.virtual_time.COLLECT_EVERY", 500)
    closed: list[float] = []

    async def generate(sim: Simulation):
        try:
            yield 1
        finally:
            closed.append(sim.now())

    async def abandons(sim: Simulation) -> None:
        for _ in range(20):
            generator = generate(sim)
            await anext(generator)
            cycle: list[object] = [generator]
            cycle.append(cycle)
            del generator, cycle
            for _ in range(200):
                await asyncio.sleep(0.01)

    seen: list[list[float]] = []
    for waste in (0, 50_000):
        kept = [[number] for number in range(waste)]
        Simulation().run(abandons)
        seen.append(list(closed))
        closed.clear()
        del kept
    assert seen[0] == seen[1]
    assert any(0 < when < 39 for when in seen[0])
