"""The contract net as its buyer sees it: who is told what, when, whatever is lost, late, or dies."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentbus.audiences import Audience
from agentbus.awards import AwardRule, Bid, every, lowest_bid, second_price
from agentbus.errors import (
    AllFailed,
    Busy,
    DeadlineExceeded,
    HandlerFailed,
    InvalidBid,
    NoBids,
    NoResponders,
    Refused,
    SchemaMismatch,
)
from agentbus.negotiation import (
    Accept,
    Cancel,
    Declined,
    Effect,
    Ended,
    Fell,
    Lost,
    Negotiation,
    Nobody,
    Performed,
    Proposed,
    Reject,
    Tick,
    Withdrawn,
)


def negotiation(
    *expected: str, rule: AwardRule | None = None, value: float | None = None, patience_s: float | None = None
) -> Negotiation:
    return Negotiation(
        rule or lowest_bid(),
        value=value,
        expected=expected,
        now=100.0,
        window_s=1.0,
        deadline_s=10.0,
        patience_s=patience_s,
    )


def offer(job: Negotiation, now: float = 100.0, **bids: float) -> list[Effect]:
    effects: list[Effect] = []
    for bidder, bid in bids.items():
        effects += job.handle(Proposed(Bid(bidder=bidder, bid=bid)), now)
    return effects


def ended(effects: list[Effect]) -> Any:
    assert isinstance(effects[-1], Ended)
    return effects[-1].error


def accepted(effects: list[Effect]) -> list[str]:
    return [effect.ranked.bid.bidder for effect in effects if isinstance(effect, Accept)]


# -- bidding -----------------------------------------------------------------------------------------------------------


def test_bidding_closes_when_all_that_are_known_have_answered() -> None:
    job = negotiation("a", "b", "c")
    assert offer(job, a=3.0, b=2.0) == []
    effects = job.handle(Declined("c", Refused("busy elsewhere")), 100.0)
    assert accepted(effects) == ["b"]
    assert job.refusals.keys() == {"c"}


def test_where_nobody_is_known_it_closes_with_the_window() -> None:
    job = negotiation()
    assert offer(job, a=3.0, b=2.0) == []
    assert job.next_deadline() == 101.0
    assert job.handle(Tick(), 100.9) == []
    assert accepted(job.handle(Tick(), 101.0)) == ["b"]


def test_who_is_known_and_silent_is_waited_for_no_longer_than_the_window() -> None:
    job = negotiation("a", "dead")
    assert offer(job, a=3.0, stranger=2.0) == []
    assert accepted(job.handle(Tick(), 101.0)) == ["stranger"]
    assert job.answered == {"a", "stranger"}


def test_a_job_that_nobody_can_do() -> None:
    assert isinstance(ended(negotiation().handle(Nobody(), 100.0)), NoBids)
    silence = ended(negotiation().handle(Tick(), 101.0))
    assert isinstance(silence, NoBids)
    assert "nobody answered within 1 s: bid_window_s=" in str(silence)
    job = negotiation("a", "b")
    job.handle(Declined("a", Refused("can't")), 100.0)
    error = ended(job.handle(Declined("b", SchemaMismatch("not understood")), 100.0))
    assert isinstance(error, NoBids)
    assert {name: type(why) for name, why in error.refusals.items()} == {"a": Refused, "b": SchemaMismatch}
    assert "a: can't" in str(error)


@pytest.mark.parametrize(
    ("bid", "weight"), [(math.nan, 1.0), (-1.0, 1.0), (math.inf, 1.0), (6.0, 1.0), (2.0, 1.5), (2.0, math.nan)]
)
def test_a_bid_that_is_no_number_or_above_the_value_does_not_count_and_is_told_so(bid: float, weight: float) -> None:
    job = negotiation("a", "b", value=5.0)
    job.handle(Proposed(Bid(bidder="a", bid=bid, weight=weight)), 100.0)
    effects = offer(job, b=5.0)
    assert accepted(effects) == ["b"]
    assert isinstance(job.refusals["a"], InvalidBid)
    assert "'a'" in str(job.refusals["a"])
    assert Reject(("a",), 5.0) in job.handle(Performed("b"), 101.0)


def test_a_bid_that_comes_too_late_is_rejected_with_the_price() -> None:
    job = negotiation("a")
    assert accepted(offer(job, a=3.0)) == ["a"]
    assert offer(job, late=1.0) == []
    assert job.handle(Performed("a"), 102.0)[0] == Reject(("late",), 3.0)
    assert offer(job, 102.0, later=1.0) == []


def test_of_two_bids_of_one_bidder_the_first_counts() -> None:
    job = negotiation("a", "b")
    offer(job, a=3.0, b=4.0)
    assert offer(job, a=1.0) == []
    assert ended(job.handle(Performed("a"), 101.0)) is None


def test_a_thousand_bidders() -> None:
    names = [f"b{number:03}" for number in range(1000)]
    job = negotiation(*names)
    effects: list[Effect] = []
    for number, name in enumerate(names):
        effects += offer(job, **{name: float((number * 7919) % 1000)})
    assert accepted(effects) == ["b000"]
    done = job.handle(Performed("b000"), 101.0)
    (told,) = [effect for effect in done if isinstance(effect, Reject)]
    assert len(told.bidders) == 999
    assert 1 + 1000 + len(effects) + len(done) - 1 + 1 == 1000 + 4


# -- doing -------------------------------------------------------------------------------------------------------------


def test_the_rest_are_told_the_price_when_the_job_is_done() -> None:
    job = negotiation("a", "b", "c", rule=second_price(), value=9.0)
    effects = offer(job, a=3.0, b=2.0, c=5.0)
    assert [(e.ranked.price, e.timeout_s) for e in effects if isinstance(e, Accept)] == [(3.0, 5.0)]
    *told, end = job.handle(Performed("b"), 101.0)
    assert told == [Reject(("a", "c"), 3.0)]
    assert isinstance(end, Ended)
    assert [winner.bid.bidder for winner in end.winners] == ["b"]
    assert job.handle(Performed("a"), 101.0) == []
    assert job.next_deadline() is None


def test_a_winner_that_fails_is_replaced_by_the_next_best() -> None:
    job = negotiation("a", "b", "c")
    offer(job, a=3.0, b=2.0, c=5.0)
    assert accepted(job.handle(Fell("b", HandlerFailed("boom", error_type="ValueError")), 101.0)) == ["a"]
    assert job.handle(Performed("b"), 101.0) == []  # it has said that it failed
    assert job.handle(Fell("b", Busy("again")), 101.0) == []
    *told, end = job.handle(Performed("a"), 102.0)
    assert told == [Reject(("c",), 3.0)]
    assert end == Ended(None, end.winners)  # type: ignore[union-attr]
    assert job.failures.keys() == {"b"}


def test_a_silent_winner_is_replaced_within_the_deadline_and_the_last_has_all_of_it() -> None:
    job = negotiation("a", "b", "c")
    (first,) = offer(job, a=1.0, b=2.0, c=3.0)
    assert isinstance(first, Accept)
    assert first.timeout_s == 5.0
    (second,) = job.handle(Tick(), 105.0)
    (third,) = job.handle(Fell("b", NoResponders("gone")), 106.0)
    assert isinstance(second, Accept)
    assert isinstance(third, Accept)
    assert (second.timeout_s, third.timeout_s) == (2.5, 4.0)
    assert job.next_deadline() == 110.0
    error = ended(job.handle(Tick(), 110.0))
    assert isinstance(error, DeadlineExceeded)
    assert "'c' had the job (2 failed before)" in str(error)


def test_patience_may_be_said() -> None:
    job = negotiation("a", "b", patience_s=0.5)
    offer(job, a=1.0, b=2.0)
    assert job.next_deadline() == 100.5
    assert accepted(job.handle(Tick(), 100.5)) == ["b"]


def test_a_silent_winner_that_has_done_it_after_all_ends_the_job_and_its_replacement() -> None:
    job = negotiation("a", "b")
    offer(job, a=1.0, b=2.0)
    job.handle(Tick(), 105.0)
    effects = job.handle(Performed("a"), 105.5)
    assert effects[:-1] == [Cancel("b")]
    assert ended(effects) is None
    assert job.failures == {}


def test_who_was_believed_dead_is_told_when_the_job_is_done_that_it_is_not_wanted_any_more() -> None:
    job = negotiation("a", "b")
    offer(job, a=1.0, b=2.0)
    assert accepted(job.handle(Lost("a"), 100.1)) == ["b"]
    assert job.handle(Performed("b"), 100.2)[:-1] == [Cancel("a")]


def test_when_too_few_are_left_it_says_how_many_were_wanted() -> None:
    job = negotiation("a", "b", rule=every(2))
    offer(job, a=1.0, b=2.0)
    effects = job.handle(Fell("b", Refused("a flat tyre")), 100.1)
    assert Cancel("a") in effects
    assert "1 of 2 winners failed, and nobody is left to replace it: b: Refused: a flat tyre" in str(ended(effects))


def test_when_all_have_failed_each_ones_reason_is_told() -> None:
    job = negotiation("a", "b")
    offer(job, a=1.0, b=2.0)
    job.handle(Fell("a", Busy("full")), 101.0)
    error = ended(job.handle(Fell("b", HandlerFailed("boom", error_type="ValueError")), 101.0))
    assert isinstance(error, AllFailed)
    assert [(name, type(why)) for name, why in error.failures.items()] == [("a", Busy), ("b", HandlerFailed)]
    assert "a: Busy: full" in str(error)


def test_a_buyer_that_withdraws_cancels_the_winner_and_releases_the_rest() -> None:
    job = negotiation("a", "b")
    offer(job, a=1.0, b=2.0)
    assert job.handle(Withdrawn(), 101.0)[:-1] == [Cancel("a"), Reject(("b",), None)]
    assert job.handle(Withdrawn(), 101.0) == []
    early = negotiation("a", "b")
    offer(early, a=1.0)
    assert early.handle(Withdrawn(), 100.5)[:-1] == [Reject(("a",), None)]


def test_every_waits_for_so_many_and_replaces_each() -> None:
    job = negotiation("a", "b", "c", "d", rule=every(2))
    assert accepted(offer(job, a=1.0, b=2.0, c=3.0, d=4.0)) == ["a", "b"]
    assert job.handle(Performed("b"), 101.0) == []
    assert accepted(job.handle(Fell("a", Busy("")), 101.0)) == ["c"]
    *told, end = job.handle(Performed("c"), 102.0)
    assert told == [Reject(("d",), 3.0)]
    assert [winner.bid.bidder for winner in end.winners] == ["b", "c"]  # type: ignore[union-attr]
    few = negotiation("a", rule=every(2))
    effects = offer(few, a=1.0)
    assert effects[0] == Reject(("a",), None)
    assert "1 bids of at least 2: nobody else answered" in str(ended(effects))


# -- whom to wait for --------------------------------------------------------------------------------------------------


def test_who_has_answered_is_expected_and_who_was_silent_is_not_until_it_is_heard() -> None:
    known = Audience()
    assert known.expected() == set()
    known.heard("a")
    known.look({"b": 1, "mute": 1}, 0.0)
    assert known.expected() == {"a", "b", "mute"}
    known.missed({"mute", "a"})
    assert known.expected() == {"b"}
    known.look({"b": 1, "mute": 1}, 1.0)
    assert known.expected() == {"b"}
    known.look({"b": 1, "mute": 2}, 2.0)  # a new life
    assert known.expected() == {"b", "mute"}
    known.missed({"mute"})
    known.heard("mute")
    known.heard("a")
    assert known.expected() == {"a", "b", "mute"}


def test_who_has_gone_is_forgotten_however_many_come_and_go() -> None:
    known = Audience()
    for number in range(1000):
        known.look({f"guest-{number}": number}, float(number))
        known.missed({f"guest-{number}"})
    known.look({}, 1000.0)
    assert sys.getsizeof(known._silent) < 1000


# -- whatever may happen -----------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d", "e")
names = st.sampled_from(NAMES)


class World(RuleBasedStateMachine):
    """One buyer and five bidders on a network that loses, repeats and reorders; bidders die, go mute, fail, lie."""

    @initialize(
        known=st.sets(names),
        winners=st.integers(1, 2),
        value=st.none() | st.floats(1, 8),
        patience_s=st.none() | st.floats(0.1, 3),
    )
    def begin(self, known: set[str], winners: int, value: float | None, patience_s: float | None) -> None:
        self.now = 50.0
        self.value = value
        self.winners = winners
        rule = every(winners) if winners > 1 else lowest_bid()
        self.job = Negotiation(
            rule, value=value, expected=known, now=self.now, window_s=1.0, deadline_s=8.0, patience_s=patience_s
        )
        self.under_way: list[Any] = []  # events on their way to the buyer
        self.heard_award: set[str] = set()
        self.really_did: set[str] = set()
        self.dead: set[str] = set()
        self.bids: dict[str, float] = {}
        self.accepts: list[Accept] = []
        self.told: dict[str, str] = {}
        self.sent = 1  # the call
        self.end: Ended | None = None

    def feed(self, event: Any) -> None:
        over = self.end is not None
        effects = self.job.handle(event, self.now)
        assert not (over and effects), "nothing follows the end"
        for effect in effects:
            assert self.end is None, "the end comes last"
            match effect:
                case Accept(ranked, timeout_s):
                    bidder = ranked.bid.bidder
                    assert bidder not in self.told, "one word a bidder"
                    assert timeout_s >= 0
                    self.told[bidder] = "accept"
                    self.accepts.append(effect)
                    self.sent += 1
                    if bidder not in self.dead:
                        self.heard_award.add(bidder)
                case Reject(bidders, _):
                    assert bidders, "whom to tell"
                    assert self.told.keys().isdisjoint(bidders), "one word a bidder"
                    self.told.update(dict.fromkeys(bidders, "reject"))
                    self.sent += 1
                case Cancel(bidder):
                    assert self.told[bidder] == "accept"
                case Ended():
                    self.end = effect

    @rule(
        name=names,
        bid=st.sampled_from([0.0, 1.0, 2.0, 5.0, 7.0, math.nan, -1.0, math.inf]),
        weight=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    )
    def bids_once(self, name: str, bid: float, weight: float) -> None:
        if name not in self.bids and name not in self.dead:
            self.bids[name] = bid
            self.sent += 1
            self.under_way.append(Proposed(Bid(bidder=name, bid=bid, weight=weight)))

    @rule(name=names)
    def refuses(self, name: str) -> None:
        if name not in self.bids and name not in self.dead:
            self.bids[name] = math.nan
            self.sent += 1
            self.under_way.append(Declined(name, Refused("")))

    @rule(name=names, well=st.booleans())
    def answers_its_award(self, name: str, well: bool) -> None:
        if name in self.heard_award and name not in self.dead:
            self.heard_award.discard(name)
            self.sent += 1
            if well:
                self.really_did.add(name)
            self.under_way.append(Performed(name) if well else Fell(name, Busy("")))

    @rule(name=names)
    def says_that_it_did_what_it_was_not_asked(self, name: str) -> None:
        if not any(accept.ranked.bid.bidder == name for accept in self.accepts):
            self.feed(Performed(name))
            self.feed(Fell(name, Busy("")))

    @rule(name=names)
    def dies(self, name: str) -> None:
        self.dead.add(name)
        self.heard_award.discard(name)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), again=st.booleans())
    def one_arrives(self, data: st.DataObject, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.under_way) - 1))
        event = self.under_way[place]
        if not again:
            del self.under_way[place]
        self.feed(event)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def one_is_lost(self, data: st.DataObject) -> None:
        del self.under_way[data.draw(st.integers(0, len(self.under_way) - 1))]

    @rule(step_s=st.floats(0.0, 2.0))
    def time_passes(self, step_s: float) -> None:
        until_s = self.now + step_s
        while (due_s := self.job.next_deadline()) is not None and due_s <= until_s:
            self.now = max(self.now, due_s)
            self.feed(Tick())
        self.now = until_s

    @rule()
    def time_comes_too_soon(self) -> None:
        due_s = self.job.next_deadline()
        if due_s is not None and due_s > self.now:
            self.feed(Tick())

    @invariant()
    def what_always_holds(self) -> None:
        job = self.job
        assert (job.next_deadline() is None) is (self.end is not None) is (job.phase == "ended")
        assert self.end is not None or self.now <= 58.0, "it ends with its deadline"
        order = [accept.ranked.bid.bid for accept in self.accepts]
        assert order == sorted(order), "the best first"
        assert all(math.isfinite(bid) and 0 <= bid <= (self.value or math.inf) for bid in order)
        failed = len(job.failures)
        assert len(self.accepts) <= self.winners + failed, "one is replaced when it failed or was silent, not before"
        bidders = len(self.bids)
        assert self.sent <= 2 * bidders + 1 + self.winners + failed, "2n + 2, and one for each that failed"
        assert self.sent <= bidders + 2 + 2 * (self.winners + failed), "n + 4, and two for each that failed"
        if self.end is not None and self.end.error is None:
            did = {winner.bid.bidder for winner in self.end.winners}
            assert len(did) == self.winners
            assert did <= self.really_did
        if self.end is not None and isinstance(self.end.error, AllFailed):
            assert self.end.error.failures


World.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestWhateverHappens = World.TestCase
