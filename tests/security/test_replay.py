"""Windows and claims, against models that remember everything: nothing passes twice, nothing new is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentbus.errors import StorageFailed
from agentbus.security.claims import MAX_OPEN, Claim, Claims
from agentbus.security.replay import WINDOW, Replays, StreamKey, Window

STREAM: StreamKey = ("ear", 1, "hall", "city.ev.x")
KEY = bytes(32)


def judged(replays: Replays, *numbers: int, issued_us: int = 100) -> list[bool]:
    return [not replays.judge(KEY, STREAM, number, issued_us).refusal for number in numbers]


def test_each_number_passes_once_in_whatever_order() -> None:
    replays = Replays(0)
    assert judged(replays, 3, 1, 2, 5, 4) == [True] * 5
    assert judged(replays, 1, 2, 3, 4, 5) == [False] * 5


def test_gaps_and_inversions_are_told() -> None:
    replays = Replays(0)
    heard = [replays.judge(KEY, STREAM, number, 100) for number in (4, 5, 9, 7, 3, 10)]
    assert [(one.skipped, one.late) for one in heard] == [
        (0, False),  # it may have begun to listen there
        (0, False),
        (3, False),
        (0, True),
        (0, True),
        (0, False),
    ]


def test_a_sender_that_counts_anew_has_skipped_nothing() -> None:
    replays = Replays(0)
    replays.judge(KEY, STREAM, 1, 100)
    heard = replays.judge(KEY, STREAM, 1000, 101, begins=True)
    assert (heard.refusal, heard.skipped, heard.late) == ("", 0, False)
    assert "come before" in replays.judge(KEY, STREAM, 1000, 101, begins=True).refusal


def test_the_window_has_an_end() -> None:
    replays = Replays(0)
    assert judged(replays, 1, 3, WINDOW + 2, 3, 2) == [True, True, True, False, False]
    assert judged(replays, 4) == [True], "the last that the window holds"
    assert judged(replays, 2**63, WINDOW + 3) == [True, False], "a leap forgets all before"
    assert judged(replays, 2**63 - 1) == [True]


def test_what_was_issued_before_the_boot_is_refused() -> None:
    replays = Replays(1000)
    assert "boot" in replays.judge(KEY, STREAM, 1, 999).refusal
    assert not replays.judge(KEY, STREAM, 1, 1000).refusal
    assert "boot" in replays.judge(KEY, STREAM, 2, 999).refusal


def test_streams_are_apart() -> None:
    replays = Replays(0)
    others: list[tuple[bytes, StreamKey]] = [
        (bytes([1]) * 32, STREAM),
        (KEY, ("another ear", 1, "hall", "city.ev.x")),
        (KEY, ("ear", 2, "hall", "city.ev.x")),
        (KEY, ("ear", 1, "attic", "city.ev.x")),
        (KEY, ("ear", 1, "hall", "city.ev.y")),
    ]
    for key, stream in [(KEY, STREAM), *others]:
        assert not replays.judge(key, stream, 1, 100).refusal
        assert replays.judge(key, stream, 1, 100).refusal


def test_a_flood_of_streams_by_one_key_pushes_out_nobody_elses() -> None:
    replays = Replays(0, capacity=10)
    honest, flooding = b"h" * 32, b"f" * 32
    assert not replays.judge(honest, STREAM, 1, 100).refusal
    for number in range(1000):
        assert not replays.judge(flooding, ("ear", 1, "spy", f"city.ev.{number}"), 1, 200 + number).refusal
        assert len(replays) <= 10
    assert not replays.judge(honest, STREAM, 2, 101).refusal, "and its time of issue need not be above the flood's"
    assert replays.judge(honest, STREAM, 1, 100).refusal
    assert "forgotten" in replays.judge(flooding, ("ear", 1, "spy", "city.ev.0"), 1, 200).refusal


KEYS = st.sampled_from([b"a", b"b", b"c"])
STREAMS = st.builds(lambda place: ("ear", 1, "hall", str(place)), st.integers(0, 5))


class ReplaysMachine(RuleBasedStateMachine):
    """Against a model that remembers all that passed. A stream's times of issue grow with its numbers, as an honest
    sender's do; copies come with the time that they were signed with."""

    def __init__(self) -> None:
        super().__init__()
        self.replays = Replays(50, capacity=4, window=8)
        self.sent: list[tuple[bytes, StreamKey, int, int]] = []
        self.passed: set[tuple[bytes, StreamKey, int, int]] = set()
        self.next: dict[tuple[bytes, StreamKey], int] = {}
        self.now_us = 100

    def judge(self, frame: tuple[bytes, StreamKey, int, int]) -> bool:
        passes = not self.replays.judge(*frame).refusal
        assert not (passes and frame in self.passed), "a replay"
        if passes:
            self.passed.add(frame)
        return passes

    @rule(key=KEYS, stream=STREAMS, skipped=st.integers(0, 12), arrives=st.booleans(), later_us=st.integers(1, 3))
    def sends(self, key: bytes, stream: StreamKey, skipped: int, arrives: bool, later_us: int) -> None:
        self.now_us += later_us
        number = self.next.get((key, stream), 1) + skipped
        self.next[key, stream] = number + 1
        frame = (key, stream, number, self.now_us)
        self.sent.append(frame)
        if arrives:
            assert self.judge(frame), "a frame that comes in order is always new, whatever was forgotten"

    @rule(data=st.data())
    def comes_again_or_late(self, data: st.DataObject) -> None:
        if self.sent:
            self.judge(data.draw(st.sampled_from(self.sent)))

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.replays) <= 4


