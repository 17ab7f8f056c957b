"""The agent that keeps the scores of those who send to its node.

Host it, and the node asks it whom to hear: what names a graylisted key is dropped unread, and counted. It tells the
node's agents with a `Fault` of kind `MISBEHAVING`, which is over when the key is heard again; what else follows is
healing's, or the operator's, to decide: a score is one node's own opinion, and is told to no other.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import ClassVar

from ...agent import Agent
from ...behaviors import every, on, on_start
from ...context import Context
from ...errors import AgentBusError
from ...faults import FALSE_ACCUSER, LYING, MISBEHAVING, Fault
from ...limits import BROKEN, INVALID, KEPT, Principal
from ...supervision import Supervision
from ..electorate import Electorate
from ..keys import public_nkey
from .config import ScoreConfig
from .machine import Scores
from .model import Departed, Did, Introduced, Level, Moved

TICK_S = 1.0
MAX_UNTOLD = 1024
CONVICTIONS = {LYING: INVALID, FALSE_ACCUSER: INVALID}
CONVICTED = 2.0
"""What a quorum's verdict counts as, and how many times."""


class Scorekeeper(Agent):
    """Keeps the scores of those who send to this node, and says whom to hear.

    It is a `Watcher` and a `peers.Electorate`: who is below the first threshold has no vote here.

    Args:
        config: the knobs.
        electorate: who is enrolled: by which nodes have keys, and keys sponsors; by default the node's own, by its
            identity. Without one, what is told of agents by name is not counted, only what is told of keys.

    Attributes:
        scores: the scores.
        dropped: how often something was to be dropped unread.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(self, config: ScoreConfig | None = None, *, electorate: Electorate | None = None) -> None:
        self.scores = Scores(config)
        self.dropped = 0
        self._electorate = electorate
        self._epoch = 0
        self._enrolled: set[bytes] = set()
        self._own = b""  # its own node, which is not judged
        self._untold: OrderedDict[bytes, Moved] = OrderedDict()
        self._ctx: Context | None = None

    # -- what the node asks and tells ------------------------------------------------------------------------------

    def ignores(self, sender: Principal) -> bool:
        """See `Watcher.ignores`."""
        if sender not in self.scores.graylisted:
            return False
        self.dropped += 1
        return True

    def saw(self, sender: Principal, deed: str, count: float = 1.0, topic: str = "") -> None:
        """See `Watcher.saw`. What is told of a name is counted only when a promise was kept or broken, or a quorum has
        said so: in a flood that is not signed a name is a claim.

        Args:
            topic: where; see `ScoreConfig.topics`.
        """
        key = sender if isinstance(sender, bytes) else None
        if key is None and isinstance(sender, str) and deed in (KEPT, BROKEN):
            key = self._key_of(sender)
        if key is not None and self._ctx is not None and key != self._own:
            self._note(self.scores.handle(Did(key=key, kind=deed, count=count, topic=topic), self._ctx.now()))

    # -- what others ask -------------------------------------------------------------------------------------------

    def level(self, node: str) -> Level:
        """How far a node is heard; `FULL` for one that is not known."""
        seat = self._electorate.seat_of(node) if self._electorate else None
        return self.scores.level(seat.key) if seat else Level.FULL

    def votes(self, node: str, key: bytes | None = None) -> bool:
        """Whether a node has a vote, and what it tells of others is taken. See `agentbus.peers.Electorate`."""
        if self._electorate is not None and not self._electorate.votes(node, key):
            return False
        return (self.level(node) if key is None else self.scores.level(key)) is Level.FULL

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def wake(self, ctx: Context) -> None:
        """Begins to count."""
        self._ctx = ctx
        if self._electorate is None and isinstance(ctx.electorate, Electorate):
            self._electorate = ctx.electorate
        self._look(ctx.now())

    @every(TICK_S)
    async def act(self, ctx: Context) -> None:
        """Lets time pass, and tells what has changed."""
        self._look(ctx.now())
        self._note(self.scores.tick(ctx.now()))
        await self._tell(ctx)

    @on(Fault, topic="{node}")
    async def hear(self, fault: Fault, ctx: Context) -> None:
        """A quorum has convicted an agent."""
        kind = CONVICTIONS.get(fault.kind)
        seat = self._electorate.seat_of(fault.node) if self._electorate else None
        if kind is None or fault.recovered or seat is None or ctx.sender_epoch != ctx.epoch:
            return
        self.saw(seat.key, kind, CONVICTED)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _key_of(self, agent: str) -> bytes | None:
        if self._ctx is None or self._electorate is None:
            return None
        peer = self._ctx.peers.get(agent)
        seat = self._electorate.seat_of(peer.node) if peer else None
        return seat.key if seat else None

    def _look(self, now: float) -> None:
        """Who is enrolled, by the newest epoch set."""
        epoch = self._electorate.epoch if self._electorate else None
        if epoch is None or epoch.number == self._epoch:
            return
        self._epoch = epoch.number
        enrolled = {seat.key for seat in epoch.seats}
        for key in sorted(self._enrolled - enrolled):
            self._note(self.scores.handle(Departed(key), now))
        for seat in epoch.seats:
            self._note(self.scores.handle(Introduced(seat.key, seat.sponsor), now))
        self._enrolled = enrolled
        own = self._electorate.seat_of(self._ctx.node) if self._electorate and self._ctx else None
        self._own = own.key if own else b""

    def _note(self, moved: list[Moved]) -> None:
        for move in moved:
            if self._ctx is not None:
                who = public_nkey(move.key)
                log = self._ctx.log.bind(
                    key=who, score=round(move.score, 3), why=move.why, level=move.level.name.lower()
                )
                (log.warning if move.level < move.before else log.info)("a key is heard less, or more, than before")
            graylisted = Level.GRAYLISTED in (move.level, move.before)
            if graylisted and (move.key in self._untold or len(self._untold) < MAX_UNTOLD):
                self._untold[move.key] = move

    async def _tell(self, ctx: Context) -> None:
        for key, move in list(self._untold.items()):
            seat = self._electorate.seat(key) if self._electorate else None
            if seat is None:
                del self._untold[key]
                continue
            fault = Fault(
                kind=MISBEHAVING,
                node=seat.node,
                reason=f"key {public_nkey(key)}: {move.why}, score {move.score:.1f}",
                witnesses=[ctx.node],
                score=min(1.0, max(0.0, move.score / self.scores.config.graylist / 2)),
                recovered=move.level is not Level.GRAYLISTED,
            )
            with suppress(AgentBusError):  # it is told again at the next tick
                await ctx.publish(fault, topic=ctx.node)
                if self._untold.get(key) is move:
                    del self._untold[key]
