"""What became of a fault, read from a timeline; and the picture and the table of it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from examples.selfhealing.answer import Comparison
from examples.selfhealing.lanes import State, spans
from examples.selfhealing.outcome import outcome, outcomes
from examples.selfhealing.report import page
from examples.selfhealing.timeline import Event, Injection, Timeline, What
from examples.selfhealing.verdict import Verdict, cells

NODES = ("a", "b", "c", "d")


class Story:
    """A timeline, told by hand."""

    def __init__(self) -> None:
        self.timeline = Timeline(NODES)
        for node in NODES:
            self.add(0.0, What.STARTED, who=node)
            self.add(0.5, What.UP, who=node)

    def add(self, at_s: float, what: What, **facts: Any) -> None:
        self.timeline.add(Event(at_s=at_s, what=what, **facts))

    def fault(
        self, at_s: float, kind: str, *victims: str, shards: tuple[int, ...] = (1, 2), lifted_s: float | None = None
    ) -> None:
        self.timeline.faults.append(Injection(kind=kind, at_s=at_s, victims=victims, shards=shards, lifted_s=lifted_s))
        for victim in victims:
            self.add(at_s, What.INJECTED, about=victim, text=kind)

    def all(self, at_s: float, what: What, about: str, **facts: Any) -> None:
        for index, node in enumerate(node for node in NODES if node != about):
            self.add(at_s + index / 10, what, who=node, about=about, **facts)

    def commit(self, at_s: float, who: str, shard: int, *, right: bool = True) -> None:
        self.add(at_s, What.COMMITTED, who=who, shard=shard, records=10, right=right)


def test_one_that_is_killed() -> None:
    story = Story()
    story.fault(10.0, "kill", "a")
    story.add(10.0, What.ENDED, who="a", text="signal 9")
    story.all(11.0, What.FAILED, "a")
    assert outcome(story.timeline, story.timeline.faults[0]).recover_s is None
    story.add(11.5, What.CLAIMED, who="b", shard=1, records=30)
    story.commit(11.6, "b", 1)
    story.commit(11.7, "c", 3)
    story.commit(11.8, "c", 2)
    story.add(12.0, What.STARTED, who="a")
    assert not outcome(story.timeline, story.timeline.faults[0]).healed
    story.add(13.0, What.UP, who="a")
    story.all(13.5, What.JOINED, "a")
    found = outcome(story.timeline, story.timeline.faults[0])
    assert found.detect_s == pytest.approx(1.0)
    assert found.agree_s == pytest.approx(1.2)
    assert found.recover_s == pytest.approx(1.8)
    assert found.return_s == pytest.approx(3.7)
    assert (found.replayed, found.false_alarms, found.healed) == (30, 0, True)


@pytest.mark.parametrize(("verdict", "healed"), [("lying", False), ("false-accuser", False), ("slow", True)])
def test_somebody_who_is_blamed_for_nothing_is_counted_and_an_honest_one_is_not_to_be_convicted(
    verdict: str, healed: bool
) -> None:
    story = Story()
    story.fault(10.0, "kill", "a")
    story.add(10.0, What.ENDED, who="a")
    story.all(11.0, What.FAILED, "a")
    story.add(11.3, What.FAILED, who="b", about="c")
    story.add(11.4, What.CONVICTED, who="b", about="c", text=verdict)
    story.add(11.4, What.SUSPECTED, who="b", about="d")
    for shard in (1, 2):
        story.commit(12.0, "b", shard)
    story.add(12.5, What.STARTED, who="a")
    story.add(13.0, What.UP, who="a")
    story.all(13.0, What.JOINED, "a")
    found = outcome(story.timeline, story.timeline.faults[0])
    assert found.false_alarms == 1
    assert found.blamed == ("b: c failed",)
    assert found.healed == healed


def test_a_zombie_must_find_itself_fenced_and_its_own_commits_do_not_count_until_it_was_let_go_on() -> None:
    story = Story()
    story.fault(10.0, "stop", "a", lifted_s=20.0)
    story.commit(10.1, "a", 1)
    story.all(11.0, What.FAILED, "a")
    story.commit(12.0, "b", 1)
    story.commit(12.1, "b", 2)
    story.add(20.0, What.LIFTED, about="a", text="stop")
    story.all(20.5, What.JOINED, "a")
    found = outcome(story.timeline, story.timeline.faults[0])
    assert found.recover_s == pytest.approx(2.1)
    assert found.return_s == pytest.approx(10.7)
    assert not found.healed, "nobody has seen it fenced"
    story.add(20.8, What.REFUSED, who="a", shard=1)
    assert outcome(story.timeline, story.timeline.faults[0]).healed


def test_a_liar_that_had_nothing_to_lie_about_is_not_blamed_for_nothing_later() -> None:
    story = Story()
    story.fault(10.0, "lie", "a")
    story.fault(60.0, "lie", "b")
    story.commit(60.4, "b", 1, right=False)
    story.commit(60.5, "a", 2, right=False)
    story.all(60.9, What.CONVICTED, "b", text="lying")
    story.all(61.0, What.CONVICTED, "a", text="lying")
    found = outcome(story.timeline, story.timeline.faults[1])
    assert (found.false_alarms, found.wrong) == (0, 2)
    assert found.each_s == {"a": pytest.approx(0.6), "b": pytest.approx(0.5)}
    story.add(62.0, What.STARTED, who="a")
    story.add(62.0, What.STARTED, who="b")
    story.fault(70.0, "lie", "c")
    story.commit(70.4, "c", 1, right=False)
    story.all(71.0, What.CONVICTED, "a", text="lying")
    assert outcome(story.timeline, story.timeline.faults[2]).false_alarms == 1


def test_one_that_is_slow_is_not_back_before_its_next_life_whatever_others_believe_of_it() -> None:
    story = Story()
    story.fault(10.0, "slow", "a")
    story.all(12.0, What.FAILED, "a")
    story.commit(12.5, "b", 1)
    story.commit(12.5, "b", 2)
    story.all(13.0, What.JOINED, "a")
    assert outcome(story.timeline, story.timeline.faults[0]).return_s is None
    story.fault(20.0, "kill", "b")
    story.add(21.0, What.FAILED, who="c", about="a")
    assert outcome(story.timeline, story.timeline.faults[1]).false_alarms == 0


def test_a_liar_is_timed_from_its_first_wrong_score() -> None:
    story = Story()
    story.fault(10.0, "lie", "a")
    assert outcome(story.timeline, story.timeline.faults[0]).from_s is None
    story.commit(10.4, "a", 1, right=False)
    story.all(12.4, What.CONVICTED, "a", text="lying")
    story.add(12.5, What.ENDED, who="a")
    story.add(12.6, What.CLAIMED, who="b", shard=1, records=10)
    story.commit(12.9, "b", 1)
    story.commit(12.9, "c", 2)
    story.add(13.5, What.STARTED, who="a")
    story.add(14.4, What.UP, who="a")
    story.all(14.2, What.JOINED, "a")
    found = outcome(story.timeline, story.timeline.faults[0])
    assert found.from_s == pytest.approx(10.4)
    assert found.detect_s == pytest.approx(2.0)
    assert found.agree_s == pytest.approx(2.2)
    assert found.recover_s == pytest.approx(2.5)
    assert found.return_s == pytest.approx(4.0)
    assert (found.replayed, found.healed) == (10, True)


def test_a_broker_is_over_when_all_shards_commit_and_all_links_are_back() -> None:
    story = Story()
    story.fault(10.0, "broker", "server-1", lifted_s=13.0)
    story.add(10.0, What.BROKER_DOWN, about="server-1")
    story.commit(10.1, "b", 1)  # was under way
    story.add(10.2, What.LINK_LOST, who="a")
    story.add(11.0, What.LINK_BACK, who="a")
    story.add(13.0, What.BROKER_UP, about="server-1")
    story.commit(15.0, "b", 2)
    assert outcome(story.timeline, story.timeline.faults[0]).recover_s is None
    story.commit(15.5, "b", 1)
    found = outcome(story.timeline, story.timeline.faults[0])
    assert found.detect_s == pytest.approx(0.2)
    assert found.agree_s is None
    assert found.recover_s == pytest.approx(5.5)
    assert found.return_s == pytest.approx(3.0)
    assert found.healed
    story.add(16.0, What.LINK_LOST, who="b")
    assert outcome(story.timeline, story.timeline.faults[0]).return_s is None


def test_a_partition_is_healed_when_all_on_this_side_have_seen_all_of_the_other_again() -> None:
    story = Story()
    story.fault(10.0, "partition", "c", "d", lifted_s=18.0)
    for victim, at_s in (("c", 11.0), ("d", 12.0)):
        for who in ("a", "b"):
            story.add(at_s, What.FAILED, who=who, about=victim)
    story.commit(13.0, "a", 1)
    story.commit(13.2, "b", 2)
    for victim, at_s in (("c", 18.5), ("d", 19.0)):
        for who in ("a", "b"):
            assert outcome(story.timeline, story.timeline.faults[0]).return_s is None
            story.add(at_s, What.JOINED, who=who, about=victim)
    found = outcome(story.timeline, story.timeline.faults[0])
    assert (found.detect_s, found.recover_s, found.return_s) == pytest.approx((2.0, 3.2, 9.0))
    assert found.healed


def test_a_fault_ends_where_the_next_begins() -> None:
    story = Story()
    story.fault(10.0, "kill", "a")
    story.all(11.0, What.FAILED, "a")
    story.fault(20.0, "kill", "b")
    story.all(21.5, What.FAILED, "b")
    first, second = outcomes(story.timeline)
    assert (first.detect_s, first.false_alarms) == (pytest.approx(1.0), 0)
    assert (second.detect_s, second.false_alarms) == (pytest.approx(1.5), 0)


def test_the_lane_of_an_agent() -> None:
    story = Story()
    story.fault(10.0, "lie", "a")
    story.add(12.0, What.ACTED, who="b", about="a", text="quarantine (done)")
    story.add(12.5, What.ENDED, who="a")
    story.add(12.6, What.ACTED, who="c", about="a", text="quarantine (done)")
    story.add(13.5, What.STARTED, who="a")
    story.add(14.0, What.UP, who="a")
    story.add(14.5, What.ACTED, who="b", about="a", text="probation (begun)")
    story.add(20.0, What.ACTED, who="b", about="a", text="rejoin (done)")
    assert [(span.state, span.from_s, span.until_s) for span in spans(story.timeline, "a", 25.0)] == [
        (State.STARTING, 0.0, 0.5),
        (State.WELL, 0.5, 10.0),
        (State.LYING, 10.0, 12.0),
        (State.QUARANTINED, 12.0, 12.5),
        (State.DOWN, 12.5, 13.5),
        (State.STARTING, 13.5, 14.0),
        (State.WELL, 14.0, 14.5),
        (State.PROBATION, 14.5, 20.0),
        (State.WELL, 20.0, 25.0),
    ]


def verdict(**changes: Any) -> Verdict:
    story = Story()
    story.fault(10.0, "kill", "a")
    story.add(10.0, What.ENDED, who="a", text="signal 9")
    story.all(11.0, What.FAILED, "a", text="no answer & <no> refutation")
    for shard in (1, 2):
        story.commit(12.0, "b", shard)
    story.add(12.5, What.STARTED, who="a")
    story.add(13.0, What.UP, who="a")
    story.all(13.0, What.JOINED, "a")
    facts: dict[str, Any] = {
        "about": "4 agents",
        "elapsed_s": 30.0,
        "timeline": story.timeline,
        "outcomes": outcomes(story.timeline),
        "answer": Comparison(records=20, equal=20, lost=0, twice=0, differing=0),
    }
    return Verdict(**{**facts, **changes})


def test_a_run_is_good_only_if_all_is() -> None:
    assert verdict().ok
    assert not verdict(unverified=1).ok
    assert verdict(calm_alarms=1).ok
    assert not verdict(problems=["x"]).ok
    assert not verdict(answer=Comparison(records=20, equal=19, lost=0, twice=0, differing=1)).ok
    assert verdict().as_json()["faults"][0]["recover_s"] == pytest.approx(2.0)
    assert cells(verdict().outcomes[0]) == ("kill", "a", "1.00 s", "1.20 s", "2.00 s", "3.20 s", "0", "0", "yes")


def test_the_report_loads_nothing_and_its_picture_is_well_formed() -> None:
    text = page(verdict(), ("server-0", "server-1"))
    assert "healed, and the answer is equal" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in text
    start, end = text.index("<svg"), text.index("</svg>") + len("</svg>")
    picture = ElementTree.fromstring(text[start:end])
    titles = [title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert "kill: a" in titles
    assert "recovered after 2.00 s" in titles
    assert "NOT healed" in page(verdict(unverified=1), ())
