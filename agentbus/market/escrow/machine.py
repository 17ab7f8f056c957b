"""The writer of a ledger: what waits is posted in batches, each of them one commit. Pure.

At most one `Fetch` or `Commit` is under way, and each is to be answered. A batch writes each account that it touches
once, with its last balance, each transaction under its own id, and the head.

Invariants:

* A transaction is expected to be the first of its id, everything else to be at the revision that this writer knows:
  what was written by another, or twice, is a conflict, and nothing of the batch is stored.
* Each batch replaces the head. Two writers of one ledger collide there, whatever they write: the first batch of a new
  writer, with a higher token, ends the one before.
* Nothing is answered from what was not committed. A refusal is one of the books as they were committed; a
  transaction that was done before is answered with its own receipt.
* After a conflict everything that the batch touched is read again, and whether its transactions were done.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..model import Reason, Refusal, Tick
from .config import RECORDS, EscrowConfig
from .model import (
    HEAD,
    Account,
    Command,
    Damaged,
    Head,
    Receipt,
    Record,
    account_key,
    hold_key,
    malformed,
    transaction_key,
)
from .posting import Posting, keys_of, post

# -- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Somebody asks for something; `ticket` names the asking, not the transaction."""

    ticket: int
    transaction: str
    by: str
    command: Command


@dataclass(frozen=True, slots=True)
class Fetched:
    """What stands under the keys that were asked for: its revision, 0 for nothing, and the record."""

    found: Mapping[str, tuple[int, Record | None]]


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit is stored: the revisions of its changes, in order."""

    revisions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A commit was refused: something was not as it was expected. Nothing is stored."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What was asked for was not done, or nobody knows."""

    why: str


Event = Submit | Tick | Fetched | Committed | Conflicted | Unanswered

# -- effects -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read these keys from the store, and answer with `Fetched` or `Unanswered`."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One record of a commit, and the revision that it replaces; 0: it is the first of its key."""

    key: str
    record: Record
    expected: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Store all of it or nothing, and answer with `Committed`, `Conflicted` or `Unanswered`."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a command."""

    ticket: int
    outcome: Receipt | Refusal


@dataclass(frozen=True, slots=True)
class Fail:
    """A command has to be asked for again, with the same id: it was not done, or (`unknown`) nobody knows."""

    ticket: int
    why: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Deposed:
    """Another writer came after this one; the last effect."""

    why: str


Effect = Fetch | Commit | Answer | Fail | Deposed


@dataclass(slots=True)
class _Pending:
    submit: Submit
    doubted: bool = False  # whether it was done before has to be read


