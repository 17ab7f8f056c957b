"""The agent `Blackboard`: one on each node of a team, under the team's name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, cast

from ..agent import Agent, present
from ..behaviors import every, on, on_start, on_stop, rpc
from ..context import Context
from ..errors import NotConnected, PayloadTooLarge
from ..messages import full_name
from ..supervision import Supervision
from .codec import BoardGossip, BoardStatusRequest, StatusReply, decode, encode, encode_status
from .config import BlackboardConfig, lan
from .crdt import Board
from .machine import Gossip
from .model import Add, Changed, Effect, Peers, Put, Send, Status
from .seat import Seat
from .watch import Watch

PATIENCE_S = 0.1
"""The longest that a tick waits for something to do; so long may the end of the agent take."""
FRAME_BYTES = 4_096
"""Room left for the frame in what the broker takes."""
MAX_WARNED = 1_024
"""Nodes of whose clocks it is said once."""
NOT_STARTED = "the blackboard has not started: host it on the node, before the agents that use it"


class Blackboard(Agent):
    """What a team knows: notes, of which the last one written stays, and counters, at hand on each of its nodes.

    The team is the name that it is hosted under, as in ``agents={"couriers": Blackboard(), "anna": Courier(...)}``: the
    boards of one name gossip with one another, on subjects of the team. Its node needs to know who else is there: host
    it beside `agentbus.membership.Membership`. Agents read and write through a `seat`. A failure of its own costs a
    message only: it keeps what it knows.

    Args:
        config: the knobs; all boards of a team should have the same. By default `lan()`.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(self, config: BlackboardConfig | None = None) -> None:
        self.config = config or lan()
        self._machine: Gossip | None = None
        self._ctx: Context | None = None
        self._watches: dict[Watch, None] = {}  # in the order of their beginning
        self._nodes: list[str] = []
        self._ahead: set[str] = set()  # nodes that have been warned of
        self._messages = self._bytes = self._malformed = 0

    # -- what this node's other agents call ------------------------------------------------------------------------

    def seat(self, agent: Agent, behavior: str) -> Seat:
        """The place of one of an agent's policies, by its method's name: open while ``agent.policy(behavior).shares``.
        It may be taken before the board has started. Raises `AgentNotFound`: there is no such policy."""
        return Seat(self._present, agent, behavior)

    def status(self) -> Status:
        """How much is on the board, and how it is kept. Raises `NotConnected` before it has started."""
        machine, ctx = self.machine, self._here()
        deleted = len(machine.board.deleted)
        tallies = sum(1 for item in machine.board if item.id.actor)
        return Status(
            node=ctx.node,
            team=ctx.me,
            root=machine.board.root,
            notes=len(machine.board) - deleted - tallies,
            deleted=deleted,
            tallies=tallies,
            bytes=machine.board.weight,
            others=machine.others,
            messages_sent=self._messages,
            bytes_sent=self._bytes,
            refused_ahead=machine.refused_ahead,
            refused_full=machine.refused_full,
            malformed=self._malformed,
        )

    # -- what seats call -------------------------------------------------------------------------------------------

    @property
    def machine(self) -> Gossip:
        """The protocol's state. Raises `NotConnected` before the agent has started."""
        if self._machine is None:
            raise NotConnected(NOT_STARTED)
        return self._machine

    @property
    def board(self) -> Board:
        """What stands on it. Agents ask their seats. Raises `NotConnected` before the agent has started."""
        return self.machine.board

    def write(self, event: Put | Add) -> None:
        """Something that this node writes. Raises as `Gossip.handle`."""
        ctx = self._here()
        self._tell(self.machine.handle(event, ctx.now(), ctx.clock()))

    def follow(self, prefix: str, check: Callable[[], None]) -> Watch:
        """Tells of changes from now on."""
        watch = Watch(prefix, self.board.note, check, self._unfollow)
        self._watches[watch] = None
        return watch

    def _unfollow(self, watch: Watch) -> None:
        self._watches.pop(watch, None)

    # -- behaviors -------------------------------------------------------------------------------------------------

    @on_start
    async def wake(self, ctx: Context) -> None:
        """Makes the machine."""
        self._ctx = ctx
        room = ctx.transport.max_payload - FRAME_BYTES
        config = replace(
            self.config,
            message_bytes=min(self.config.message_bytes, room),
            max_value_bytes=min(self.config.max_value_bytes, room - 1_024),
        )
        self._machine = Gossip(ctx.node, ctx.epoch, config, ctx.rng, ctx.now())

    @every(0.001, immediately=True)
    async def act(self, ctx: Context) -> None:
        """One step: waits until the next round is due, and makes it."""
        machine = self.machine
        await asyncio.sleep(min(PATIENCE_S, max(0.0, machine.next_deadline() - ctx.now())))
        if machine.next_deadline() <= ctx.now():
            self._look_around(machine, ctx)
            await self._carry_out(machine.tick(ctx.now(), ctx.clock()), ctx)

    @on(BoardGossip, topic="{agent}.{node}", mailbox=1_024, overflow="drop_oldest")
    async def hear(self, message: BoardGossip, ctx: Context) -> None:
        """A packet for this node's board."""
        packet = decode(message)
        if packet is None or packet.life != ctx.sender_epoch or ctx.sender != ctx.me:
            self._malformed += 1
            ctx.log.debug("a packet of another version, or in another's name", source=message.source, sender=ctx.sender)
            return
        machine = self.machine
        ahead = machine.refused_ahead
        effects = machine.handle(packet, ctx.now(), ctx.clock())
        if machine.refused_ahead > ahead and packet.source not in self._ahead and len(self._ahead) < MAX_WARNED:
            self._ahead.add(packet.source)
            ctx.log.warning(
                "notes from a clock too far ahead are not taken: set the clock of whoever wrote them, or this one's",
                heard_from=packet.source,
                max_ahead_s=self.config.max_ahead_s,
            )
        await self._carry_out(effects, ctx)

    @rpc(BoardStatusRequest, StatusReply)
    async def tell_status(self, request: BoardStatusRequest, ctx: Context) -> StatusReply:
        """How much is on the board; not what."""
        return encode_status(self.status())

    @on_stop
    async def leave(self, ctx: Context) -> None:
        """Ends the watches."""
        for watch in list(self._watches):
            watch.close()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _present(self) -> Blackboard:
        return cast("Blackboard", present(self))

    def _here(self) -> Context:
        if self._ctx is None:
            raise NotConnected(NOT_STARTED)
        return self._ctx

    def _look_around(self, machine: Gossip, ctx: Context) -> None:
        asked = full_name(BoardStatusRequest)
        nodes = sorted({peer.node for peer in ctx.peers.alive() if peer.id.name == ctx.me and asked in peer.answers})
        if nodes != self._nodes:
            self._nodes = nodes
            machine.handle(Peers(nodes), ctx.now(), ctx.clock())

    async def _carry_out(self, effects: list[Effect], ctx: Context) -> None:
        self._tell(effects)
        speak = self._ctx or ctx  # what a packet causes is no hop further: gossip has no end
        for effect in effects:
            if isinstance(effect, Send):
                message = encode(effect.packet)
                try:
                    await speak.publish(message, topic=f"{ctx.me}.{effect.to}", timeout_s=self.config.period_s)
                except NotConnected:
                    return  # what was not sent is made good by the next comparison
                except PayloadTooLarge as error:
                    ctx.log.warning("a packet does not fit a message: lower message_bytes=", error=str(error))
                else:
                    self._messages += 1
                    self._bytes += message.ByteSize()

    def _tell(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Changed):
                for watch in list(self._watches):
                    watch.tell(effect.key)
