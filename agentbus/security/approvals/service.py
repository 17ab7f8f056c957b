"""The agent `Approvals`: one on each node that has calls to approve."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Collection
from typing import ClassVar

from ...agent import Agent
from ...approvals import Question, Settle
from ...behaviors import every, on_start, on_stop, rpc
from ...context import Context
from ...errors import AgentBusError, Busy, DeadlineExceeded, Refused
from ...messages import said
from ...supervision import Supervision
from ..enrolling import Issuers
from .codec import (
    AnswerReply,
    AnswerRequest,
    ApprovalDecided,
    WaitingReply,
    WaitingRequest,
    encode_call,
    encode_decided,
)
from .config import ApprovalsConfig
from .machine import Docket
from .model import Answered, Asked, Call, Decided, Gone, Outcome, Refusal, Subject, Tick
from .signing import ROLE, Approvers, verified_answer

TICK_S = 0.1
"""How late it may be noticed that a call has waited too long."""
SHOWN_BYTES = 2048
"""Larger payloads are left out of a list, and shown when their call is asked for by its number."""
LIST_BYTES = 512 * 1024
"""Of one list."""


class Approvals(Agent):
    """Asks people for their approval, and believes what they have signed.

    A node whose agents have an ``@rpc(..., approval="payments")`` needs one. Each call waits here until a person who
    may approve has said yes or no (``agentbus approve``), its requester stops waiting, or `ApprovalsConfig.wait_s` is
    over. What was decided is published as `ApprovalDecided`, to the topic of the approval's name, before an approved
    call runs. Calls that wait are kept in memory: when the node, or this agent, stops they are answered with `Busy`.

    Args:
        approvers: public NKEYs (``U...``) of people who may approve anything here.
        issuers: the realm's issuers, to believe enrolments of people: of the role `role`, with the approval among their
            names. `Identity.issuers` gives the present ones, also when a role has got another signing key.
        role: of people who approve.
        config: the knobs.
        durable: `ApprovalDecided` is a durable event, and an approved call runs only when that is stored.

    Raises:
        ConfigurationError: nobody could approve anything, or a key is none.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        approvers: Collection[str] = (),
        *,
        issuers: Issuers | Callable[[], Issuers] | None = None,
        role: str = ROLE,
        config: ApprovalsConfig | None = None,
        durable: bool = False,
    ) -> None:
        self.config = config or ApprovalsConfig()
        self._approvers = Approvers(approvers, issuers, role)
        self._durable = durable
        self._docket = Docket(self.config)
        self._settles: dict[str, Settle] = {}
        self._untold: deque[ApprovalDecided] = deque(maxlen=self.config.remembered)
        self._ctx: Context | None = None

    # -- what the node calls ---------------------------------------------------------------------------------------

    def ask_approval(self, question: Question, settle: Settle) -> Callable[[], None]:
        """Puts a call before people; see `agentbus.approvals.ApprovalDesk`. Raises `Busy`."""
        ctx = self._ctx
        if ctx is None:
            raise Busy(f"{question.agent}.{question.behavior}: the desk for approval {question.approval!r} is closed")
        now = ctx.now()
        wait_s = self.config.wait_s if question.wait_s is None else min(question.wait_s, self.config.wait_s)
        id = f"{ctx.epoch ^ ctx.rng.getrandbits(64):016x}"  # noqa: A001 - no two lives give one twice
        about = Subject(
            realm=ctx.realm,
            node=ctx.node,
            id=id,
            approval=question.approval,
            agent=question.agent,
            behavior=question.behavior,
            message_id=question.message_id,
            payload_sha256=hashlib.sha256(question.payload).digest(),
        )
        call = Call(
            about=about,
            sender=question.sender,
            type=question.type,
            payload=question.payload,
            asked_us=int(ctx.clock() * 1e6),
            until_s=now + wait_s,
        )
        self._settles[id] = settle
        for effect in self._docket.handle(Asked(call), now):
            if isinstance(effect, Refusal):
                del self._settles[id]
                raise Busy(f"{question.agent}.{question.behavior}: {effect.text}")
            self._end(effect, ctx)
        if id in self._settles:
            ctx.log.info("approval needed", **_facts(call), within_s=wait_s)
        return lambda: self._withdraw(id)

    def _withdraw(self, id: str) -> None:  # noqa: A002
        self._settles.pop(id, None)
        ctx = self._ctx
        if ctx is not None:
            for effect in self._docket.handle(Gone(id), ctx.now()):
                if isinstance(effect, Decided):
                    self._end(effect, ctx)

    # -- behaviors -------------------------------------------------------------------------------------------------

    @on_start
    async def open(self, ctx: Context) -> None:
        """From now on calls may come."""
        self._ctx = ctx

    @on_stop
    async def close(self, ctx: Context) -> None:
        """Whoever waits is told, and what was not told yet."""
        settles, self._settles = self._settles, {}
        for call in self._docket:
            for effect in self._docket.handle(Gone(call.about.id), ctx.now()):
                if isinstance(effect, Decided):
                    self._end(effect, ctx)
        self._ctx = None
        for settle in settles.values():
            settle(Busy("the desk where it waited for approval has been closed"))
        await self._tell(ctx)

    @every(TICK_S)
    async def look(self, ctx: Context) -> None:
        """Answers those who have waited too long, and tells what was decided."""
        for effect in self._docket.handle(Tick(), ctx.now()):
            if isinstance(effect, Decided):
                self._end(effect, ctx)
        await self._tell(ctx)

    @rpc(WaitingRequest, WaitingReply, unsigned="allow")  # people ask with a command, which speaks plain protobuf
    async def tell_waiting(self, request: WaitingRequest, ctx: Context) -> WaitingReply:
        """What waits here: all of it without large payloads, or one call whole."""
        reply = WaitingReply(realm=ctx.realm, node=ctx.node)
        if request.id:
            call = self._docket.get(request.id)
            reply.calls.extend([encode_call(call, ctx.now(), whole=True)] if call is not None else [])
            return reply
        size = 0
        for call in self._docket:
            told = encode_call(call, ctx.now(), whole=len(call.payload) <= SHOWN_BYTES)
            size += told.ByteSize()
            if size > LIST_BYTES:
                reply.more = len(self._docket) - len(reply.calls)
                break
            reply.calls.append(told)
        return reply

    @rpc(AnswerRequest, AnswerReply, concurrency=8, mailbox=1024, unsigned="allow")  # it has a signature of its own
    async def take_answer(self, request: AnswerRequest, ctx: Context) -> AnswerReply:
        """A person's yes or no. What does not count, and why, is in the reply."""
        reply = AnswerReply(node=ctx.node, here=True)
        try:
            answer = verified_answer(request.signed, request.key)
            if answer.about.node != ctx.node:
                return AnswerReply(node=ctx.node)
            now_s = ctx.clock()
            by = self._approvers.check(request.key, request.enrolment, answer.about.approval, ctx.realm, now_s)
            event = Answered(answer=answer, by=by, now_us=int(now_s * 1e6))
            for effect in self._docket.handle(event, ctx.now()):
                if isinstance(effect, Refusal):
                    raise Refused(effect.text)
                await self._decided(effect, request, ctx)
        except AgentBusError as error:
            ctx.log.warning("an answer does not count", error=f"{type(error).__name__}: {said(error)}")
            reply.error, reply.text = type(error).__name__, said(error)
        return reply

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _decided(self, decided: Decided, proof: AnswerRequest, ctx: Context) -> None:
        """A person has decided: the record first, then the call."""
        ctx.log.info("approval decided", **_facts(decided.call), outcome=decided.outcome.value, by=decided.by)
        event = encode_decided(decided, int(ctx.clock() * 1e6), proof)
        try:
            await ctx.publish(event, topic=event.approval, durable=self._durable)
        except AgentBusError as error:
            if self._durable and decided.outcome is Outcome.APPROVED:
                self._settle(decided, error)
                raise
            self._untold.append(event)
        self._settle(decided, None)

    def _end(self, decided: Decided, ctx: Context) -> None:
        """Nobody has decided."""
        ctx.log.info("approval ended", **_facts(decided.call), outcome=decided.outcome.value, reason=decided.reason)
        self._untold.append(encode_decided(decided, int(ctx.clock() * 1e6), None))
        self._settle(decided, None)

    def _settle(self, decided: Decided, failure: AgentBusError | None) -> None:
        settle = self._settles.pop(decided.call.about.id, None)
        if settle is not None:
            settle(failure or _error_of(decided))

    async def _tell(self, ctx: Context) -> None:
        while self._untold:
            event = self._untold.popleft()
            try:
                await ctx.publish(event, topic=event.approval, durable=self._durable)
            except AgentBusError as error:
                ctx.log.warning("a decision could not be told", id=event.id, error=said(error))
                self._untold.appendleft(event)
                return


def _error_of(decided: Decided) -> AgentBusError | None:
    """What the requester gets; None for a yes."""
    about = decided.call.about
    what = f"{about.agent}.{about.behavior} ({about.approval})"
    if decided.outcome is Outcome.APPROVED:
        return None
    if decided.outcome is Outcome.REFUSED:
        return Refused(f"{what}: {decided.by} says no{f': {decided.reason}' if decided.reason else ''}")
    return DeadlineExceeded(f"{what} was not approved: {decided.reason}")


def _facts(call: Call) -> dict[str, str]:
    about = call.about
    return {"id": about.id, "approval": about.approval, "of": f"{about.agent}.{about.behavior}", "sender": call.sender}
