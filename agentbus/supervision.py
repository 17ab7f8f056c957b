"""What to do when a behavior fails: (policy, past restarts, failure, now) -> decision. Pure.

After Erlang's supervisors (restart intensity) and Akka's directives. Only a defect restarts an agent: an exception
that is not one of agentbus's own. Errors of the tree (`errors`) are the world's, a lost link or a peer that said
no; they are told to the requester and counted, and the agent goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .errors import AgentBusError, ConfigurationError


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the next message, in the same instance."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Build the agent again, after `delay_s` seconds; its mailboxes are kept."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Give the agent up: what waits is answered, its subscriptions end."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """Give the whole node up."""


Decision = Resume | Restart | Stop | Escalate


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """How an agent's failures are met.

    Attributes:
        max_restarts: restarts allowed within `within_s`; one failure more and `then` applies.
        within_s: the window, seconds.
        then: ``"stop"`` the agent or ``"escalate"`` to the node.
        on_failure: ``"restart"`` the agent, or ``"resume"``: a failure costs its message only.
        backoff_s: the second restart within the window waits that long, each further one twice as long as the one
            before; the first is immediate.
        max_backoff_s: no wait is longer.
        start_s: seconds that the `@on_start` hooks may take together; longer is a failure.
    """

    max_restarts: int = 3
    within_s: float = 60.0
    then: Literal["stop", "escalate"] = "stop"
    on_failure: Literal["restart", "resume"] = "restart"
    backoff_s: float = 0.1
    max_backoff_s: float = 10.0
    start_s: float = 60.0

    def __post_init__(self) -> None:
        if (
            self.max_restarts < 0
            or self.within_s <= 0
            or self.start_s <= 0
            or self.backoff_s < 0
            or self.max_backoff_s < 0
        ):
            raise ConfigurationError(f"{self}: max_restarts, backoff_s and max_backoff_s must be >= 0 and within_s > 0")
        if self.then not in ("stop", "escalate") or self.on_failure not in ("restart", "resume"):
            raise ConfigurationError(f"{self}: then is 'stop' or 'escalate', on_failure is 'restart' or 'resume'")


def recent(policy: Supervision, restarts: Sequence[float], now: float) -> tuple[float, ...]:
    """The restarts that still count."""
    return tuple(when for when in restarts if now - when < policy.within_s)


def decide(
    policy: Supervision, restarts: Sequence[float], failure: BaseException, now: float, *, resumable: bool = True
) -> Decision:
    """What to do about a failure.

    Args:
        restarts: when the agent was restarted before, seconds.
        failure: what was raised.
        now: seconds.
        resumable: False when there is nothing to go on with: the agent has not started.
    """
    if resumable and (policy.on_failure == "resume" or isinstance(failure, AgentBusError)):
        return Resume()
    count = len(recent(policy, restarts, now))
    if count >= policy.max_restarts:
        return Stop() if policy.then == "stop" else Escalate()
    if count == 0:
        return Restart(0.0)
    return Restart(min(policy.max_backoff_s, policy.backoff_s * 2.0 ** (count - 1)))
