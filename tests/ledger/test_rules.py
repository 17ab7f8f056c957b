"""What goes into a log: rules, secrets, and records that come back as they were."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.decisions import Decisions
from agentbus.errors import Busy, ConfigurationError, LedgerInvalid, SubjectError
from agentbus.ledger import Keep, Kind, Record, Rule, Rules, read_record
from agentbus.ledger.codec import ROOM, write_record
from agentbus.ledger.intake import LOSSES, Intake
from agentbus.ledger.rules import DECISION
from agentbus.messages import Frame

SECRET = b"MARKER-of-a-password-MARKER"


def intake(rules: Rules | None = None, room: int = 10) -> Intake:
    return Intake(rules or Rules(), room=room, whole=1000, clock=lambda: 7.0)


def logged(rules: Rules, record: Record, payload: bytes = b"") -> Record | None:
    """The record as it comes out of the log again."""
    queue = intake(rules)
    if not queue.put(record, payload):
        return None
    ((entry, _),) = queue.take(10)
    return read_record(entry)


def test_the_first_rule_that_fits_decides() -> None:
    rules = Rules(
        [
            Rule(type="shop.Order", kinds=frozenset({Kind.DONE}), keep=Keep.WHOLE),
            Rule(type="shop.*", subject="city.ev.>", keep=Keep.NOTHING),
            Rule(type="shop.*", keep=Keep.DIGEST),
        ]
    )
    assert rules.keep(Kind.DONE, "city.ev.x", "shop.Order") is Keep.WHOLE
    assert rules.keep(Kind.SENT, "city.ev.x", "shop.Order") is Keep.NOTHING
    assert rules.keep(Kind.SENT, "city.ag.x", "shop.Order") is Keep.DIGEST
    assert rules.keep(Kind.SENT, "", "shop.Order") is Keep.DIGEST
    assert rules.keep(Kind.SENT, "city.ag.x", "shopping.Order") is Keep.NOTHING, "what no rule fits is not kept"


def test_the_rules_unless_others_are_given() -> None:
    rules = Rules()
    assert rules.keep(Kind.DECIDED, "job", DECISION) is Keep.WHOLE
    assert rules.keep(Kind.DECIDED, "", "agentbus.wire.v1.Fault") is Keep.WHOLE
    assert rules.keep(Kind.SENT, "", "agentbus.wire.v1.Probe") is Keep.NOTHING
    assert rules.keep(Kind.RECEIVED, "a", "shop.Order") is Keep.DIGEST


def test_how_much_of_a_payload_is_kept() -> None:
    record = Record(at_us=1, kind=Kind.DONE, agent="till", type="shop.Order")
    kept = {keep: logged(Rules([Rule(keep=keep)]), record, b"three apples") for keep in Keep}
    digest = sha256(b"three apples").digest()
    assert kept[Keep.NOTHING] is None
    for keep, payload, expected in (
        (Keep.WHOLE, b"three apples", digest),
        (Keep.DIGEST, b"", digest),
        (Keep.FACTS, b"", b""),
    ):
        found = kept[keep]
        assert found is not None
        assert (found.payload, found.digest, found.size) == (payload, expected, 12)


@pytest.mark.parametrize("keep", [Keep.WHOLE, Keep.DIGEST, Keep.FACTS])
@pytest.mark.parametrize("name", ["shop.Card", "shop.C*", "*"])
def test_a_secret_is_never_logged_nor_its_digest(keep: Keep, name: str) -> None:
    rules = Rules([Rule(keep=keep)], secrets=[name])
    queue = intake(rules)
    queue.put(Record(at_us=1, kind=Kind.RECEIVED, agent="till", type="shop.Card"), SECRET)
    queue.take_sent("s", Frame("shop.Card", "till", 1, 0, 1, 5, [SECRET], [], [], []))
    taken = [entry for entry, _ in queue.take(10)]
    assert len(taken) == 2
    for entry in taken:
        assert SECRET not in entry
        assert sha256(SECRET).digest() not in entry
        assert read_record(entry).size == len(SECRET)


def test_a_secret_that_no_rule_keeps_leaves_nothing() -> None:
    rules = Rules([Rule(keep=Keep.NOTHING)], secrets=["shop.Card"])
    assert logged(rules, Record(at_us=1, kind=Kind.RECEIVED, agent="till", type="shop.Card"), SECRET) is None


@pytest.mark.parametrize("name", ["", "*.Order", "a*b"])
def test_a_type_is_a_name_or_a_beginning(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Rule(type=name, keep=Keep.WHOLE)
    with pytest.raises(ConfigurationError):
        Rules(secrets=[name])


def test_a_subject_of_a_rule_is_a_pattern() -> None:
    with pytest.raises(SubjectError):
        Rule(subject="a..b", keep=Keep.WHOLE)


WORDS = st.text(max_size=40)


@settings(deadline=None)
@given(
    st.builds(
        Record,
        at_us=st.integers(0, 2**63),
        kind=st.sampled_from(Kind),
        agent=WORDS,
        node=WORDS,
        peer=WORDS,
        subject=WORDS,
        type=WORDS,
        message_id=WORDS,
        outcome=WORDS,
    )
)
def test_a_record_comes_back_and_its_bytes_are_always_the_same(record: Record) -> None:
    entry = write_record(record)
    assert read_record(entry) == record
    assert write_record(read_record(entry)) == entry


def test_words_from_elsewhere_never_keep_a_record_out() -> None:
    long = Record(at_us=1, kind=Kind.DONE, agent="a" * 5000, subject="s" * 70_000, outcome="\ud800")
    entry = write_record(long, 3, b"d" * 32, b"abc")
    assert len(entry) < ROOM
    assert read_record(entry).payload == b"abc"


def test_a_payload_that_is_too_large_is_logged_by_its_digest() -> None:
    found = logged(Rules([Rule(keep=Keep.WHOLE)]), Record(at_us=1, kind=Kind.DONE, agent="a", type="t"), b"x" * 1001)
    assert found is not None
    assert (found.payload, found.size, found.digest) == (b"", 1001, sha256(b"x" * 1001).digest())


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_what_is_no_record_is_refused(content: bytes) -> None:
    try:
        read_record(content)
    except LedgerInvalid:
        return
    assert content, "nothing is no record: it has no kind"


def test_what_finds_no_room_is_counted_and_the_log_says_so() -> None:
    queue = intake(room=3)
    record = Record(at_us=1, kind=Kind.DONE, agent="a", type="t")
    for _ in range(3):
        assert queue.put(record)
    with pytest.raises(Busy, match="3 records wait"):
        queue.put(record)
    queue.take_sent("s", Frame("t", "a", 1, 0, 1, 5, [b"1", b"2"], [], [], []))
    assert queue.lost == 3
    taken = [read_record(entry) for entry, _ in queue.take(10)]
    assert [each.kind for each in taken] == [Kind.DONE] * 3 + [Kind.LOST]
    assert (taken[-1].type, taken[-1].outcome, taken[-1].at_us) == (LOSSES, "3 not logged: 1 done, 2 sent", 7_000_000)
    queue.put(record)
    assert [read_record(entry).kind for entry, _ in queue.take(10)] == [Kind.DONE], "they are told once"


def test_answers_of_several_agents_in_one_frame_are_each_their_own() -> None:
    queue = intake()
    frame = Frame("shop.Bid", "anna", 1, 0, 5, 9, [b"1", b"2", b"3"], [], [], [7, 8, 9], ["anna", "ledger", "bert"])
    queue.take_sent("inbox", frame, but="ledger")
    found = [read_record(entry) for entry, _ in queue.take(10)]
    assert [(each.agent, each.message_id, each.digest) for each in found] == [
        ("anna", "anna:1:5", sha256(b"1").digest()),
        ("bert", "anna:1:7", sha256(b"3").digest()),
    ]


class _Log:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def is_enabled_for(self, level: int) -> bool:
        return False

    def error(self, event: str, **facts: object) -> None:
        self.errors.append(event)


def test_decisions_are_handed_on_as_they_are_made() -> None:
    decisions, log = Decisions(lambda: 5), _Log()
    queue = intake()
    end = decisions.hand_to(queue.take_decision)
    decisions.note(log, ("desk", 1, 2), "anna", "bid", ("cost",), (2.5,))  # type: ignore[arg-type]
    ((entry, _),) = queue.take(10)
    found = read_record(entry)
    assert (found.kind, found.agent, found.subject, found.type, found.at_us) == (
        Kind.DECIDED,
        "anna",
        "desk:1:2",
        DECISION,
        5,
    )
    assert b'"cost": 2.5' in found.payload
    end()
    decisions.note(log, ("desk", 1, 3), "anna", "bid", (), ())  # type: ignore[arg-type]
    assert queue.take(10) == []

    def fail(decided: object) -> None:
        raise RuntimeError("of the log's own")

    decisions.hand_to(fail)
    decisions.note(log, ("desk", 1, 4), "anna", "bid", (), ())  # type: ignore[arg-type]
    assert log.errors == ["a decision was not taken"]
    assert len(list(decisions.of(""))) == 3
