"""The auditor finds what is not right; and what is read from a stream is never believed, nor does it break anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.market.escrow import Auditor, Entry, Hold, Open, Receipt, Settle, Transfer
from agentbus.market.escrow.codec import read_record, write_record
from agentbus.market.escrow.model import HEAD, Account, Damaged, Head, Held, account_key, hold_key, transaction_key

from .books import ISSUER, LEDGER, Books


def some_books() -> Books:
    books = Books()
    for name in ("alice", "bob"):
        books.do(name, f"open-{name}", Open(account=name))
    books.do(ISSUER, "fund", Transfer(payer=ISSUER, payee="alice", amount=100))
    books.do("alice", "t", Transfer(payer="alice", payee="bob", amount=10))
    books.do("alice", "h", Hold(payer="alice", payee="bob", amount=20, for_s=60.0))
    books.do("alice", "k", Hold(payer="alice", payee="bob", amount=20, for_s=60.0))
    books.do("alice", "s", Settle(hold="k", amount=5))
    return books


def test_books_that_are_right() -> None:
    found = some_books().store.auditor().audit()
    assert found.sound
    assert found.problems == ()
    assert found.transactions == {"open-alice", "open-bob", "fund", "t", "h", "k", "s"}
    assert {name: account.balance for name, account in found.accounts.items()} == {ISSUER: -100, "alice": 65, "bob": 15}
    assert found.holds["h"].balance == 20
    assert found.issued == 100


def test_an_empty_ledger_is_right() -> None:
    found = Auditor().audit()
    assert found.sound
    assert (found.issued, found.transactions) == (0, frozenset())


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        (account_key("bob"), lambda r: replace(r, balance=r.balance + 1), "add up"),
        (account_key("bob"), lambda r: replace(r, owner="mallory"), "stored as"),
        (hold_key("h"), lambda r: replace(r, amount=21), "add up"),
        (hold_key("h"), lambda r: replace(r, payee="mallory"), "stored as"),
        (transaction_key("t"), lambda r: replace(r, entries=(Entry("alice", -10), Entry("bob", 11))), "not to 0"),
        (transaction_key("t"), lambda r: replace(r, entries=(Entry("alice", -9), Entry("bob", 9))), "other entries"),
        (transaction_key("t"), lambda r: replace(r, by="mallory"), "not allowed"),
        (HEAD, lambda r: replace(r, transactions=6), "transactions"),
    ],
)
def test_books_that_were_altered(key: str, change: object, said: str) -> None:
    books = some_books()
    revision, value = books.store.values[key]
    record = change(read_record(key, value))  # type: ignore[operator]
    books.store.put(key, write_record(record, LEDGER), revision)
    found = books.store.auditor().audit()
    assert not found.sound
    assert any(said in problem for problem in found.problems), found.problems


@pytest.mark.parametrize("key", [account_key("bob"), hold_key("h"), transaction_key("t"), HEAD])
def test_books_that_something_is_missing_from(key: str) -> None:
    books = some_books()
    del books.store.values[key]
    assert not books.store.auditor().audit().sound


def test_a_deletion_is_a_problem() -> None:
    auditor = some_books().store.auditor()
    auditor.read(transaction_key("t"), b"", deleted=True)
    assert any("was deleted" in problem for problem in auditor.audit().problems)


def test_problems_are_counted_and_the_first_hundred_told() -> None:
    auditor = Auditor()
    for number in range(150):
        auditor.read(transaction_key(f"t{number}"), b"\xff")
    found = auditor.audit()
    assert (found.found, len(found.problems)) == (150, 100)


@given(st.sampled_from(["tx.t", "account.a", "hold.h", HEAD, "other", "tx"]), st.binary(max_size=60))
def test_any_bytes_are_read_as_a_record_or_as_damaged(key: str, value: bytes) -> None:
    record = read_record(key, value)
    if not isinstance(record, Damaged):
        assert read_record(key, write_record(record, LEDGER)) == record


def test_a_record_under_another_key_is_damaged() -> None:
    books = some_books()
    for key, other in ((account_key("bob"), account_key("alice")), (transaction_key("t"), transaction_key("u"))):
        assert isinstance(read_record(other, books.store.values[key][1]), Damaged)
    with pytest.raises(TypeError):
        write_record(Damaged("bytes"), LEDGER)


def test_records_come_back() -> None:
    for key, (_, value) in some_books().store.values.items():
        record = read_record(key, value)
        assert isinstance(record, Account | Held | Receipt | Head)
        assert write_record(record, LEDGER) == value
