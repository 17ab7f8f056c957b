"""SECURITY.md names a test for each defence; the tests are there, and every threat of both lists is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_threat_is_mapped_and_each_test_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    listed = re.findall(r"^\| (T\d+|ASI\d+) ", text, re.M)
    assert listed == [f"T{number}" for number in range(1, 18)] + [f"ASI{number:02}" for number in range(1, 11)]
    named = set(re.findall(r"`([a-z_/]*test_\w+\.py)`", text))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / "tests" / name).is_file()] == []
    for line in text.splitlines():
        if re.match(r"\| (T|ASI)\d", line):
            assert "`" in line.rsplit("|", 2)[1] or "not ours" in line or "as T17" in line, line
