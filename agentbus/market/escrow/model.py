"""What an escrow ledger is told, and what it keeps: frozen values, amounts in whole ticks.

**Double entry.** What a transaction does is written as entries, amounts that accounts gain (or lose, below 0), which
add up to 0. A hold is an account as well, ``hold:{id}``. So the sum of all balances is 0 at every moment: what is
above 0 in circulation is below 0 in the account of the issuer, the only one that may be negative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from math import isfinite

from ..model import Reason, Refusal, wrong_amount

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
LONGEST_HOLD_S = 100 * 365 * 86_400.0
"""The longest that a hold may last, seconds: a hundred years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A new account, owned by the agent that asks."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money from one account to another; the payer's owner asks."""

    payer: str
    payee: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The payer's money is set aside for the payee; the payer's owner asks. The hold is named by the transaction's id.

    Attributes:
        for_s: seconds after which the payer may take it back.
        arbiter: the agent that decides a dispute. Empty: there can be none.
    """

    payer: str
    payee: str
    amount: int
    for_s: float
    arbiter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """So much of the hold to the payee, the rest back; the payer's owner asks."""

    hold: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """All of it back to the payer; the payee's owner asks, or, once the hold has expired, the payer's."""

    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """Freezes the hold until the arbiter decides; the payer's or the payee's owner asks."""

    hold: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """The arbiter decides: so much, perhaps 0, to the payee, the rest back."""

    hold: str
    amount: int


Command = Open | Transfer | Hold | Settle | Refund | Dispute | Resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account.

    Attributes:
        owner: the agent that may take money from it.
        balance: ticks; below 0 the issuer's only.
        issuer: it may go below 0.
    """

    name: str
    owner: str
    balance: int = 0
    issuer: bool = False


class HoldState(Enum):
    """Where a hold stands."""

    OPEN = 1
    DISPUTED = 2
    SETTLED = 3
    REFUNDED = 4
    RESOLVED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A hold.

    Attributes:
        id: the transaction that made it.
        amount: what was set aside.
        expires_s: when the payer may take it back; seconds since 1970, by the writer's clock.
        paid: what the payee got.
        ended_by: the transaction that ended it.
    """

    id: str
    payer: str
    payee: str
    amount: int
    expires_s: float
    arbiter: str = ""
    state: HoldState = HoldState.OPEN
    paid: int = 0
    ended_by: str = ""

    @property
    def balance(self) -> int:
        """What is in it now."""
        return self.amount if self.state in (HoldState.OPEN, HoldState.DISPUTED) else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """What an account, or ``hold:{id}``, gains by a transaction."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that is done.

    Attributes:
        transaction: its id.
        by: the agent that asked.
        command: what it asked for.
        entries: they add up to 0.
        at_s: when, by the writer's clock, in seconds since 1970.
        token: the writer's fencing token.
    """

    transaction: str
    by: str
    command: Command
    entries: tuple[Entry, ...]
    at_s: float
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Who writes, and how much was written. Each batch replaces it, so that two writers collide in it.

    Attributes:
        token: of the writer's lease.
        writer: the agent.
        issuer: whose account may be below 0; fixed with the first batch.
    """

    token: int
    writer: str
    issuer: str
    batches: int = 0
    transactions: int = 0


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that are no record of the ledger's."""

    why: str


Record = Account | Held | Receipt | Head | Damaged

HEAD = "writer"
LEASE = "lease"


def account_key(name: str) -> str:
    """Where an account is kept."""
    return f"account.{name}"


def hold_key(hold: str) -> str:
    """Where a hold is kept."""
    return f"hold.{hold}"


def transaction_key(transaction: str) -> str:
    """Where a transaction is kept."""
    return f"tx.{transaction}"


def hold_account(hold: str) -> str:
    """How entries name a hold."""
    return f"hold:{hold}"


def malformed(transaction: str, by: str, command: Command) -> Refusal | None:
    """Why a command can't be meant, whatever the books say: a name that is none, an amount that is none."""
    if not by:
        return Refusal(party=transaction, reason=Reason.NOT_YOURS, text="money is moved by agents: ask as one")
    amount, least = 1, 1
    match command:
        case Open():
            names: tuple[str, ...] = (command.account,)
        case Transfer() | Hold():
            names, amount = (command.payer, command.payee), command.amount
        case Settle():
            names, amount = (command.hold,), command.amount
        case Resolve():
            names, amount, least = (command.hold,), command.amount, 0
        case Refund() | Dispute():
            names = (command.hold,)
    for name in (transaction, *names):
        if not _NAME.fullmatch(name):
            text = f"{name[:40]!r} is no name: write 1 to 128 of letters, digits, '_' and '-'"
            return Refusal(party=transaction, reason=Reason.NOT_A_NAME, text=text)
    if (wrong := wrong_amount(names[0], amount, least=least)) is not None:
        return wrong
    if isinstance(command, Transfer | Hold) and command.payer == command.payee:
        text = f"account {command.payer!r} would pay itself: name another payee"
        return Refusal(party=command.payer, reason=Reason.TO_ONESELF, text=text)
    if isinstance(command, Hold):
        if not (isfinite(command.for_s) and 0 < command.for_s <= LONGEST_HOLD_S):
            text = f"for_s={command.for_s!r}: use seconds above 0, {LONGEST_HOLD_S:g} at most"
            return Refusal(party=transaction, reason=Reason.NOT_A_DURATION, text=text)
        if command.arbiter and not _NAME.fullmatch(command.arbiter):
            text = f"arbiter {command.arbiter[:40]!r} is no name of an agent"
            return Refusal(party=transaction, reason=Reason.NOT_A_NAME, text=text)
    return None
