"""Whatever is told to them, the auctions keep what all of them promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.market import (
    Bid,
    Commit,
    CommitReveal,
    Decline,
    DutchAuction,
    EnglishAuction,
    Outcome,
    Pricing,
    Refusal,
    Reveal,
    SealedAuction,
    Side,
    Tick,
    commitment,
)

from .patience import patient

Machine = SealedAuction | CommitReveal | EnglishAuction | DutchAuction
NONCE = bytes(16)

MACHINES: dict[str, Callable[[Side], Machine]] = {
    "first price": lambda side: SealedAuction(closes_s=5.0, side=side, reserve=50),
    "second price": lambda side: SealedAuction(closes_s=5.0, side=side, pricing=Pricing.SECOND, reserve=50),
    "invited": lambda side: SealedAuction(closes_s=5.0, side=side, invited=["a", "b"]),
    "commit and reveal": lambda side: CommitReveal(
        "lot", commits_until_s=3.0, reveals_until_s=6.0, side=side, reserve=50
    ),
    "english": lambda side: EnglishAuction(
        opens_s=1.0, closes_s=8.0, quiet_s=2.0, opening=50, increment=3, side=side, reserve=50
    ),
    "dutch": lambda side: DutchAuction(
        opens_s=1.0,
        opening=90 if side is Side.HIGHEST else 10,
        reserve=50,
        step=7,
        every_s=0.7,
        side=side,
    ),
}

names = st.sampled_from(["a", "b", "c", ""])
amounts = st.one_of(
    st.integers(-2, 100),
    st.sampled_from([2**63, 2**63 - 1]),
    st.floats(),
    st.none(),
    st.booleans(),
    st.text(max_size=2),
)
bids = st.builds(Bid, bidder=names, amount=amounts)
commits = st.builds(
    lambda who, amount, digest: Commit(bidder=who, digest=digest or commitment("lot", who, amount, NONCE)),
    names,
    st.integers(0, 100),
    st.sampled_from([b"", b"", b"short"]),
)
reveals = st.builds(Reveal, bidder=names, amount=amounts, nonce=st.sampled_from([NONCE, b"", bytes(17)]))
events = st.one_of(bids, bids, commits, reveals, st.builds(Decline, bidder=names), st.just(Tick()))
steps = st.lists(st.tuples(st.floats(0.0, 1.5), events), max_size=25)


@pytest.mark.parametrize("kind", MACHINES)
@patient
@given(steps, st.sampled_from(list(Side)))
def test_what_all_auctions_promise(kind: str, told: list[tuple[float, Any]], side: Side) -> None:
    machine, twin = MACHINES[kind](side), MACHINES[kind](side)
    now = 0.0
    outcomes: list[Outcome] = []
    for later, event in told:
        now += later
        effects = machine.handle(event, now)
        assert effects == twin.handle(event, now)  # the same events, the same effects
        ended = bool(outcomes)
        outcomes += [effect for effect in effects if isinstance(effect, Outcome)]
        if ended:
            assert all(isinstance(effect, Refusal) for effect in effects)
        due = machine.next_deadline()
        assert (due is None) == (machine.outcome is not None) == bool(outcomes)
        assert due is None or due > now  # nothing that is due is left undone
    while (due := machine.next_deadline()) is not None:
        outcomes += [effect for effect in machine.handle(Tick(), due) if isinstance(effect, Outcome)]
    (outcome,) = outcomes
    assert outcome is machine.outcome
    assert (outcome.winner is None) == (outcome.price is None) == (not outcome.ranking)
    if outcome.price is not None:
        best = outcome.ranking[0]
        assert best.bidder == outcome.winner
        assert side.reaches(best.amount, outcome.price)  # nobody pays more, or is paid less, than it bid
        assert kind == "invited" or side.reaches(outcome.price, 50)
        assert outcome.winner not in outcome.forfeits
