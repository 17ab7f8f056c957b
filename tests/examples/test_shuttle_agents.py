"""The agents in a simulation: what they come to is what one detector that sees all would say, whatever fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentbus import Node
from agentbus.testing import Simulation
from examples.shuttle.data import load
from examples.shuttle.desk import AlarmDesk
from examples.shuttle.detector import Detector
from examples.shuttle.feeder import Feeder
from examples.shuttle.v1.shuttle_pb2 import Ledger, LedgerRequest, Noted, Scores
from examples.shuttle.watch import Viewer
from tests.examples.shuttle_world import scores_of_one

RECORDS = 1130


async def crew(sim: Simulation, detectors: int, data: str | None = None) -> tuple[Node, AlarmDesk]:
    desk = AlarmDesk()
    node = await sim.node("desk", agents={"alarm-desk": desk})
    for number in range(detectors):
        await sim.node(f"d{number}", agents={f"detector-{number}": Detector()})
    await sim.node("feeder", agents={"feeder": Feeder(data, limit=RECORDS, detectors=detectors)})
    return node, desk


def check(desk: AlarmDesk, data: str | None = None) -> None:
    wanted = scores_of_one(load(data, limit=RECORDS).records)
    assert len(desk.scores) == len(wanted)
    assert np.array(desk.scores).tolist() == wanted.tolist(), "bit for bit"
    assert sum(desk.counts) == len(wanted)
    assert desk.conflicts == 0


@pytest.mark.parametrize("detectors", [1, 4, 7])
def test_a_score_does_not_depend_on_how_many_detectors_there_are(detectors: int) -> None:
    async def scenario(sim: Simulation) -> None:
        _, desk = await crew(sim, detectors)
        await sim.until(lambda: sum(desk.counts) == RECORDS, timeout_s=60.0)
        check(desk)
        assert desk.repeats == 0

    Simulation(seed=1).run(scenario)


@pytest.mark.parametrize("seed", range(6))
def test_nor_on_a_network_that_loses_messages_nor_on_crashes(seed: int) -> None:
    async def scenario(sim: Simulation) -> None:
        _, desk = await crew(sim, 4)
        sim.link(delay_s=(0.001, 0.03), loss=0.03, duplicate=0.02)
        await sim.until(lambda: sum(desk.counts) > 300, timeout_s=300.0)
        sim.crash("d1")
        await sim.until(lambda: sum(desk.counts) > 600, timeout_s=300.0)
        sim.crash("d2")
        await sim.restart("d1")
        await sim.until(lambda: sum(desk.counts) == RECORDS, timeout_s=600.0)
        check(desk)

    Simulation(seed=seed).run(scenario)


@pytest.mark.parametrize("rows", [1, 3, 249, 251, 503])
def test_streams_that_do_not_fill_their_windows(rows: int, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n" + "".join(f"{row % 7},{row}\n" for row in range(rows)))

    async def scenario(sim: Simulation) -> None:
        _, desk = await crew(sim, 3, str(path))
        await sim.until(lambda: sum(desk.counts) == rows, timeout_s=60.0)
        check(desk, str(path))

    Simulation(seed=rows).run(scenario)


def test_the_desk_keeps_the_first_score_and_counts_the_others() -> None:
    async def scenario(sim: Simulation) -> None:
        desk, viewer = AlarmDesk(threshold=0.5), Viewer()
        await sim.node("desk", agents={"alarm-desk": desk})
        node = await sim.node("me", agents=[viewer])

        async def tell(first: int, scores: list[float], detector: str) -> None:
            await node.request(Scores(first=first, scores=scores, detector=detector), Noted, to="alarm-desk")

        await tell(2, [0.1, 0.9], "a")
        await tell(2, [0.1, 0.9], "b")
        await tell(3, [0.2], "b")
        page = await node.request(LedgerRequest(count=10), Ledger, to="alarm-desk")
        assert list(page.scores) == [-1.0, -1.0, 0.1, 0.9]
        assert [page.names[who] if who >= 0 else "" for who in page.detectors] == ["", "", "a", "a"]
        await sim.sleep(0.5)
        report = viewer.reports.get_nowait()
        assert (report.records, report.alarms, report.repeats, report.conflicts) == (2, 1, 3, 1)
        assert [(each.name, each.records) for each in report.detectors] == [("a", 2), ("b", 0)]

    Simulation(seed=1).run(scenario)
