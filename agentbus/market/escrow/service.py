"""`EscrowLedger`: the agent that keeps accounts. Host it on any number of nodes: one writes, the others stand by.

Who writes is who holds the lease. Those who stand by ask the writer each `WATCH_S` whether it is there; when the
broker says that nobody listens under its name, when it is silent, or when `ctx.peers` says that its life is over, the
first of them takes the lease. A writer that was declared dead and is not can do no harm: its next batch collides with
its successor's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar

from ...agent import Agent
from ...behaviors import every, on_start, on_stop, rpc
from ...context import Context
from ...errors import (
    AgentBusError,
    Busy,
    ConfigurationError,
    DeadlineExceeded,
    NoResponders,
    Refused,
    StorageFailed,
)
from ...peers import PeerId
from ...storage import Bucket
from ...storage.leases import Holder, Lease, Leases
from ...subjects import check_name
from ...supervision import Supervision
from .codec import (
    EscrowAgain,
    EscrowAnswer,
    EscrowQuery,
    EscrowReply,
    EscrowRequest,
    EscrowWriterReply,
    EscrowWriterRequest,
    from_request,
    to_answer,
    to_reply,
)
from .config import EscrowConfig
from .ledger import fetch, open_ledger
from .machine import LedgerMachine
from .model import HEAD, LEASE, Account, Head, account_key, hold_key, transaction_key
from .writer import Writer

WATCH_S = 0.2
"""Seconds between two looks of who stands by at the writer."""
ASK_S = 1.0
"""Seconds that the writer has to say that it is there."""
SILENT = 3
"""Questions in a row that it has left unanswered when it is taken to hang."""


class EscrowLedger(Agent):
    """Keeps accounts: transfers, holds, settlements, in double entry.

    All that host a ledger have the same arguments, and each an agent's name of its own.

    Args:
        ledger: its name: several can be in one realm.
        issuer: the agent that issues the money. The account of its name is there from the start, and the only one
            whose balance may be below 0.
        config: the knobs.
        clock: seconds since 1970: what holds expire by.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        ledger: str = "escrow",
        *,
        issuer: str = "issuer",
        config: EscrowConfig | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ledger = check_name(ledger, "ledger")
        self.issuer = check_name(issuer, "issuer")
        self.config = config or EscrowConfig()
        self.clock = clock
        self._ctx: Context | None = None
        self._bucket: Bucket | None = None
        self._leases: Leases | None = None
        self._lease: Lease | None = None
        self._writer: Writer | None = None
        self._task: asyncio.Task[None] | None = None
        self._seen: PeerId | None = None  # the holder of the lease, when it was last alive
        self._gone: Holder | None = None  # a holder that is not there any more
        self._watched: Holder | None = None
        self._silent = 0  # questions that it has left unanswered

    @property
    def writing(self) -> bool:
        """Whether this is the writer."""
        return self._writer is not None and not self._writer.over

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def _open_ledger(self, ctx: Context) -> None:
        self._ctx = ctx
        self._bucket = await open_ledger(ctx.transport, self.ledger, realm=ctx.realm, config=self.config)
        _, head = await fetch(self._bucket, HEAD)
        if isinstance(head, Head) and head.issuer != self.issuer:
            raise ConfigurationError(
                f"ledger {self.ledger!r} was begun with issuer={head.issuer!r}, not {self.issuer!r}: use that, or "
                "another ledger"
            )
        self._leases = Leases(
            self._bucket,
            Holder(name=ctx.me, epoch=ctx.epoch, node=ctx.node),
            config=self.config.leases,
            judge=self._over,
            on_acquired=self._acquired,
            on_lost=self._lost,
        )
        self._lease = self._leases.lease(LEASE)
        self._lease.want()

    @on_stop
    async def _close_ledger(self, ctx: Context) -> None:
        await self._put_down()
        if self._leases is not None:
            await self._leases.close()

    @every(WATCH_S)
    async def _watch_writer(self, ctx: Context) -> None:
        lease = self._lease
        if lease is None:
            return
        if self._task is not None and self._task.done():
            task, self._task, self._writer = self._task, None, None
            lease.leave()
            lease.want()  # to stand by, when another has it
            if not task.cancelled():
                task.result()
            return
        holder = lease.holder
        if self._writer is None and holder is not None and holder.name != ctx.me:
            await self._look_for(holder, lease, ctx)

    async def _look_for(self, holder: Holder, lease: Lease, ctx: Context) -> None:
        question = EscrowWriterRequest(ledger=self.ledger)
        if holder != self._watched:
            self._watched, self._silent = holder, 0
        try:
            reply = await ctx.request(question, EscrowWriterReply, to=holder.name, timeout_s=ASK_S)
        except NoResponders:
            self._gone = holder
        except DeadlineExceeded:
            self._silent += 1
            self._gone = holder if self._silent >= SILENT else None
        except AgentBusError:
            return
        else:
            self._silent = 0
            self._gone = holder if reply.epoch > holder.epoch else None
        if self._gone is not None:
            lease.nudge()

    def _over(self, holder: Holder) -> bool:
        """Whether the life of the lease's holder is over. Who was never seen alive is not: not to know is no
        verdict."""
        assert self._ctx is not None
        if holder == self._gone:
            return True
        peer, alive = PeerId(holder.name, holder.epoch), [other.id for other in self._ctx.peers.alive()]
        if peer in alive:
            self._seen = peer
            return False
        return peer == self._seen or any(other.name == peer.name and other.epoch > peer.epoch for other in alive)

    # -- writing ---------------------------------------------------------------------------------------------------

    def _acquired(self, key: str, token: int) -> None:
        assert self._ctx is not None
        assert self._bucket is not None
        if self._task is not None:
            self._task.cancel()
        ctx = self._ctx
        machine = LedgerMachine(token, ctx.me, self.issuer, self.config)
        self._writer = Writer(self._bucket, machine, self.ledger, self.clock, ctx.log)
        self._task = asyncio.get_running_loop().create_task(self._writer.run(), name=f"{ctx.me}: {self.ledger}")
        ctx.log.info("ledger taken over", ledger=self.ledger, token=token)

    def _lost(self, key: str, reason: str) -> None:
        if self._task is not None:
            self._task.cancel()
        self._writer = self._task = None

    async def _put_down(self) -> None:
        task, self._task, self._writer = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    # -- asked -----------------------------------------------------------------------------------------------------

    @rpc(EscrowRequest, EscrowReply, concurrency=2_048)
    async def _transact(self, request: EscrowRequest, ctx: Context) -> EscrowReply:
        self._check(request.ledger)
        command = from_request(request)
        if self._writer is None or self._writer.over:
            return EscrowReply(again=EscrowAgain(writer=self._writer_name(ctx), why=f"{ctx.me} stands by"))
        try:
            outcome = await self._writer.do(request.transaction, ctx.sender, command)
        except (Busy, StorageFailed) as error:
            return EscrowReply(again=EscrowAgain(writer=self._writer_name(ctx), why=str(error)))
        return to_reply(outcome, self.ledger)

    @rpc(EscrowQuery, EscrowAnswer, concurrency=64)
    async def _look_up(self, query: EscrowQuery, ctx: Context) -> EscrowAnswer:
        self._check(query.ledger)
        assert self._bucket is not None
        match query.WhichOneof("what"):
            case "account":
                key = account_key(query.account)
            case "hold":
                key = hold_key(query.hold)
            case "transaction":
                key = transaction_key(query.transaction)
            case _:
                raise Refused("a query for an account, a hold or a transaction: say which")
        _, record = await fetch(self._bucket, key)
        if record is None and key == account_key(self.issuer):
            record = Account(name=self.issuer, owner=self.issuer, issuer=True)
        return to_answer(record, self.ledger)

    @rpc(EscrowWriterRequest, EscrowWriterReply, concurrency=8)
    async def _tell_writer(self, request: EscrowWriterRequest, ctx: Context) -> EscrowWriterReply:
        self._check(request.ledger)
        return EscrowWriterReply(writer=self._writer_name(ctx), epoch=ctx.epoch)

    def _check(self, ledger: str) -> None:
        if ledger != self.ledger:
            raise Refused(f"this is ledger {self.ledger!r}, not {ledger!r}")

    def _writer_name(self, ctx: Context) -> str:
        """Who writes, to this agent's knowledge; empty: nobody."""
        if self.writing:
            return ctx.me
        holder = self._lease.holder if self._lease is not None else None
        return "" if holder is None or holder.name == ctx.me or self._over(holder) else holder.name
