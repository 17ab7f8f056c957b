"""The auditor: reads all that a ledger has stored, does every transaction again, and compares.

It needs nobody's word: not the writer's, not an agent's, nothing but the stream.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from ...errors import StorageFailed
from ...transport import Transport
from .codec import read_record
from .config import EscrowConfig
from .ledger import open_ledger
from .model import (
    HEAD,
    LEASE,
    Account,
    Damaged,
    Head,
    Held,
    Receipt,
    Record,
    account_key,
    hold_account,
    malformed,
)
from .posting import Posting, post

QUIET_S = 1.0
"""Seconds after which an auditor that is told nothing asks whether there is more."""
TOLD = 100
"""Problems that are told; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an auditor has found.

    Attributes:
        transactions: how many there are, by their ids.
        accounts, holds: as they are stored, by name.
        issued: the money in circulation: what the issuers' accounts are below 0 together.
        problems: what is not as it should be; the first hundred.
        found: how many problems there are.
    """

    transactions: frozenset[str]
    accounts: dict[str, Account]
    holds: dict[str, Held]
    issued: int
    problems: tuple[str, ...]
    found: int

    @property
    def sound(self) -> bool:
        """Whether the books are right."""
        return self.found == 0


class Auditor:
    """Told what is stored, in the order of the stream. Pure.

    Each transaction has to be one that the rules allow at its place, with the entries that they give; and what the
    accounts and holds say has to be what comes out of all transactions.
    """

    def __init__(self) -> None:
        self._books: dict[str, Record] = {}  # what comes out of the transactions
        self._kept: dict[str, Record] = {}  # what is stored of accounts and holds
        self._sums: Counter[str] = Counter()
        self._done: dict[str, Receipt] = {}
        self._head: Head | None = None
        self._problems: list[str] = []
        self._unsettled: list[Receipt] = []

    def read(self, key: str, value: bytes, *, deleted: bool = False) -> None:
        """One more message."""
        if key == LEASE:
            return
        if deleted:
            self._problems.append(f"{key}: was deleted, and nothing of a ledger is")
            return
        record = read_record(key, value)
        match record:
            case Damaged():
                self._problems.append(f"{key}: {record.why}")
            case Head():
                self._head = record
            case Receipt():
                self._unsettled.append(record)
            case Account() | Held():
                self._kept[key] = record

    def audit(self) -> Audit:
        """What is found by all that was read."""
        for issuer in {self._head.issuer} if self._head else ():
            self._books[account_key(issuer)] = Account(name=issuer, owner=issuer, issuer=True)
        for receipt in self._unsettled:
            self._do_again(receipt)
        self._unsettled.clear()
        problems = [*self._problems, *self._differences()]
        accounts = {record.name: record for record in self._kept.values() if isinstance(record, Account)}
        return Audit(
            transactions=frozenset(self._done),
            accounts=accounts,
            holds={record.id: record for record in self._kept.values() if isinstance(record, Held)},
            issued=-sum(account.balance for account in accounts.values() if account.issuer),
            problems=tuple(problems[:TOLD]),
            found=len(problems),
        )

    def _do_again(self, receipt: Receipt) -> None:
        name = f"transaction {receipt.transaction!r}"
        if receipt.transaction in self._done:
            self._problems.append(f"{name}: stored twice")
        self._done[receipt.transaction] = receipt
        if (total := sum(entry.amount for entry in receipt.entries)) != 0:
            self._problems.append(f"{name}: its entries add up to {total}, not to 0")
        for entry in receipt.entries:
            self._sums[entry.account] += entry.amount
        wrong = malformed(receipt.transaction, receipt.by, receipt.command)
        done = wrong or post(receipt.command, receipt.transaction, receipt.by, self._books.get, receipt.at_s)
        if not isinstance(done, Posting):
            self._problems.append(f"{name}: is not allowed at its place: {done.text}")
            return
        if done.entries != receipt.entries:
            self._problems.append(f"{name}: has other entries than its command gives")
        self._books |= done.records

    def _differences(self) -> list[str]:
        found: list[str] = []
        for key in sorted({*self._books, *self._kept}):
            kept, booked = self._kept.get(key), self._books.get(key)
            if isinstance(booked, Account) and booked.issuer and kept is None and booked.balance == 0:
                continue  # nothing was issued yet
            if kept != booked:
                found.append(f"{key}: is stored as {kept}, and the transactions make it {booked}")
            if isinstance(kept, Account | Held):
                entries = self._sums[kept.name if isinstance(kept, Account) else hold_account(kept.id)]
                if entries != kept.balance:
                    found.append(f"{key}: has {kept.balance}, and its entries add up to {entries}")
            if isinstance(kept, Account) and kept.balance < 0 and not kept.issuer:
                found.append(f"{key}: is {kept.balance}, below 0")
        total = sum(record.balance for record in self._kept.values() if isinstance(record, Account | Held))
        if total != 0:
            found.append(f"all balances add up to {total}, not to 0")
        if self._head is not None and self._head.transactions != len(self._done):
            found.append(f"{HEAD}: tells of {self._head.transactions} transactions, and there are {len(self._done)}")
        if self._head is None and self._done:
            found.append(f"{HEAD}: is missing, and there are {len(self._done)} transactions")
        return found


async def audit(
    transport: Transport,
    ledger: str = "escrow",
    *,
    realm: str = "default",
    config: EscrowConfig | None = None,
    timeout_s: float = 60.0,
) -> Audit:
    """Audits a ledger, from its stream alone. One that is written all the time can't be: the auditor reads until it
    has seen the last message.

    Args:
        transport: the wire; `Node.transport` is one.
        ledger: the ledger's name.
        realm: its realm.
        config: the ledger's, if it is not the default.
        timeout_s: seconds.

    Raises:
        StorageFailed: the stream does not answer, or did not stand still in time.
    """
    bucket = await open_ledger(transport, ledger, realm=realm, config=config or EscrowConfig())
    auditor, seen = Auditor(), 0
    everything = f"$KV.{bucket.name}.>"
    try:
        async with asyncio.timeout(timeout_s), bucket.watch(after=0) as changes:
            while (last := await transport.last(bucket.stream, everything)) is not None and seen < last.sequence:
                while seen < last.sequence and (entry := await changes.next(timeout_s=QUIET_S)) is not None:
                    auditor.read(entry.key, entry.value, deleted=entry.deleted)
                    seen = entry.revision
    except TimeoutError:
        raise StorageFailed(f"ledger {ledger!r}: not read to its end in {timeout_s:g} s: stop its writers") from None
    return auditor.audit()
