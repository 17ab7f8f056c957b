"""Reports: at most one a second of a kind, with how often it happened, and a bounded memory."""

from __future__ import annotations

import asyncio

from agentbus.reports import REMEMBER, Reports
from agentbus.testing import Simulation

KEY = ("failed", "hall", "hear")


def test_a_kind_is_reported_once_a_second_with_what_was_held_back() -> None:
    async def scenario(sim: Simulation) -> None:
        reports = Reports(asyncio.get_running_loop())
        assert reports.due(KEY) == 1
        assert [reports.due(KEY) for _ in range(5)] == [0] * 5
        assert reports.due(("other", "", ""), 7) == 7
        await sim.sleep(0.9)
        assert reports.due(KEY, 10) == 0
        await sim.sleep(0.2)
        assert reports.due(KEY) == 16
        assert reports.due(KEY) == 0

    Simulation(seed=1).run(scenario)


async def test_once_is_once() -> None:
    reports = Reports(asyncio.get_running_loop())
    assert reports.once(KEY)
    assert not reports.once(KEY)


async def test_what_is_remembered_is_bounded() -> None:
    reports = Reports(asyncio.get_running_loop())
    for number in range(REMEMBER + 10):
        assert reports.due(("malformed", str(number), "")) == 1
    assert len(reports._last) == REMEMBER
    assert reports.due(("malformed", "0", "")) == 1, "the one unused for longest was forgotten"