TestReplays = ReplaysMachine.TestCase
TestReplays.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 60))
def test_a_window_refuses_what_came_and_what_is_too_old_and_nothing_else(numbers: list[int], first: int) -> None:
    window, came, highest = Window(first, window=16), {first}, first
    for number in numbers:
        expected = number not in came and number > highest - 16
        assert (not window.take(number, 16).refusal) == expected
        came.add(number)
        highest = max(highest, number)


# -- claims ------------------------------------------------------------------------------------------------------------


def test_a_claim_is_of_one_place_and_ends_when_it_is_completed() -> None:
    claims = Claims()
    assert claims.claim(1, 10) is Claim.FIRST
    assert claims.claim(1, 10) is Claim.AGAIN
    assert claims.claim(1, 11) is Claim.COPY, "before it is completed, too"
    claims.complete(1, 11)
    assert claims.claim(1, 10) is Claim.AGAIN, "a copy's end completes nothing"
    claims.complete(1, 10)
    assert claims.claim(1, 10) is Claim.DONE
    assert claims.claim(1, 12) is Claim.DONE
    assert claims.claim(2**40, 13) is Claim.FIRST
    assert claims.claim(2, 14) is Claim.OLD


def test_what_fails_for_long_is_remembered_however_many_come_after_it() -> None:
    claims = Claims()
    claims.claim(1, 1)
    for number in range(2, 3 * WINDOW):
        claims.claim(number, number)
        claims.complete(number, number)
    assert claims.claim(1, 1) is Claim.AGAIN
    assert claims.claim(1, 99_999) is Claim.COPY
    assert len(claims.to_bytes()) < 100


def test_open_claims_have_a_limit() -> None:
    claims = Claims()
    for number in range(1, MAX_OPEN + 1):
        claims.claim(number, number)
    assert claims.claim(MAX_OPEN + 1, MAX_OPEN + 1) is Claim.FULL
    claims.complete(1, 1)
    assert claims.claim(MAX_OPEN + 1, MAX_OPEN + 1) is Claim.FIRST


ACTS = st.lists(st.tuples(st.sampled_from(["deliver", "complete"]), st.integers(1, 12), st.integers(1, 3)), max_size=60)


@given(ACTS)
def test_claims_are_as_a_model_that_remembers_all_and_outlive_being_kept(
    acts: list[tuple[str, int, int]],
) -> None:
    claims, places, done = Claims(), dict[int, int](), set[int]()
    for act, number, place in acts:
        claims = Claims.from_bytes(claims.to_bytes())
        if act == "complete":
            claims.complete(number, place)
            if places.get(number) == place:
                done.add(number)
            continue
        found = claims.claim(number, place)
        if number in done:
            assert found is Claim.DONE
        elif number not in places:
            assert found is Claim.FIRST
            places[number] = place
        else:
            assert found is (Claim.AGAIN if places[number] == place else Claim.COPY)


@given(st.binary(min_size=1, max_size=200))
def test_bytes_that_are_no_claims_are_not_taken_for_none(body: bytes) -> None:
    try:
        claims = Claims.from_bytes(body)
    except StorageFailed:
        return
    assert claims.to_bytes() == body or claims.look(1, 1) is not Claim.FULL


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_claims_that_are_not_whole_are_refused(cut: int) -> None:
    claims = Claims()
    for number in (5, 9, 7):
        claims.claim(number, number)
    kept = claims.to_bytes()
    with pytest.raises(StorageFailed, match="can't be read"):
        Claims.from_bytes(kept[:-cut])
