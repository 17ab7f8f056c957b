"""The energy market: nothing is lost, nobody loses by trading, and a household that fails takes nobody with it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from math import isclose
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus import Agent, Context, Node, Refused, on
from examples.energy.__main__ import main
from examples.energy.auctioneer import Auctioneer
from examples.energy.books import FEED_IN, RETAIL, Deal, Unbalanced, closed
from examples.energy.day import NOON, Day, alone, together
from examples.energy.house import Battery, House, street
from examples.energy.household import AUCTIONEER, ROUNDS, Household
from examples.energy.sky import HOURS, STEPS, habit, sunshine
from examples.energy.v1.energy_pb2 import Cleared, Filled, JoinReply, JoinRequest, Order, Turn
from tests.examples.programs import run
from tests.nats_server import NatsServer
from tests.virtual_loop import run_virtually

TOWN = "memory://energy-tests"


def told(day: Day) -> object:
    return day.books, day.silent, day.lapsed


def lived(seed: int, fails: str | None = None) -> Day:
    """A day with the market, in virtual time: a machine that stalls makes nobody silent."""
    days: list[Day] = []

    async def live() -> None:
        days.append(await together(seed, TOWN, fails=fails))

    run_virtually(live())
    return days[0]


# -- what is pure ------------------------------------------------------------------------------------------------------


def test_the_sun_of_a_day_in_may() -> None:
    day = [sunshine((step + 0.5) * HOURS) for step in range(STEPS)]
    assert max(day) == pytest.approx(sunshine(12.0), rel=0.01)
    assert day[:16] == [0.0] * 16, "until four it is night"
    assert all(isclose(early, late) for early, late in zip(day, reversed(day), strict=True))
    assert 6.5 < sum(day) * HOURS / 1000 < 8.5, "kWh a square metre from a clear sky"


def test_the_habit_has_the_mean_of_a_load_profile() -> None:
    assert sum(habit((step + 0.5) * HOURS) for step in range(STEPS)) / STEPS == pytest.approx(1.0, abs=0.005)


@given(st.integers(0, 20_000), st.lists(st.tuples(st.booleans(), st.integers(0, 5_000)), max_size=60))
def test_a_battery_loses_what_it_says_and_no_more(capacity: int, moves: list[tuple[bool, int]]) -> None:
    battery = Battery(capacity=capacity)
    came = went = lost = 0
    for charge, wh in moves:
        if charge:
            taken, waste = battery.charge(wh)
            assert 0 <= taken <= min(wh, battery.most)
            assert waste == taken - taken * 9 // 10
            came, lost = came + taken, lost + waste
        else:
            given_wh = battery.discharge(wh)
            assert 0 <= given_wh <= min(wh, battery.most)
            went += given_wh
        assert 0 <= battery.stored <= capacity
        assert came == went + lost + battery.stored


def test_a_step_is_lived_once() -> None:
    house = street(1)[0]
    house.live(0)
    with pytest.raises(ValueError, match="step 0 of house-01: 1 is next"):
        house.idle(0)


def test_what_comes_from_nowhere_is_found() -> None:
    houses = [House("a", (500,) * STEPS, (0,) * STEPS, 0), House("b", (0,) * STEPS, (300,) * STEPS, 0)]
    for step in range(STEPS):
        for house in houses:
            house.live(step)
    good = closed(houses, [Deal(step=3, seller="a", buyer="b", price=2_000, quantity=300)])
    good.check()
    assert good.accounts["b"].bill == (STEPS - 1) * 300 * RETAIL + 300 * 2_000
    assert good.accounts["a"].bill == -(STEPS * 500 - 300) * FEED_IN - 300 * 2_000
    account = good.accounts["b"]
    for wrong in (
        replace(account, imported=account.imported + 1),
        replace(account, bought=1),
        replace(account, bill=0),
    ):
        with pytest.raises(Unbalanced):
            replace(good, accounts={**good.accounts, "b": wrong}).check()
    with pytest.raises(Unbalanced, match="the grid got"):
        replace(good, grid=good.grid - 1).check()


# -- the day -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_nobody_loses_by_trading(seed: int) -> None:
    before, after = alone(seed), lived(seed)
    for name, account in after.books.accounts.items():
        assert account.bill <= before.books.accounts[name].bill
        assert (account.used, account.made) == (before.books.accounts[name].used, before.books.accounts[name].made)
    saved = before.books.total("bill") - after.books.total("bill")
    assert saved == after.books.total("bought") * (RETAIL - FEED_IN), "what was traded did not go through the grid"
    assert after.books.self_consumption > before.books.self_consumption
    assert after.books.self_sufficiency > before.books.self_sufficiency
    assert not after.silent
    for step in range(STEPS):
        assert not (after.books.imports[step] and after.books.exports[step]), "whoever could be matched was"
    prices = [price for price in after.books.prices if price is not None]
    assert FEED_IN <= min(prices) <= max(prices) <= RETAIL


def test_one_fails_at_noon_and_the_others_go_on() -> None:
    fails = "house-14"
    before, well, failed = alone(1), lived(1), lived(1, fails)
    assert failed.silent == {fails: (NOON, 1)}
    assert failed.lapsed > 0
    assert failed.books.prices[:NOON] == well.books.prices[:NOON], "the morning is the same"
    assert sum(failed.books.traded[NOON + 1 :]) > 0
    for name, account in failed.books.accounts.items():
        if name != fails:
            assert account.bill <= before.books.accounts[name].bill
            assert account.made + account.bought + account.imported == (
                account.used + account.lost + account.stored + account.sold + account.exported
            )
    dead = next(house for house in failed.houses if house.name == fails)
    assert all(not (each.taken or each.given) for each in dead.readings[NOON + 1 :]), "its battery rests"
    assert failed.books.accounts[fails].used == well.books.accounts[fails].used, "its people go on using"
    assert failed.books.accounts[fails].sold < well.books.accounts[fails].sold


async def test_on_a_broker_it_is_the_same_day(broker: NatsServer) -> None:
    here, there = [await together(3, url, patience_s=15.0) for url in (TOWN, broker.url)]
    assert told(here) == told(there)


def test_the_same_seed_the_same_day_and_another_another() -> None:
    first, again, other = [lived(seed, "house-12") for seed in (5, 5, 6)]
    assert told(first) == told(again)
    assert told(first) != told(other)


# -- the auctioneer ----------------------------------------------------------------------------------------------------


class Board(Agent):
    """Hears how rounds end."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Cleared] = asyncio.Queue()

    @on(Cleared)
    async def hear(self, cleared: Cleared, ctx: Context) -> None:
        await self.heard.put(cleared)


