"""A till that pays when somebody has said yes, people, and how they answer."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from agentbus import Agent, Context, Node, Supervision, on, rpc
from agentbus.security import KeyPair
from agentbus.security.approvals import (
    AnswerReply,
    AnswerRequest,
    ApprovalDecided,
    WaitingCall,
    WaitingReply,
    WaitingRequest,
    answer_to,
    signed_answer,
)
from examples.climate.v1.climate_pb2 import Reading, TargetReply, TargetRequest

ANNA, MALLORY = KeyPair(bytes(range(32))), KeyPair(bytes(32))


class Till(Agent):
    """Pays what it is asked for, after a person's yes; tells its balance without."""

    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(self) -> None:
        self.paid: list[float] = []

    @rpc(Reading, TargetReply, approval="payments", mailbox=4)
    async def pay(self, request: Reading, ctx: Context) -> TargetReply:
        self.paid.append(request.celsius)
        return TargetReply(celsius=request.celsius)

    @rpc(TargetRequest, TargetReply)
    async def tell_balance(self, request: TargetRequest, ctx: Context) -> TargetReply:
        return TargetReply(celsius=-sum(self.paid))


class Recorder(Agent):
    """Notes what was decided, as a ledger would."""

    def __init__(self) -> None:
        self.heard: list[ApprovalDecided] = []

    @on(ApprovalDecided)
    async def note(self, event: ApprovalDecided, ctx: Context) -> None:
        self.heard.append(event)


async def waiting(node: Node, id: str = "") -> list[tuple[WaitingReply, WaitingCall]]:  # noqa: A002
    """What waits anywhere."""
    replies = await node.gather(WaitingRequest(id=id), WaitingReply, timeout_s=0.2)
    return [(reply.message, call) for reply in replies for call in reply.message.calls]


async def say(
    node: Node,
    where: WaitingReply,
    call: WaitingCall,
    *,
    approved: bool = True,
    reason: str = "",
    pair: KeyPair = ANNA,
    at_us: int | None = None,
    enrolment: bytes = b"",
) -> AnswerReply:
    """A person's answer, given to all desks; what the desk that it is for says."""
    digest = hashlib.sha256(call.payload).digest()
    now_us = int(node.bus.clock_us()) if at_us is None else at_us
    answer = answer_to(where, call, approved=approved, reason=reason, at_us=now_us, payload_sha256=digest)
    return await hand(node, AnswerRequest(signed=signed_answer(answer, pair), key=pair.key, enrolment=enrolment))


async def hand(node: Node, request: AnswerRequest) -> AnswerReply:
    """Gives an answer to all desks."""
    replies = await node.gather(request, AnswerReply, timeout_s=0.2)
    (here,) = [reply.message for reply in replies if reply.message.here]
    return here
