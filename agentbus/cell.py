"""A cell: one agent, living on a node.

It builds the agent's workers, runs its ticks and hooks, and carries out what supervision decides; what they hear is
`intake`'s.
A restart builds the agent anew from the arguments it was first made of; its mailboxes and subscriptions stay, so
that it is never deaf. (The name is Akka's ActorCell.)

States: new -> starting -> running <-> restarting; any -> stopping -> stopped; or -> failed, when supervision gives
it up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from structlog.typing import FilteringBoundLogger

from .agent import Agent, again, mark_hosted, policy_of
from .answering import RequestWorker
from .approvals import ApprovalDesk
from .approving import ApprovedWorker
from .context import Context
from .discovery import describe
from .durable import DurableWorker
from .errors import AgentStopped, Closed
from .hosting import Hosting
from .inbound import Inbound
from .intake import Intake
from .messages import said
from .middleware import Handler, stack
from .peers import Electorate, PeerView
from .policies import PolicyState
from .port import Port
from .specs import Behaviors, OnSpec, PolicySpec, RpcSpec
from .statistics import AgentStatistics, Counters, NodeStatistics
from .supervision import Decision, Escalate, Restart, Resume, Supervision, decide, recent
from .ticking import Ticker, call
from .worker import EventWorker, Worker, failure_of, settle

HOOK_S = 5.0
"""Seconds that `@on_stop` may take."""

State = Literal["new", "starting", "running", "restarting", "stopping", "stopped", "failed"]


class AgentCell:
    """Hosts one agent.

    Args:
        node: the node's side.
        port: what the agent speaks through.
        agent: the agent; never started before.
        supervision: in place of the class's.
    """

    __slots__ = (
        "_draining",
        "_intake",
        "_lifecycle",
        "_log",
        "_node",
        "_policy",
        "_restarts",
        "_rng",
        "_started",
        "_tickers",
        "agent",
        "name",
        "port",
        "restart_count",
        "state",
        "ticks",
        "workers",
    )

    def __init__(self, node: Hosting, port: Port, agent: Agent, supervision: Supervision | None = None) -> None:
        self._node = node
        self.port = port
        self.name = port.source
        self.agent = agent
        self._policy = supervision or agent.supervision
        self.state: State = "new"
        self.workers: dict[str, Worker] = {}
        self.restart_count = 0
        self._restarts: tuple[float, ...] = ()
        self._intake = Intake(self, node)
        self._tickers: list[Ticker] = []
        self._lifecycle: asyncio.Task[None] | None = None
        self._log: FilteringBoundLogger | None = None
        self._rng: random.Random | None = None
        self._started = False  # the instance's start hooks have passed, its stop hooks have not run
        self._draining = False
        self.ticks: dict[str, Counters] = {}

    # -- what workers and contexts see -----------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self.state == "running" or self._draining

    @property
    def ended(self) -> bool:
        return self.state in ("failed", "stopped")

    @property
    def node(self) -> str:
        return self._node.name

    @property
    def epoch(self) -> int:
        return self._node.epoch

    @property
    def peers(self) -> PeerView:
        return self._node.peers

    @property
    def electorate(self) -> Electorate | None:
        return self._node.electorate

    @property
    def approvals(self) -> ApprovalDesk | None:
        return self._node.approvals

    @property
    def log(self) -> FilteringBoundLogger:
        if self._log is None:
            self._log = self._node.log.bind(agent=self.name)
        return self._log

    @property
    def rng(self) -> random.Random:
        if self._rng is None:
            self._rng = self._node.make_rng(self.name)
        return self._rng

    def dropped(self, behavior: str, count: int, why: str) -> None:
        self._node.reporting.messages_dropped(self.name, behavior, count, why)

    async def dead_letter(self, inbound: Inbound, behavior: str, error: BaseException) -> None:
        await self._node.streams.bury(inbound, self.name, behavior, error)

    def failed(self, behavior: str, error: Exception) -> None:
        if self.state != "running":
            self._node.reporting.behavior_failed(self.name, behavior, error, self.state)
            return
        now = self.port.bus.loop.time()
        decision = decide(self._policy, self._restarts, error, now)
        self._node.reporting.behavior_failed(self.name, behavior, error, type(decision).__name__.lower())
        self._carry_out(decision, error, now)

    # -- starting --------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Runs `@on_start`, then begins to hear. Restarts as supervision says.

        Raises:
            AgentStopped: supervision gave it up; the last failure is the cause.
            Closed: it was stopped meanwhile.
        """
        self.state = "starting"
        mark_hosted(self.agent, True)
        self._bind()
        await self._bring_up(rebuild=False)
        try:
            self._still_starting()
            await self._intake.begin()
            self._still_starting()
        except BaseException:
            self._intake.end()
            self.state = "failed"
            await self._run_stop_hooks()
            raise
        self._run()

    def _still_starting(self) -> None:
        if self.state != "starting":
            raise Closed(f"agent {self.name!r} was stopped before it had started")

    async def _bring_up(self, *, rebuild: bool) -> None:
        """Builds the agent again, if it is to be, and runs the start hooks; again after a failure, until they pass
        or it is given up. What is given up at its first start is told to whoever added it, by the exception."""
        first = not rebuild
        while True:
            step = "__init__" if rebuild else "on_start"
            try:
                if rebuild:
                    old, self.agent = self.agent, again(self.agent)
                    mark_hosted(old, False)
                    mark_hosted(self.agent, True)
                    self._bind()
                    step = "on_start"
                async with asyncio.timeout(self._policy.start_s):
                    for hook in self.agent.behaviors.start:
                        await call(getattr(self.agent, hook.name), Context(self))
                self._started = True
                return
            except BaseException as raised:  # the constructor may raise anything, too
                error = failure_of(raised)
                if error is None:
                    raise
                self._still_starting()
                now = self.port.bus.loop.time()
                decision = decide(self._policy, self._restarts, error, now, resumable=False)
                self._node.reporting.behavior_failed(self.name, step, error, type(decision).__name__.lower())
                if not isinstance(decision, Restart):
                    text = f"agent {self.name!r} could not start: {type(error).__name__}: {said(error)}"
                    escalate = isinstance(decision, Escalate)
                    self._give_up(AgentStopped(text), escalate=escalate, tell=escalate or not first)
                    raise AgentStopped(text) from error
                self._count_restart(now)
                rebuild = True
                await asyncio.sleep(decision.delay_s)
                self._still_starting()

    def _bind(self) -> None:
        """Makes the workers, or gives those there are the handlers of this instance."""
        self._node.adopt(self.agent)
        for spec in (*self.agent.behaviors.on, *self.agent.behaviors.rpc):
            middleware = (*self._node.middleware, *spec.middleware)
            handler: Handler = stack(getattr(self.agent, spec.name), middleware)
            key = self._key(spec)
            worker = self.workers.get(key)
            if worker is not None:
                worker.handler = handler
            elif isinstance(spec, OnSpec):
                self.workers[key] = (DurableWorker if spec.durable else EventWorker)(self, spec, handler)
            elif spec.approval:
                self.workers[key] = ApprovedWorker(self, spec, handler)
            else:
                self.workers[key] = RequestWorker(self, spec, handler)

    @property
    def behaviors(self) -> Behaviors:
        return self.agent.behaviors

    def worker_of(self, spec: OnSpec | RpcSpec) -> Worker:
        """The worker of a behavior."""
        return self.workers[self._key(spec)]

    def cost_of(self, spec: PolicySpec) -> Callable[[Any], float | None]:
        """What finds the cost of a job."""
        return getattr(self.agent, spec.cost)

    def policy_of(self, spec: PolicySpec) -> PolicyState:
        """A policy at work."""
        return policy_of(self.agent, spec.name)

    @property
    def unhandled(self) -> int:
        """Messages sent to this agent by name that it has no behavior for."""
        return self._intake.unhandled

    def _key(self, spec: OnSpec | RpcSpec) -> str:
        """The method's name, and what it hears where several `@on` are on one method."""
        hears = self.behaviors.on
        if isinstance(spec, RpcSpec) or len(hears) == 1 or sum(other.name == spec.name for other in hears) == 1:
            return spec.name
        return f"{spec.name}[{describe(spec)}]"

    def _run(self) -> None:
        self.state = "running"
        self._tickers = [
            Ticker(self, spec, getattr(self.agent, spec.name), self.ticks.setdefault(spec.name, Counters()))
            for spec in self.agent.behaviors.every
        ]
        for worker in self.workers.values():
            worker.resume()

    # -- failing ---------------------------------------------------------------------------------------------------

    def _carry_out(self, decision: Decision, error: Exception, now: float) -> None:
        if isinstance(decision, Resume):
            return
        self._interrupt()
        if isinstance(decision, Restart):
            self.state = "restarting"
            self._count_restart(now)
            self._lifecycle = self.port.bus.loop.create_task(
                self._restart(decision.delay_s), name=f"{self.name}: restart"
            )
            return
        text = (
            f"agent {self.name!r} failed more than {self._policy.max_restarts} times in {self._policy.within_s:g} s, "
            f"last with {type(error).__name__}: {said(error)}"
        )
        self._give_up(AgentStopped(text), escalate=isinstance(decision, Escalate))

    def _count_restart(self, now: float) -> None:
        self.restart_count += 1
        self._restarts = (*recent(self._policy, self._restarts, now), now)

    async def _restart(self, delay_s: float) -> None:
        await settle([*self.tasks(), *(ticker.task for ticker in self._tickers)], HOOK_S)
        await self._run_stop_hooks()
        await asyncio.sleep(delay_s)
        self.state = "starting"
        with suppress(AgentStopped):
            await self._bring_up(rebuild=True)
            self._run()

    def _give_up(self, error: AgentStopped, *, escalate: bool, tell: bool = True) -> None:
        self.state = "failed"
        self._intake.end()
        self._interrupt()
        for worker in self.workers.values():
            worker.reject_waiting("the agent was given up")
        if tell:
            self._node.agent_ended(self.name, error, escalate)

    def _interrupt(self) -> None:
        """Cancels every handler and tick but the one that calls this."""
        current = asyncio.current_task()
        for ticker in self._tickers:
            if ticker.task is not current:
                ticker.task.cancel()
        for worker in self.workers.values():
            worker.cancel(but=current)
        for task in self._intake.tasks:
            task.cancel()

    # -- stopping --------------------------------------------------------------------------------------------------

    def begin_stop(self) -> None:
        """Stops taking work. What runs, runs on; what waits, waits for `refuse_waiting` or its turn."""
        if self._lifecycle is not None:
            self._lifecycle.cancel()
        self._draining = self.state == "running"
        self.state = "stopping" if self.state != "failed" else "failed"
        for ticker in self._tickers:
            ticker.end()
        self._intake.end()

    def refuse_waiting(self) -> None:
        """Answers waiting requests with `Busy` and gives waiting durable events back; live events stay."""
        for worker in self.workers.values():
            if not isinstance(worker, EventWorker):
                worker.reject_waiting("its node is going away")

    @property
    def waiting(self) -> bool:
        """Whether messages wait for their turn."""
        return any(worker.mailbox.size for worker in self.workers.values())

    def drop_waiting(self) -> None:
        """Gives up what still waits; what runs, runs on."""
        for worker in self.workers.values():
            worker.halt("its node is going away")

    def tasks(self) -> list[asyncio.Task[None]]:
        """What runs now."""
        ticks = [ticker.task for ticker in self._tickers if ticker.ticking]
        return [*(task for worker in self.workers.values() for task in worker.tasks), *self._intake.tasks, *ticks]

    def runs(self, task: asyncio.Task[object] | None) -> bool:
        """Whether a behavior of this agent, or its restart, runs in that task."""
        return task is not None and (task is self._lifecycle or task in self.tasks())

    async def end(self) -> None:
        """Drops what still waits, cancels what still runs, and runs `@on_stop`."""
        self._draining = False  # nothing begins any more
        for worker in self.workers.values():
            worker.reject_waiting("its node is gone")
            worker.cancel()
        for task in self._intake.tasks:
            task.cancel()
        for ticker in self._tickers:
            ticker.task.cancel()
        ticks = [ticker.task for ticker in self._tickers]
        await settle([*self.tasks(), *ticks, *([self._lifecycle] if self._lifecycle else [])], HOOK_S)
        self.drop_waiting()  # what a handler that was cut off had left of its frame
        if self.state == "stopping":
            await self._run_stop_hooks()
            self.state = "stopped"
            self.drop_waiting()  # what was under way and came while the stop hooks ran
        mark_hosted(self.agent, False)

    def abort(self) -> None:
        """Ends at once, as a crash would: no answers, no hooks."""
        self.state = "failed"
        self._draining = self._started = False
        if self._lifecycle is not None:
            self._lifecycle.cancel()
        self._intake.end()
        self._interrupt()
        mark_hosted(self.agent, False)

    async def _run_stop_hooks(self) -> None:
        if not self._started:
            return
        self._started = False
        for hook in self.agent.behaviors.stop:
            try:
                async with asyncio.timeout(HOOK_S):
                    await call(getattr(self.agent, hook.name), Context(self))
            except Exception as error:
                self._node.reporting.behavior_failed(self.name, hook.name, error, self.state)

    # -- statistics ------------------------------------------------------------------------------------------------

    def node_statistics(self) -> NodeStatistics:
        """The counts of the node that hosts it."""
        return self._node.statistics()

    def statistics(self) -> AgentStatistics:
        """The counts of this moment."""
        return AgentStatistics(
            name=self.name,
            state=self.state,
            restarts=self.restart_count,
            queued=sum(worker.queued for worker in self.workers.values()),
            behaviors={
                **{name: worker.counters.copy() for name, worker in self.workers.items()},
                **{name: counters.copy() for name, counters in self.ticks.items()},
            },
        )
