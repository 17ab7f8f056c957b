"""Commands that ask the rooms, in a realm of identities."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from agentbus.healing import Healer
from agentbus.healing.codec import HealingAction
from agentbus.membership import Membership
from agentbus.messages import PLAIN, Frame, encode_frame, full_name

from .world import World


async def told(*words: str) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "agentbus", *words, "--json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=15)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def test_who_is_enrolled_may_ask_what_nodes_believe_and_would_do(world: World, tmp_path: Path) -> None:
    me = tmp_path / "me.id"
    world.credentials("me", "operator", ()).save(me)
    agents = {"membership": Membership(), "healer": Healer()}
    async with world.enroller(), world.node("hall", agents):
        (member,) = await told("members", "--identity", str(me))
        assert member["node"] == "hall"
        assert await told("heal", "dry-run", "--identity", str(me), "--node", "hall")


async def test_the_log_of_healing_is_read_and_verified(world: World, tmp_path: Path) -> None:
    me = tmp_path / "me.id"
    world.credentials("me", "operator", ()).save(me)
    async with world.enroller(), world.node("hall") as hall:
        await hall.publish(HealingAction(action="watch", by="hall"), topic="watch.hall", durable=True)
        forged = encode_frame(Frame(full_name(HealingAction), "hall", 1, 1, 0, 0, [b""], [], [], []))
        await hall.transport.store(
            hall.subjects.durable(full_name(HealingAction), "watch.x"), PLAIN + forged, message_id="1"
        )
        (step,) = await told("heal", "log", "--identity", str(me))
        assert (step["action"], step["by"]) == ("watch", "hall")
