"""``agentbus detect``: a file in, a score for each record out; and what is told of a file that is wrong."""

from __future__ import annotations

import asyncio
import csv
import math
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentbus.cli import detect, main
from agentbus.detection.detectors import DETECTORS, make
from tests.cli.commands import agentbus, line, python, running

START = datetime(2014, 4, 1)


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    """Three days of five minutes, one spike, timestamps as in the Numenta benchmark."""
    path = tmp_path / "readings.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp", "value", "host"))
        for n in range(864):
            value = math.sin(n / 144.0 * math.pi) + (n % 7) / 10.0 + (9.0 if n == 700 else 0.0)
            rows.writerow((START + timedelta(minutes=5 * n), value, "a, b"))
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("name", ["default", "best"])
def test_a_score_for_each_record(readings: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--detector", name) if name != "default" else ()
    assert main(["detect", str(readings), *words]) == 0
    out = capsys.readouterr().out
    given, told = rows(readings.read_text()), rows(out)
    assert out.splitlines()[0] == "timestamp,value,score"
    assert [(row["timestamp"], row["value"]) for row in told] == [(row["timestamp"], row["value"]) for row in given]
    scores = [float(row["score"]) for row in told]
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert max(scores[100:]) == scores[700] > 0.9
    detector = make(name)
    epoch_s = 1_396_310_400.0  # 2014-04-01, UTC
    assert scores == [detector.score(epoch_s + 300.0 * n, float(row["value"])) for n, row in enumerate(given)]


def test_seconds_and_dates_are_the_same(readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other, out = tmp_path / "seconds.csv", tmp_path / "out.csv"
    values = [row["value"] for row in rows(readings.read_text())]
    other.write_text("value,timestamp\r\n" + "".join(f"{x},{300 * n}\r\n" for n, x in enumerate(values)))
    assert main(["detect", str(other), "--detector", "best", "--out", str(out)]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(["detect", str(readings), "--detector", "best"]) == 0
    assert [row["score"] for row in rows(out.read_text())] == [row["score"] for row in rows(capsys.readouterr().out)]


async def test_standard_input_is_scored_while_it_comes() -> None:
    async with running("detect", "-", stdin=asyncio.subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"timestamp,value\n1,2.5\n")
        await process.stdin.drain()
        assert await line(process.stdout) == "timestamp,value,score\n"
        assert await line(process.stdout) == "1,2.5,0.0\n"
        process.stdin.write(b"2,nan\n")
        await process.stdin.drain()
        assert await line(process.stdout) == "2,nan,0.0\n"
        process.stdin.close()
        assert await process.wait() == 0


async def test_for_programs(tmp_path: Path) -> None:
    ended = await agentbus("detect", "-", "--json", stdin="timestamp,value\n1,2\n2,inf\n")
    assert ended.objects == [
        {"timestamp": "1", "value": 2.0, "score": 0.0},
        {"timestamp": "2", "value": None, "score": 0.0},
    ]


@pytest.mark.parametrize("name", ["default", "half-space-trees"])
async def test_several_columns_are_scored_together(name: str) -> None:
    lines = [f"{n},{n % 5},{n % 3},x" for n in range(600)]
    text = "\n".join(("timestamp,a,b,c", *lines, "600,4,50,x", ""))
    ended = await agentbus("detect", "-", "--detector", name, "--columns", "a, b", stdin=text)
    assert (ended.status, ended.err) == (0, "")
    told = rows(ended.out)
    assert list(told[-1]) == ["timestamp", "a", "b", "score"]
    assert float(told[-1]["score"]) > 0.9


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: no column 'timestamp': it is empty"),
        ("time,value\n1,2\n", "line 1: no column 'timestamp'; there are time, value"),
        ("timestamp,reading\n1,2\n", "line 1: no column 'value'; there are timestamp, reading"),
        ("timestamp,value\n1,2\n2,high\n", "line 3: 'value' is 'high', not a number"),
        ("timestamp,value\n1,2\n2,\n", "line 3: 'value' is '', not a number (write nan"),
        ("timestamp,value\n1,2\n\n2,3,4\n", "line 4: 3 values, but the first line names 2 columns"),
        ("timestamp,value\nyesterday,2\n", "line 2: 'timestamp' is 'yesterday': write 2014-04-01 00:00:00"),
        ('timestamp,value\n1,"2\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    assert main(["detect", str(path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: BadInput: {path}, {told}")
    assert len(err.splitlines()) == 1


def test_what_is_no_text_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "binary.csv"
    path.write_bytes(b"timestamp,value\n1,\xff\xfe\n")
    assert main(["detect", str(path)]) == 1
    assert capsys.readouterr().err == f"error: BadInput: {path}: not a text in UTF-8\n"


def test_wrong_words_are_told(readings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        ((str(tmp_path / "none.csv"),), "No such file"),
        ((str(readings), "--detector", "bset"), "no detector is called 'bset'; there are default, best"),
        ((str(readings), "--columns", "value,,"), "name columns with values"),
        ((str(readings), "--out", str(readings)), "is the file that is read"),
        ((str(readings), "--out", str(tmp_path / "no" / "where.csv")), "No such file"),
    ):
        assert main(["detect", *words]) == 2
        assert told in capsys.readouterr().err
    assert len(rows(readings.read_text())) == 864


def test_a_wrong_file_does_not_empty_the_output(tmp_path: Path) -> None:
    wrong, kept = tmp_path / "wrong.csv", tmp_path / "kept.csv"
    wrong.write_text("a,b\n")
    kept.write_text("kept\n")
    assert main(["detect", str(wrong), "--out", str(kept)]) == 1
    assert kept.read_text() == "kept\n"


async def test_without_river_the_extra_is_named(readings: Path) -> None:
    code = "import sys; sys.modules['river'] = None; from agentbus.cli import main; sys.exit(main(sys.argv[1:]))"
    async with python("-c", code, "detect", str(readings), "--detector", "river-gaussian") as process:
        _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().startswith("error: ExtraMissing: ")
    assert "pip install 'agentbus-network[detection]'" in err.decode()


def test_the_help_names_every_detector() -> None:
    assert detect.NAMES.split(", ") == list(DETECTORS)
