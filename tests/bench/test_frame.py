"""The frame of the comparisons: alternation, ratios, verdicts, failures that stay apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.frame import Comparison, Figure, Ground, Measures, NotInstalled, Outcome, Side, judge, measure, verdict_of
from bench.processes import ChildFailed

GROUND = Ground("nats://127.0.0.1:1", True, lambda name: "python")


def side(name: str, log: list[str], values: Iterator[float] | None = None, lost: float = 0.0) -> Side:
    async def run(ground: Ground) -> Measures:
        log.append(name)
        return {"rate": next(values) if values else 1.0, "lost": lost}

    return Side(name, run)


def failing(name: str, log: list[str], error: Exception) -> Side:
    async def run(ground: Ground) -> Measures:
        log.append(name)
        raise error

    return Side(name, run)


def figure(*sides: Side, bar: float | None = 2.0, hoped: float | None = 3.0) -> Figure:
    ours, theirs = sides[0].name, sides[1].name
    comparison = Comparison(
        title="rate", measure="rate", unit="events/s", ours=ours, theirs=theirs, bar=bar, hoped=hoped
    )
    return Figure(name="f", title="F", method="", sides=sides, comparisons=(comparison,))


async def test_each_round_runs_every_side_and_begins_with_another() -> None:
    log: list[str] = []
    await measure(figure(side("a", log), side("b", log)), GROUND, 3)
    assert log == ["a", "b", "b", "a", "a", "b"]


async def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    log: list[str] = []
    ours, theirs = side("a", log, iter([20.0, 90.0, 60.0])), side("b", log, iter([10.0, 10.0, 20.0]))
    (row,) = (await measure(figure(ours, theirs), GROUND, 3)).rows
    assert row.ratio is not None
    assert (row.ratio.median, row.ratio.least, row.ratio.greatest, row.ratio.rounds) == (3.0, 2.0, 9.0, 3)
    assert row.verdict == "hoped"


@pytest.mark.parametrize(
    ("value", "better", "expected"),
    [
        (1.9, "more", "missed"),
        (2.0, "more", "met"),
        (3.0, "more", "hoped"),
        (2.1, "less", "missed"),
        (2.0, "less", "met"),
        (1.0, "less", "hoped"),
    ],
)
def test_a_value_is_held_against_the_bar_and_the_hope(value: float, better: str, expected: str) -> None:
    hoped = 3.0 if better == "more" else 1.0
    asked = Comparison(title="", measure="", unit="", ours="", better=better, bar=2.0, hoped=hoped)  # type: ignore[arg-type]
    assert verdict_of(value, asked) == expected


async def test_lost_messages_of_ours_outweigh_any_rate() -> None:
    log: list[str] = []
    ours, theirs = side("a", log, iter([100.0]), lost=7.0), side("b", log, iter([10.0]))
    (row,) = (await measure(figure(ours, theirs), GROUND, 1)).rows
    assert row.verdict == "lost"
    assert row.why == "a lost 7 messages"


async def test_a_peer_that_is_missing_is_told_with_the_remedy_and_not_asked_again() -> None:
    log: list[str] = []
    missing = failing("b", log, NotInstalled("b is not installed: pip install b"))
    (row,) = (await measure(figure(side("a", log), missing), GROUND, 2)).rows
    assert (row.verdict, row.why) == ("not installed", "b is not installed: pip install b")
    assert log == ["a", "b", "a"]


async def test_a_failure_names_its_side_and_leaves_the_others_measured() -> None:
    log: list[str] = []
    broken = failing("b", log, ChildFailed("it ended with status 1"))
    outcome = await measure(figure(side("a", log), broken), GROUND, 2)
    assert outcome.rows[0].verdict == "failed"
    assert "b: ChildFailed: it ended with status 1" in outcome.rows[0].why
    assert len(outcome.runs["a"]) == 2


def test_a_measure_without_another_side_is_held_against_the_bar_itself() -> None:
    asked = Comparison(title="memory", measure="kib", unit="KiB", ours="a", better="less", bar=16.0)
    outcome = Outcome(Figure(name="f", title="", method="", sides=(), comparisons=(asked,)), runs={"a": [{"kib": 9.0}]})
    row = judge(asked, outcome)
    assert row.verdict == "met"
    assert row.ratio is None
    assert row.judged is not None
    assert row.judged.median == 9.0
