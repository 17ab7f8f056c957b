"""What the books allow, and what they refuse, by name."""

from __future__ import annotations

from typing import Any

import pytest

from agentbus.market import Reason, Refusal
from agentbus.market.escrow import (
    Dispute,
    Entry,
    Hold,
    HoldState,
    Open,
    Receipt,
    Refund,
    Resolve,
    Settle,
    Transfer,
)
from agentbus.market.model import MAX_AMOUNT

from .books import ISSUER, Books


@pytest.fixture
def books() -> Books:
    """Alice has 100, Bob nothing."""
    books = Books()
    for name in ("alice", "bob"):
        assert isinstance(books.do(name, f"open-{name}", Open(account=name)), Receipt)
    assert isinstance(books.do(ISSUER, "fund", Transfer(payer=ISSUER, payee="alice", amount=100)), Receipt)
    return books


def hold(books: Books, *, amount: int = 40, arbiter: str = "judge") -> str:
    made = books.do("alice", "h", Hold(payer="alice", payee="bob", amount=amount, for_s=10.0, arbiter=arbiter))
    assert isinstance(made, Receipt)
    return "h"


def refused(outcome: object) -> Reason:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.text
    return outcome.reason


def balances(books: Books) -> tuple[int, int, int]:
    return books.balance(ISSUER), books.balance("alice"), books.balance("bob")


def test_a_transfer_is_two_entries(books: Books) -> None:
    receipt = books.do("alice", "t", Transfer(payer="alice", payee="bob", amount=30))
    assert isinstance(receipt, Receipt)
    assert receipt.entries == (Entry("alice", -30), Entry("bob", 30))
    assert (receipt.by, receipt.at_s, receipt.token) == ("alice", 1_000.0, 1)
    assert balances(books) == (-100, 70, 30)
    assert books.store.auditor().audit().sound


def test_the_same_again_is_the_same_receipt_and_another_is_refused(books: Books) -> None:
    command = Transfer(payer="alice", payee="bob", amount=30)
    first = books.do("alice", "t", command)
    books.now += 600.0
    assert books.do("alice", "t", command) == first
    assert refused(books.do("alice", "t", Transfer(payer="alice", payee="bob", amount=31))) is Reason.ID_REUSED
    assert refused(books.do("bob", "t", command)) is Reason.ID_REUSED
    assert balances(books) == (-100, 70, 30)


@pytest.mark.parametrize(
    ("by", "command", "reason"),
    [
        ("alice", Transfer(payer="alice", payee="alice", amount=1), Reason.TO_ONESELF),
        ("alice", Transfer(payer="alice", payee="bob", amount=101), Reason.OVERDRAFT),
        ("alice", Transfer(payer="alice", payee="nobody", amount=1), Reason.NO_SUCH_ACCOUNT),
        ("alice", Transfer(payer="nobody", payee="alice", amount=1), Reason.NO_SUCH_ACCOUNT),
        ("bob", Transfer(payer="alice", payee="bob", amount=1), Reason.NOT_YOURS),
        ("", Transfer(payer="alice", payee="bob", amount=1), Reason.NOT_YOURS),
        ("alice", Transfer(payer="alice", payee="bob", amount=0), Reason.TOO_LITTLE),
        ("alice", Transfer(payer="alice", payee="bob", amount=-1), Reason.NEGATIVE),
        ("alice", Transfer(payer="alice", payee="bob", amount=2**63), Reason.TOO_LARGE),
        (ISSUER, Transfer(payer=ISSUER, payee="alice", amount=MAX_AMOUNT), Reason.TOO_LARGE),
        ("alice", Open(account="alice"), Reason.ACCOUNT_EXISTS),
        ("mallory", Open(account=ISSUER), Reason.ACCOUNT_EXISTS),
        ("mallory", Open(account="a.b"), Reason.NOT_A_NAME),
        ("mallory", Open(account=""), Reason.NOT_A_NAME),
        ("mallory", Open(account="x" * 129), Reason.NOT_A_NAME),
        ("alice", Hold(payer="alice", payee="alice", amount=1, for_s=1.0), Reason.TO_ONESELF),
        ("alice", Hold(payer="alice", payee="bob", amount=101, for_s=1.0), Reason.OVERDRAFT),
        ("alice", Hold(payer="alice", payee="bob", amount=1, for_s=0.0), Reason.NOT_A_DURATION),
        ("alice", Hold(payer="alice", payee="bob", amount=1, for_s=float("nan")), Reason.NOT_A_DURATION),
        ("alice", Hold(payer="alice", payee="bob", amount=1, for_s=1.0, arbiter="a b"), Reason.NOT_A_NAME),
        ("alice", Settle(hold="none", amount=1), Reason.NO_SUCH_HOLD),
        ("alice", Refund(hold="a*b"), Reason.NOT_A_NAME),
    ],
)
def test_what_is_refused_changes_nothing(books: Books, by: str, command: Any, reason: Reason) -> None:
    before = balances(books)
    assert refused(books.do(by, "x", command)) is reason
    assert balances(books) == before
    assert books.store.auditor().audit().sound


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 1.5, 1.0, True, None, "1"])
def test_what_is_no_whole_number_is_no_amount(books: Books, amount: Any) -> None:
    assert refused(books.do("alice", "x", Transfer(payer="alice", payee="bob", amount=amount))) is Reason.NOT_AN_AMOUNT


