"""`Healer`: the agent that decides, on its node and for itself, what is to be done about faults.

Each node hosts one. It hears the hall's `Fault` of its own node only; what others tell is believed from f + 1 of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from ..agent import Agent
from ..behaviors import every, on, on_start, on_stop, rpc
from ..context import Context
from ..errors import AgentBusError, PayloadTooLarge
from ..faults import Fault, PeerEvent
from ..peers import Electorate, PeerId, Standing
from ..subjects import check_name
from ..supervision import Supervision
from .codec import (
    HealingAction,
    PlanReply,
    PlanRequest,
    RehostRequest,
    RestartRequest,
    Standings,
    StandingsRequest,
    StandingTold,
    from_belief,
    from_fault,
    to_action,
    to_belief,
    to_rehost,
    to_restart,
)
from .config import HealingConfig
from .effector import Effector, OnRehost, OnRestart
from .hosting import Hosting
from .journal import Journal
from .knowledge import Knowledge
from .machine import REQUESTED, HealingMachine
from .model import (
    Announced,
    Arrived,
    Belief,
    Effect,
    Event,
    Gone,
    Life,
    Log,
    Perform,
    Performed,
    Record,
    Restart,
    Tell,
    Tick,
    Told,
    Trouble,
)
from .policy import Policy

TICK_S = 0.1
"""Seconds between two looks at deadlines and at who is alive."""
STORE_S = 2.0
"""Seconds within which a step of the log must have been stored."""
PULL_S = 1.0
"""Seconds between two askings by a newcomer."""
NEWCOMER_PULLS = 10
"""How often a newcomer asks everybody at most."""
MAX_TOLD = 256
"""Standings in one answer."""
EVERYBODY = "everybody"
"""The topic of what all Healers are asked. A node of this name would hear it twice, which does no harm."""
MAX_EFFECTS = 64
"""Restarts and re-hostings that are being asked for at once."""


class Healer(Agent):
    """Heals: quarantine, restart, re-host, shed, probation, rejoin, by the rules of a policy.

    It is a `StandingView`: give it to whoever has to know whom to trust. Give all nodes equal policies and configs.
    A failure of its own costs a message only: it keeps what it knows, and so does who was given it.

    Args:
        policy: the rules; by default those of `Policy`.
        config: the knobs.
        effector: how lives are ended and work is moved; by default the Healer of the node in question is asked, and
            calls `on_restart` or `on_rehost` there.
        on_restart: called when this node has to begin a new life. Without it requests are refused.
        on_rehost: called when this node has to take over from another. Without it nothing is done here: work that
            follows standing (`sharding`) moves by itself.
        load: how much a node has to do, for re-hosting by load; None: not known.
        electorate: who has a vote; what others tell is not counted. By default the node's own, by its identity; on a
            node without one every node believed alive has a vote.
    """

    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        config: HealingConfig | None = None,
        effector: Effector | None = None,
        on_restart: OnRestart | None = None,
        on_rehost: OnRehost | None = None,
        load: Callable[[str], float | None] = lambda node: None,
        electorate: Electorate | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self.config = config or HealingConfig()
        self.effector = effector
        self.on_restart = on_restart
        self.on_rehost = on_rehost
        self._load = load
        self._electorate = electorate
        self._knowledge = Knowledge(self.config)
        self._machine = HealingMachine("", self._policy, self._knowledge, load)
        self._journal = Journal()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hosting = Hosting(self)
        self._answered: set[str] = set()
        self._pulls = 0
        self._next_pull_s = 0.0

    # -- asked -----------------------------------------------------------------------------------------------------

    def standing(self, peer: PeerId) -> Standing:
        """How far that life of that agent is to be trusted; `TRUSTED` for one that nothing is known of."""
        return self._knowledge.standing(peer)

    def weight(self, peer: PeerId) -> float:
        """The share of work to give it, 0 to 1."""
        return self._knowledge.weight(peer)

    def beliefs(self) -> list[Belief]:
        """All that is not plain trust."""
        return list(self._knowledge.beliefs())

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def _begin(self, ctx: Context) -> None:
        self._electorate = self._electorate or ctx.electorate
        self._machine = HealingMachine(ctx.node, self._policy, self._knowledge, self._load)
        await self._look(ctx)

    @on_stop
    async def _end(self, ctx: Context) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @every(TICK_S)
    async def _tick(self, ctx: Context) -> None:
        await self._look(ctx)
        due = self._machine.next_deadline()
        if due is not None and due <= ctx.now():
            await self._step(Tick(), ctx)
        await self._hosting.look(ctx)

    # -- monitor ---------------------------------------------------------------------------------------------------

    @on(Fault, topic="{node}")
    async def _hear_fault(self, fault: Fault, ctx: Context) -> None:
        if ctx.sender_epoch != ctx.epoch:
            ctx.log.warning("a fault told by another node was not believed", sender=ctx.sender, kind=fault.kind)
            return
        await self._look(ctx)
        trouble = from_fault(fault)
        if not trouble.life.epoch:  # whoever told it did not know: the present life is meant
            trouble = replace(trouble, life=replace(trouble.life, epoch=self._knowledge.alive.get(fault.node, 0)))
        await self._step(trouble, ctx)

    @on(PeerEvent, topic="{node}")
    async def _hear_peer(self, event: PeerEvent, ctx: Context) -> None:
        await self._look(ctx)

    async def _look(self, ctx: Context) -> None:
        """Who has come and gone since the last look, by the node's view of its peers."""
        there = {ctx.node: ctx.epoch}
        for peer in ctx.peers.alive():
            there[peer.node] = max(peer.id.epoch, there.get(peer.node, 0))
        known = dict(self._knowledge.alive)
        if there == known:
            return
        for node, epoch in known.items():
            if node not in there:
                await self._step(Gone(node=node, epoch=epoch), ctx)
        for node, epoch in there.items():
            if known.get(node) != epoch:
                await self._step(Arrived(node=node, epoch=epoch), ctx)

    # -- shared knowledge ------------------------------------------------------------------------------------------

    @on(StandingTold)
    async def _hear_standing(self, told: StandingTold, ctx: Context) -> None:
        if self._is_from(ctx, told.by, told.by_epoch):
            await self._believe([from_belief(told.standing, ctx.now(), self.config.probation_max_s)], told.by, ctx)

    async def _believe(self, beliefs: list[Belief | None], by: str, ctx: Context) -> None:
        if self._electorate is not None and not self._electorate.votes(by, ctx.sender_key or None):
            return
        for belief in beliefs:
            if belief is not None:
                await self._step(Told(belief=belief, by=by), ctx)

    @on(StandingsRequest, topic="{node}")
    async def _asked_alone(self, request: StandingsRequest, ctx: Context) -> None:
        await self._tell_standings(request, ctx)

    @on(StandingsRequest, topic=EVERYBODY)
    async def _asked_with_all(self, request: StandingsRequest, ctx: Context) -> None:
        await self._tell_standings(request, ctx)

    async def _tell_standings(self, request: StandingsRequest, ctx: Context) -> None:
        if request.by == ctx.node:
            return
        told = [to_belief(belief, ctx.now()) for belief in self._knowledge.beliefs()]
        answer = Standings(standings=told[-MAX_TOLD:], by=ctx.node, by_epoch=ctx.epoch)
        with suppress(AgentBusError):
            await ctx.publish(answer, topic=check_name(request.by, "node"))

    @on(Standings, topic="{node}")
    async def _hear_standings(self, answer: Standings, ctx: Context) -> None:
        await self._look(ctx)
        if not self._is_from(ctx, answer.by, answer.by_epoch):
            return
        self._answered.add(answer.by)
        longest_s = self.config.probation_max_s
        await self._believe([from_belief(one, ctx.now(), longest_s) for one in answer.standings], answer.by, ctx)

    @every(PULL_S, jitter=0.2, immediately=True)
    async def _pull(self, ctx: Context) -> None:
        """A newcomer asks everybody until enough have answered; later it asks one at random now and then."""
        if ctx.now() < self._next_pull_s:
            return
        asked = StandingsRequest(by=ctx.node, by_epoch=ctx.epoch)
        newcomer = self._pulls < NEWCOMER_PULLS and len(self._answered) < self.config.voices()
        others = sorted(set(self._knowledge.alive) - {ctx.node})
        with suppress(AgentBusError):
            if newcomer:
                self._pulls += 1
                await ctx.publish(asked, topic=EVERYBODY)
            elif others:
                await ctx.publish(asked, topic=ctx.rng.choice(others))
        if not newcomer:
            self._next_pull_s = ctx.now() + self.config.pull_s

    # -- execute ---------------------------------------------------------------------------------------------------

    async def _step(self, event: Event, ctx: Context) -> None:
        for effect in self._machine.handle(event, ctx.now()):
            await self._do(effect, ctx)

    async def _do(self, effect: Effect, ctx: Context) -> None:
        match effect:
            case Log():
                await self.write(effect.record, ctx)
            case Tell():
                with suppress(AgentBusError):
                    told = to_belief(effect.belief, ctx.now())
                    await ctx.publish(StandingTold(standing=told, by=ctx.node, by_epoch=ctx.epoch))
            case Perform():
                self._start(effect, ctx)

    def _start(self, perform: Perform, ctx: Context) -> None:
        name = f"healing: {perform.action.name} {perform.trouble.life}"
        if len(self._tasks) >= MAX_EFFECTS:  # its turn comes again
            ctx.log.warning("too much is being healed at once", dropped=name)
            return
        task = asyncio.get_running_loop().create_task(self._perform(perform, ctx), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _perform(self, perform: Perform, ctx: Context) -> None:
        outcome = REQUESTED
        try:
            async with asyncio.timeout(self.config.effect_s):
                await self._reach(perform, ctx)
        except Exception as error:  # the application's effector: whatever it raises, the fleet goes on
            outcome = f"failed: {type(error).__name__}: {error}"
        await self._step(Performed(perform=perform, outcome=outcome), ctx)

    async def _reach(self, perform: Perform, ctx: Context) -> None:
        life, reason = perform.trouble.life, perform.trouble.reason
        restarts = isinstance(perform.action, Restart)
        if self.effector is not None and restarts:
            await self.effector.restart(life.agent, life.node, life.epoch, reason)
        elif self.effector is not None:
            await self.effector.rehost(life.agent, life.node, life.epoch, perform.target, reason)
        elif restarts:
            await ctx.publish(to_restart(perform, ctx.node, ctx.epoch), topic=life.node)
        elif perform.target:
            await ctx.publish(to_rehost(perform, ctx.node, ctx.epoch), topic=perform.target)

    async def write(self, record: Record, ctx: Context) -> None:
        """Tells the fleet at once; the log is written when it can be."""
        action = to_action(record, ctx.node, ctx.epoch)
        self._journal.add(action)
        ctx.log.info("healing", fault=action.fault, action=action.action, outcome=action.outcome, reason=action.reason)
        with suppress(AgentBusError):
            await ctx.publish(action, topic=f"{action.action}.{ctx.node}")

    @every(TICK_S)
    async def _store(self, ctx: Context) -> None:
        while (action := self._journal.first(ctx.now())) is not None:
            try:
                await ctx.publish(action, topic=ctx.node, durable=True, timeout_s=STORE_S)
            except PayloadTooLarge:
                self._journal.stored(action)
                ctx.log.warning("a step of healing is too large to be stored", fault=action.fault[:100])
            except AgentBusError as error:
                self._journal.failed(ctx.now())
                ctx.log.debug("the log of healing is not stored yet", waiting=len(self._journal), error=str(error))
            else:
                self._journal.stored(action)

    @on(HealingAction, topic="restart.*")
    async def _hear_restart(self, action: HealingAction, ctx: Context) -> None:
        await self._hear_announcement(action, ctx)

    @on(HealingAction, topic="rehost.*")
    async def _hear_rehost(self, action: HealingAction, ctx: Context) -> None:
        await self._hear_announcement(action, ctx)

    async def _hear_announcement(self, action: HealingAction, ctx: Context) -> None:
        requested = action.outcome == REQUESTED and action.by not in (ctx.node, action.node)
        if requested and self._is_from(ctx, action.by, action.by_epoch):
            await self._step(Announced(fault=action.fault, action=action.action, by=action.by), ctx)

    # -- asked by others to act ------------------------------------------------------------------------------------

    @on(RestartRequest, topic="{node}")
    async def _restart_here(self, request: RestartRequest, ctx: Context) -> None:
        if ctx.sender_epoch == request.by_epoch:
            await self._hosting.restart(request, ctx)

    @on(RehostRequest, topic="{node}")
    async def _rehost_here(self, request: RehostRequest, ctx: Context) -> None:
        if ctx.sender_epoch == request.by_epoch:
            await self._hosting.rehost(request, ctx)

    def agrees(self, life: Life, ctx: Context) -> bool:
        """Whether this node knows of a fault of that life's agent, or of its node."""
        return self._machine.agrees(life, ctx.now())

    def is_peer(self, node: str, epoch: int, ctx: Context) -> bool:
        """Whether that node lives, in that life, and is not in quarantine."""
        if not epoch or node == ctx.node:
            return epoch == ctx.epoch
        return self._knowledge.alive.get(node) == epoch and node not in self._knowledge.quarantined_nodes()

    @rpc(PlanRequest, PlanReply, unsigned="allow")  # agentbus heal asks in plain protobuf; nothing is done
    async def preview(self, request: PlanRequest, ctx: Context) -> PlanReply:
        """What would be done about such a fault now. Nothing is done."""
        await self._look(ctx)
        node, epoch = request.node, request.epoch
        peer = ctx.peers.get(request.agent) if request.agent and not node else None
        if peer is not None:
            node, epoch = peer.node, epoch or peer.id.epoch
        life = Life(request.agent, node, epoch or self._knowledge.alive.get(node, 0))
        records = self._machine.preview(Trouble(kind=request.kind, life=life, reason="asked for"), ctx.now())
        return PlanReply(actions=[to_action(record, ctx.node, ctx.epoch) for record in records], by=ctx.node)

    def _is_from(self, ctx: Context, by: str, by_epoch: int) -> bool:
        """Whether a living, unquarantined node of that name and life has said it."""
        return ctx.sender_epoch == by_epoch and self.is_peer(by, by_epoch, ctx)
