"""The agent `Membership`: one on each node."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from ..agent import Agent
from ..behaviors import every, on, on_start, on_stop, rpc
from ..context import Context
from ..errors import NotConnected, PayloadTooLarge
from ..faults import (
    FAILED,
    PEER_EVENT_KIND_FAILED,
    PEER_EVENT_KIND_JOINED,
    PEER_EVENT_KIND_LEFT,
    PEER_EVENT_KIND_REJOINED,
    PEER_EVENT_KIND_SUSPECTED,
    Fault,
    PeerEvent,
    PeerEventKind,
)
from ..peers import PeerView
from ..supervision import Supervision
from .codec import (
    Gossip,
    Join,
    MembersReply,
    MembersRequest,
    decode,
    decode_join,
    encode,
    encode_join,
    encode_members,
)
from .config import MembershipConfig, lan
from .machine import Swim
from .model import AgentEntry, Broadcast, ChangeKind, Describe, Effect, Leave, Link, Notify, Packet, Send, Word
from .view import MembershipView

PATIENCE_S = 0.1
"""The longest that a tick waits for something to do; so long may the end of the agent take."""
LOOK_S = 0.5
"""Seconds between two looks at which agents this node hosts."""
FRAME_BYTES = 1_024
"""Room left for the frame in what the broker takes."""

_KINDS: dict[ChangeKind, PeerEventKind] = {
    ChangeKind.JOINED: PEER_EVENT_KIND_JOINED,
    ChangeKind.SUSPECTED: PEER_EVENT_KIND_SUSPECTED,
    ChangeKind.FAILED: PEER_EVENT_KIND_FAILED,
    ChangeKind.LEFT: PEER_EVENT_KIND_LEFT,
    ChangeKind.REJOINED: PEER_EVENT_KIND_REJOINED,
}


class Membership(Agent):
    """Knows which nodes are alive, and tells: gives its node the view of all peers, and events of what changes.

    To the topic of its own node it publishes `PeerEvent` for each change, and `Fault` of kind ``"failed"`` for a node
    that has failed; with ``recovered`` when the same life of it is back. When a later life of its own name is at work
    (this process was taken for dead, and started again elsewhere), the `Fault` is about its own node, and it is silent.
    A failure of its own costs a message only: it keeps what it knows, and nobody hears that it has left.

    Args:
        config: the knobs; all nodes of a realm should have the same. By default `lan()`.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(self, config: MembershipConfig | None = None) -> None:
        self.config = config or lan()
        self._swim: Swim | None = None
        self._view: MembershipView | None = None
        self._ctx: Context | None = None
        self._sooner = asyncio.Event()
        self._failed: dict[str, int] = {}  # the life in which a node has failed, until it is back
        self._look_at = 0.0

    def peer_view(self, local: PeerView) -> PeerView:
        """The agents of all nodes believed alive. The node calls it."""
        self._view = MembershipView(local)
        return self._view

    @property
    def machine(self) -> Swim:
        """The protocol's state. Raises `NotConnected` before the agent has started."""
        if self._swim is None:
            raise NotConnected("membership has not started: ask it when its node runs")
        return self._swim

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def wake(self, ctx: Context) -> None:
        """Makes the machine; it speaks from the first tick on, when this agent can be heard."""
        self._ctx = ctx
        room = ctx.transport.max_payload - FRAME_BYTES
        packet_bytes = min(self.config.packet_bytes, room)
        config = replace(
            self.config,
            table_bytes=min(self.config.table_bytes, room),
            packet_bytes=packet_bytes,
            agents_bytes=min(self.config.agents_bytes, packet_bytes - 512),
        )
        self._swim = Swim(ctx.node, ctx.epoch, config, ctx.rng, ctx.now())
        if self._view is not None:
            self._view.show(self._swim.beliefs)

    @every(0.001, immediately=True)
    async def act(self, ctx: Context) -> None:
        """One step: waits until the machine has something to do, and does it."""
        swim = self.machine
        if not swim.started:
            self._describe(ctx.now())
            await self._carry_out(swim.start(ctx.now()), ctx)
        await self._watch_link(ctx)
        due = swim.next_deadline()
        wait_s = PATIENCE_S if due is None else min(PATIENCE_S, due - ctx.now())
        if wait_s > 0.0:
            self._sooner.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._sooner.wait()
        now = ctx.now()
        if now >= self._look_at:
            self._describe(now)
        due = swim.next_deadline()
        if due is not None and due <= now:
            await self._carry_out(swim.tick(now), ctx)

    @on_stop
    async def leave(self, ctx: Context) -> None:
        """Says good-bye."""
        if self._swim is not None:
            await self._carry_out(self._swim.handle(Leave(), ctx.now()), ctx)

    # -- hearing ---------------------------------------------------------------------------------------------------

    @on(Gossip, topic="{node}", mailbox=8_192, overflow="drop_oldest")
    async def hear(self, message: Gossip, ctx: Context) -> None:
        """A packet for this node."""
        await self._hear(decode(message), ctx)

    @on(Join, topic="join", mailbox=8_192, overflow="drop_oldest")
    async def hear_join(self, message: Join, ctx: Context) -> None:
        """A node tells everybody that it is here."""
        await self._hear(decode_join(message), ctx)

    async def _hear(self, packet: Packet | None, ctx: Context) -> None:
        if packet is None:
            ctx.log.debug("a packet of another version", topic=ctx.topic)
            return
        if packet.epoch != ctx.sender_epoch:
            ctx.log.debug("a packet in another's name", source=packet.source, sender=ctx.sender)
            return
        swim = self.machine
        before = swim.next_deadline()
        effects = swim.handle(packet, ctx.now())
        due = swim.next_deadline()
        if due is not None and (before is None or due < before):
            self._sooner.set()
        if effects:
            await self._carry_out(effects, ctx)

    @rpc(MembersRequest, MembersReply, unsigned="allow")  # agentbus members asks in plain protobuf
    async def tell_members(self, request: MembersRequest, ctx: Context) -> MembersReply:
        """Whom this node believes to be there."""
        beliefs = self.machine.beliefs
        words = [beliefs.own, *(_with_agents(member.word, member.agents) for member in beliefs.members)]
        return encode_members(ctx.node, beliefs.awareness.score, beliefs.freeze.frozen(ctx.now()), words)

    # -- doing -----------------------------------------------------------------------------------------------------

    async def _carry_out(self, effects: list[Effect], ctx: Context) -> None:
        speak = self._ctx or ctx  # what a packet causes is no hop further: gossip has no end
        for effect in effects:
            try:
                if isinstance(effect, Send):
                    await speak.publish(encode(effect.packet), topic=effect.to, timeout_s=self.config.timeout_s)
                elif isinstance(effect, Broadcast):
                    await speak.publish(encode_join(effect.packet), topic="join", timeout_s=self.config.timeout_s)
                else:
                    await self._tell(effect, speak)
            except NotConnected:
                await self._watch_link(ctx)
            except PayloadTooLarge as error:  # somebody has told more of itself than we may pass on
                ctx.log.warning("membership packet not sent", why=str(error))

    async def _watch_link(self, ctx: Context) -> None:
        connected, swim = ctx.transport.connected, self.machine
        if connected == swim.beliefs.freeze.down:
            effects = swim.handle(Link(connected), ctx.now())
            if connected:
                await self._carry_out(effects, ctx)

    async def _tell(self, change: Notify, ctx: Context) -> None:
        if self._view is not None:
            self._view.changed()
        word = change.word
        kind = _KINDS.get(change.kind)
        if kind is not None:
            ctx.log.info(f"peer {change.kind.value}", peer=word.node, epoch=word.epoch, why=change.reason)
            event = PeerEvent(
                kind=kind,
                node=word.node,
                epoch=word.epoch,
                incarnation=word.incarnation,
                agents=[agent.name for agent in change.agents],
                reason=change.reason,
            )
            await ctx.publish(event, topic=ctx.node)
        fault = self._fault_of(change)
        if fault is not None:
            await ctx.publish(fault, topic=ctx.node)

    def _fault_of(self, change: Notify) -> Fault | None:
        word = change.word
        fault = Fault(kind=FAILED, node=word.node, epoch=word.epoch, reason=change.reason, witnesses=word.by)
        if change.kind is ChangeKind.FAILED:
            self._failed[word.node] = word.epoch
            return fault
        if change.kind is ChangeKind.SUPERSEDED:
            return fault
        if change.kind is ChangeKind.REJOINED and self._failed.pop(word.node, None) == word.epoch:
            fault.recovered = True
            return fault
        return None

    def _describe(self, now: float) -> None:
        self._look_at = now + LOOK_S
        if self._view is None:
            return
        entries: list[AgentEntry] = []
        room = self.machine.config.agents_bytes
        for peer in self._view.local.alive():
            entry = AgentEntry(name=peer.id.name, answers=peer.answers, tags=peer.tags)
            room -= entry.size
            if room < 0:
                break
            entries.append(entry)
        self.machine.handle(Describe(tuple(entries)), now)


def _with_agents(word: Word, agents: tuple[AgentEntry, ...]) -> Word:
    return replace(word, agents=agents)