def test_a_transaction_needs_an_id_that_can_be_kept(books: Books) -> None:
    for name in ("", "a.b", "a b", "ü", "x" * 129):
        assert refused(books.do("alice", name, Transfer(payer="alice", payee="bob", amount=1))) is Reason.NOT_A_NAME


def test_a_refusal_is_not_remembered(books: Books) -> None:
    command = Transfer(payer="bob", payee="alice", amount=5)
    assert refused(books.do("bob", "t", command)) is Reason.OVERDRAFT
    books.do("alice", "u", Transfer(payer="alice", payee="bob", amount=5))
    assert isinstance(books.do("bob", "t", command), Receipt)


def test_money_comes_from_the_issuer_and_goes_back_there(books: Books) -> None:
    assert isinstance(books.do("alice", "t", Transfer(payer="alice", payee=ISSUER, amount=60)), Receipt)
    assert balances(books) == (-40, 40, 0)
    assert books.store.auditor().audit().issued == 40


def test_a_hold_is_settled_in_parts_and_ends_once(books: Books) -> None:
    name = hold(books)
    assert balances(books) == (-100, 60, 0)
    assert refused(books.do("bob", "s", Settle(hold=name, amount=40))) is Reason.NOT_YOURS
    assert refused(books.do("alice", "s", Settle(hold=name, amount=41))) is Reason.TOO_LARGE
    receipt = books.do("alice", "s", Settle(hold=name, amount=25))
    assert isinstance(receipt, Receipt)
    assert receipt.entries == (Entry("hold:h", -40), Entry("bob", 25), Entry("alice", 15))
    assert balances(books) == (-100, 75, 25)
    for by, command in (
        ("alice", Settle(hold=name, amount=25)),
        ("bob", Refund(hold=name)),
        ("alice", Dispute(hold=name)),
        ("judge", Resolve(hold=name, amount=0)),
    ):
        assert refused(books.do(by, "again", command)) is Reason.ENDED
    assert books.do("alice", "s", Settle(hold=name, amount=25)) == receipt
    held = books.held(name)
    assert held is not None
    assert (held.state, held.paid, held.ended_by, held.balance) == (HoldState.SETTLED, 25, "s", 0)


def test_the_payer_has_a_hold_back_when_it_has_expired_and_the_payee_gives_it_back_at_any_time(books: Books) -> None:
    name = hold(books)
    assert refused(books.do("alice", "r", Refund(hold=name))) is Reason.NOT_EXPIRED
    assert refused(books.do("judge", "r", Refund(hold=name))) is Reason.NOT_YOURS
    books.now += 10.0
    assert isinstance(books.do("alice", "r", Refund(hold=name)), Receipt)
    assert balances(books) == (-100, 100, 0)
    made = books.do("alice", "h2", Hold(payer="alice", payee="bob", amount=40, for_s=10.0))
    assert isinstance(made, Receipt)
    assert isinstance(books.do("bob", "r2", Refund(hold="h2")), Receipt)
    assert balances(books) == (-100, 100, 0)


@pytest.mark.parametrize(("paid", "entries"), [(0, 2), (15, 3), (40, 2)])
def test_a_dispute_freezes_until_the_arbiter_decides(books: Books, paid: int, entries: int) -> None:
    name = hold(books)
    assert refused(books.do("judge", "x", Resolve(hold=name, amount=1))) is Reason.NOT_DISPUTED
    assert refused(books.do("mallory", "x", Dispute(hold=name))) is Reason.NOT_YOURS
    assert isinstance(books.do("bob", "d", Dispute(hold=name)), Receipt)
    books.now += 20.0
    assert refused(books.do("alice", "x", Dispute(hold=name))) is Reason.FROZEN
    assert refused(books.do("alice", "x", Settle(hold=name, amount=1))) is Reason.FROZEN
    assert refused(books.do("alice", "x", Refund(hold=name))) is Reason.FROZEN
    assert refused(books.do("bob", "x", Refund(hold=name))) is Reason.FROZEN
    assert refused(books.do("alice", "x", Resolve(hold=name, amount=1))) is Reason.NOT_YOURS
    assert refused(books.do("judge", "x", Resolve(hold=name, amount=41))) is Reason.TOO_LARGE
    receipt = books.do("judge", "v", Resolve(hold=name, amount=paid))
    assert isinstance(receipt, Receipt)
    assert len(receipt.entries) == entries
    assert balances(books) == (-100, 100 - paid, paid)
    assert books.store.auditor().audit().sound


def test_without_an_arbiter_there_is_no_dispute(books: Books) -> None:
    assert refused(books.do("alice", "d", Dispute(hold=hold(books, arbiter="")))) is Reason.NO_ARBITER


def test_no_account_holds_more_than_an_int64(books: Books) -> None:
    rest = MAX_AMOUNT - 100
    assert isinstance(books.do(ISSUER, "t1", Transfer(payer=ISSUER, payee="bob", amount=rest)), Receipt)
    assert refused(books.do(ISSUER, "t2", Transfer(payer=ISSUER, payee="alice", amount=1))) is Reason.TOO_LARGE
    assert isinstance(books.do("alice", "t3", Transfer(payer="alice", payee="bob", amount=100)), Receipt)
    assert books.balance("bob") == MAX_AMOUNT
    assert books.store.auditor().audit().sound
