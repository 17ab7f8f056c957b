"""The writer: batches, conflicts, answers that are lost, successors; whatever happens, the books are right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from agentbus.market import Reason, Refusal, Tick
from agentbus.market.escrow import (
    Dispute,
    EscrowConfig,
    Hold,
    Open,
    Receipt,
    Refund,
    Resolve,
    Settle,
    Transfer,
)
from agentbus.market.escrow.machine import Commit, Committed, Conflicted, Deposed, Fail, Fetch, Unanswered
from agentbus.market.escrow.model import HEAD, account_key, hold_key, transaction_key

from .books import ISSUER, Books, Store


def funded(store: Store | None = None, *, config: EscrowConfig | None = None, amount: int = 100) -> Books:
    books = Books(store, config=config)
    for name in ("alice", "bob"):
        assert isinstance(books.do(name, f"open-{name}", Open(account=name)), Receipt)
    assert isinstance(books.do(ISSUER, "fund", Transfer(payer=ISSUER, payee="alice", amount=amount)), Receipt)
    return books


def pay(amount: int = 1) -> Transfer:
    return Transfer(payer="alice", payee="bob", amount=amount)


def test_what_waits_is_one_commit_that_writes_each_account_once() -> None:
    books = funded()
    commits = books.store.commits
    tickets = [books.submit("alice", f"t{number}", pay()) for number in range(90)]
    asked = books.note(books.machine.handle(Tick(), books.now))
    assert isinstance(asked, Commit)
    keys = [change.key for change in asked.changes]
    assert sorted(keys) == sorted(
        [HEAD, account_key("alice"), account_key("bob"), *(transaction_key(f"t{n}") for n in range(90))]
    )
    assert not any(ticket in books.outcomes for ticket in tickets)  # nothing is said before it is stored
    assert books.note(books.machine.handle(books.store.commit(asked), books.now)) is None
    assert books.store.commits == commits + 1
    assert all(isinstance(books.outcomes[ticket], Receipt) for ticket in tickets)
    assert books.balance("bob") == 90


def test_a_thousand_at_once_from_one_account_with_money_for_half_of_them() -> None:
    books = funded(amount=500)
    tickets = [books.submit("alice", f"t{number}", pay()) for number in range(1_000)]
    books.run()
    outcomes = [books.outcomes[ticket] for ticket in tickets]
    assert all(isinstance(outcome, Receipt) for outcome in outcomes[:500])
    assert all(isinstance(o, Refusal) and o.reason is Reason.OVERDRAFT for o in outcomes[500:])
    assert (books.balance("alice"), books.balance("bob")) == (0, 500)
    assert books.store.auditor().audit().sound


def test_no_commit_has_more_records_than_it_may() -> None:
    books = funded(config=EscrowConfig(batch=10))
    for number in range(50):
        books.submit("alice", f"t{number}", pay())
    asked = books.note(books.machine.handle(Tick(), books.now))
    while asked is not None:
        assert isinstance(asked, Commit)
        assert len(asked.changes) <= 10
        asked = books.note(books.machine.handle(books.store.commit(asked), books.now))
    assert books.balance("bob") == 50


def test_the_same_twice_in_one_batch_is_done_once() -> None:
    books = funded()
    first, second = books.submit("alice", "t", pay()), books.submit("alice", "t", pay())
    other = books.submit("alice", "t", pay(2))
    books.run()
    assert isinstance(books.outcomes[first], Receipt)
    assert books.outcomes[first] == books.outcomes[second]
    refusal = books.outcomes[other]
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.ID_REUSED
    assert books.balance("bob") == 1


def test_more_than_may_wait_is_put_off() -> None:
    books = funded(config=EscrowConfig(waiting=2))
    tickets = [books.submit("alice", f"t{number}", pay()) for number in range(3)]
    late = books.outcomes[tickets[2]]
    assert isinstance(late, Fail)
    assert not late.unknown
    books.run()
    assert books.balance("bob") == 2


def test_a_successor_knows_what_was_done() -> None:
    books = funded()
    receipt = books.do("alice", "t", pay())
    successor = Books(books.store, token=2)
    assert successor.do("alice", "t", pay()) == receipt
    assert books.balance("bob") == 1


def test_a_deposed_writers_late_batch_is_not_stored() -> None:
    books = funded()
    ticket = books.submit("alice", "late", pay())
    late = books.note(books.machine.handle(Tick(), books.now))  # and there it is stopped, for as long as you like
    assert isinstance(late, Commit)
    successor = Books(books.store, token=2)
    successor.run()  # it has claimed the ledger; it has touched none of the accounts
    answer = books.store.commit(late)
    assert isinstance(answer, Conflicted)
    fetch = books.note(books.machine.handle(answer, books.now))
    assert isinstance(fetch, Fetch)
    assert books.note(books.machine.handle(books.store.fetch(fetch.keys), books.now)) is None
    assert books.machine.deposed
    assert isinstance(books.outcomes[ticket], Fail)
    assert books.balance("bob") == 0
    assert isinstance(successor.do("alice", "late", pay()), Receipt)
    assert books.balance("bob") == 1


def test_a_deposed_writer_says_so_and_does_nothing_more() -> None:
    books = funded()
    Books(books.store, token=2).run()
    ticket = books.submit("alice", "t", pay())
    effects = books.machine.handle(Tick(), books.now)
    (commit,) = effects
    assert isinstance(commit, Commit)
    effects = books.machine.handle(books.store.commit(commit), books.now)
    (fetch,) = effects
    assert isinstance(fetch, Fetch)
    fail, deposed = books.machine.handle(books.store.fetch(fetch.keys), books.now)
    assert isinstance(fail, Fail)
    assert (fail.ticket, fail.unknown) == (ticket, False)
    assert isinstance(deposed, Deposed)
    assert books.machine.next_deadline() is None
    assert isinstance(books.outcomes[books.submit("alice", "t", pay())], Fail)


@pytest.mark.parametrize("stored", [True, False])
def test_a_commit_that_was_not_answered_is_not_done_twice(stored: bool) -> None:
    books = funded()
    ticket = books.submit("alice", "t", pay())
    commit = books.note(books.machine.handle(Tick(), books.now))
    assert isinstance(commit, Commit)
    if stored:
        assert isinstance(books.store.commit(commit), Committed)
    books.note(books.machine.handle(Unanswered("the link was lost"), books.now))
    outcome = books.outcomes[ticket]
    assert isinstance(outcome, Fail)
    assert outcome.unknown
    assert isinstance(books.do("alice", "u", pay(10)), Receipt)
    assert isinstance(books.do("alice", "t", pay()), Receipt)
    assert books.balance("bob") == 11
    assert isinstance(books.store.commit(commit), Conflicted)  # should it come to the store only now
    assert books.store.auditor().audit().sound


def test_a_writer_with_a_short_memory_reads_again() -> None:
    books = funded(config=EscrowConfig(remember=3))
    receipt = books.do("alice", "t0", pay())
    for number in range(1, 20):
        books.do("alice", f"t{number}", pay())
    assert books.do("alice", "t0", pay()) == receipt
    assert books.balance("bob") == 20
    assert books.store.auditor().audit().sound


@pytest.mark.parametrize("garbage", [b"", b"\xff\xff\xff", b"\x0a\x03bob"])
def test_garbage_in_the_store_is_named_and_stays_alone(garbage: bytes) -> None:
    books = funded()
    books.store.put(account_key("bob"), garbage)
    books.store.put(transaction_key("t"), garbage)
    books.store.put(hold_key("h"), garbage)
    successor = Books(books.store, token=2)
    successor.do("carol", "open-carol", Open(account="carol"))
    hold = Hold(payer="alice", payee="carol", amount=1, for_s=1.0)
    for transaction, command in (
        ("u", pay()),
        ("t", Open(account="dave")),
        ("s", Settle(hold="h", amount=1)),
        ("h", hold),
    ):
        outcome = successor.do("alice", transaction, command)
        assert isinstance(outcome, Refusal), transaction
        assert outcome.reason is Reason.DAMAGED
    paid = successor.do("alice", "v", Transfer(payer="alice", payee="carol", amount=1))
    assert isinstance(paid, Receipt)
    found = books.store.auditor().audit()
    assert {problem.partition(":")[0] for problem in found.problems} >= {"account.bob", "tx.t", "hold.h"}


def test_a_head_that_cannot_be_read_is_replaced() -> None:
    books = funded()
    books.store.put(HEAD, b"\xff")
    assert isinstance(Books(books.store, token=2).do("alice", "t", pay()), Receipt)


# -- whatever happens ----------------------------------------------------------------------------------------------

NAMES = ("alice", "bob", "carol", ISSUER)
names = st.sampled_from([*NAMES, "nobody"])
amounts = st.one_of(st.integers(-1, 60), st.sampled_from([2**63, 2**63 - 1]), st.floats(), st.none())
ids = st.sampled_from([f"t{number}" for number in range(20)])
commands = st.one_of(
    st.builds(Open, account=names),
    st.builds(Transfer, payer=names, payee=names, amount=amounts),
    st.builds(
        Hold,
        payer=names,
        payee=names,
        amount=amounts,
        for_s=st.sampled_from([1.0, 50.0, -1.0]),
        arbiter=st.sampled_from(["", "judge"]),
    ),
    st.builds(Settle, hold=ids, amount=amounts),
    st.builds(Refund, hold=ids),
    st.builds(Dispute, hold=ids),
    st.builds(Resolve, hold=ids, amount=amounts),
)


class Ledger(RuleBasedStateMachine):
    """Writers come and go, commits are lost, delayed and refused, under any commands."""

    writers = Bundle("writers")

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.token = 0
        self.promised: dict[str, Receipt] = {}
        self.delayed: list[Commit] = []
        self.checked: dict[int, int] = {}
        self.now = 1_000.0
        self.all: list[Books] = []

    @rule(target=writers)
    def begin(self) -> Books:
        self.token += 1
        books = Books(self.store, self.token, config=EscrowConfig(batch=12, waiting=20, remember=8))
        self.all.append(books)
        for name in NAMES[:-1]:
            books.submit(name, f"open-{name}", Open(account=name))
        books.submit(ISSUER, "fund", Transfer(payer=ISSUER, payee="alice", amount=100))
        return books

    @rule(books=writers, by=st.sampled_from([*NAMES, "judge", ""]), transaction=ids, command=commands)
    def ask(self, books: Books, by: str, transaction: str, command: Any) -> None:
        books.submit(by, transaction, command)

    @rule(
        books=writers,
        payer=st.sampled_from(["alice", ISSUER, "bob"]),
        payee=st.sampled_from(["bob", "alice", "carol"]),
        transaction=ids,
        amount=st.integers(1, 40),
        held=st.booleans(),
    )
    def pay(self, books: Books, payer: str, payee: str, transaction: str, amount: int, held: bool) -> None:
        if held:
            hold = Hold(payer=payer, payee=payee, amount=amount, for_s=20.0, arbiter="judge")
            books.submit(payer, transaction, hold)
        else:
            books.submit(payer, transaction, Transfer(payer=payer, payee=payee, amount=amount))

    @rule(
        books=writers, transaction=ids, end=st.sampled_from(["settle", "refund", "dispute", "resolve"]), data=st.data()
    )
    def go_on(self, books: Books, transaction: str, end: str, data: st.DataObject) -> None:
        holds = self.store.auditor().audit().holds
        if not holds:
            return
        held = data.draw(st.sampled_from(list(holds.values())))
        amount = data.draw(st.integers(0, held.amount))
        match end:
            case "settle":
                books.submit(held.payer, transaction, Settle(hold=held.id, amount=amount))
            case "refund":
                by = data.draw(st.sampled_from([held.payer, held.payee]))
                books.submit(by, transaction, Refund(hold=held.id))
            case "dispute":
                books.submit(held.payee, transaction, Dispute(hold=held.id))
            case _:
                books.submit("judge", transaction, Resolve(hold=held.id, amount=amount))

    @rule(
        books=writers,
        fates=st.lists(
            st.sampled_from(["done", "done", "done", "unanswered", "lost", "late"]), min_size=1, max_size=12
        ),
    )
    def work(self, books: Books, fates: list[str]) -> None:
        books.now = self.now
        asked = books.note(books.machine.handle(Tick(), self.now))
        for fate in [*fates, "done"]:
            if asked is None:
                break
            match fate:
                case "unanswered":
                    if isinstance(asked, Commit):
                        self.store.commit(asked)
                    answer = Unanswered("stored, and the answer was lost")
                case "lost":
                    answer = Unanswered("not stored")
                case "late":
                    if isinstance(asked, Commit):
                        self.delayed.append(asked)
                    answer = Unanswered("on its way")
                case _:
                    answer = books.answer(asked)
            asked = books.note(books.machine.handle(answer, self.now))
        while asked is not None:
            asked = books.note(books.machine.handle(books.answer(asked), self.now))

    @rule()
    def arrive(self) -> None:
        if self.delayed:
            self.store.commit(self.delayed.pop(0))

    @rule(seconds=st.sampled_from([0.5, 30.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_books_are_right(self) -> None:
        found = self.store.auditor().audit()
        assert found.sound, found.problems
        assert sum(a.balance for a in found.accounts.values()) + sum(h.balance for h in found.holds.values()) == 0
        assert all(account.balance >= 0 or account.name == ISSUER for account in found.accounts.values())
        for books in self.all:
            for outcome in books.outcomes.values():
                if isinstance(outcome, Receipt):
                    assert self.promised.setdefault(outcome.transaction, outcome) == outcome
        assert set(self.promised) <= found.transactions


Ledger.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedger = Ledger.TestCase
