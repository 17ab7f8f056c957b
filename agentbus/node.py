"""A node: hosts agents on one connection to a realm.

Start: connect, hear replies, answer `$SRV`, add the agents. Stop, by SIGTERM, SIGINT or leaving ``async with``, is a
designed sequence: stop taking work; let the broker hand over what was under way; answer what waits; let what runs
finish; run `@on_stop`; close. It takes at most `drain_s` beyond what `@on_stop` takes.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

import structlog
from structlog.typing import FilteringBoundLogger

from .agent import Agent, default_name, is_hosted
from .approvals import ApprovalDesk
from .bus import MAX_HOPS, Bus
from .cell import AgentCell
from .discovery import AgentInfo
from .errors import (
    AgentBusError,
    AgentExists,
    AgentNotFound,
    AgentStopped,
    Closed,
    ConfigurationError,
    NotConnected,
    Unauthorized,
)
from .identity import NodeIdentity, whose
from .limits import Limits, Watcher
from .messages import EPOCH_CHANCE_BITS, AgentFailed, full_name
from .middleware import Middleware
from .peers import Electorate, PeerProvider, PeerView
from .port import Port
from .presence import Presence
from .reporting import Reporting
from .routes import Routes
from .speaking import Speaker
from .statistics import AgentStatistics, NodeStatistics
from .streams import DurableStreams
from .subjects import Subjects, check_name
from .supervision import Supervision
from .transport import FrameGuard, LinkState, StreamLimits, Transport
from .transports import open_transport

DRAIN_S = 5.0
"""Seconds that handlers may go on after a node has been asked to stop."""
EVENTS_S = 0.5
"""Seconds of those in which live events that wait are still handled."""


class Node(Speaker):
    """Hosts agents.

    Args:
        url: ``nats://``, ``tls://``, ``memory://`` or ``embedded://``; None: the environment's ``AGENTBUS_URL``, or the
            embedded nats-server.
        realm: the network of its own to be in; by default the identity's, or else ``default``.
        name: the node's; by default the identity's, or else made of the process id and chance.
        identity: who it is: connects as that, at the realm's own URLs unless `url` says another, and keeps it valid
            (`agentbus.security.Identity`).
        agents: to host from the start: a sequence, or a mapping from name to agent.
        transport: a wire of your own, in place of `url`; the node connects and closes it.
        durable: the limits of the realm's streams of durable events.
        middleware: wrapped round every handler, outside the behavior's own.
        guard: seals and opens frames (`agentbus.security.Guard`); it is for a node of a `name`.
        limits: what one sender may have of a behavior: a rate, a fair share of the mailbox. By default none, and with
            a guard `Limits()`.
        peers: who is alive; by default what an agent here knows that is a `PeerProvider` (`membership`), else this
            node's agents only.
        max_hops: messages that may cause one another.
        drain_s: seconds that handlers may go on after the node was asked to stop.
        seed: of all chance; by default the system's.
        clock: seconds since 1970, for time stamps only.

    Raises:
        ConfigurationError: and those below it, for what cannot work.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        realm: str | None = None,
        name: str | None = None,
        identity: NodeIdentity | None = None,
        agents: Sequence[Agent] | Mapping[str, Agent] = (),
        transport: Transport | None = None,
        durable: StreamLimits | None = None,
        middleware: Sequence[Middleware] = (),
        guard: FrameGuard | None = None,
        limits: Limits | None = None,
        peers: PeerView | None = None,
        max_hops: int = MAX_HOPS,
        drain_s: float = DRAIN_S,
        seed: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if url is not None and transport is not None:
            raise ConfigurationError("Node takes a url or a transport, not both")
        if identity is not None and transport is not None:
            raise ConfigurationError("Node takes an identity, which connects by itself, or a transport, not both")
        realm, name = whose(identity, realm, name)
        self._identity = identity
        self._random = random.Random(seed)
        self._seed = self._random.getrandbits(64)
        self.name = check_name(name or f"node-{os.getpid()}-{self._random.getrandbits(32):08x}", "node")
        self.subjects = Subjects(realm)
        self.epoch = int(clock() * 1000) << EPOCH_CHANCE_BITS | self._random.getrandbits(EPOCH_CHANCE_BITS)
        self.middleware = tuple(middleware)
        self.cells: dict[str, AgentCell] = {}
        self._presence = Presence(self.name, realm, self.epoch, self.cells)
        self.peers: PeerView = peers or self._presence
        self._peers_given = peers is not None
        self.approvals: ApprovalDesk | None = None
        self._transport = transport or (identity.connection(url) if identity else open_transport(url, name=self.name))
        self._clock = clock
        self._agents = agents
        self._limits = durable or StreamLimits()
        self._guard = guard or (identity.guard if identity is not None else None)
        self._sender_limits = limits or (Limits() if self._guard is not None else None)
        self._max_hops = max_hops
        self._drain_s = drain_s
        self._log: FilteringBoundLogger | None = None
        self._state = "new"
        self._stopping: asyncio.Event | None = None
        self._given_up: AgentStopped | None = None
        self._end: asyncio.Task[None] | None = None
        self._ends: set[asyncio.Task[None]] = set()  # of single agents: their stop hooks run there

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, timeout_s: float = 10.0) -> None:
        """Connects and starts the agents it was given.

        Raises:
            NotConnected, Unauthorized, ServerFailed: no broker.
            AgentStopped: an agent could not start. The node is stopped again.
        """
        if self._state != "new":
            raise Closed(f"node {self.name!r} was started before: make a new one")
        self._state = "starting"
        self._stopping = asyncio.Event()
        try:
            await self._transport.connect(timeout_s=timeout_s, watcher=self._on_link)
            self._open_bus()
            named = self._agents.items() if isinstance(self._agents, Mapping) else [(None, a) for a in self._agents]
            self._state = "running"
            for name, agent in sorted(named, key=lambda pair: not isinstance(pair[1], ApprovalDesk)):
                await self._add(agent, name, None)
            await self._transport.flush()
        except BaseException:
            await self.stop()
            raise
        if self._identity is not None:
            self._identity.begin(self)
        self.log.info("node started", url=self._transport.url, agents=len(self.cells))

    def _open_bus(self) -> None:
        self.reporting = Reporting(self.name, self.log, self._publish_failure)
        self.bus = Bus(
            self._transport,
            self.subjects,
            node=self.name,
            epoch=self.epoch,
            clock_us=lambda: int(self._clock() * 1e6),
            on_malformed=self.reporting.malformed,
            guard=self._guard,
            max_hops=self._max_hops,
            limits=self._sender_limits,
        )
        if self._identity is not None:
            self.bus.trust_broker_only()
        self.streams = DurableStreams(self._transport, self.subjects, self._limits)
        self.port = Port(self.bus, self.name, self.streams.ensure)
        self.routes = Routes(self.bus, self.reporting.coalesced)
        self.bus.open()
        self._presence.open(self._transport, self.bus.decisions, inboxes_only=self._identity is not None)

    async def stop(self) -> None:
        """Drains and closes. A second call returns when the first is done; one from a behavior or hook of its own
        returns at once, as what it is part of has to end first. Whoever waits may be cancelled: stopping goes on."""
        if self._state == "stopped":
            return
        if self._end is None:
            self._end = asyncio.get_running_loop().create_task(self._stop(), name=f"{self.name}: stop")
        if not self._runs_in(asyncio.current_task()):
            await asyncio.shield(self._end)

    def _runs_in(self, task: asyncio.Task[object] | None) -> bool:
        return task in self._ends or any(cell.runs(task) for cell in self.cells.values())

    def _ending(self, cell: AgentCell) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(cell.end(), name=f"{cell.name}: end")
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)
        return task

    async def _stop(self) -> None:
        began, self._state = self._state, "stopping"
        try:
            if began == "running":
                await self._drain()
        finally:
            self._presence.close()
            if self._identity is not None:
                await self._identity.end()
            if hasattr(self, "bus"):
                self.bus.close()
            await self._transport.close()
            self._state = "stopped"
            if self._stopping is not None:
                self._stopping.set()
            self.log.info("node stopped")

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_s
        cells = list(self.cells.values())
        for cell in cells:
            cell.begin_stop()
        with suppress(NotConnected, Unauthorized):
            await self._transport.flush(timeout_s=min(1.0, self._drain_s))
        for cell in cells:
            cell.refuse_waiting()
        self.bus.end_turn()
        events_until = min(deadline, loop.time() + EVENTS_S)
        while (running := [task for cell in cells for task in cell.tasks()]) and loop.time() < deadline:
            waiting = loop.time() < events_until and any(cell.waiting for cell in cells)
            await asyncio.wait(running, timeout=(events_until if waiting else deadline) - loop.time())
            if loop.time() >= events_until:
                for cell in cells:
                    cell.drop_waiting()
        await asyncio.gather(*(self._ending(cell) for cell in cells))
        self.bus.end_turn()

    async def abort(self) -> None:
        """Ends as a crash would: nothing is answered, no hook runs. For tests and simulations."""
        self._state = "stopping"
        for cell in self.cells.values():
            cell.abort()
        self._presence.close()
        if self._identity is not None:
            await self._identity.end()
        if hasattr(self, "bus"):
            self.bus.close()
        await self._transport.close(timeout_s=0.0)
        self._state = "stopped"
        if self._stopping is not None:
            self._stopping.set()

    async def run(self) -> None:
        """Until SIGTERM, SIGINT or `stop`: then drains, and returns.

        Raises:
            AgentStopped: supervision escalated, or gave up the last agent.
        """
        loop = asyncio.get_running_loop()
        asked_to_stop = asyncio.Event()
        handled: list[signal.Signals] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            # An event loop without signals, or in a thread that gets none: `stop` ends the run there.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, asked_to_stop.set)
                handled.append(number)
        assert self._stopping is not None, "start the node before run()"
        waits = [loop.create_task(event.wait()) for event in (asked_to_stop, self._stopping)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await self.stop()
            for number in handled:
                loop.remove_signal_handler(number)
        if self._given_up is not None:
            raise self._given_up

    # -- agents ----------------------------------------------------------------------------------------------------

    async def add(self, agent: Agent, *, name: str | None = None, supervision: Supervision | None = None) -> None:
        """Hosts one more agent; returns when it has started and others can reach it.

        Args:
            name: by default the class's, in kebab case.
            supervision: in place of the class's.

        Raises:
            AgentExists: an agent of that name is on this node.
            Unauthorized: the node's guard may not speak as it.
            ConfigurationError: a behavior of it needs a person's approval, and nobody here asks for that.
            AgentStopped: it could not start.
        """
        await self._add(agent, name, supervision)
        await self._transport.flush()

    async def _add(self, agent: Agent, name: str | None, supervision: Supervision | None) -> None:
        if self._state != "running":
            raise Closed(f"node {self.name!r} is not running: start it, with `async with`, before adding agents")
        name = check_name(name or default_name(type(agent)), "agent")
        if self._guard is not None:
            self._guard.vouch(name)
        if name in self.cells:
            raise AgentExists(f"node {self.name!r} hosts an agent {name!r} already: give this one another name=")
        if is_hosted(agent):
            raise AgentExists(f"this instance of {type(agent).__name__} is hosted already: make one for each name")
        self._check_approvals(name, agent)
        cell = AgentCell(self, Port(self.bus, name, self.streams.ensure), agent, supervision)
        self.cells[name] = cell
        try:
            await cell.start()
        except BaseException:
            self.cells.pop(name, None)
            cell.abort()
            raise

    async def remove(self, name: str) -> None:
        """Stops one agent: what waits is answered, what runs may finish; returns when it has ended, or at once when a
        behavior of its own asks for that. Raises `AgentNotFound`."""
        cell = self._cell(name)
        cell.begin_stop()
        cell.refuse_waiting()
        removal = asyncio.get_running_loop().create_task(self._remove(cell), name=f"{name}: remove")
        self._ends.add(removal)
        removal.add_done_callback(self._ends.discard)
        if not cell.runs(asyncio.current_task()):
            await asyncio.shield(removal)

    async def _remove(self, cell: AgentCell) -> None:
        if tasks := cell.tasks():
            await asyncio.wait(tasks, timeout=self._drain_s)
        await cell.end()
        if isinstance(cell.agent, Watcher) and self.bus.watcher is cell.agent:
            self.bus.watch(None)
        self.cells.pop(cell.name, None)

    def adopt(self, agent: Agent) -> None:
        """Takes over the view of an agent that knows who is alive, unless the node was given one; the desk of one that
        asks people for their approval; and one that watches over senders."""
        if isinstance(agent, Watcher):
            self.bus.watch(agent)
        if isinstance(agent, PeerProvider) and not self._peers_given:
            self.peers = agent.peer_view(self._presence)
        if isinstance(agent, ApprovalDesk):
            self.approvals = agent

    def _check_approvals(self, name: str, agent: Agent) -> None:
        """Raises `ConfigurationError`: a second desk, or calls to approve and none."""
        if isinstance(agent, ApprovalDesk):
            for other, cell in self.cells.items():
                if isinstance(cell.agent, ApprovalDesk):
                    raise ConfigurationError(
                        f"node {self.name!r} asks for approval at {other!r} already: leave {name!r} out"
                    )
        needs = sorted({spec.approval for spec in agent.behaviors.rpc if spec.approval})
        if needs and self.approvals is None:
            raise ConfigurationError(
                f"agent {name!r} does nothing without a person's approval ({', '.join(needs)}), and node {self.name!r} "
                "has no desk to ask at: add agentbus.security.approvals.Approvals(approvers=[...]) to its agents"
            )

    def make_rng(self, name: str) -> random.Random:
        """The agent's source of chance: the same for the same seed and name."""
        return random.Random(f"{self._seed}/{name}")

    # -- asked and told --------------------------------------------------------------------------------------------

    @property
    def transport(self) -> Transport:
        """The wire, for rooms that keep streams of their own."""
        return self._transport

    @property
    def electorate(self) -> Electorate | None:
        """Who has a vote in the realm, as the identity knows it; None without an identity: votes are by name then."""
        return self._identity.electorate if self._identity is not None else None

    @property
    def log(self) -> FilteringBoundLogger:
        """The node's logger, bound to realm and node."""
        if self._log is None:
            logger: FilteringBoundLogger = structlog.get_logger("agentbus")
            self._log = logger.bind(realm=self.subjects.realm, node=self.name)
        return self._log

    def info(self, name: str) -> AgentInfo:
        """What an agent of this node tells of itself. Raises `AgentNotFound`."""
        return self._presence.info(self._cell(name))

    def statistics(self) -> NodeStatistics:
        """The counts of this moment."""
        counters = self.bus.counters
        return NodeStatistics(
            name=self.name,
            realm=self.subjects.realm,
            connected=self._transport.connected,
            frames_sent=counters.frames_sent,
            frames_received=counters.frames_received,
            messages_sent=counters.messages_sent,
            malformed=counters.malformed,
            lost=counters.lost,
            unhandled=sum(cell.unhandled for cell in self.cells.values()),
            coalesced=self.reporting.coalesced_messages,
            open_calls=len(self.bus.calls),
            agents={name: cell.statistics() for name, cell in self.cells.items()},
        )

    def agent_statistics(self, name: str) -> AgentStatistics:
        """One agent's counts. Raises `AgentNotFound`."""
        return self._cell(name).statistics()

    def _cell(self, name: str) -> AgentCell:
        cell = self.cells.get(name)
        if cell is None:
            raise AgentNotFound(f"node {self.name!r} hosts no agent {name!r}")
        return cell

    # -- what cells, routes and the bus report ---------------------------------------------------------------------

    def agent_ended(self, agent: str, error: AgentStopped | None, escalate: bool) -> None:
        """Supervision gave an agent up; the node ends with it when that was the last, or it escalates."""
        self.log.error("agent given up", agent=agent, error=str(error), escalate=escalate)
        if escalate or all(cell.state == "failed" for cell in self.cells.values()):
            self._given_up = error
            if self._stopping is not None and self._state == "running":
                self._stopping.set()

    def _publish_failure(self, event: AgentFailed) -> None:
        with suppress(AgentBusError):
            self.port.put_alone(self.subjects.event(full_name(event), event.agent), event, 0, "")

    def _on_link(self, state: LinkState, why: str) -> None:
        expected = state in (LinkState.CONNECTED, LinkState.CONNECTING) or self._state in ("stopping", "stopped")
        (self.log.info if expected else self.log.warning)("link", state=state.value, why=why)

    # -- speaking --------------------------------------------------------------------------------------------------

    def _port(self) -> Port:
        if self._state != "running":
            raise Closed(f"node {self.name!r} is not running")
        return self.port

    def _peers(self) -> PeerView:
        return self.peers

    def _logger(self) -> FilteringBoundLogger:
        return self.log
