"""The security bench: its attacks are what they say, nothing gets past, and it tells when something does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentbus.security import guard as guard_module
from bench import security
from bench.attacks import attacked
from bench.honest import honest


@pytest.mark.timeout(60)
async def test_no_attack_is_accepted() -> None:
    found = await attacked(400)
    assert sum(tried for _, tried, _, _ in found) == 400
    assert [name for name, _, accepted, _ in found if accepted] == []


@pytest.mark.timeout(60)
async def test_it_tells_of_what_gets_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a verification that takes everything, what is altered or re-addressed is accepted, and counted."""
    monkeypatch.setattr(guard_module, "verified", lambda *_: True)
    found = {name: accepted for name, _, accepted, _ in await attacked(200)}
    assert found["on another subject"]
    assert found["re-addressed"] == found["replayed after the window"] == 0, "other checks hold"


@pytest.mark.timeout(60)
def test_nothing_honest_is_refused() -> None:
    frames, refused, told = honest(200)
    assert frames == 200
    assert refused == 0
    assert "3 crashes" in told


@pytest.mark.timeout(120)
def test_it_runs_and_writes(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    assert security.main(["--quick", "--only", "attacks", "rate", "--json", str(target)]) == 0
    document = json.loads(target.read_text())
    assert {row["wrong"] for row in document["figures"]} == {0}
    assert document["rate"]
