"""`EscrowClient`: a ledger as an agent uses it.

Each call finds the writer, and asks again, with the same transaction id, until there is an answer or the time is over:
a writer that dies, a broker that restarts, an answer that is lost cost time, never money.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

from google.protobuf.message import Message

from ...errors import (
    Busy,
    DeadlineExceeded,
    EscrowRefused,
    NoResponders,
    NotConnected,
    StorageFailed,
    TooFewReplies,
)
from ...speaking import Speaker
from ..model import Refusal
from .codec import (
    EscrowAnswer,
    EscrowQuery,
    EscrowReply,
    EscrowWriterReply,
    EscrowWriterRequest,
    from_answer,
    from_reply,
    to_request,
)
from .model import (
    Account,
    Command,
    Dispute,
    Held,
    Hold,
    Open,
    Receipt,
    Refund,
    Resolve,
    Settle,
    Transfer,
    malformed,
)

R = TypeVar("R", bound=Message)

PAUSE_S = 0.02
"""Seconds before a call is tried again; doubled each time up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 0.25


class EscrowClient:
    """A ledger, for one agent or node. Whose money it may move is decided by the name of that.

    Every call that changes something takes a transaction id of the caller's choosing, ``[A-Za-z0-9_-]{1,128}``: the
    same call with the same id is done once, for ever, and gets the same receipt. Keep the id until you have that. A
    refusal is not remembered: the same id may be tried again.

    All of them raise:
        EscrowRefused: nothing was done; `reason` is one of `agentbus.market.Reason`.
        DeadlineExceeded: no answer in time. It may have been done: ask again, with the same id.

    Args:
        speaker: a `Context` or a `Node`.
        ledger: its name.
        timeout_s: seconds that a call may take, over all attempts.
        attempt_s: seconds that the writer has to answer the first attempt; doubled with each that it does not.
    """

    def __init__(
        self, speaker: Speaker, ledger: str = "escrow", *, timeout_s: float = 15.0, attempt_s: float = 0.5
    ) -> None:
        self.ledger = ledger
        self.timeout_s = timeout_s
        self.attempt_s = attempt_s
        self._speaker = speaker
        self._writer = ""
        self._finding = asyncio.Lock()

    # -- moving money ----------------------------------------------------------------------------------------------

    async def open(self, transaction: str, account: str) -> Receipt:
        """Opens an account, owned by who asks, with nothing in it."""
        return await self.do(transaction, Open(account=account))

    async def transfer(self, transaction: str, payer: str, payee: str, amount: int) -> Receipt:
        """Pays. The issuer's account as the payer puts money into circulation; as the payee, takes it out."""
        return await self.do(transaction, Transfer(payer=payer, payee=payee, amount=amount))

    async def hold(
        self, transaction: str, payer: str, payee: str, amount: int, *, for_s: float, arbiter: str = ""
    ) -> Receipt:
        """Sets the payer's money aside for the payee. The hold is named by the transaction's id.

        Args:
            for_s: seconds after which the payer may take it back.
            arbiter: the agent that decides a dispute. Empty: there can be none.
        """
        return await self.do(
            transaction, Hold(payer=payer, payee=payee, amount=amount, for_s=float(for_s), arbiter=arbiter)
        )

    async def settle(self, transaction: str, hold: str, amount: int) -> Receipt:
        """Pays so much of a hold to its payee, the rest back. The payer's owner asks."""
        return await self.do(transaction, Settle(hold=hold, amount=amount))

    async def refund(self, transaction: str, hold: str) -> Receipt:
        """Gives a hold back. The payee's owner asks, or, once it has expired, the payer's."""
        return await self.do(transaction, Refund(hold=hold))

    async def dispute(self, transaction: str, hold: str) -> Receipt:
        """Freezes a hold until its arbiter decides. The payer's or the payee's owner asks."""
        return await self.do(transaction, Dispute(hold=hold))

    async def resolve(self, transaction: str, hold: str, amount: int) -> Receipt:
        """Decides a dispute: so much, perhaps 0, to the payee, the rest back. The arbiter asks."""
        return await self.do(transaction, Resolve(hold=hold, amount=amount))

    async def do(self, transaction: str, command: Command) -> Receipt:
        """Has any command done."""
        wrong: Refusal | None = malformed(transaction, "somebody", command)
        if wrong is not None:
            raise EscrowRefused(wrong.text, reason=wrong.reason)
        request = to_request(self.ledger, transaction, command)
        return from_reply(await self._asked(request, EscrowReply, f"transaction {transaction!r}"))

    # -- looking ---------------------------------------------------------------------------------------------------

    async def account(self, name: str) -> Account | None:
        """An account; None: there is none."""
        found = await self._query(EscrowQuery(ledger=self.ledger, account=name))
        return found if isinstance(found, Account) else None

    async def balance(self, name: str) -> int:
        """What is in an account; 0 when there is none."""
        account = await self.account(name)
        return account.balance if account is not None else 0

    async def held(self, hold: str) -> Held | None:
        """A hold, an ended one too; None: there is none."""
        found = await self._query(EscrowQuery(ledger=self.ledger, hold=hold))
        return found if isinstance(found, Held) else None

    async def receipt(self, transaction: str) -> Receipt | None:
        """What was done under an id; None: nothing."""
        found = await self._query(EscrowQuery(ledger=self.ledger, transaction=transaction))
        return found if isinstance(found, Receipt) else None

    async def _query(self, query: EscrowQuery) -> Account | Held | Receipt | None:
        return from_answer(await self._asked(query, EscrowAnswer, "a query"))

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _asked(self, question: Message, kind: type[R], what: str) -> R:
        """The writer's answer, however often it has to be asked."""
        time = asyncio.get_running_loop().time
        deadline, pause, why = time() + self.timeout_s, PAUSE_S, "the time was over"
        attempt_s = self.attempt_s
        while (left := deadline - time()) > 0:
            writer = self._writer
            try:
                writer = writer or await self._find(min(left, self.attempt_s))
                reply = await self._speaker.request(question, kind, to=writer, timeout_s=min(left, attempt_s))
            except (NoResponders, DeadlineExceeded, Busy, NotConnected, StorageFailed, TooFewReplies) as error:
                if isinstance(error, DeadlineExceeded):
                    attempt_s *= 2  # a writer that has too much to do is not to get it again and again
                why, other = f"{type(error).__name__}: {error}", ""
            else:
                if not isinstance(reply, EscrowReply) or not reply.HasField("again"):
                    return reply
                why, other = reply.again.why, reply.again.writer
            if self._writer == writer:  # nobody else has found another meanwhile
                self._writer = other if other != writer else ""
            await asyncio.sleep(max(0.0, min(pause, deadline - time())))
            pause = min(2 * pause, LONGEST_PAUSE_S)
        raise DeadlineExceeded(
            f"ledger {self.ledger!r}: no answer to {what} in {self.timeout_s:g} s ({why}): is an EscrowLedger of that "
            "name hosted in this realm? Then ask again, with the same id"
        )

    async def _find(self, timeout_s: float) -> str:
        """The writer's name. Raises `TooFewReplies`, `NoResponders`, `NotConnected`."""
        async with self._finding:
            if not self._writer:
                question = EscrowWriterRequest(ledger=self.ledger)
                replies = await self._speaker.gather(
                    question, EscrowWriterReply, timeout_s=timeout_s, at_least=1, at_most=1
                )
                self._writer = replies[0].message.writer
            if not self._writer:
                raise NoResponders(f"nobody writes ledger {self.ledger!r} now")
            return self._writer
