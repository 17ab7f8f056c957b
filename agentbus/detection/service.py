"""The agent `Detection`: one on each node. Accuses, looks again, votes, and tells its node what a quorum decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from ..agent import Agent
from ..behaviors import every, on, on_start, on_stop
from ..context import Context
from ..errors import AgentBusError, NotConnected
from ..faults import ERRING, OVERLOADED, SILENT, SLOW, Fault
from ..peers import Electorate, Peer, PeerId
from ..supervision import Supervision
from .codec import LoadReport, Probe, ProbeEcho, Scores, VoteMessage, from_vote, to_fault, to_vote
from .config import DetectionConfig
from .observer import Observer
from .reproducing import Reproducer, Reproductions
from .scores import Scored, SharedScores, Thresholds
from .verdicts.machine import Quorum
from .verdicts.model import Accuse, Case, Convict, Effect, Event, Finding, Found, Publish, Reproduce, Verdict, Witness
from .watch.machine import Watch
from .watch.model import Gauges

TICK_S = 0.05
"""Seconds between two looks at what is due: votes said again, probes, reports. Verdicts never wait for it."""
WATCHED = (SLOW, ERRING, OVERLOADED, SILENT)
"""Kinds that the watcher reproduces, unless the application does."""
AGAIN_S = 0.2
"""Seconds until a verdict that has not come round to its own node is told again."""
MAX_UNTOLD = 1024
"""Verdicts that have not come round; more are remembered by `verdicts`, but told once at most."""
FRESH_S = 0.02
"""Seconds for which the view of who is alive is not asked again: it is asked for each message."""
HEARD = 8_192
"""Messages of one type that may wait; beyond, the oldest are dropped: they are said again."""


@dataclass(slots=True)
class Untold:
    """A verdict that has not come round to this node yet: to be told again."""

    fault: Fault
    again_at: float = -inf


class View:
    """Who is alive, as the node knows it at the time: it may adopt another view later. Asked anew every `FRESH_S`."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._asked_at = -inf
        self._alive: Sequence[Peer] = ()
        self._nodes: dict[PeerId, str] = {}

    def alive(self) -> Sequence[Peer]:
        """All, at most `FRESH_S` old."""
        now = self._ctx.now()
        if now - self._asked_at >= FRESH_S:
            self._asked_at = now
            self._alive = self._ctx.peers.alive()
            self._nodes = {peer.id: peer.node for peer in self._alive}
        return self._alive

    def get(self, name: str) -> Peer | None:
        """One, of this moment."""
        return self._ctx.peers.get(name)

    def node_of(self, agent: PeerId) -> str | None:
        """Which node hosts that life of the agent; None when it is not believed alive."""
        self.alive()
        return self._nodes.get(agent)


