"""Calls that wait for a person: what is asked, and the Protocol of who asks.

The hall holds such a call back (`approving`) and asks a desk; who may say yes, and how that is proven, is the
business of the room that has the desk, `agentbus.security.approvals`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .errors import AgentBusError


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call that waits for a person's word.

    Attributes:
        approval: what is to be approved, as in ``@rpc(..., approval="payments")``.
        agent, behavior: whose call it is.
        sender: who asks; empty for a foreign client.
        message_id: ``sender:epoch:sequence``; empty for a foreign client's.
        type: the request's full protobuf name.
        payload: the request, serialized.
        wait_s: seconds until the requester stops waiting; None when it has not said.
    """

    approval: str
    agent: str
    behavior: str
    sender: str
    message_id: str
    type: str
    payload: bytes
    wait_s: float | None


Settle = Callable[[AgentBusError | None], None]
"""Takes what became of a question: None for yes, or the error that the requester gets."""


@runtime_checkable
class ApprovalDesk(Protocol):
    """An agent that asks people. A node that hosts one asks it about each call that needs an approval."""

    def ask_approval(self, question: Question, settle: Settle) -> Callable[[], None]:
        """Asks, and calls `settle` once, now or later, from the event loop. Must not block.

        Returns:
            What withdraws the question: the call is over, and `settle` is not called any more.
        """
        ...
