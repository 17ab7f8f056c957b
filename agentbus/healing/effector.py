"""How healing reaches out: the Protocol that an application may give, and the callbacks of the default way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

OnRestart = Callable[[str, str], Awaitable[None] | None]
"""``on_restart(agent, reason)``, on the accused's own node: end this process, say, so that its supervisor starts it
again. The agent is empty for the whole node. What begins must have a new epoch: a new `Node`."""

OnRehost = Callable[[str, str, str], Awaitable[None] | None]
"""``on_rehost(agent, node, reason)``, on the node that takes over: host here what was on `node`."""


class Effector(Protocol):
    """Restarts and re-hosts: best effort, each within `HealingConfig.effect_s`; what raises is tried again later."""

    async def restart(self, agent: str, node: str, epoch: int, reason: str) -> None:
        """Ends that life of that agent (empty: of the whole node), and begins a new one. May be asked for again when
        the life goes on."""
        ...

    async def rehost(self, agent: str, node: str, epoch: int, target: str, reason: str) -> None:
        """Lets `target` take over what that life did. Nothing to do where work moves by itself."""
        ...
