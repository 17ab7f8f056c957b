"""Amounts: whole numbers of ticks, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentbus.market
from agentbus.errors import ConfigurationError, Refused
from agentbus.market import Reason, Refusal, Side, Ticks

from .patience import patient


def test_all_is_what_there_is() -> None:
    assert all(hasattr(agentbus.market, name) for name in agentbus.market.__all__)


def test_prices_become_amounts_and_back() -> None:
    cents = Ticks("0.01")
    assert cents.amount("12.50") == 1250
    assert cents.amount(0.1) + cents.amount(0.2) == cents.amount(0.3)
    assert cents.price(1250) == Decimal("12.50")
    assert Ticks(0.25).amount(3) == 12


@patient
@given(st.integers(0, 2**53), st.sampled_from(["0.01", "0.25", "1", "5"]))
def test_every_amount_survives_being_a_price(amount: int, size: str) -> None:
    ticks = Ticks(size)
    assert ticks.amount(ticks.price(amount)) == amount


@pytest.mark.parametrize("price", [nan, inf, -inf, "a lot", "12.505", -1, 10**20])
def test_what_is_no_amount_is_refused(price: Any) -> None:
    with pytest.raises(ConfigurationError):
        Ticks("0.01").amount(price)


@pytest.mark.parametrize("size", [0, -1, nan, inf, "x"])
def test_what_is_no_tick_is_refused(size: Any) -> None:
    with pytest.raises(ConfigurationError):
        Ticks(size)


def test_sides_mirror_one_another() -> None:
    assert Side.HIGHEST.reaches(5, 5)
    assert Side.HIGHEST.reaches(6, 5)
    assert not Side.HIGHEST.reaches(4, 5)
    assert Side.LOWEST.reaches(4, 5)
    assert not Side.LOWEST.reaches(6, 5)


def test_a_refusal_is_an_error_for_whoever_answers_with_one() -> None:
    error = Refusal(party="a", reason=Reason.TOO_LATE, text="the auction is closed").error()
    assert isinstance(error, Refused)
    assert str(error) == "too late: the auction is closed"
