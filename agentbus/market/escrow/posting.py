"""The rules of the books: what a command does to accounts and holds, or why it does nothing. Pure.

Invariants: the entries of a transaction add up to 0; no balance but an issuer's goes below 0; what is refused changes
nothing; a hold ends once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..model import MAX_AMOUNT, Reason, Refusal
from .model import (
    Account,
    Command,
    Damaged,
    Dispute,
    Entry,
    Held,
    Hold,
    HoldState,
    Open,
    Record,
    Refund,
    Resolve,
    Settle,
    Transfer,
    account_key,
    hold_account,
    hold_key,
)

Find = Callable[[str], Record | None]
"""What is kept under a key; None: nothing."""


@dataclass(frozen=True, slots=True)
class Posting:
    """What a command does: entries that add up to 0, and the records that they lead to, by key."""

    entries: tuple[Entry, ...]
    records: dict[str, Record]


def keys_of(command: Command, known: Callable[[str], bool], find: Find) -> list[str]:
    """The keys of the records that `post` will look at, as far as they can be told from what is `known`."""
    match command:
        case Open():
            return [account_key(command.account)]
        case Transfer() | Hold():
            return [account_key(command.payer), account_key(command.payee)]
        case _:
            key = hold_key(command.hold)
            held = find(key) if known(key) else None
            return [key, account_key(held.payer), account_key(held.payee)] if isinstance(held, Held) else [key]


def post(command: Command, transaction: str, by: str, find: Find, now: float) -> Posting | Refusal:
    """What a command that is not `malformed` does.

    Args:
        transaction: its id.
        by: the agent that asks.
        find: the books.
        now: seconds since 1970.
    """
    try:
        match command:
            case Open():
                return _open(command, by, find)
            case Transfer():
                return _transfer(command, by, find)
            case Hold():
                return _hold(command, transaction, by, find, now)
            case Dispute():
                return _dispute(command, by, find)
            case Settle() | Refund() | Resolve():
                return _end(command, transaction, by, find, now)
    except _No as no:
        return no.refusal


class _No(Exception):
    """A refusal, on its way out."""

    def __init__(self, party: str, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.refusal = Refusal(party=party, reason=reason, text=text)


def _open(command: Open, by: str, find: Find) -> Posting:
    key = account_key(command.account)
    if find(key) is not None:
        raise _No(command.account, Reason.ACCOUNT_EXISTS, f"there is an account {command.account!r}: use another name")
    return Posting((), {key: Account(name=command.account, owner=by)})


def _transfer(command: Transfer, by: str, find: Find) -> Posting:
    payer, payee = _account(command.payer, find), _account(command.payee, find)
    _owned(payer, by)
    entries = (Entry(payer.name, -command.amount), Entry(payee.name, command.amount))
    return Posting(entries, _moved(payer, -command.amount) | _moved(payee, command.amount))


def _hold(command: Hold, transaction: str, by: str, find: Find, now: float) -> Posting:
    payer, payee = _account(command.payer, find), _account(command.payee, find)
    _owned(payer, by)
    if find(hold_key(transaction)) is not None:
        raise _No(transaction, Reason.DAMAGED, f"something stands where hold {transaction!r} would: use another id")
    held = Held(
        id=transaction,
        payer=payer.name,
        payee=payee.name,
        amount=command.amount,
        expires_s=now + command.for_s,
        arbiter=command.arbiter,
    )
    entries = (Entry(payer.name, -held.amount), Entry(hold_account(held.id), held.amount))
    return Posting(entries, {**_moved(payer, -held.amount), hold_key(held.id): held})


def _dispute(command: Dispute, by: str, find: Find) -> Posting:
    held = _running(command.hold, find)
    if held.state is HoldState.DISPUTED:
        raise _No(held.id, Reason.FROZEN, f"hold {held.id!r} is disputed already: {held.arbiter!r} decides")
    if by not in (_account(held.payer, find).owner, _account(held.payee, find).owner):
        raise _No(held.id, Reason.NOT_YOURS, f"hold {held.id!r} is disputed by the owner of its payer or payee")
    if not held.arbiter:
        raise _No(held.id, Reason.NO_ARBITER, f"hold {held.id!r} names no arbiter: name one when you make it")
    return Posting((), {hold_key(held.id): replace(held, state=HoldState.DISPUTED)})


def _end(command: Settle | Refund | Resolve, transaction: str, by: str, find: Find, now: float) -> Posting:
    held = _running(command.hold, find)
    payer, payee = _account(held.payer, find), _account(held.payee, find)
    match command:
        case Settle():
            paid, state = command.amount, HoldState.SETTLED
            if by != payer.owner:
                raise _No(held.id, Reason.NOT_YOURS, f"hold {held.id!r} is settled by the owner of {payer.name!r}")
        case Refund():
            paid, state = 0, HoldState.REFUNDED
            _refundable(held, by, payer, payee, now)
        case Resolve():
            paid, state = command.amount, HoldState.RESOLVED
            if by != held.arbiter:
                raise _No(held.id, Reason.NOT_YOURS, f"hold {held.id!r} has {held.arbiter or 'nobody'!r} for arbiter")
            if held.state is not HoldState.DISPUTED:
                raise _No(held.id, Reason.NOT_DISPUTED, f"hold {held.id!r} is not disputed: there is nothing to decide")
    if held.state is HoldState.DISPUTED and not isinstance(command, Resolve):
        raise _No(held.id, Reason.FROZEN, f"hold {held.id!r} is disputed: {held.arbiter!r} decides")
    if paid > held.amount:
        raise _No(held.id, Reason.TOO_LARGE, f"hold {held.id!r} has {held.amount}: pay at most that of it")
    entries = [Entry(hold_account(held.id), -held.amount)]
    records: dict[str, Record] = {}
    for account, amount in ((payee, paid), (payer, held.amount - paid)):
        if amount:
            entries.append(Entry(account.name, amount))
            records |= _moved(account, amount)
    records[hold_key(held.id)] = replace(held, state=state, paid=paid, ended_by=transaction)
    return Posting(tuple(entries), records)


def _refundable(held: Held, by: str, payer: Account, payee: Account, now: float) -> None:
    if by == payee.owner:
        return
    if by != payer.owner:
        raise _No(held.id, Reason.NOT_YOURS, f"hold {held.id!r} is given back by the owner of {payee.name!r}")
    if now < held.expires_s:
        wait = f"hold {held.id!r} expires in {held.expires_s - now:.3f} s: only its payee can give it back before"
        raise _No(held.id, Reason.NOT_EXPIRED, wait)


def _account(name: str, find: Find) -> Account:
    found = find(account_key(name))
    if isinstance(found, Account):
        return found
    if isinstance(found, Damaged):
        raise _No(
            name, Reason.DAMAGED, f"account {name!r} can't be read ({found.why}): audit the ledger, and repair it"
        )
    raise _No(name, Reason.NO_SUCH_ACCOUNT, f"there is no account {name!r}: open it first")


def _running(hold: str, find: Find) -> Held:
    found = find(hold_key(hold))
    if isinstance(found, Damaged):
        raise _No(hold, Reason.DAMAGED, f"hold {hold!r} can't be read ({found.why}): audit the ledger, and repair it")
    if not isinstance(found, Held):
        raise _No(hold, Reason.NO_SUCH_HOLD, f"there is no hold {hold!r}: give the id of the transaction that made it")
    if found.ended_by:
        text = f"hold {hold!r} was {found.state.name.lower()} by transaction {found.ended_by!r}: it ends once"
        raise _No(hold, Reason.ENDED, text)
    return found


def _owned(account: Account, by: str) -> None:
    if account.owner != by:
        text = f"account {account.name!r} is not {by!r}'s: its owner has to ask"
        raise _No(account.name, Reason.NOT_YOURS, text)


def _moved(account: Account, amount: int) -> dict[str, Record]:
    """The account after it has gained so much."""
    balance = account.balance + amount
    if balance < 0 and amount < 0 and not account.issuer:
        text = f"account {account.name!r} has {account.balance} of {-amount}: ask for less, or pay in first"
        raise _No(account.name, Reason.OVERDRAFT, text)
    if abs(balance) > MAX_AMOUNT:
        raise _No(account.name, Reason.TOO_LARGE, f"account {account.name!r} would hold more than {MAX_AMOUNT}")
    return {account_key(account.name): replace(account, balance=balance)}