async def test_a_round_of_two_is_told_to_all() -> None:
    seller = House("a", (1_000,) * STEPS, (100,) * STEPS, 0)
    buyer = House("b", (0,) * STEPS, (300,) * STEPS, 0)
    agents = {
        AUCTIONEER: Auctioneer(1),
        "a": Household(seller, 1),
        "b": Household(buyer, 1),
        "board": (board := Board()),
    }
    async with Node(TOWN, realm="two", agents=agents) as node:
        cleared = Cleared()
        for number in range(ROUNDS):
            cleared = await node.request(Turn(step=0, round=number), Cleared, to=AUCTIONEER)
            assert await board.heard.get() == cleared
            if cleared.trades:
                break
        (trade,) = cleared.trades
        assert (trade.seller, trade.buyer, trade.quantity) == ("a", "b", 300)
        assert FEED_IN <= trade.price <= RETAIL
        assert not cleared.silent


async def test_orders_that_make_no_sense_are_refused() -> None:
    auctioneer = Auctioneer(1, patience_s=0.05)
    async with Node(TOWN, realm="wrong", agents={AUCTIONEER: auctioneer}) as node:
        with pytest.raises(Refused, match="round 0 of step 0 is not open"):
            await node.request(Order(), Filled, to=AUCTIONEER)
        assert await node.request(JoinRequest(), JoinReply, to=AUCTIONEER) == JoinReply()
        cleared = await node.request(Turn(), Cleared, to=AUCTIONEER)
        assert list(cleared.silent) == [node.name]
        assert not auctioneer.members, "who is silent is not called again"
        assert await node.request(Turn(step=1), Cleared, to=AUCTIONEER) == Cleared(step=1)


# -- the program -------------------------------------------------------------------------------------------------------


def test_what_it_prints_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--json", str(tmp_path / "it.json"), "--svg", str(tmp_path / "it.svg")]
    assert main(words) == 0
    out = capsys.readouterr().out
    figures = json.loads((tmp_path / "it.json").read_text())
    assert f"{figures['market']['bill']:.2f}" in out
    assert "house-14 fell silent at 12:00, in round 2: 474 Wh of orders lapsed" in out
    drawn = " ".join(ElementTree.fromstring((tmp_path / "it.svg").read_text()).itertext())
    assert "house-14 fails" in drawn
    assert "cents a kWh" in drawn
    accounts = alone(1).books.accounts
    for name, figure in figures["alone"]["houses"].items():
        assert figure["imported"] == asdict(accounts[name])["imported"]
    assert main(["--fail", "none", "--seed", "2"]) == 0
    assert "silent" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fail", "castle"], "--fail castle: use none, or one of house-01"),
        (["--patience", "0"], "--patience 0: use 0.01 to 60 seconds"),
        (["--json", "/nowhere/it.json"], "there is no folder /nowhere"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(words: list[str], says: str, tmp_path: Path) -> None:
    done = run("examples.energy", *words, home=tmp_path)
    assert done.status == 2
    assert says in done.err
