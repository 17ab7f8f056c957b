"""The membership bench: its simulator is deterministic and hides nothing, and a sabotaged arm misses its bar."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from pathlib import Path
from statistics import fmean, median

import pytest

from agentbus.membership.config import local
from agentbus.membership.model import ChangeKind, Notify
from bench import membership as command
from bench.gossip import averages, crashes, periods, stress, traffic
from bench.gossip.figure import Asked, Line, quantile
from bench.gossip.simulator import Fleet

QUICK = Asked(quick=True, seed=3)


def values(lines: list[Line]) -> dict[str, float]:
    return {line.title: line.value for line in lines}


def history(seed: int) -> list[tuple[float, str, str]]:
    told: list[tuple[float, str, str]] = []

    def observe(at: float, by: str, change: Notify) -> None:
        told.append((at, by, f"{change.kind.value} {change.word.node}"))

    fleet = Fleet(12, local(), seed, observe)
    fleet.run(2.0)
    fleet.crash("m3")
    fleet.stop("m4")
    fleet.run(5.0)
    fleet.go_on("m4")
    fleet.restart("m3")
    fleet.run(5.0)
    return told


def test_a_seed_decides_all() -> None:
    assert history(1) == history(1) != history(2)


def test_members_see_a_crash_a_stop_and_both_coming_back() -> None:
    told = history(1)
    for node in ("m3", "m4"):
        died = {by for at, by, what in told if what == f"{ChangeKind.FAILED.value} {node}" and at < 7.0}
        back = {by for at, by, what in told if what == f"{ChangeKind.REJOINED.value} {node}" and at >= 7.0}
        others = {f"m{number}" for number in range(12)} - {"m3", "m4"}
        assert died - {"m4"} == back - {"m3", "m4"} == others


def test_members_begin_by_knowing_one_another_and_stay_quiet() -> None:
    told: list[Notify] = []
    fleet = Fleet(20, local(), 1, lambda at, by, change: told.append(change) if at > 0.0 else None)
    fleet.run(20.0)
    assert told == []
    assert all(len(fleet.machine(name).beliefs.members.living) == 19 for name in fleet.names)


def test_crashes_are_found_in_about_the_time_of_the_formula() -> None:
    found = crashes.crash_many(local(), 12, 5, members=32)
    firsts = crashes.firsts(found)
    assert len(firsts) == 12
    assert 0.5 * local().expected_detection_s(32) < median(firsts) < 2.0
    assert max(firsts) < 4.0
    assert all(len(crash.known) >= 24 for crash in found)
    assert median(crashes.followers(found)) < 0.5


@pytest.mark.parametrize("sabotaged", [False, True])
def test_the_check_fails_when_a_protocol_declares_nobody_failed(
    sabotaged: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if sabotaged:
        monkeypatch.setattr(crashes, "local", lambda: replace(local(), alpha=1e6))
    monkeypatch.setattr(crashes, "MEMBERS", 8)
    file = tmp_path / "found.json"
    arguments = ["--quick", "--only", "crashes", "--json", str(file)]
    assert command.main([*arguments, "--check"]) == int(sabotaged)
    (figure,) = json.loads(file.read_text())["figures"]
    verdicts = {line["title"]: line["verdict"] for line in figure["lines"]}
    assert verdicts["first verdict, median"] == ("missed" if sabotaged else "met")
    assert ("missed" in capsys.readouterr().out) is sabotaged


def test_periods_to_the_first_probe_are_about_what_swim_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "MEMBERS", 24)
    config = replace(local(), probe_order="random", local_health=False, freeze=False, timeout_s=0.1)
    taken = periods.rounds_until_probed(config, 120, 1)
    assert min(taken) == 1
    assert fmean(taken) == pytest.approx(1.582, abs=0.3)


def test_stopped_members_make_the_plain_protocol_err_and_not_ours() -> None:
    plain = stress.cell(stress.ARMS["reference"], 8, 1.0, 4, lasts_s=12.0, members=16)
    ours = stress.cell(stress.ARMS["all"], 8, 1.0, 4, lasts_s=12.0, members=16)
    assert plain.wrong > plain.by_healthy
    assert ours.wrong <= 0.1 * plain.wrong
    assert ours.right > 0
    assert ours.sent <= 1.1 * plain.sent


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stress, "MEMBERS", 16)
    monkeypatch.setattr(stress, "QUICK", ((8,), (1.0,), 12.0))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("sabotaged", [False, True])
def test_a_sabotaged_arm_misses_its_bar(sabotaged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if sabotaged:
        monkeypatch.setitem(stress.ARMS, "all", stress.PLAIN)
    verdicts = {line.title: line.verdict for line in stress.run_stress(QUICK)}
    assert verdicts["FP, share of the reference's"] == ("missed" if sabotaged else "met")
    assert verdicts["FP, reference arm"] == "met"


@pytest.mark.usefixtures("small")
def test_nothing_is_wrong_at_rest() -> None:
    found = values(stress.run_rest(QUICK))
    assert found["false positives at rest"] == 0


def test_traffic_is_constant() -> None:
    small, large = traffic.rate(8, 10.0, 1), traffic.rate(32, 10.0, 1)
    assert small == pytest.approx(large, rel=0.2)
    assert small > 2.0 / local().period_s * 0.5


def test_averages_are_as_fast_as_the_papers_say() -> None:
    assert averages.cycle_factor(300, 8, 1) == pytest.approx(0.3033, abs=0.06)
    assert 10 < averages.rounds_to(1e-3, 100, 1) <= 30
    assert averages.lost_mass(12, 1) < 1e-9


@pytest.mark.parametrize(
    ("value", "least", "most", "verdict"),
    [(1.0, None, None, "told"), (1.0, 1.0, None, "met"), (1.0, None, 0.5, "missed"), (nan, None, 1.0, "missed")],
)
def test_a_line_is_held_against_its_bar(value: float, least: float | None, most: float | None, verdict: str) -> None:
    assert Line(title="x", value=value, least=least, most=most).verdict == verdict


def test_quantiles_are_of_the_values_themselves() -> None:
    numbers = [float(number) for number in range(1, 1_001)]
    assert (quantile(numbers, 0.5), quantile(numbers, 0.999), quantile(numbers, 1.0)) == (500.0, 999.0, 1_000.0)


@pytest.mark.timeout(60)
def test_an_outage_is_measured_on_a_real_broker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    assert command.main(["--quick", "--only", "outage", "--json", str(file)]) == 0
    found = found_in(file)
    assert found["death verdicts, broker killed for 3 s"] == 0
    assert 0.0 < found["all back after"] < 30.0
    assert "measuring took" in capsys.readouterr().out


@pytest.mark.timeout(60)
def test_kills_are_measured_on_real_processes(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    assert command.main(["--quick", "--only", "kills", "--json", str(file)]) == 0
    found = found_in(file)
    assert found["SIGKILLs"] == 2
    assert 0.3 < found["first verdict, median"] < 10.0


def found_in(file: Path) -> dict[str, float]:
    told = json.loads(file.read_text())
    return {line["title"]: line["value"] for figure in told["figures"] for line in figure["lines"]}
