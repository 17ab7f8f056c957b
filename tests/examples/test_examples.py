"""Every example runs as its docstring says, and prints what it claims."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.programs import ROOT, Done, run
from tests.nats_server import NatsServer

HELLO = "Hello, world! I am greeter, you are visitor."


def test_the_list_in_the_package_is_the_files_there_are() -> None:
    listed = re.findall(r"^\d+\. `(e\d\d_\w+)`", (ROOT / "examples" / "__init__.py").read_text(), re.MULTILINE)
    assert listed == sorted(path.stem for path in (ROOT / "examples").glob("e[0-9][0-9]_*.py"))
    assert len(listed) == 8


def lines(done: Done) -> list[str]:
    assert done.status == 0, str(done)
    return done.out.splitlines()


def test_hello(tmp_path: Path, broker: NatsServer) -> None:
    assert lines(run("examples.e01_hello", "--url", broker.url, home=tmp_path)) == [HELLO]


def test_hello_on_the_embedded_server(tmp_path: Path) -> None:
    assert lines(run("examples.e01_hello", home=tmp_path)) == [HELLO]


def test_hello_takes_the_url_from_the_environment(tmp_path: Path) -> None:
    refused = run("examples.e01_hello", home=tmp_path, url="carrier-pigeon://loft")
    assert refused.status != 0
    assert "UnknownScheme" in refused.err


def test_events(tmp_path: Path, broker: NatsServer) -> None:
    assert lines(run("examples.e02_events", home=tmp_path, url=broker.url)) == [
        "everything    heard cellar, garden, north, south",
        "house.hall.*  heard north, south",
        "house.>       heard cellar, north, south",
        "garden        heard garden",
    ]


def test_requests(tmp_path: Path, broker: NatsServer) -> None:
    assert lines(run("examples.e03_requests", home=tmp_path, url=broker.url)) == [
        "hall says 21",
        "gather: attic says 17.5",
        "gather: cellar says 14",
        "gather: hall says 21",
        "gather: porch failed: Refused: my dial is frozen",
        "porch: Refused, a retry will not help",
        "garage: NoResponders, a retry may help",
        "any: somebody answered, and it is one of the targets: True",
    ]


def test_work_queue(tmp_path: Path, broker: NatsServer) -> None:
    *shares, total = lines(run("examples.e04_work_queue", home=tmp_path, url=broker.url))
    assert total == "60 results for 60 jobs, all right: True"
    counts = [int(re.fullmatch(r"worker-\d did (\d+) jobs", share)[1]) for share in shares]  # type: ignore[index]
    assert sum(counts) == 60
    assert len(counts) >= 3, "of four workers, one without a job in sixty is chance; two are not"


def test_durable_orders(tmp_path: Path, broker: NatsServer) -> None:
    stored, killed, count = lines(run("examples.e05_durable_orders", home=tmp_path, url=broker.url))
    assert stored == "20 orders are stored"
    done = re.fullmatch(r"clerk-1 was killed after it began with order 7; (\d+) orders were done", killed)
    assert done is not None
    assert int(done[1]) < 20
    again = re.fullmatch(r"20 of 20 orders are done, (\d+) of them at a second attempt", count)
    assert again is not None
    assert int(again[1]) >= 1


def test_durable_orders_with_all_processes_on_the_embedded_server(tmp_path: Path) -> None:
    assert lines(run("examples.e05_durable_orders", home=tmp_path))[-1].startswith("20 of 20 orders are done")


@pytest.mark.parametrize("embedded", [False, True], ids=["nats", "embedded"])
def test_foreign_client(tmp_path: Path, broker: NatsServer, embedded: bool) -> None:
    *good, bad = lines(run("examples.e06_foreign_client", home=tmp_path, url=None if embedded else broker.url))
    assert good == [
        "found hall (Keeps a room at its target.) in realm e06",
        "it answers examples.climate.v1.TargetRequest with examples.climate.v1.TargetReply",
        "protobuf: 21",
        "JSON: {'celsius': 21.0}",
    ]
    assert bad.startswith("a bad call: error 400: not examples.climate.v1.TargetRequest")


def test_simulation(tmp_path: Path) -> None:
    first, second, other, logs = lines(run("examples.e07_simulation", home=tmp_path))
    assert first == second
    assert first.startswith("seed 7: ")
    assert other.startswith("seed 8: ")
    assert logs == "the same seed, the same log: True; another seed, another log: True"
    assert not (tmp_path / "state").exists(), "it wants no broker"


def test_the_simulated_test_is_one_that_pytest_runs(tmp_path: Path) -> None:
    done = run("pytest", "-p", "no:cacheprovider", "examples/e07_simulation.py", home=tmp_path)
    assert done.status == 0, str(done)
    assert "1 passed" in done.out
