"""Peer scores: the formula, and what holds under every order of events."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentbus.errors import ConfigurationError
from agentbus.limits import BROKEN, FLOOD, FORGED, INVALID, KEPT
from agentbus.security.scores import Departed, Did, Introduced, Level, Moved, Parameter, ScoreConfig, Scores

FAMILIES = Parameter(weight=-5.0, lifetime_s=1.0, cap=32.0, free=8.0, power=2)
CONFIG = ScoreConfig(topics={"bids": 2.0, "chatter": 0.5}, max_keys=16, siblings=FAMILIES)
KEYS = st.integers(0, 20).map(lambda number: bytes([number]) * 32)
BAD = st.sampled_from([BROKEN, INVALID, FLOOD, FORGED, "a word of another's"])
TOPICS = st.sampled_from(["bids", "chatter", "", "unheard of"])
PAUSES = st.floats(0.0, 400.0)


def key(number: int) -> bytes:
    return bytes([number]) * 32


class ScoresUnderAllEvents(RuleBasedStateMachine):
    """Any events at any times."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = Scores(CONFIG)
        self.now = 0.0
        self.levels: dict[bytes, Level] = {}

    def told(self, moved: list[Moved]) -> None:
        for move in moved:
            assert move.level is not move.before
            assert self.scores.level(move.key) is move.level
            self.levels[move.key] = move.level

    @rule(who=KEYS, kind=BAD, count=st.floats(0.0, 1e6), topic=TOPICS)
    def does_wrong(self, who: bytes, kind: str, count: float, topic: str) -> None:
        before = self.scores.score(who, self.now)
        self.told(self.scores.handle(Did(key=who, kind=kind, count=count, topic=topic), self.now))
        assert self.scores.score(who, self.now) <= before + 1e-9

    @rule(who=KEYS, topic=TOPICS)
    def keeps_its_word(self, who: bytes, topic: str) -> None:
        before = self.scores.score(who, self.now)
        self.told(self.scores.handle(Did(key=who, kind=KEPT, topic=topic), self.now))
        assert self.scores.score(who, self.now) >= before - 1e-9

    @rule(who=KEYS, sponsor=st.sampled_from([b"", b"s" * 32, b"t" * 32]))
    def is_enrolled(self, who: bytes, sponsor: bytes) -> None:
        self.told(self.scores.handle(Introduced(who, sponsor), self.now))

    @rule(who=KEYS)
    def departs(self, who: bytes) -> None:
        self.told(self.scores.handle(Departed(who), self.now))

    @rule(pause=PAUSES)
    def time_passes(self, pause: float) -> None:
        self.now += pause
        self.told(self.scores.tick(self.now))

    @invariant()
    def no_score_is_above_the_cap_and_the_levels_are_the_scores(self) -> None:
        self.told(self.scores.tick(self.now))
        for number in range(21):
            score = self.scores.score(key(number), self.now)
            assert score <= CONFIG.kept_cap
            level = self.scores.level(key(number))
            if level is not Level.FULL:
                thresholds = {
                    Level.GRAYLISTED: (float("-inf"), CONFIG.graylist),
                    Level.IDLE: (CONFIG.graylist, CONFIG.publish),
                    Level.UNBELIEVED: (CONFIG.publish, CONFIG.gossip),
                }[level]
                assert thresholds[0] <= score < thresholds[1]
            assert (level is Level.GRAYLISTED) == (key(number) in self.scores.graylisted)
        assert len(self.scores) <= CONFIG.max_keys
        low = any(self.scores.level(key(number)) is not Level.FULL for number in range(21))
        assert low == (self.scores.next_deadline() is not None)

    def teardown(self) -> None:
        """Whoever does nothing more, and has not too many siblings, is heard again."""
        for number in range(21):
            self.scores.handle(Departed(key(number)), self.now)
        self.scores.tick(self.now + CONFIG.recovery_s)
        for number in range(21):
            assert self.scores.score(key(number), self.now + CONFIG.recovery_s) == 0.0
        assert len(self.scores) == 0
        assert self.scores.next_deadline() is None


TestScoresUnderAllEvents = ScoresUnderAllEvents.TestCase
TestScoresUnderAllEvents.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@settings(deadline=None)
@given(deeds=st.lists(st.tuples(PAUSES, BAD, st.floats(0.0, 1e4), TOPICS), max_size=40))
def test_who_does_only_wrong_is_never_above_0(deeds: list[tuple[float, str, float, str]]) -> None:
    scores, now = Scores(CONFIG), 0.0
    for pause, kind, count, topic in deeds:
        now += pause
        scores.handle(Did(key=key(1), kind=kind, count=count, topic=topic), now)
        assert scores.score(key(1), now) <= 0.0


@settings(deadline=None)
@given(deeds=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(0.0, 1e6)), max_size=40))
def test_what_others_forge_in_its_name_takes_nobodys_vote(deeds: list[tuple[float, float]]) -> None:
    scores, now = Scores(), 0.0
    for pause, count in deeds:
        now += pause
        scores.handle(Did(key=key(1), kind=FORGED, count=count), now)
        assert scores.level(key(1)) is Level.FULL


