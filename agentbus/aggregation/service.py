"""The agent `Aggregator`: one on each node."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from ..agent import Agent
from ..behaviors import every, on, on_start, rpc
from ..context import Context
from ..errors import NotConnected, PayloadTooLarge
from ..supervision import Supervision
from .codec import Aggregate, EstimateReply, EstimateRequest, decode, encode, encode_estimate
from .config import AggregationConfig, lan
from .machine import Aggregation
from .model import Contribute, Effect, Estimate, Peers, Withdraw
from .sketch import Summary

PATIENCE_S = 0.1
"""The longest that a tick waits for something to do; so long may the end of the agent take."""


class Aggregator(Agent):
    """Knows what all nodes' numbers are together: how many, their mean, variance, extrema and quantiles.

    Its node needs to know who else is there: host it beside `agentbus.membership.Membership`. All nodes that are to
    take part host one, each under the same agent's name. A failure of its own costs a message only: it keeps its part.

    Args:
        config: the knobs; all nodes of a realm should have the same. By default `lan()`.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(self, config: AggregationConfig | None = None) -> None:
        self.config = config or lan()
        self._machine: Aggregation | None = None
        self._early: dict[str, Contribute] = {}
        self._ctx: Context | None = None
        self._lives: dict[str, int] = {}

    # -- what this node's other agents call ------------------------------------------------------------------------

    def contribute(self, name: str, value: float | Summary) -> None:
        """This node's part of what is known under a name, in place of its part before.

        Args:
            name: any text without ``|``.
            value: one number, or a summary of many. All nodes' summaries under one name need the same bins. What is
                added to the summary later counts when it is contributed again.

        Raises:
            ConfigurationError: it would make more than `max_keys` numbers.
            ValueError: the name has a ``|``, or the number is not finite.
        """
        if "|" in name or not name:
            raise ValueError(f"aggregation: the name {name!r}: write some text without '|'")
        part = Contribute(name, value if isinstance(value, Summary) else Summary([value]))
        if self._machine is None:
            self._early[name] = part
        else:
            self._machine.handle(part, 0.0)

    def withdraw(self, name: str) -> None:
        """This node has no part in it any more."""
        self._early.pop(name, None)
        if self._machine is not None:
            self._machine.handle(Withdraw(name), 0.0)

    def estimate(self, name: str) -> Estimate | None:
        """What the fleet knows under a name. None while nothing has settled, which takes
        `AggregationConfig.settle_rounds` rounds."""
        return None if self._machine is None else self._machine.estimate(name)

    # -- behaviors -------------------------------------------------------------------------------------------------

    @on_start
    async def wake(self, ctx: Context) -> None:
        """Makes the machine."""
        self._ctx = ctx
        self._machine = Aggregation(ctx.node, ctx.epoch, self.config, ctx.rng, ctx.now())
        for part in self._early.values():
            self._machine.handle(part, ctx.now())
        self._early.clear()

    @every(0.001, immediately=True)
    async def act(self, ctx: Context) -> None:
        """One step: waits until the next round is due, and makes it."""
        machine = self._machine
        if machine is None:
            return
        await asyncio.sleep(min(PATIENCE_S, max(0.0, machine.next_deadline() - ctx.now())))
        if machine.next_deadline() <= ctx.now():
            self._look_around(machine, ctx)
            await self._send(machine.tick(ctx.now()), ctx)

    @on(Aggregate, topic="{node}", mailbox=1_024, overflow="drop_oldest")
    async def hear(self, message: Aggregate, ctx: Context) -> None:
        """A packet for this node."""
        packet = decode(message)
        if packet is None or self._machine is None:
            ctx.log.debug("a packet of another version", topic=ctx.topic)
            return
        await self._send(self._machine.handle(packet, ctx.now()), ctx)

    @rpc(EstimateRequest, EstimateReply)
    async def tell_estimate(self, request: EstimateRequest, ctx: Context) -> EstimateReply:
        """What the fleet knows under a name."""
        return encode_estimate(ctx.node, request.name, self.estimate(request.name))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _look_around(self, machine: Aggregation, ctx: Context) -> None:
        lives: dict[str, int] = {}
        for peer in ctx.peers.alive():  # by name and epoch: the last life of a node counts
            if peer.id.name == ctx.me and peer.node != ctx.node:
                lives[peer.node] = max(peer.id.epoch, lives.get(peer.node, 0))
        if lives != self._lives:
            self._lives = lives
            machine.handle(Peers(lives), ctx.now())

    async def _send(self, effects: list[Effect], ctx: Context) -> None:
        speak = self._ctx or ctx  # what a packet causes is no hop further: gossip has no end
        for effect in effects:
            try:
                await speak.publish(encode(effect.packet), topic=effect.to, timeout_s=self.config.period_s)
            except NotConnected:
                return  # what was not sent is made good by the next packet
            except PayloadTooLarge as error:
                ctx.log.warning("aggregates do not fit a message: fewer series, or wider bins", error=str(error))
