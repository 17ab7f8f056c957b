"""Human in the loop: calls that wait until a person has signed a yes.

* `Approvals`: the agent that asks, one on each node that has an ``@rpc(..., approval="payments")``
* `ApprovalDecided`: the event that tells what became of each call; its topic is the approval's name
* `Answer`, `signed_answer`, `AnswerRequest`, `WaitingRequest`: for programs that answer in a person's name
* `ApprovalsConfig`: how long, how many
"""

from __future__ import annotations

from .codec import (
    AnswerReply,
    AnswerRequest,
    ApprovalDecided,
    ApprovalOutcome,
    WaitingCall,
    WaitingReply,
    WaitingRequest,
    answer_to,
)
from .config import ApprovalsConfig
from .model import Answer, Outcome
from .service import Approvals
from .signing import signed_answer, verified_answer

__all__ = [
    "Answer",
    "AnswerReply",
    "AnswerRequest",
    "ApprovalDecided",
    "ApprovalOutcome",
    "Approvals",
    "ApprovalsConfig",
    "Outcome",
    "WaitingCall",
    "WaitingReply",
    "WaitingRequest",
    "answer_to",
    "signed_answer",
    "verified_answer",
]
