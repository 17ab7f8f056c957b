"""The docket: each call is decided once, by an answer about it and nothing else, or by time. Fuzzed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from agentbus.errors import Unauthorized
from agentbus.security.approvals import Answer, ApprovalsConfig, Outcome, signed_answer, verified_answer
from agentbus.security.approvals.codec import decode_answer
from agentbus.security.approvals.machine import Docket
from agentbus.security.approvals.model import Answered, Asked, Call, Decided, Gone, Refusal, Subject, Tick, Why

from .world import ANNA, MALLORY

SMALL = ApprovalsConfig(pending=5, pending_each=3, remembered=4, skew_s=1.0)
SUBJECT = Subject(
    realm="r",
    node="n",
    id="1",
    approval="payments",
    agent="till",
    behavior="pay",
    message_id="client:1:1",
    payload_sha256=bytes(32),
)


def call(about: Subject = SUBJECT, *, until_s: float = 10.0, sender: str = "client", asked_us: int = 0) -> Call:
    return Call(about=about, sender=sender, type="t", payload=b"", asked_us=asked_us, until_s=until_s)


def answered(about: Subject = SUBJECT, *, approved: bool = True, at_us: int = 0, now_us: int = 0) -> Answered:
    answer = Answer(about=about, approved=approved, reason="so", at_us=at_us)
    return Answered(answer=answer, by="anna", now_us=now_us)


@pytest.mark.parametrize(("approved", "outcome"), [(True, Outcome.APPROVED), (False, Outcome.REFUSED)])
def test_an_answer_decides(approved: bool, outcome: Outcome) -> None:
    docket = Docket(SMALL)
    assert docket.handle(Asked(call()), 0.0) == []
    assert docket.next_deadline() == 10.0
    (decided,) = docket.handle(answered(approved=approved), 1.0)
    assert decided == Decided(call=call(), outcome=outcome, reason="so", by="anna")
    assert (len(docket), docket.next_deadline()) == (0, None)
    (again,) = docket.handle(answered(), 2.0)
    assert isinstance(again, Refusal)
    assert (again.why, again.text) == (Why.DECIDED, f"call 1 was {outcome.value} before by anna")


@pytest.mark.parametrize("name", [field.name for field in fields(Subject) if field.name != "id"])
def test_each_particular_counts(name: str) -> None:
    docket = Docket(SMALL)
    docket.handle(Asked(call()), 0.0)
    other: Any = bytes(31) + b"x" if name == "payload_sha256" else "other"
    (refusal,) = docket.handle(answered(replace(SUBJECT, **{name: other})), 1.0)
    assert refusal == Refusal(Why.MISMATCH, f"call 1: this was signed for another {name}")
    assert len(docket) == 1


def test_time_decides_and_a_late_answer_does_not() -> None:
    docket = Docket(SMALL)
    docket.handle(Asked(call()), 0.0)
    assert docket.handle(Tick(), 9.9) == []
    (late,) = docket.handle(answered(), 10.0)
    assert isinstance(late, Refusal)
    assert late.why is Why.LATE
    (expired,) = docket.handle(Tick(), 10.0)
    assert isinstance(expired, Decided)
    assert expired.outcome is Outcome.EXPIRED
    (late,) = docket.handle(answered(), 10.0)
    assert isinstance(late, Refusal)
    assert late.why is Why.LATE


def test_clocks_may_differ_a_little() -> None:
    for at_us, counts in ((-1_000_001, False), (-1_000_000, True), (3_000_000, True), (3_000_001, False)):
        docket = Docket(SMALL)
        docket.handle(Asked(call()), 0.0)
        (effect,) = docket.handle(answered(at_us=at_us, now_us=2_000_000), 1.0)
        assert isinstance(effect, Decided) is counts, at_us


def test_who_waits_no_longer_is_not_asked_for() -> None:
    docket = Docket(SMALL)
    (decided,) = docket.handle(Asked(call(until_s=-1.0)), 0.0)
    assert isinstance(decided, Decided)
    assert decided.outcome is Outcome.EXPIRED
    assert docket.handle(Gone("1"), 0.0) == []


def test_it_is_full_for_one_sender_before_it_is_for_all() -> None:
    docket = Docket(SMALL)
    for number in range(4):
        effects = docket.handle(Asked(call(replace(SUBJECT, id=str(number)))), 0.0)
        assert bool(effects) is (number == 3)
    assert docket.handle(Asked(call(replace(SUBJECT, id="a"), sender="")), 0.0) == []
    assert docket.handle(Asked(call(replace(SUBJECT, id="b"), sender="b")), 0.0) == []
    (full,) = docket.handle(Asked(call(replace(SUBJECT, id="c"), sender="c")), 0.0)
    assert full == Refusal(Why.FULL, "5 calls wait for approval already")
    (same,) = Docket(SMALL).handle(Asked(call()), 0.0) or [None]
    assert same is None


# -- what is signed ----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
subjects = st.builds(
    Subject,
    realm=texts,
    node=texts,
    id=texts,
    approval=texts,
    agent=texts,
    behavior=texts,
    message_id=texts,
    payload_sha256=st.binary(max_size=40),
)
answers = st.builds(
    Answer, about=subjects, approved=st.booleans(), reason=texts, at_us=st.integers(min_value=0, max_value=2**63)
)


@given(answers)
def test_what_is_signed_comes_back(answer: Answer) -> None:
    assert verified_answer(signed_answer(answer, ANNA), ANNA.key) == answer
    with pytest.raises(Unauthorized):
        verified_answer(signed_answer(answer, ANNA), MALLORY.key)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(Unauthorized):
        verified_answer(body, ANNA.key)


def test_every_byte_of_an_answer_counts() -> None:
    signed = signed_answer(Answer(about=SUBJECT, approved=False, reason="no", at_us=5), ANNA)
    for place in range(len(signed)):
        with pytest.raises(Unauthorized):
            verified_answer(signed[:place] + bytes([signed[place] ^ 1]) + signed[place + 1 :], ANNA.key)
        with pytest.raises(Unauthorized):
            verified_answer(signed[:place], ANNA.key)
    with pytest.raises(Unauthorized, match="at most"):
        decode_answer(bytes(9000))
    long = Answer(about=SUBJECT, approved=False, reason="x" * 1001, at_us=5)
    with pytest.raises(Unauthorized, match="1001 characters"):
        verified_answer(signed_answer(long, ANNA), ANNA.key)


# -- fuzz --------------------------------------------------------------------------------------------------------------


class DocketFuzz(RuleBasedStateMachine):
    """Any order of calls, answers, ends and time."""

    calls: Bundle[Call] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.docket = Docket(SMALL)
        self.now = 0.0
        self.waiting: dict[str, Call] = {}
        self.ended: set[str] = set()
        self.count = 0

    def take(self, event: Any) -> list[Any]:
        effects = self.docket.handle(event, self.now)
        for effect in effects:
            if isinstance(effect, Decided):
                id = effect.call.about.id  # noqa: A001
                assert id not in self.ended, "decided twice"
                assert self.waiting.pop(id) == effect.call
                self.ended.add(id)
                late = effect.call.until_s <= self.now
                assert (effect.outcome is Outcome.EXPIRED) <= late
                assert not (effect.outcome in (Outcome.APPROVED, Outcome.REFUSED) and late)
        return effects

    @rule(
        target=calls,
        sender=st.sampled_from(["a", "b", "c"]),
        wait_s=st.floats(-1.0, 5.0),
        payload=st.binary(max_size=2),
    )
    def ask(self, sender: str, wait_s: float, payload: bytes) -> Call:
        self.count += 1
        about = replace(SUBJECT, id=str(self.count), message_id=f"{sender}:1:{self.count}", payload_sha256=payload)
        asked = call(about, until_s=self.now + wait_s, sender=sender, asked_us=int(self.now * 1e6))
        self.waiting[about.id] = asked
        for effect in self.take(Asked(asked)):
            if isinstance(effect, Refusal):
                del self.waiting[about.id]
                assert len(self.waiting) >= 3
        return asked

    @rule(one=calls, approved=st.booleans())
    def answer(self, one: Call, approved: bool) -> None:
        was = one.about.id in self.waiting and one.until_s > self.now
        (effect,) = self.take(answered(one.about, approved=approved, at_us=one.asked_us, now_us=int(self.now * 1e6)))
        assert isinstance(effect, Decided) is was

    @rule(one=calls, other=calls, name=st.sampled_from([field.name for field in fields(Subject)]))
    def answer_about_another(self, one: Call, other: Call, name: str) -> None:
        mixed = replace(one.about, **{name: getattr(other.about, name)})
        known = {each.about for each in (one, other)}
        now_us = int(self.now * 1e6)
        effects = self.docket.handle(answered(mixed, at_us=now_us, now_us=now_us), self.now)
        if mixed not in known:
            assert isinstance(effects[0], Refusal)
        elif isinstance(effects[0], Decided):
            self.waiting.pop(mixed.id)
            self.ended.add(mixed.id)

    @rule(one=consumes(calls))
    def go(self, one: Call) -> None:
        self.take(Gone(one.about.id))
        assert one.about.id not in self.waiting

    @rule(by_s=st.floats(0.0, 3.0))
    def wait(self, by_s: float) -> None:
        self.now += by_s
        self.take(Tick())
        assert all(each.until_s > self.now for each in self.waiting.values())

    @invariant()
    def bounded_and_known(self) -> None:
        assert {each.about.id for each in self.docket} == set(self.waiting)
        assert len(self.docket) <= SMALL.pending
        assert len(self.docket._decided) <= SMALL.remembered
        assert self.docket.next_deadline() == min((each.until_s for each in self.waiting.values()), default=None)
        assert sum(self.docket._of_sender.values()) == len(self.docket)


DocketFuzz.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestDocketFuzz = DocketFuzz.TestCase
