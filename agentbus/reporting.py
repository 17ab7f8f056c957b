"""What a node reports of its agents: logged, counted and published, each kind at most once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from .errors import AgentBusError
from .messages import AgentFailed, clip, said
from .reports import Reports


class Reporting:
    """One node's.

    Args:
        node: its name.
        log: its logger.
        publish: tells the realm of a failure; best effort.

    Attributes:
        coalesced_messages: messages that came to a queue group several in one frame.
    """

    def __init__(self, node: str, log: FilteringBoundLogger, publish: Callable[[AgentFailed], None]) -> None:
        self._node = node
        self._log = log
        self._publish = publish
        self._reports = Reports(asyncio.get_running_loop())
        self.coalesced_messages = 0

    def behavior_failed(self, agent: str, behavior: str, error: Exception, decision: str) -> None:
        """A behavior raised. An error of agentbus's own is logged only, at level info."""
        decided = decision in ("restart", "stop", "escalate")  # which supervision's intensity limits
        count = self._reports.due(("failed", agent, behavior), always=decided)
        if not count:
            return
        text = f"{type(error).__name__}: {said(error)}"
        log = self._log.bind(agent=agent, behavior=behavior, decision=decision, count=count, error=text)
        if isinstance(error, AgentBusError):
            log.info("behavior declined")
            return
        log.error("behavior failed", exc_info=error)
        self._publish(
            AgentFailed(
                agent=agent,
                node=self._node,
                behavior=behavior,
                error_type=type(error).__name__,
                text=clip(said(error), 500),
                count=count,
                decision=decision,
            )
        )

    def messages_dropped(self, agent: str, behavior: str, count: int, why: str) -> None:
        """Messages were given up without being handled."""
        total = self._reports.due(("dropped", agent, behavior), count)
        if total:
            self._log.warning("messages dropped", agent=agent, behavior=behavior, count=total, why=why)

    def malformed(self, subject: str, error: AgentBusError) -> None:
        """Bytes came that are not of the protocol."""
        count = self._reports.due(("malformed", "", ""))
        if count:
            self._log.warning("malformed message dropped", subject=subject, error=str(error), count=count)

    def coalesced(self, subject: str, count: int) -> None:
        """A queue group got several messages in one frame; told once a subject."""
        self.coalesced_messages += count
        if self._reports.once(("coalesced", subject, "")):
            self._log.warning(
                "a queue group got several messages in one frame: its members on this node share them",
                subject=subject,
                count=count,
                remedy="publish(..., spread=True) shares a burst among all members",
            )
