"""Decisions that a node keeps: of each what it says, and nothing that it was made of."""

from __future__ import annotations

import gc
import json
import math
import weakref

import pytest
import structlog
from structlog.typing import FilteringBoundLogger

from agentbus.decisions import LONGEST, Decisions, written
from agentbus.errors import NoBids

LOG: FilteringBoundLogger = structlog.get_logger()


class Parcel:
    """Something large that was in hand when it failed."""


def test_an_error_is_kept_by_its_words_without_what_was_in_hand() -> None:
    decisions = Decisions(lambda: 0)

    def fail() -> weakref.ref[Parcel]:
        parcel = Parcel()
        try:
            raise NoBids("nobody")
        except NoBids as error:
            decisions.note(LOG, ("buyer", 1, 1), "buyer", "not done", ("reason",), (error,))
        return weakref.ref(parcel)

    parcel = fail()
    gc.collect()
    assert parcel() is None
    (entry,) = decisions.of("buyer:1:1")
    assert json.loads(written("n", entry))["facts"] == {"reason": "NoBids: nobody"}


class Unspeakable:
    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        pytest.param(10**5000, "int", id="huge"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (1.5e308, 1.5e308),
        (7, 7),
        (True, True),
        (None, None),
        (Unspeakable(), "Unspeakable"),
        ("x" * 1000, "x" * (LONGEST - 1) + "…"),
        (ValueError("\ud800"), "ValueError: ?"),
    ],
)
def test_whatever_a_cost_returned_it_can_be_told(fact: object, told: object) -> None:
    decisions = Decisions(lambda: 0)
    decisions.note(LOG, ("buyer", 1, 1), "anna", "refused", ("cost",), (fact,))
    (entry,) = decisions.of("")
    assert json.loads(written("n", entry))["facts"] == {"cost": told}


def test_a_decision_is_of_the_time_at_which_its_maker_looked_at_the_clock() -> None:
    decisions = Decisions(lambda: 7)
    decisions.note(LOG, ("buyer", 1, 1), "anna", "bid", ("bid",), (1.0,), 5)
    decisions.note(LOG, ("buyer", 1, 1), "buyer", "awarded", ("bid",), (1.0,))
    assert [(entry.agent, entry.at_us) for entry in decisions.of("buyer:1:1")] == [("anna", 5), ("buyer", 7)]
