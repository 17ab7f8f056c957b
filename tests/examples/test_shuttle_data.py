"""A user's own file: what is read, and what is told when it can't be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from examples.shuttle.data import BadData, load


def file(folder: Path, text: str) -> str:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_columns_and_labels(tmp_path: Path) -> None:
    mine = load(file(tmp_path, "a,bad,b\n1,0,2.5\n3,true,-4e1\n5,1.0,6\n"), "bad")
    assert mine.channels == ("a", "b")
    assert mine.records.tolist() == [[1.0, 2.5], [3.0, -40.0], [5.0, 6.0]]
    assert mine.labels is not None
    assert mine.labels.tolist() == [False, True, True]


def test_without_labels_every_column_is_a_channel(tmp_path: Path) -> None:
    mine = load(file(tmp_path, "\ufeffa,b\n1,2\n3,4\n"), limit=1)
    assert mine.channels == ("a", "b"), "a byte order mark is no part of a name"
    assert mine.records.tolist() == [[1.0, 2.0]]
    assert mine.labels is None


def test_a_compressed_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert load(str(path)).records.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("text", "label", "says"),
    [
        ("a,b\n1,2\n1,x\n", None, "mine.csv, line 3: column 'b' is 'x', not a finite number"),
        ("a,b\n1,nan\n", None, "mine.csv, line 2: column 'b' is 'nan', not a finite number"),
        ("a,b\n1,\n", None, "mine.csv, line 2: column 'b' is '', not a finite number"),
        ("a,b\n1,2\n\n3,4\n", None, "mine.csv, line 3: 0 values, but the header names 2 columns"),
        ("a,b\n1,2,3\n", None, "mine.csv, line 2: 3 values, but the header names 2 columns"),
        ('a,b\n"1\n",2\n3\n', None, "mine.csv, line 4: 1 values, but the header names 2 columns"),
        ("a,b\n1,7\n", "b", "mine.csv, line 2: the label 'b' is '7': use 0 or 1"),
        ("a,b\n1,2\n", "c", "mine.csv, line 1: no column 'c' for the labels; there are a, b"),
        ("b\n1\n", "b", "mine.csv, line 1: no column but the labels'"),
        ("a,b\n", None, "mine.csv: no records below the header"),
        ("", None, "mine.csv: empty; the first line must name the columns"),
        ("1,2\n3,4\n", None, "mine.csv, line 1: '1,2' are numbers; the first line must name the columns"),
        ("a,a\n3,4\n", None, "mine.csv, line 1: two columns are named 'a'"),
    ],
)
def test_what_is_wrong_is_told_with_the_line(tmp_path: Path, text: str, label: str | None, says: str) -> None:
    with pytest.raises(BadData) as raised:
        load(file(tmp_path, text), label)
    assert says in str(raised.value)


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match=str(tmp_path)):
        load(str(tmp_path / name))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(b"a,b\n1,\xff\n")
    with pytest.raises(BadData, match=r"mine\.csv: .*utf-8"):
        load(str(path))
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"a\n1\n")[:-4])
    with pytest.raises(BadData, match=r"broken\.csv\.gz: "):
        load(str(tmp_path / "broken.csv.gz"))