class Detection(Agent):
    """Finds out, with the other nodes' `Detection`, which agents are abnormal.

    To the topic of its own node it publishes a `Fault` for each verdict. A failure of its own costs a message only:
    it keeps what it knows.

    Args:
        config: the knobs; all nodes of a realm should have the same.
        reproducers: by kind of fault, who looks again. The watcher does for "slow", "erring", "overloaded" and
            "silent" unless another is given.
        gauges: what the application measures of agents.
        thresholds: the fleet's scores; by default the quantiles of those that were heard.
        electorate: who has a vote; what others say is not counted. By default the node's own, by its identity; on a
            node without one every node believed alive has a vote.
        speaks_for: the agent of this node in whose name it votes, reports and accuses: the one that is convicted
            when the node is silent or accuses falsely. By default itself.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        config: DetectionConfig | None = None,
        *,
        reproducers: Mapping[str, Reproducer] | None = None,
        gauges: Sequence[Gauges] = (),
        thresholds: Thresholds | None = None,
        speaks_for: str = "",
        electorate: Electorate | None = None,
    ) -> None:
        self.config = config or DetectionConfig()
        self.speaks_for = speaks_for
        self._electorate = electorate
        self._given = dict(reproducers or {})
        self._gauges = tuple(gauges)
        self._shared = SharedScores(self.config.scores, self.config.score_names)
        self._thresholds = thresholds or self._shared
        self._ctx: Context | None = None
        self._view: View | None = None
        self._quorum: Quorum | None = None
        self._observer: Observer | None = None
        self._reproductions: Reproductions | None = None
        self._untold: dict[tuple[str, PeerId], Untold] = {}
        self._ticked: float | None = None
        self._scores_at = 0.0

    # -- what the application calls --------------------------------------------------------------------------------

    async def accuse(self, kind: str, accused: PeerId, node: str, evidence: str) -> None:
        """Accuses an agent of what this node has seen itself. Best effort: nothing happens when it was convicted of
        it, is not believed alive, has an agent here accuse it, or too many cases are open; accuse again later.

        Args:
            kind: of fault; the other nodes need a reproducer for it.
            accused: the agent, in one life.
            node: that hosts it.
            evidence: what it takes to look again; the same for all who accuse it of the same.
        """
        if len(evidence.encode()) <= self.config.evidence_bytes:
            await self._handle(Accuse(Case(kind, accused, node, evidence)))

    def verdicts(self) -> list[Verdict]:
        """What was decided, oldest first."""
        return self._quorum.verdicts() if self._quorum else []

    def convicted(self, agent: PeerId) -> bool:
        """Whether a quorum has convicted that life of the agent, of anything."""
        return self._quorum is not None and self._quorum.convicted(agent)

    def share(self, name: str, timestamp_s: float, score: float, *, q: float = 0.99) -> bool | None:
        """Tells the fleet a stream's score, within half a second; whether it is above the share `q` of the fleet's,
        None while that is not known."""
        top = self._thresholds.quantile(name, q)
        self._shared.say(name, Scored(self._here.node, timestamp_s, score))
        return None if top is None else score > top

    def scores(self, name: str) -> list[Scored]:
        """The scores of a stream that are remembered, of all nodes, in the order in which they were heard."""
        return self._shared.known(name)

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def wake(self, ctx: Context) -> None:
        """Makes the machines. What is said through this context is caused by no message: hops don't add up."""
        self._ctx = ctx
        self._electorate = self._electorate or ctx.electorate
        me = Witness(PeerId(self.speaks_for or ctx.me, ctx.epoch), ctx.node)
        self._view = view = View(ctx)
        reproducers = self._given
        if self.config.watch is not None:
            watch = Watch(ctx.node, view, self.config.watch)
            self._observer = observer = Observer(ctx, me, self._gauges, watch)
            reproducers = {**dict.fromkeys(WATCHED, observer), **self._given}
        self._quorum = quorum = Quorum(me, view, self.config.verdicts)
        self._reproductions = Reproductions(
            reproducers, self.config, ctx.log, lambda case: quorum.needed(case, ctx.now()), self._found
        )

    @on_stop
    async def close(self, ctx: Context) -> None:
        """Ends what runs."""
        if self._reproductions is not None:
            await self._reproductions.close()

    @every(TICK_S)
    async def act(self, ctx: Context) -> None:
        """Does what is due."""
        now = ctx.now()
        late_s = 0.0 if self._ticked is None else max(0.0, now - self._ticked - TICK_S)
        self._ticked = now
        await self._tell_verdicts(now)
        quorum = self._machine
        due = quorum.next_deadline()
        if due is not None and due <= now:
            await self._carry_out(quorum.tick(now))
        with suppress(NotConnected):
            if self._observer is not None:
                for found in await self._observer.act(now, late_s):
                    await self.accuse(found.kind, found.agent, found.node, found.measure)
            if now >= self._scores_at:
                self._scores_at = now + 10 * TICK_S
                await self._tell_scores()

    # -- hearing ---------------------------------------------------------------------------------------------------

    @on(VoteMessage, topic="vote", mailbox=HEARD, overflow="drop_oldest")
    async def hear_vote(self, message: VoteMessage, ctx: Context) -> None:
        """A witness's vote."""
        if self._electorate is not None and not self._electorate.votes(message.by_node, ctx.sender_key or None):
            return
        if self._is_from(ctx, message.by_node, message.by_epoch) and self._fits(message):
            await self._handle(from_vote(message))

    @on(Fault, topic="{node}")
    async def hear_verdict(self, fault: Fault, ctx: Context) -> None:
        """What this node was told has come round: its agents have heard it."""
        self._untold.pop((fault.kind, PeerId(fault.agent, fault.epoch)), None)

    @on(LoadReport, topic="all", mailbox=HEARD, overflow="drop_oldest")
    async def hear_report(self, report: LoadReport, ctx: Context) -> None:
        """A node's load."""
        if self._observer is not None and self._is_from(ctx, report.node, report.epoch):
            self._observer.hear_report(report, ctx.now())

    @on(LoadReport, topic="{node}", mailbox=HEARD, overflow="drop_oldest")
    async def hear_some_reports(self, report: LoadReport, ctx: Context) -> None:
        """A node's load, told to some."""
        await self.hear_report(report, ctx)

    @on(Probe, topic="{node}", mailbox=HEARD, overflow="drop_oldest")
    async def answer_probe(self, probe: Probe, ctx: Context) -> None:
        """Gives a sign of life."""
        me = self._here
        if self._is_from(ctx, probe.node, None):
            echo = ProbeEcho(node=me.node, epoch=me.id.epoch, by=me.id.name, number=probe.number)
            await self._context.publish(echo, topic=probe.node)

    @on(ProbeEcho, topic="{node}", mailbox=HEARD, overflow="drop_oldest")
    async def hear_echo(self, echo: ProbeEcho, ctx: Context) -> None:
        """A sign of life."""
        if self._observer is not None and self._is_from(ctx, echo.node, echo.epoch):
            self._observer.hear_echo(echo, ctx.now())

    @on(Scores, topic="scores", mailbox=HEARD, overflow="drop_oldest")
    async def hear_scores(self, scores: Scores, ctx: Context) -> None:
        """Another node's scores."""
        if scores.node != ctx.node and self._is_from(ctx, scores.node, None):
            pairs = zip(scores.timestamps_s, scores.scores, strict=False)
            self._shared.add(scores.name, [Scored(scores.node, at, score) for at, score in pairs])

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _machine(self) -> Quorum:
        if self._quorum is None:
            raise NotConnected("detection has not started: ask it when its node runs")
        return self._quorum

    @property
    def _context(self) -> Context:
        if self._ctx is None:
            raise NotConnected("detection has not started: ask it when its node runs")
        return self._ctx

    @property
    def _here(self) -> Witness:
        return self._machine.me

    def _is_from(self, ctx: Context, node: str, epoch: int | None) -> bool:
        """Whether a message was sent by an agent, believed alive, of the node, and the life of it, that it names."""
        life = ctx.sender_epoch
        if not life or (epoch is not None and life != epoch):
            return False
        return self._view is not None and self._view.node_of(PeerId(ctx.sender, life)) == node

    def _fits(self, message: VoteMessage) -> bool:
        return len(message.evidence.encode()) <= self.config.evidence_bytes and len(message.kind) <= 64

    async def _handle(self, event: Event) -> None:
        await self._carry_out(self._machine.handle(event, self._context.now()))

    async def _found(self, case: Case, finding: Finding) -> None:
        await self._handle(Found(case, finding))

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        ctx = self._context
        for effect in effects:
            match effect:
                case Publish():
                    with suppress(AgentBusError):  # it is said again
                        await ctx.publish(to_vote(effect.vote), topic="vote")
                case Convict():
                    verdict = effect.verdict
                    ctx.log.warning("convicted", fault=verdict.kind, peer=str(verdict.agent), why=verdict.reason)
                    if len(self._untold) < MAX_UNTOLD:
                        self._untold[verdict.kind, verdict.agent] = Untold(to_fault(verdict))
                    await self._tell_verdicts(ctx.now())
                case Reproduce():
                    refused = self._reproductions.ask(effect) if self._reproductions else effect.case
                    if refused is not None:
                        await self._found(refused, Finding.UNKNOWN)

    async def _tell_verdicts(self, now: float) -> None:
        """Tells this node's agents, until what was told has come round."""
        for untold in list(self._untold.values()):
            if untold.again_at <= now:
                untold.again_at = now + AGAIN_S
                with suppress(AgentBusError):
                    await self._context.publish(untold.fault, topic=self._here.node)

    async def _tell_scores(self) -> None:
        for name, scores in self._shared.take_untold().items():
            message = Scores(
                name=name,
                node=self._here.node,
                timestamps_s=[item.timestamp_s for item in scores],
                scores=[item.score for item in scores],
            )
            await self._context.publish(message, topic="scores")