@settings(deadline=None)
@given(first=st.floats(0.0, 1e4), pauses=st.lists(PAUSES, max_size=12))
def test_decay_does_not_depend_on_who_looks_when(first: float, pauses: list[float]) -> None:
    often, once, now = Scores(), Scores(), first
    for scores in (often, once):
        scores.handle(Did(key=key(1), kind=INVALID, count=3), first)
    for pause in pauses:
        now += pause
        often.score(key(1), now)
    assert often.score(key(1), now) == pytest.approx(once.score(key(1), now), rel=1e-6, abs=0.02)


def test_the_formula() -> None:
    config = ScoreConfig(topics={"bids": 2.0})
    scores = Scores(config)
    for kind, count, topic in (
        (KEPT, 3, ""),
        (KEPT, 2, "bids"),
        (INVALID, 2, "bids"),
        (BROKEN, 4, ""),
        (FORGED, 5, ""),
    ):
        scores.handle(Did(key=key(1), kind=kind, count=count, topic=topic), 0.5)
    kept = 3 * 1.0 + 2.0 * 2 * 1.0
    invalid = 2.0 * -10.0 * 2**2
    broken = -2.0 * (4 - 1) ** 2
    assert scores.score(key(1), 0.5) == pytest.approx(kept + invalid + broken - 5.0)


def test_one_deed_is_forgotten_after_its_lifetime() -> None:
    scores = Scores()
    scores.handle(Did(key=key(1), kind=INVALID), 0.0)
    assert scores.score(key(1), 300.0) == pytest.approx(-10.0 * 0.1**2)
    assert scores.score(key(1), 599.0) < 0.0
    assert scores.score(key(1), 602.0) == 0.0


@pytest.mark.parametrize(("times", "within_s"), [(10.0, (6.0, 8.0)), (100.0, (0.5, 1.0)), (2.0, (70.0, 90.0))])
def test_how_long_a_flood_is_borne(times: float, within_s: tuple[float, float]) -> None:
    scores, now = Scores(), 0.0
    while scores.level(key(1)) is not Level.GRAYLISTED:
        now += 0.1
        scores.handle(Did(key=key(1), kind=FLOOD, count=(times - 1) * 0.1), now)
    assert within_s[0] <= now <= within_s[1]


def test_one_burst_too_many_is_forgiven() -> None:
    scores = Scores()
    scores.handle(Did(key=key(1), kind=FLOOD, count=15.0), 0.0)  # fifteen seconds' worth at once
    assert scores.level(key(1)) is Level.FULL


def test_identities_of_one_sponsor_pull_one_another_down_where_that_is_said() -> None:
    unsaid = Scores()
    assert not [move for n in range(40) for move in unsaid.handle(Introduced(key(n), b"s" * 32), 0.0)]
    scores = Scores(ScoreConfig(siblings=FAMILIES))
    moved = [move for n in range(13) for move in scores.handle(Introduced(key(n), b"s" * 32), 0.0)]
    assert {move.key for move in moved} == {key(n) for n in range(13)}
    assert scores.score(key(3), 0.0) == pytest.approx(-5.0 * (13 - 8) ** 2)
    assert key(3) in scores.graylisted
    scores.handle(Introduced(key(99), b"t" * 32), 0.0)
    scores.handle(Introduced(key(98)), 0.0)
    assert scores.score(key(99), 0.0) == scores.score(key(98), 0.0) == 0.0
    for number in range(8, 13):
        scores.handle(Departed(key(number)), 0.0)
    assert scores.score(key(3), 0.0) == 0.0
    assert not scores.graylisted


def test_good_deeds_cannot_be_saved_up() -> None:
    scores = Scores()
    for _ in range(1000):
        scores.handle(Did(key=key(1), kind=KEPT), 0.0)
    assert scores.score(key(1), 0.0) == 20.0
    scores.handle(Did(key=key(1), kind=INVALID, count=4), 0.0)
    assert scores.level(key(1)) is Level.GRAYLISTED


def test_the_worst_are_remembered_longest() -> None:
    scores = Scores(ScoreConfig(max_keys=8))
    scores.handle(Did(key=b"bad", kind=INVALID, count=6), 0.0)
    for number in range(200):
        scores.handle(Did(key=key(number), kind=KEPT), 0.0)
    assert scores.level(b"bad") is Level.GRAYLISTED
    assert len(scores) <= 8


@pytest.mark.parametrize(
    "wrong",
    [
        {"kept": Parameter(weight=-1.0, lifetime_s=1.0, cap=1.0)},
        {"invalid": Parameter(weight=1.0, lifetime_s=1.0, cap=1.0)},
        {"forged": Parameter(weight=-10.0, lifetime_s=1.0, cap=10.0)},
        {"gossip": 1.0},
        {"graylist": -20.0, "publish": -30.0},
        {"decay_interval_s": 0.0},
        {"decay_to_zero": 1.0},
        {"max_keys": 0},
        {"topics": {"x": -1.0}},
    ],
)
def test_a_configuration_that_cannot_hold_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ScoreConfig(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "wrong", [{"lifetime_s": 0.0}, {"cap": 0.0}, {"free": 2.0}, {"power": 3}, {"weight": float("inf")}]
)
def test_a_parameter_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        Parameter(**{"weight": -1.0, "lifetime_s": 1.0, "cap": 1.0, **wrong})  # pyright: ignore[reportArgumentType]