class LedgerMachine:
    """Writes with one fencing token, until it is deposed.

    Args:
        token: of the lease; later writers have higher ones.
        writer: the agent.
        issuer: the agent that issues the money, and its account.
        config: the knobs.

    Attributes:
        deposed: nothing is taken any more.
    """

    def __init__(self, token: int, writer: str, issuer: str, config: EscrowConfig) -> None:
        self.token = token
        self.writer = writer
        self.issuer = issuer
        self.config = config
        self.deposed = False
        self._issuer = Account(name=issuer, owner=issuer, issuer=True)
        self._queue: dict[int, _Pending] = {}
        self._known: OrderedDict[str, tuple[int, Record | None]] = OrderedDict()
        self._staged: dict[str, Record] = {}
        self._batch: list[tuple[_Pending, Receipt | Refusal]] = []
        self._asked: Fetch | Commit | None = None

    @property
    def waiting(self) -> int:
        """Commands that are not answered yet."""
        return len(self._queue) + len(self._batch)

    @property
    def head(self) -> Head | None:
        """What it knows to be written last."""
        _, head = self._known.get(HEAD, (0, None))
        return head if isinstance(head, Head) else None

    def next_deadline(self) -> float | None:
        """When a `Tick` is due: at once (0) when there is something to do, or never."""
        if self._asked is not None or self.deposed or (self._mine and not self._queue):
            return None
        return 0.0

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Takes in what has happened; returns what to do. `now`: seconds since 1970."""
        match event:
            case Submit():
                return self._submit(event)
            case Tick():
                return self._go(now)
            case Fetched():
                self._asked = None
                self._known.update(event.found)
                return self._go(now)
            case Committed():
                return self._committed(event.revisions) + self._go(now)
            case Conflicted():
                self._conflicted()
                return self._go(now)
            case Unanswered():
                return self._unanswered(event.why)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def _submit(self, submit: Submit) -> list[Effect]:
        if self.deposed:
            return [Fail(submit.ticket, f"{self.writer} does not write this ledger any more: ask who does")]
        if (wrong := malformed(submit.transaction, submit.by, submit.command)) is not None:
            return [Answer(submit.ticket, wrong)]
        if self.waiting >= self.config.waiting:
            return [Fail(submit.ticket, f"{self.waiting} commands wait already: ask again later")]
        self._queue[submit.ticket] = _Pending(submit)
        return []

    # -- what is next ----------------------------------------------------------------------------------------------

    def _go(self, now: float) -> list[Effect]:
        if self._asked is not None or self.deposed:
            return []
        if HEAD not in self._known:
            return [self._ask(Fetch((HEAD,)))]
        head = self.head
        if head is not None and (head.token > self.token or (head.token == self.token and head.writer != self.writer)):
            return self._depose(f"{head.writer} writes the ledger, with token {head.token}")
        if missing := self._missing():
            return [self._ask(Fetch(tuple(missing)))]
        effects = self._stage(now)
        if self._batch or not self._mine:
            effects.append(self._ask(self._commit()))
        return effects

    @property
    def _mine(self) -> bool:
        """Whether the last batch was this writer's."""
        head = self.head
        return head is not None and head.token == self.token

    def _missing(self) -> list[str]:
        """Keys that have to be read before the next batch can be posted."""
        missing: dict[str, None] = {}
        records = 1
        for pending in self._queue.values():
            submit = pending.submit
            if (records := records + 1) > self.config.batch:
                break
            keys = keys_of(submit.command, self._knows, self._find)
            if pending.doubted:
                keys += (transaction_key(submit.transaction), hold_key(submit.transaction))
            missing.update(dict.fromkeys(key for key in keys if key not in self._known))
        return list(missing)

    def _stage(self, now: float) -> list[Effect]:
        """Posts what waits, in order, until a batch is full; answers what was done before."""
        effects: list[Effect] = []
        while self._queue and len(self._staged) + 1 + RECORDS <= self.config.batch:
            ticket = next(iter(self._queue))
            submit = self._queue[ticket].submit
            key = transaction_key(submit.transaction)
            if not all(map(self._knows, keys_of(submit.command, self._knows, self._find))):
                break  # a hold that was made in this very batch, of accounts that were not read: in the next one
            pending = self._queue.pop(ticket)
            before = self._find(key)
            if before is None:
                self._batch.append((pending, self._post(submit, key, now)))
            elif key in self._staged:
                self._batch.append((pending, _again(before, submit)))
            else:
                effects.append(Answer(ticket, _again(before, submit)))
        return effects

    def _post(self, submit: Submit, key: str, now: float) -> Receipt | Refusal:
        posting = post(submit.command, submit.transaction, submit.by, self._find, now)
        if not isinstance(posting, Posting):
            return posting
        receipt = Receipt(
            transaction=submit.transaction,
            by=submit.by,
            command=submit.command,
            entries=posting.entries,
            at_s=now,
            token=self.token,
        )
        self._staged |= posting.records
        self._staged[key] = receipt
        return receipt

    def _commit(self) -> Commit:
        head = self.head or Head(token=0, writer="", issuer=self.issuer)
        done = sum(isinstance(record, Receipt) for record in self._staged.values())
        self._staged[HEAD] = replace(
            head,
            token=self.token,
            writer=self.writer,
            batches=head.batches + 1,
            transactions=head.transactions + done,
        )
        return Commit(
            tuple(Change(key, record, self._known.get(key, (0, None))[0]) for key, record in self._staged.items())
        )

    def _ask(self, effect: Fetch | Commit) -> Fetch | Commit:
        self._asked = effect
        return effect

    # -- what the store says ---------------------------------------------------------------------------------------

    def _committed(self, revisions: Iterable[int]) -> list[Effect]:
        assert isinstance(self._asked, Commit)
        for change, revision in zip(self._asked.changes, revisions, strict=True):
            self._known[change.key] = (revision, change.record)
            self._known.move_to_end(change.key)
        while len(self._known) > self.config.remember and next(iter(self._known)) != HEAD:
            self._known.popitem(last=False)
        batch, self._batch, self._asked = self._batch, [], None
        self._staged.clear()
        return [Answer(pending.submit.ticket, outcome) for pending, outcome in batch]

    def _conflicted(self) -> None:
        again = {pending.submit.ticket: pending for pending, _ in self._batch}
        for pending in again.values():
            pending.doubted = True
        self._queue = again | self._queue
        self._forget()

    def _unanswered(self, why: str) -> list[Effect]:
        failed = [pending for pending, _ in self._batch] or list(self._queue.values())
        for pending in failed:
            self._queue.pop(pending.submit.ticket, None)
        self._forget()
        return [Fail(pending.submit.ticket, why, unknown=True) for pending in failed]

    def _forget(self) -> None:
        """Nothing that the batch touched is known any more."""
        for key in (HEAD, *self._staged):
            self._known.pop(key, None)
        self._staged.clear()
        self._batch.clear()
        self._asked = None

    def _depose(self, why: str) -> list[Effect]:
        self.deposed = True
        pending, self._queue = self._queue, {}
        return [*(Fail(ticket, f"{why}: ask there") for ticket in pending), Deposed(why)]

    # -- the books -------------------------------------------------------------------------------------------------

    def _knows(self, key: str) -> bool:
        return key in self._staged or key in self._known

    def _find(self, key: str) -> Record | None:
        if key in self._staged:
            return self._staged[key]
        _, record = self._known.get(key, (0, None))
        return self._issuer if record is None and key == account_key(self.issuer) else record


def _again(before: Record, submit: Submit) -> Receipt | Refusal:
    """What a second command of one id gets: the receipt of the first if it is the same."""
    if isinstance(before, Receipt) and (before.by, before.command) == (submit.by, submit.command):
        return before
    party, name = submit.transaction, repr(submit.transaction)
    if isinstance(before, Damaged):
        text = f"transaction {name} can't be read ({before.why}): audit the ledger, and repair it"
        return Refusal(party=party, reason=Reason.DAMAGED, text=text)
    text = f"transaction {name} was another: use a new id, or the same content"
    return Refusal(party=party, reason=Reason.ID_REUSED, text=text)
