"""A ledger without a wire: a store with revisions, and a machine that writes it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from agentbus.market import Refusal, Tick
from agentbus.market.escrow import Account, Auditor, Command, EscrowConfig, Held, LedgerMachine, Receipt
from agentbus.market.escrow.codec import read_record, write_record
from agentbus.market.escrow.machine import (
    Answer,
    Commit,
    Committed,
    Conflicted,
    Effect,
    Fail,
    Fetch,
    Fetched,
    Submit,
    Unanswered,
)
from agentbus.market.escrow.model import account_key, hold_key

ISSUER = "bank"
LEDGER = "books"


class Store:
    """Keys with revisions; a commit is done whole or not at all, as a stream's batch is."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[int, bytes]] = {}
        self._revisions = count(1)
        self.commits = 0

    def fetch(self, keys: Iterable[str]) -> Fetched:
        found = {key: self.values.get(key, (0, b"")) for key in keys}
        return Fetched(
            {key: (revision, read_record(key, value) if revision else None) for key, (revision, value) in found.items()}
        )

    def commit(self, commit: Commit) -> Committed | Conflicted:
        keys = [change.key for change in commit.changes]
        assert len(set(keys)) == len(keys) <= 1_000
        if any(self.values.get(change.key, (0, b""))[0] != change.expected for change in commit.changes):
            return Conflicted()
        self.commits += 1
        revisions = tuple(next(self._revisions) for _ in keys)
        for change, revision in zip(commit.changes, revisions, strict=True):
            self.put(change.key, write_record(change.record, LEDGER), revision)
        return Committed(revisions)

    def put(self, key: str, value: bytes, revision: int = 0) -> None:
        self.values[key] = (revision or next(self._revisions), value)

    def auditor(self) -> Auditor:
        """An auditor that has read all of it."""
        auditor = Auditor()
        for key, (_, value) in sorted(self.values.items(), key=lambda item: item[1][0]):
            auditor.read(key, value)
        return auditor


class Books:
    """One writer on a store."""

    def __init__(self, store: Store | None = None, token: int = 1, *, config: EscrowConfig | None = None) -> None:
        self.store = store or Store()
        self.machine = LedgerMachine(token, f"writer-{token}", ISSUER, config or EscrowConfig())
        self.outcomes: dict[int, Receipt | Refusal | Fail] = {}
        self.now = 1_000.0
        self._tickets = count(1)

    def submit(self, by: str, transaction: str, command: Command) -> int:
        """Asks, and does nothing yet."""
        ticket = next(self._tickets)
        submit = Submit(ticket=ticket, transaction=transaction, by=by, command=command)
        self.note(self.machine.handle(submit, self.now))
        return ticket

    def note(self, effects: list[Effect]) -> Fetch | Commit | None:
        """Keeps the answers; returns what is asked of the store."""
        asked = None
        for effect in effects:
            match effect:
                case Answer():
                    assert effect.ticket not in self.outcomes
                    self.outcomes[effect.ticket] = effect.outcome
                case Fail():
                    assert effect.ticket not in self.outcomes
                    self.outcomes[effect.ticket] = effect
                case Fetch() | Commit():
                    assert asked is None
                    asked = effect
                case _:
                    pass
        return asked

    def run(self) -> None:
        """Until there is nothing to do."""
        while self.machine.next_deadline() is not None:
            asked = self.note(self.machine.handle(Tick(), self.now))
            while asked is not None:
                asked = self.note(self.machine.handle(self.answer(asked), self.now))

    def answer(self, asked: Fetch | Commit) -> Fetched | Committed | Conflicted | Unanswered:
        return self.store.fetch(asked.keys) if isinstance(asked, Fetch) else self.store.commit(asked)

    def do(self, by: str, transaction: str, command: Command) -> Receipt | Refusal | Fail:
        """Asks, and has it done."""
        ticket = self.submit(by, transaction, command)
        self.run()
        return self.outcomes[ticket]

    def balance(self, name: str) -> int:
        """As it is stored."""
        revision, value = self.store.values.get(account_key(name), (0, b""))
        record = read_record(account_key(name), value) if revision else None
        return record.balance if isinstance(record, Account) else 0

    def held(self, hold: str) -> Held | None:
        """As it is stored."""
        revision, value = self.store.values.get(hold_key(hold), (0, b""))
        record = read_record(hold_key(hold), value) if revision else None
        return record if isinstance(record, Held) else None
