"""The couriers: the books balance, the optimum is one, and what is told of the policies holds."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from examples.couriers.__main__ import main
from examples.couriers.casts import Cast, casts
from examples.couriers.day import Day, live
from examples.couriers.optimum import best_welfare, least_cost
from examples.couriers.town import JOBS, LIMIT, costs, orders, riders
from tests.examples.programs import run
from tests.nats_server import NatsServer

EXAMPLE = "examples.couriers"
CASTS = {cast.title: cast for cast in casts()}


async def day(cast: Cast, *, seed: int = 1, number: int = 1, limit: int = LIMIT, url: str = "memory://town") -> Day:
    town, jobs = riders(seed), orders(seed, number)
    best = best_welfare([order.value for order in jobs], costs(town, jobs), limit)
    return await live(town, jobs, cast, best, url, limit=limit)


def test_the_optimum_is_what_trying_everything_finds() -> None:
    rng = Random(5)
    for _ in range(40):
        limit = rng.randint(1, 3)
        table = [[rng.randint(0, 30) for _ in range(3)] for _ in range(rng.randint(1, min(5, 3 * limit)))]
        values = [rng.randint(0, 30) for _ in table]
        ways = [way for way in product((None, 0, 1, 2), repeat=len(table)) if max(map(way.count, range(3))) <= limit]
        whole = [
            sum(table[job][who] for job, who in enumerate(way) if who is not None) for way in ways if None not in way
        ]
        gains = [sum(values[job] - table[job][who] for job, who in enumerate(way) if who is not None) for way in ways]
        assert least_cost(table, limit) == min(whole)
        assert best_welfare(values, table, limit) == max(gains)


@pytest.mark.parametrize("title", CASTS)
async def test_the_books_balance_under_every_policy(title: str) -> None:
    cast = CASTS[title]
    found = await day(cast)
    assert sum(found.profits) == pytest.approx(found.kept), "the couriers' books are the office's"
    assert found.saved + found.kept == pytest.approx(found.welfare)
    assert found.ratio >= 1
    assert 0 < found.welfare <= found.best
    assert sum(found.jobs) == found.done <= JOBS
    assert max(found.jobs) <= LIMIT
    assert all(profit >= 0 for profit in found.profits), "nobody works at a loss"
    for number, profit in enumerate(found.profits):
        assert profit == 0 or not cast.cooperative(number)
    assert found.saved >= 0


async def test_couriers_who_help_are_the_optimum_when_none_is_full() -> None:
    found = await day(CASTS["all cooperative"], limit=JOBS)
    assert found.cost == found.least
    assert found.welfare == found.best


async def test_helping_costs_least_and_competing_most() -> None:
    for seed in (1, 2, 3):
        helping, between, competing = [
            await day(CASTS[title], seed=seed) for title in ("all cooperative", "hybrid, weight 0.5", "all competitive")
        ]
        assert helping.ratio < between.ratio < competing.ratio
        assert helping.welfare > between.welfare > competing.welfare
        assert helping.done > between.done > competing.done
        assert helping.kept == 0 < competing.kept


async def test_the_second_price_does_what_helping_does_and_pays_for_it() -> None:
    helping, second = await day(CASTS["all cooperative"]), await day(CASTS["competitive, second price"])
    assert (second.cost, second.jobs, second.done) == (helping.cost, helping.jobs, helping.done)
    assert second.kept > 0
    assert second.saved < helping.saved


async def test_one_who_helps_works_all_day_for_nothing_among_those_who_compete() -> None:
    found = await day(CASTS["emil helps, seven compete"])
    assert found.jobs[4] == LIMIT
    assert found.profits[4] == 0
    competing = await day(CASTS["all competitive"])
    assert found.kept < competing.kept
    assert found.saved > competing.saved


async def test_a_job_that_nobody_wants_is_not_done() -> None:
    found = await live(riders(1), orders(1, 1), CASTS["half and half"], 0, "memory://town", limit=0)
    assert (found.done, found.cost, found.paid, found.ratio) == (0, 0, 0, 1)


def test_the_same_seed_tells_the_same_and_another_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = tmp_path / "it.json", tmp_path / "it.svg"

    def told(seed: int) -> tuple[str, dict[str, Any], str]:
        assert main(["--days", "1", "--seed", str(seed), "--json", str(files[0]), "--svg", str(files[1])]) == 0
        return capsys.readouterr().out, json.loads(files[0].read_text()), files[1].read_text()

    first, again, other = told(3), told(3), told(4)
    assert first == again
    assert first[0] != other[0]
    out, figures, picture = first
    assert set(figures["casts"]) == set(CASTS)
    words = " ".join(ElementTree.fromstring(picture).itertext())
    for cast, (each,) in figures["casts"].items():
        assert cast in out
        assert cast in words
        assert f"{each['cost'] / 100:.2f}" in out
        assert f"{each['cost'] / each['least']:.3f}" in words


async def test_on_a_broker_it_is_the_same(broker: NatsServer) -> None:
    cast = CASTS["half and half"]
    assert await day(cast, url=broker.url) == await day(cast)


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--days", "0"], "--days 0: use 1 to 1000"), (["--svg", "/nowhere/it.svg"], "there is no folder /nowhere")],
)
def test_what_makes_no_sense_is_told_at_once(words: list[str], says: str, tmp_path: Path) -> None:
    done = run(EXAMPLE, *words, home=tmp_path)
    assert done.status == 2
    assert says in done.err
