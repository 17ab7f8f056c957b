"""A simulation: nodes, their network and its faults, in virtual time, all of it decided by one seed.

Invariants: the same scenario with the same seed gives the same event log, in any process; no wait is real; whatever
a run leaves behind that it should not (a waiting scenario, a task, an exception that nobody saw) fails it, with the
seed in the failure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from random import Random
from typing import Any, TypeVar, Unpack

from ..agent import Agent
from ..errors import ConfigurationError
from ..node import Node
from ..transports.memory import MemoryBroker
from ..transports.memory_link import BROKER
from .event_log import EventLog
from .failures import BackgroundFailed, SimulationFailed, TasksLeft
from .isolation import LogEntry, isolated
from .members import Members, NodeOptions, Surroundings
from .virtual_time import VirtualTimeLoop
from .waiting import describe_tasks

T = TypeVar("T")

LIMIT_S = 10_000.0
"""Virtual seconds that a run may take unless it says otherwise: a little less than three hours."""
RECONNECT_S = (0.05, 0.5)
"""Least and most seconds until a node is back after the broker is."""
SETTLE_S = 0.001
"""Virtual seconds that cancelled tasks have to end in."""
MAX_LOGS = 10_000
NOTED = 15
"""Events, and warnings, that a failure shows."""


class Simulation:
    """One run of one scenario.

    Args:
        seed: of all chance: the network's, the nodes', `rng`, and the global `random`.
        limit_s: seconds of virtual time at which the run fails, naming what still waits.

    Attributes:
        rng: chance for the scenario.
        log: what happened.
        logs: what was logged through structlog, newest last, each with ``at_s``; the last 10,000.
    """

    def __init__(self, seed: int = 0, *, limit_s: float = LIMIT_S) -> None:
        if limit_s <= 0:
            raise ConfigurationError(f"limit_s={limit_s}: write seconds of virtual time, above 0")
        self.seed = seed
        self.limit_s = limit_s
        self.rng = self._derive("scenario")
        self.log = EventLog(self.now)
        self.logs: deque[LogEntry] = deque(maxlen=MAX_LOGS)
        self._loop: VirtualTimeLoop | None = None
        self._background: list[tuple[str, BaseException | None]] = []
        self._broker = MemoryBroker(
            "simulation", rng=self._derive("network"), reconnect_s=RECONNECT_S, on_event=self.log.record
        )
        self._members = Members(Surroundings(self._broker, self.log, self.now, self._derive))

    # -- running ---------------------------------------------------------------------------------------------------

    def run(self, scenario: Callable[[Simulation], Coroutine[Any, Any, T]]) -> T:
        """Runs the scenario in virtual time, stops the nodes, and returns what it returned.

        Raises:
            SimulationDeadlock, SimulationTimeout, SimulationStalled: it can't, or won't, end.
            BackgroundFailed, TasksLeft, NotSimulated: something went wrong beside it.
            Exception: whatever it raised. Each has a note with the seed.
        """
        if self._loop is not None:
            raise ConfigurationError("a Simulation runs once: make a new one, with the same seed for the same run")
        _refuse_inside_a_loop()
        failure: BaseException | None = None
        result: list[T] = []
        with isolated(self.seed, self._on_log):
            loop = self._loop = VirtualTimeLoop(self.limit_s)
            loop.set_exception_handler(self._on_background)
            try:
                result.append(loop.run_until_complete(loop.create_task(self._whole(scenario), name="scenario")))
            except BaseException as error:
                failure = error
            ended_s = loop.time()
            _wind_up(loop)
        failure = failure or self._found()
        if failure is None:
            return result[0]
        failure.add_note(self._note_of(failure, ended_s))
        try:
            raise failure
        finally:
            del failure  # or its traceback would keep this frame, and so itself, alive

    async def _whole(self, scenario: Callable[[Simulation], Coroutine[Any, Any, T]]) -> T:
        try:
            result = await scenario(self)
        except BaseException:
            for member in reversed(self._members):
                member.crash()
            raise
        for member in reversed(self._members):
            await member.stop()
        await asyncio.sleep(SETTLE_S)
        left = [task for task in self._running().all_tasks() if task is not asyncio.current_task()]
        if left:
            raise TasksLeft(
                "tasks outlive the scenario and its nodes: await them, or cancel and await them:\n"
                + describe_tasks(left)
            )
        return result

    def _found(self) -> BaseException | None:
        """What went wrong beside the scenario, the worst of it."""
        if self._running().breaches:
            return self._running().breaches[0]
        if not self._background:
            return None
        text, cause = self._background[0]
        failed = BackgroundFailed(f"{text}: {type(cause).__name__}: {cause}" if cause else text)
        failed.__cause__ = cause
        return failed

    def _note_of(self, failure: BaseException, ended_s: float) -> str:
        limit = "" if self.limit_s == LIMIT_S else f", limit_s={self.limit_s!r}"
        again = f"Simulation(seed={self.seed!r}{limit})"
        beside = [f"{text}: {cause!r}" for text, cause in self._background if cause is not failure.__cause__]
        beside += [str(breach) for breach in self._running().breaches if breach is not failure]
        warned = [entry for entry in self.logs if entry["level"] in ("warning", "error", "critical")]
        parts: list[tuple[str, list[str]]] = [
            ("beside it:", beside[:NOTED]),
            ("warnings and errors logged:", [_log_line(entry) for entry in warned[-NOTED:]]),
            ("last events:", [str(event) for event in self.log.tail(NOTED)]),
        ]
        replay = f"seed={self.seed!r}, at {ended_s:.6f} s of virtual time; to replay it: {again}.run(...)"
        return "\n".join([replay, *("\n  ".join([title, *lines]) for title, lines in parts if lines)])

    # -- members ---------------------------------------------------------------------------------------------------

    async def node(
        self, name: str, *, agents: Sequence[Agent] | Mapping[str, Agent] = (), **options: Unpack[NodeOptions]
    ) -> Node:
        """Starts a node, on the simulation's network; at the end it is stopped.

        Args:
            name: the node's, by which faults mean it.
            agents: as `agentbus.Node` takes them.
            options: `realm`, `durable`, `middleware`, `guard`, `limits`, `peers`, `max_hops`, `drain_s` of
                `agentbus.Node`.

        Raises:
            ConfigurationError: the name is taken, or ``broker``.
            NotConnected, AgentStopped: as `Node.start`.
        """
        return await self._members.add(name, agents, options).start()

    async def restart(self, name: str) -> Node | None:
        """Starts a node that has crashed or stopped again, as a new process would: new agents, made of the same
        arguments, another epoch, no memory. One that runs is stopped before. ``broker`` is there again at once, its
        streams with it; nodes reconnect within half a second.

        Returns:
            The new node; None for the broker.
        """
        if name == BROKER:
            self._broker.stop_broker()
            self._broker.start_broker()
            return None
        member = self._members.get(name)
        await member.stop()
        return await member.start()

    async def stop(self, name: str) -> None:
        """Stops a node as SIGTERM would: it drains. Raises `ConfigurationError`: no such node."""
        await self._members.get(name).stop()

    def crash(self, name: str) -> None:
        """A node dies at once: nothing is answered, no hook runs, nobody is told. ``broker``: all links go down, what
        is live is lost, streams are kept.

        All tasks of the node are cancelled, those that its agents made by themselves among them: `finally` blocks do
        run, but their words reach nobody.

        Raises:
            ConfigurationError: no such node, or it does not run.
        """
        if name == BROKER:
            self._broker.stop_broker()
            return
        member = self._members.get(name)
        if member.node is None:
            raise ConfigurationError(f"node {name!r} does not run: sim.restart({name!r}) before it can crash again")
        self.log.record("crash", name)
        member.crash()

    # -- the network -----------------------------------------------------------------------------------------------

    @property
    def broker(self) -> MemoryBroker:
        """The broker, for what this class does not offer."""
        return self._broker

    def link(
        self,
        *members: str,
        delay_s: tuple[float, float] = (0.0, 0.0),
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
    ) -> None:
        """Sets the faults of all links, of one member's, or between two, in place of those before; the narrower wins.

        Args:
            members: names of nodes, or ``broker``.
            delay_s: least and most seconds from sender to receiver, drawn for each message.
            loss: probability that a message is dropped.
            duplicate: probability that a live message arrives twice.
            reorder: probability that a live message is overtaken.

        Raises:
            ConfigurationError: no such member, or a number that is no delay or probability.
        """
        self._members.check(members)
        self._broker.link(*members, delay_s=delay_s, loss=loss, duplicate=duplicate, reorder=reorder)

    def partition(self, *groups: Collection[str]) -> None:
        """Cuts groups of members off from one another, silently, in place of any partition before. A single group is
        cut off from all who are not in it. Raises `ConfigurationError`: no such member, or one in two groups."""
        for group in groups:
            self._members.check(sorted(group))
        self._broker.partition(*groups)

    def heal(self) -> None:
        """Ends the partition; the links' faults stay."""
        self._broker.heal()

    def freeze(self, name: str) -> None:
        """Nothing moves on a node's connection until `thaw`, as when its machine swaps. Raises `ConfigurationError`."""
        self._members.get(name)
        self._broker.freeze(name)

    def thaw(self, name: str) -> None:
        """What waited on a node's connection goes on, in order. Raises `ConfigurationError`."""
        self._members.get(name)
        self._broker.thaw(name)

    # -- time and tale ---------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds of virtual time since the run began."""
        return 0.0 if self._loop is None else self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Lets virtual time pass."""
        await asyncio.sleep(seconds)

    async def until(self, condition: Callable[[], object], *, timeout_s: float = 60.0, every_s: float = 0.01) -> None:
        """Waits for a condition, looking every `every_s` seconds. Raises `SimulationFailed` after `timeout_s`."""
        deadline = self.now() + timeout_s
        while not condition():
            if self.now() >= deadline:
                raise SimulationFailed(f"{getattr(condition, '__qualname__', condition)}: not within {timeout_s:g} s")
            await asyncio.sleep(every_s)

    def note(self, text: str) -> None:
        """Writes a line into the event log."""
        self.log.record("note", "scenario", reason=text)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _derive(self, purpose: str) -> Random:
        return Random(f"{self.seed}/{purpose}")

    def _running(self) -> VirtualTimeLoop:
        if self._loop is None:
            raise ConfigurationError("this Simulation has not been run: write Simulation(seed=...).run(scenario)")
        return self._loop

    def _on_log(self, entry: LogEntry) -> None:
        entry["at_s"] = self.now()
        error = entry.pop("exc_info", None)
        if isinstance(error, BaseException):
            entry.setdefault("error", repr(error))
        if isinstance(error, AssertionError):
            who = f"{entry.get('agent', '')}.{entry.get('behavior', '')}"
            self._background.append((f"{who} failed an assertion", error))
        self.logs.append(entry)

    def _on_background(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        task = context.get("task") or context.get("future")
        name = f" ({task.get_name()})" if isinstance(task, asyncio.Task) else ""
        error = context.get("exception")
        if error is not None and not isinstance(error, Exception):
            self._running().virtual.interrupt = error
            return
        self._background.append((f"{context['message']}{name}", error))


def _refuse_inside_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigurationError("Simulation.run has an event loop of its own: call it from `def`, not from `async def`")


def _log_line(entry: LogEntry) -> str:
    rest = " ".join(f"{key}={value!r}" for key, value in entry.items() if key not in ("at_s", "level", "event"))
    return f"{entry['at_s']:.9f} {entry['level']}: {entry.get('event', '')} {rest}"


def _wind_up(loop: VirtualTimeLoop) -> None:
    """Ends what is left, as far as it lets itself be ended, and closes the loop."""
    loop.virtual.limit_s = loop.time() + 60.0
    try:
        while tasks := loop.all_tasks():
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except SimulationFailed:
        pass  # a task that refuses to be cancelled; the run has failed by now, for the same reason
    finally:
        loop.close()
