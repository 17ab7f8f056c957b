"""Answers and what waits, spelled: the one reader of this wire code."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from ...errors import Unauthorized
from ...wire.v1.approvals_pb2 import (
    APPROVAL_OUTCOME_APPROVED,
    APPROVAL_OUTCOME_EXPIRED,
    APPROVAL_OUTCOME_REFUSED,
    APPROVAL_OUTCOME_WITHDRAWN,
    AnswerReply,
    AnswerRequest,
    ApprovalAnswer,
    ApprovalDecided,
    ApprovalOutcome,
    WaitingCall,
    WaitingReply,
    WaitingRequest,
)
from .model import Answer, Call, Decided, Outcome, Subject

__all__ = [
    "AnswerReply",
    "AnswerRequest",
    "ApprovalDecided",
    "ApprovalOutcome",
    "WaitingCall",
    "WaitingReply",
    "WaitingRequest",
    "answer_to",
    "decode_answer",
    "encode_answer",
    "encode_call",
    "encode_decided",
]

MAX_BYTES = 8192
"""Of an answer."""
MAX_REASON = 1000
"""Characters of a reason."""

_OUTCOMES = {
    Outcome.APPROVED: APPROVAL_OUTCOME_APPROVED,
    Outcome.REFUSED: APPROVAL_OUTCOME_REFUSED,
    Outcome.EXPIRED: APPROVAL_OUTCOME_EXPIRED,
    Outcome.WITHDRAWN: APPROVAL_OUTCOME_WITHDRAWN,
}


def encode_answer(answer: Answer) -> bytes:
    """The bytes that are signed."""
    about = answer.about
    return ApprovalAnswer(
        realm=about.realm,
        node=about.node,
        id=about.id,
        approval=about.approval,
        agent=about.agent,
        behavior=about.behavior,
        message_id=about.message_id,
        payload_sha256=about.payload_sha256,
        approved=answer.approved,
        reason=answer.reason,
        at_us=answer.at_us,
    ).SerializeToString(deterministic=True)


def decode_answer(body: bytes) -> Answer:
    """The answer. Raises `Unauthorized` when the bytes are none."""
    if len(body) > MAX_BYTES:
        raise Unauthorized(f"an answer of {len(body)} bytes: at most {MAX_BYTES}")
    try:
        message = ApprovalAnswer.FromString(body)
    except DecodeError as error:
        raise Unauthorized(f"not an answer to a call that waits: {error}") from None
    if len(message.reason) > MAX_REASON:
        raise Unauthorized(f"a reason of {len(message.reason)} characters: at most {MAX_REASON}")
    about = Subject(
        realm=message.realm,
        node=message.node,
        id=message.id,
        approval=message.approval,
        agent=message.agent,
        behavior=message.behavior,
        message_id=message.message_id,
        payload_sha256=message.payload_sha256,
    )
    return Answer(about=about, approved=message.approved, reason=message.reason, at_us=message.at_us)


def answer_to(
    reply: WaitingReply, call: WaitingCall, *, approved: bool, reason: str, at_us: int, payload_sha256: bytes
) -> Answer:
    """An answer to a call that a desk has told of.

    Args:
        payload_sha256: of the bytes that the person was shown; work it out from ``call.payload``.
    """
    about = Subject(
        realm=reply.realm,
        node=reply.node,
        id=call.id,
        approval=call.approval,
        agent=call.agent,
        behavior=call.behavior,
        message_id=call.message_id,
        payload_sha256=payload_sha256,
    )
    return Answer(about=about, approved=approved, reason=reason, at_us=at_us)


def encode_call(call: Call, now: float, *, whole: bool) -> WaitingCall:
    """A call as it is told of; without `whole` its payload is left out."""
    about = call.about
    return WaitingCall(
        id=about.id,
        approval=about.approval,
        agent=about.agent,
        behavior=about.behavior,
        sender=call.sender,
        message_id=about.message_id,
        type=call.type,
        payload=call.payload if whole else b"",
        payload_size=len(call.payload),
        remaining_ms=max(0, min(int((call.until_s - now) * 1000), 2**32 - 1)),
    )


def encode_decided(decided: Decided, now_us: int, proof: AnswerRequest | None) -> ApprovalDecided:
    """The event that tells of a decision."""
    call, about = decided.call, decided.call.about
    return ApprovalDecided(
        realm=about.realm,
        node=about.node,
        id=about.id,
        approval=about.approval,
        agent=about.agent,
        behavior=about.behavior,
        sender=call.sender,
        message_id=about.message_id,
        type=call.type,
        payload_sha256=about.payload_sha256,
        outcome=_OUTCOMES[decided.outcome],
        reason=decided.reason,
        by=decided.by,
        asked_us=call.asked_us,
        decided_us=now_us,
        proof=proof,
    )
