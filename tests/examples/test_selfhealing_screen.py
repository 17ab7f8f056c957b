"""What the demo draws in a terminal while it runs."""

from __future__ import annotations

import asyncio
import io

import numpy as np
from rich.console import Console
from rich.live import Live

from examples.selfhealing.plan import Plan
from examples.selfhealing.recorder import Recorder
from examples.selfhealing.screen import Picture
from examples.selfhealing.timeline import What


async def test_the_live_view_shows_agents_and_news_as_they_come(monkeypatch) -> None:
    plan = Plan(records=np.zeros((1, 2)), source="nothing", agents=4)
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=40)
    with Live(console=console, auto_refresh=False) as live:
        recorder = Recorder(plan.names, Picture(live, plan))
        later = asyncio.get_running_loop().time() + 1.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: later, raising=False)
        recorder.add(What.CLAIMED, who="agent-2", shard=3)
        shown = out.getvalue()
    assert "agent-4" in shown
    assert "agent-2 holds shard 3" in shown
