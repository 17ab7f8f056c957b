"""From a demand to its payment, alone and on a ledger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError, SchemaMismatch
from agentbus.market import Reason, Refusal, Tick, codec
from agentbus.market.agreements import (
    GRACE_S,
    Acceptance,
    Agreement,
    AgreementState,
    Approval,
    Contest,
    Demand,
    Escrowed,
    Instruct,
    Moved,
    Offer,
    Ruling,
    Usage,
)
from agentbus.market.escrow import Dispute, Hold, Open, Receipt, Refund, Resolve, Settle, Transfer
from tests.market.escrow.books import ISSUER, Books

S = AgreementState
TERMS: dict[str, Any] = {
    "id": "job-7",
    "buyer": "buyer",
    "account": "buyers",
    "work": "primes below 10^6",
    "units": 10,
    "price": 5,
    "made_s": 0.0,
    "offers_until_s": 10.0,
    "work_until_s": 100.0,
    "settle_until_s": 200.0,
    "arbiter": "judge",
}


def demanded(**terms: Any) -> Agreement:
    return Agreement(Demand(**(TERMS | terms)))


def offer(provider: str = "fast", price: int = 4) -> Offer:
    return Offer(demand="job-7", provider=provider, account=f"{provider}s", price=price)


def told(agreement: Agreement, *events: Any, now: float = 1.0) -> list[Any]:
    return [effect for event in events for effect in agreement.handle(event, now)]


def agreed(**terms: Any) -> Agreement:
    agreement = demanded(**terms)
    told(agreement, offer(), Acceptance(demand="job-7", provider="fast"), Escrowed(demand="job-7", hold="job-7-hold"))
    assert agreement.state is S.AGREED
    return agreement


def used(units: int = 6, **terms: Any) -> Agreement:
    agreement = agreed(**terms)
    told(agreement, Usage(demand="job-7", provider="fast", units=units, evidence=b"sha256"), now=50.0)
    assert agreement.state is S.USED
    return agreement


def reasons(effects: list[Any]) -> list[Reason]:
    return [effect.reason for effect in effects if isinstance(effect, Refusal)]


def test_from_a_demand_to_its_payment() -> None:
    agreement = demanded()
    assert told(agreement, offer("slow", 3), offer("fast", 4)) == [Moved(S.OFFERED)]
    assert [found.provider for found in agreement.ranking()] == ["slow", "fast"]
    (hold,) = told(agreement, Acceptance(demand="job-7", provider="fast"), now=5.0)
    assert hold == Instruct(
        by="buyer",
        transaction="job-7-hold",
        command=Hold(payer="buyers", payee="fasts", amount=40, for_s=200.0 + GRACE_S, arbiter="judge"),
    )
    assert agreement.next_deadline() == 100.0
    assert told(agreement, Escrowed(demand="job-7", hold="job-7-hold")) == [Moved(S.AGREED)]
    assert told(agreement, Usage(demand="job-7", provider="fast", units=6), now=50.0) == [Moved(S.USED)]
    moved, settle = told(agreement, Approval(demand="job-7"), now=60.0)
    assert (moved, agreement.paid) == (Moved(S.SETTLED), 24)
    command = Settle(hold="job-7-hold", amount=24)
    assert settle == Instruct(by="buyer", transaction="job-7-settle", command=command)
    assert agreement.next_deadline() is None


def test_who_is_restarted_says_the_same_again() -> None:
    """The command of one transaction does not depend on when it is said."""
    said = [
        told(found, offer(), Acceptance(demand="job-7", provider="fast"), now=now)[-1]
        for found, now in ((demanded(), 2.0), (demanded(), 9.0))
    ]
    assert said[0] == said[1]


def test_a_refund_says_from_when_on_it_can_be_had() -> None:
    agreement = demanded()
    told(agreement, offer(), Acceptance(demand="job-7", provider="fast"), now=5.0)
    told(agreement, Escrowed(demand="job-7", hold="job-7-hold"), now=6.0)
    refund = told(agreement, Tick(), now=100.0)[-1]
    assert refund.not_before_s == 5.0 + 200.0 + GRACE_S


def test_no_ruling_pays_more_than_was_used() -> None:
    agreement = used(2)
    told(agreement, Contest(demand="job-7", by="buyer"), now=60.0)
    assert reasons(told(agreement, Ruling(demand="job-7", units=3), now=70.0)) == [Reason.TOO_LARGE]
    told(agreement, Ruling(demand="job-7", units=2), now=70.0)
    assert agreement.paid == 8


def test_nothing_used_is_given_back_by_the_provider() -> None:
    agreement = used(0)
    _, refund = told(agreement, Approval(demand="job-7"), now=60.0)
    assert refund == Instruct(by="fast", transaction="job-7-settle", command=Refund(hold="job-7-hold"))


@pytest.mark.parametrize("by", ["buyer", "fast"])
def test_a_dispute_is_decided_by_the_arbiter(by: str) -> None:
    agreement = used()
    moved, dispute = told(agreement, Contest(demand="job-7", by=by, reason="wrong"), now=60.0)
    assert moved == Moved(S.DISPUTED)
    assert dispute == Instruct(by=by, transaction="job-7-dispute", command=Dispute(hold="job-7-hold"))
    assert reasons(told(agreement, Approval(demand="job-7"), now=70.0)) == [Reason.TOO_LATE]
    moved, resolve = told(agreement, Ruling(demand="job-7", units=2), now=1_000.0)
    assert (moved, agreement.paid) == (Moved(S.RESOLVED), 8)
    command = Resolve(hold="job-7-hold", amount=8)
    assert resolve == Instruct(by="judge", transaction="job-7-resolve", command=command)


def test_what_is_not_paid_in_time_is_disputed_by_the_provider() -> None:
    agreement = used()
    assert agreement.next_deadline() == 200.0
    moved, dispute = told(agreement, Tick(), now=200.0)
    assert moved == Moved(S.DISPUTED)
    assert (dispute.by, dispute.command) == ("fast", Dispute(hold="job-7-hold"))


@pytest.mark.parametrize(
    ("agreement", "now", "refund"),
    [(demanded, 10.0, False), (agreed, 100.0, True), (lambda: used(arbiter=""), 200.0, True)],
)
def test_what_nobody_goes_on_with_expires(agreement: Any, now: float, refund: bool) -> None:
    agreement = agreement()
    assert told(agreement, Tick(), now=now - 0.1) == []
    moved, *rest = told(agreement, Tick(), now=now)
    assert moved == Moved(S.EXPIRED)
    assert [effect.command for effect in rest] == ([Refund(hold="job-7-hold")] if refund else [])
    assert told(agreement, Tick(), now=now + 1) == []


@pytest.mark.parametrize(
    ("agreement", "event", "reason"),
    [
        (demanded, offer(price=6), Reason.TOO_LARGE),
        (demanded, offer(price=0), Reason.TOO_LITTLE),
        (demanded, offer(price=float("nan")), Reason.NOT_AN_AMOUNT),  # type: ignore[arg-type]
        (demanded, Acceptance(demand="job-7", provider="fast"), Reason.TOO_LATE),
        (demanded, Offer(demand="job-8", provider="fast", account="fasts", price=1), Reason.WRONG_EVENT),
        (agreed, offer("late"), Reason.TOO_LATE),
        (agreed, Acceptance(demand="job-7", provider="fast"), Reason.TOO_LATE),
        (agreed, Escrowed(demand="job-7", hold="job-7-hold"), Reason.TOO_LATE),
        (agreed, Usage(demand="job-7", provider="slow", units=1), Reason.NOT_YOURS),
        (agreed, Usage(demand="job-7", provider="fast", units=11), Reason.TOO_LARGE),
        (agreed, Usage(demand="job-7", provider="fast", units=-1), Reason.NEGATIVE),
        (agreed, Approval(demand="job-7"), Reason.TOO_LATE),
        (agreed, Contest(demand="job-7", by="buyer"), Reason.TOO_LATE),
        (used, Usage(demand="job-7", provider="fast", units=1), Reason.TOO_LATE),
        (used, Contest(demand="job-7", by="mallory"), Reason.NOT_YOURS),
        (used, Ruling(demand="job-7", units=1), Reason.TOO_LATE),
        (lambda: used(arbiter=""), Contest(demand="job-7", by="buyer"), Reason.NO_ARBITER),
    ],
)
def test_what_does_not_count_is_refused_by_name(agreement: Any, event: Any, reason: Reason) -> None:
    agreement = agreement()
    state = agreement.state
    assert reasons(told(agreement, event, now=5.0)) == [reason]
    assert agreement.state is state


def test_only_who_has_offered_is_accepted_and_only_its_own_hold_counts() -> None:
    agreement = demanded()
    told(agreement, offer())
    assert reasons(told(agreement, Acceptance(demand="job-7", provider="slow"))) == [Reason.NOT_INVITED]
    told(agreement, Acceptance(demand="job-7", provider="fast"))
    assert reasons(told(agreement, Escrowed(demand="job-7", hold="other"))) == [Reason.NO_SUCH_HOLD]


@pytest.mark.parametrize(
    "terms",
    [
        {"units": 0},
        {"price": 0},
        {"units": 2**40, "price": 2**40},
        {"work_until_s": 5.0},
        {"settle_until_s": float("nan")},
        {"offers_until_s": float("-inf")},
        {"id": ""},
        {"id": "x" * 101},
    ],
)
def test_terms_that_make_no_sense(terms: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        demanded(**terms)


EVENTS = st.one_of(
    st.builds(offer, st.sampled_from(["fast", "slow"]), st.integers(-1, 7)),
    st.builds(Acceptance, demand=st.just("job-7"), provider=st.sampled_from(["fast", "slow"])),
    st.builds(Escrowed, demand=st.just("job-7"), hold=st.sampled_from(["job-7-hold", "x"])),
    st.builds(Usage, demand=st.just("job-7"), provider=st.sampled_from(["fast", "slow"]), units=st.integers(-1, 12)),
    st.just(Approval(demand="job-7")),
    st.builds(Contest, demand=st.just("job-7"), by=st.sampled_from(["buyer", "fast", "slow"])),
    st.builds(Ruling, demand=st.just("job-7"), units=st.integers(-1, 12)),
    st.just(Tick()),
)


@given(st.lists(st.tuples(EVENTS, st.floats(0.0, 60.0)), max_size=25))
def test_whatever_happens_the_ledger_does_what_it_is_instructed_and_no_money_is_lost(steps: list[Any]) -> None:
    agreement, books, now = demanded(), Books(), 0.0
    for owner, account in (("buyer", "buyers"), ("fast", "fasts"), ("slow", "slows")):
        books.do(owner, f"open-{account}", Open(account=account))
    books.do(ISSUER, "fund", Transfer(payer=ISSUER, payee="buyers", amount=50))
    for event, seconds in steps:
        now += seconds
        for effect in agreement.handle(event, now):
            if isinstance(effect, Instruct):
                books.now = now if not isinstance(effect.command, Refund) else now + 1_000.0
                outcome = books.do(effect.by, effect.transaction, effect.command)
                missing = isinstance(outcome, Refusal) and outcome.reason is Reason.NO_SUCH_HOLD
                assert isinstance(outcome, Receipt) or missing, outcome
    found = books.store.auditor().audit()
    assert found.sound, found.problems
    paid = books.balance("fasts") + books.balance("slows")
    assert paid == (agreement.paid if agreement.state in (S.SETTLED, S.RESOLVED) else 0) <= 50
    held = books.held("job-7-hold")
    assert books.balance("buyers") + paid + (held.balance if held else 0) == 50


@pytest.mark.parametrize(
    "value",
    [
        Demand(**TERMS),
        offer(),
        Acceptance(demand="job-7", provider="fast"),
        Escrowed(demand="job-7", hold="job-7-hold"),
        Usage(demand="job-7", provider="fast", units=3, evidence=b"\x00\xff"),
        Approval(demand="job-7"),
        Contest(demand="job-7", by="fast", reason="not paid"),
        Ruling(demand="job-7", units=0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_travel(value: Any) -> None:
    message = codec.encode(value)
    assert codec.decode(type(message).FromString(message.SerializeToString())) == value


def test_what_cannot_travel_is_said() -> None:
    with pytest.raises(SchemaMismatch):
        codec.encode(offer(price=2**63))
    with pytest.raises(SchemaMismatch):
        codec.decode(object())  # type: ignore[arg-type]
