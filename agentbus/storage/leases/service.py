"""Leases at work: the machines' effects carried out on a store, one task for each lease that is wanted.

Holds what `LeaseMachine` says. The store must read from its leader and write by compare-and-set; a store that is away
costs no holder its lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from ...errors import AgentBusError, Closed, Conflict, DeadlineExceeded
from .codec import decode, encode
from .config import LeaseConfig
from .machine import LeaseMachine
from .model import (
    Acquired,
    Done,
    Effect,
    Erase,
    Event,
    Found,
    Holder,
    LeaseRecord,
    Leave,
    Lost,
    Nudge,
    Read,
    Refused,
    Tick,
    Unknown,
    Want,
    Write,
)


class LeaseEntry(Protocol):
    """What a store has under a key."""

    @property
    def value(self) -> bytes: ...
    @property
    def revision(self) -> int: ...


class LeaseStore(Protocol):
    """What leases need of a store (`agentbus.storage.Bucket` is one): reads from the leader, compare-and-set."""

    async def get(self, key: str) -> LeaseEntry | None: ...
    async def create(self, key: str, value: bytes, *, ttl_s: float | None = None) -> int: ...
    async def update(self, key: str, value: bytes, revision: int, *, ttl_s: float | None = None) -> int: ...
    async def delete(self, key: str, *, revision: int | None = None) -> object: ...


Judge = Callable[[Holder], bool]
"""Whether the life of a holder is over: it has failed, was superseded by a later one, or is quarantined."""


class Lease:
    """One lease that is wanted, or held.

    Attributes:
        key: its key in the store.
        lost: set when it was held and is not any more; cleared when it is held again.
    """

    def __init__(self, leases: Leases, key: str, machine: LeaseMachine) -> None:
        self.key = key
        self.lost = asyncio.Event()
        self._held = asyncio.Event()
        self._leases = leases
        self._machine = machine
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._events: list[Event] = []

    @property
    def token(self) -> int | None:
        """The fencing token while it is held."""
        return self._machine.token

    @property
    def holder(self) -> Holder | None:
        """Who had it when it was last looked at."""
        return self._machine.holder

    @property
    def sure(self) -> bool:
        """Whether it is held and nobody can have found it stale yet."""
        return self._machine.sure(asyncio.get_running_loop().time())

    async def held(self, *, timeout_s: float) -> int:
        """Waits until it is held and returns the token. Raises `DeadlineExceeded`."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.token is None:
                    self._held.clear()
                    await self._held.wait()
        except TimeoutError:
            who = f"{self.holder} has it" if self.holder else "nobody was seen to have it"
            raise DeadlineExceeded(f"lease {self.key!r}: not acquired within {timeout_s:g} s; {who}") from None
        assert self.token is not None
        return self.token

    def want(self, *, patience_s: float = 0.0) -> None:
        """Wants it, or wants it with another patience."""
        self._tell(Want(patience_s=patience_s))

    def leave(self) -> None:
        """Gives it back, or wants it no more; returns at once."""
        self._tell(Leave())

    def nudge(self) -> None:
        """Has it looked at now, if it is waited for."""
        self._tell(Nudge())

    async def release(self, *, timeout_s: float = 2.0) -> None:
        """Gives it back; returns when it is not held, or when the time is over: then it goes stale."""
        self.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.token is not None:
                    await self.lost.wait()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        if self._leases.closed and self.token is None:
            if isinstance(event, Want):
                raise Closed(f"lease {self.key!r}: these leases are closed")
            return
        self._events.append(event)
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = self._leases.spawn(self)

    def end(self) -> asyncio.Task[None] | None:
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def drive(self) -> None:
        """Until it is neither wanted nor held, or the wire is closed."""
        with suppress(Closed):
            await self._drive()

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        machine = self._machine
        due_s = loop.time()  # a timer may fire a little early, by the clock's resolution: then it is that time
        while True:
            events, self._events = self._events or [Tick()], []
            self._wake.clear()
            for event in events:
                await self._carry_out(machine.handle(event, max(due_s, loop.time())))
            due_s = loop.time()
            if self._events:
                continue
            deadline = machine.next_deadline()
            if deadline is None:
                return
            try:
                async with asyncio.timeout(max(0.0, deadline - loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                due_s = deadline

    async def _carry_out(self, effects: list[Effect]) -> None:
        loop = asyncio.get_running_loop()
        while effects:
            effect = effects.pop(0)
            match effect:
                case Acquired(token):
                    self.lost.clear()
                    self._held.set()
                    self._leases.acquired(self, token)
                case Lost(reason):
                    self.lost.set()
                    self._leases.was_lost(self, reason)
                case _:
                    answer = await self._leases.ask(self.key, effect)
                    effects += self._machine.handle(answer, loop.time())


class Leases:
    """The leases that one agent wants or holds, in one store.

    Args:
        store: where they are.
        me: who holds them, in this life.
        config: the knobs.
        judge: tells whose life is over; by default nobody's: then leases change hands when they are given back or
            go stale.
        on_acquired: called with key and token.
        on_lost: called with key and the reason.

    Attributes:
        closed: nothing can be wanted any more.
    """

    def __init__(
        self,
        store: LeaseStore,
        me: Holder,
        *,
        config: LeaseConfig | None = None,
        judge: Judge | None = None,
        on_acquired: Callable[[str, int], None] | None = None,
        on_lost: Callable[[str, str], None] | None = None,
    ) -> None:
        self.me = me
        self.config = config or LeaseConfig()
        self._store = store
        self._judge = judge
        self._on_acquired = on_acquired
        self._on_lost = on_lost
        self._leases: dict[str, Lease] = {}
        self.closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def lease(self, key: str) -> Lease:
        """The lease of that key; not wanted yet when it is new."""
        if key not in self._leases:
            now = asyncio.get_running_loop().time()
            self._leases[key] = Lease(self, key, LeaseMachine(self.me, self.config, now))
        return self._leases[key]

    async def acquire(self, key: str, *, timeout_s: float = 30.0) -> Lease:
        """Wants a lease and returns when it is held. Raises `DeadlineExceeded`: it is not wanted any more then."""
        lease = self.lease(key)
        lease.want()
        try:
            await lease.held(timeout_s=timeout_s)
        except BaseException:
            lease.leave()
            raise
        return lease

    def nudge(self) -> None:
        """Has all that is waited for looked at now: somebody's life may be over."""
        for lease in self._leases.values():
            lease.nudge()

    async def close(self, *, timeout_s: float = 2.0) -> None:
        """Gives back what is held, within `timeout_s`."""
        self.closed, leases = True, list(self._leases.values())
        await asyncio.gather(*(lease.release(timeout_s=timeout_s) for lease in leases if lease.token is not None))
        await self.abandon()

    async def abandon(self) -> None:
        """Ends without giving anything back: what is held goes stale."""
        self.closed = True
        tasks = [task for lease in self._leases.values() if (task := lease.end()) is not None]
        if tasks:
            await asyncio.wait(tasks)

    # -- called by a lease -----------------------------------------------------------------------------------------

    def spawn(self, lease: Lease) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(lease.drive(), name=f"{self.me}: lease {lease.key}")

    def acquired(self, lease: Lease, token: int) -> None:
        if self._on_acquired is not None:
            self._on_acquired(lease.key, token)

    def was_lost(self, lease: Lease, reason: str) -> None:
        if self._on_lost is not None:
            self._on_lost(lease.key, reason)

    async def ask(self, key: str, effect: Effect) -> Event:
        """Has the store do it, within `ask_s`."""
        try:
            async with asyncio.timeout(self.config.ask_s):
                return await self._ask(key, effect)
        except Conflict:
            return Refused()
        except Closed:
            raise
        except (AgentBusError, TimeoutError):
            return Unknown()

    async def _ask(self, key: str, effect: Effect) -> Event:
        match effect:
            case Read():
                entry = await self._store.get(key)
                if entry is None:
                    return Found(record=None, revision=0)
                record = decode(entry.value)
                return Found(record=record, revision=entry.revision, over=self._over(record))
            case Write():
                value = encode(effect.record)
                if effect.expected == 0:
                    return Done(await self._store.create(key, value, ttl_s=self.config.ttl_s))
                return Done(await self._store.update(key, value, effect.expected, ttl_s=self.config.ttl_s))
            case Erase():
                await self._store.delete(key, revision=effect.expected)
                return Done(0)
            case _:
                raise TypeError(f"{effect!r} asks nothing of a store")

    def _over(self, record: LeaseRecord) -> bool:
        return self._judge is not None and self._judge(record.holder)
