"""An event loop whose time is virtual: it waits by moving its clock.

Built on asyncio's public interfaces: a selector that adds the timeout it is asked to wait to a clock of its own, and
a loop that tells that clock's time. Callbacks keep asyncio's order.

Invariants: time moves only when nothing is ready; nothing outside the process is waited for; tasks and futures are
hashed by a running number, so that sets of them (a TaskGroup's, `asyncio.wait`'s) are in the same order in each run.
"""

from __future__ import annotations

import asyncio
import gc
import selectors
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context
from functools import partial
from typing import Any, NoReturn, TypeVar

from .failures import NotSimulated, SimulationDeadlock, SimulationFailed, SimulationStalled, SimulationTimeout
from .process import Process, process_of
from .waiting import describe_tasks

T = TypeVar("T")

MAX_TURNS = 1_000_000
"""Turns of the loop at one instant, beyond which time is taken to stand still."""
COLLECT_EVERY = 20_000
"""Turns between two collections of young garbage: at the same points of each run, as finalizers can be heard."""


class NumberedFuture(asyncio.Future[T]):
    """A future whose hash is a running number, not its address."""

    __slots__ = ("number",)

    def __init__(self, number: int, *, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class NumberedTask(asyncio.Task[T]):
    """A task whose hash is a running number, not its address. `process`: whose it is, None for the scenario's."""

    __slots__ = ("number", "process")

    def __init__(
        self,
        number: int,
        process: Process | None,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        **options: Any,
    ) -> None:
        # Before the task exists: an eager one runs, and is hashed, while it is made.
        self.number = number
        self.process = process
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self.number


class VirtualClock(selectors.BaseSelector):
    """A selector that never waits: it moves its clock.

    Args:
        limit_s: the time at which it gives up.
        give_up: makes the error to give up with, of a kind and a text.

    Attributes:
        now: its time, seconds.
        interrupt: raised in the next turn, if set: what asyncio keeps from leaving a callback (a test's timeout).
    """

    def __init__(self, limit_s: float, give_up: Callable[[type[SimulationFailed], str], SimulationFailed]) -> None:
        self.now = 0.0
        self.limit_s = limit_s
        self.interrupt: BaseException | None = None
        self._turns = 0
        self._give_up = give_up
        self._still = 0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Moves the clock by `timeout`. None, and nothing can ever happen: raises `SimulationDeadlock`."""
        self._turns += 1
        if not self._turns % COLLECT_EVERY:
            gc.collect(1)
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            raise interrupt
        if timeout is None:
            raise self._give_up(SimulationDeadlock, "nothing can ever happen again, and the scenario waits")
        if timeout <= 0.0:
            self._still += 1
            if self._still > MAX_TURNS:
                self._still = 0
                raise self._give_up(SimulationStalled, f"{MAX_TURNS} turns of the event loop, and time stands still")
            return []
        self._still = 0
        if self.now + timeout > self.limit_s:
            self.now = max(self.now, self.limit_s)
            raise self._give_up(SimulationTimeout, f"limit_s={self.limit_s:g} is reached")
        self.now += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """The loop's own wake-up pipe, which is never waited for; anything else raises `NotSimulated`."""
        if self._keys:
            raise NotSimulated(f"a simulation can't wait for {fileobj!r}: virtual time has no sockets, pipes or files")
        key = selectors.SelectorKey(fileobj, _number(fileobj), events, data)
        self._keys[key.fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(_number(fileobj))

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, from 0 on.

    Args:
        limit_s: the virtual time at which it raises `SimulationTimeout`.

    Attributes:
        breaches: what was asked of it that it can't do, in order.
    """

    def __init__(self, limit_s: float) -> None:
        self._virtual = VirtualClock(limit_s, self._gave_up)
        self._numbers = 0
        self._thread = threading.get_ident()
        self.breaches: list[NotSimulated] = []
        super().__init__(self._virtual)

    @property
    def virtual(self) -> VirtualClock:
        """Its clock."""
        return self._virtual

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._virtual.now

    def all_tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that have not ended, in the order of their making."""
        return sorted(asyncio.all_tasks(self), key=hash)

    def create_future(self) -> asyncio.Future[Any]:
        self._numbers += 1
        return NumberedFuture(self._numbers, loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Makes a numbered task. Without a name it is called by that number, not by asyncio's, which is a process's."""
        self._check_open()
        self._numbers += 1
        number = self._numbers
        name = f"task-{number}" if name is None else str(name)
        return NumberedTask(number, process_of(context), coro, loop=self, name=name, context=context, **options)

    def set_task_factory(self, factory: object) -> None:
        """Refused, but for None: tasks must be numbered."""
        if factory is not None:
            self.refuse("set_task_factory", "a simulation makes its own tasks, so that they have one order in each run")

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if threading.get_ident() != self._thread:
            self.refuse("call_soon_threadsafe", "another thread can't reach into virtual time")
        return self.call_soon(callback, *args, context=context)

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        """Not here, as on platforms without signals: `Node.run` goes on without them."""
        raise NotImplementedError("a simulation has no signals: use sim.stop(name) or sim.crash(name)")

    def refuse(self, what: str, remedy: str) -> NoReturn:
        """Keeps in mind, and raises, what can't be done in virtual time."""
        breach = NotSimulated(f"{what} in a simulation: {remedy}")
        self.breaches.append(breach)
        raise breach

    def _check_open(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")

    def _gave_up(self, kind: type[SimulationFailed], why: str) -> SimulationFailed:
        return kind(f"{why}; at {self.time():.6f} s there wait:\n{describe_tasks(self.all_tasks())}")


def tasks_of(process: Process) -> list[asyncio.Task[Any]]:
    """The tasks of a process that have not ended, in the order of their making."""
    tasks = sorted(asyncio.all_tasks(), key=hash)
    return [task for task in tasks if isinstance(task, NumberedTask) and task.process is process]


def _number(fileobj: Any) -> int:
    return fileobj if isinstance(fileobj, int) else fileobj.fileno()


_OUTSIDE = {
    "a thread": ("run_in_executor", "call the function itself, or give the agent what it waits for as an argument"),
    "a name server": ("getaddrinfo getnameinfo", "agents reach one another through their node"),
    "a socket": (
        "create_connection create_server create_unix_connection create_unix_server create_datagram_endpoint "
        "connect_accepted_socket start_tls sendfile sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into "
        "sock_sendall sock_sendto sock_connect sock_accept sock_sendfile add_reader add_writer",
        "agents reach one another through their node; give anything else to the agent as an argument",
    ),
    "a process": ("subprocess_exec subprocess_shell connect_read_pipe connect_write_pipe", "simulate it by an agent"),
}


def _name_of(function: Callable[..., object]) -> str:
    """The function's name; that of the innermost for what `asyncio.to_thread` wraps."""
    if isinstance(function, partial):
        inner = [arg for arg in function.args if callable(arg)]
        return _name_of(inner[0] if inner else function.func)
    return getattr(function, "__qualname__", repr(function))


def _refusal(name: str, what: str, remedy: str) -> Callable[..., NoReturn]:
    def refused(self: VirtualTimeLoop, *args: object, **_: object) -> NoReturn:
        called = [_name_of(arg) for arg in args if callable(arg)]
        self.refuse(f"{what} ({name}{' of ' + called[0] if called else ''})", remedy)

    refused.__name__ = name
    return refused


for _what, (_names, _remedy) in _OUTSIDE.items():
    for _name in _names.split():
        setattr(VirtualTimeLoop, _name, _refusal(_name, _what, _remedy))
