"""The worker of an `@rpc` that needs a person's approval: a call is held until a desk has settled it.

A call that waits for a person has no place in the mailbox yet and occupies none of the behavior's `concurrency`, so
others pass it by. It is bounded all the same: calls that wait for a person and messages in the mailbox are at most
`mailbox` together. There is no way into the mailbox but by a yes: without a desk a call is refused.

Invariant: each call held is answered, or its requester has stopped waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .answering import RequestWorker
from .approvals import ApprovalDesk, Question, Settle
from .errors import AgentBusError, Busy, DeadlineExceeded, HandlerFailed, PayloadTooLarge, SchemaMismatch
from .inbound import Inbound
from .mailbox import part
from .messages import full_name, said
from .middleware import Handler
from .specs import RpcSpec
from .worker import Host, answer

MAX_BYTES = 256 * 1024
"""Of a request that a person is to approve: it has to be shown whole."""


class Approving(Host, Protocol):
    """The agent's side."""

    @property
    def approvals(self) -> ApprovalDesk | None:
        """Who asks people on this node."""
        ...


class _Held:
    """A call that waits for a person's word."""

    __slots__ = ("inbound", "withdraw")

    def __init__(self, inbound: Inbound) -> None:
        self.inbound = inbound
        self.withdraw: Callable[[], None] | None = None


class ApprovedWorker(RequestWorker):
    """Runs an `@rpc` whose requests need an approval."""

    __slots__ = ("_approving", "_held")

    def __init__(self, host: Approving, spec: RpcSpec, handler: Handler) -> None:
        super().__init__(host, spec, handler)
        self._approving = host
        self._held: set[_Held] = set()

    def offer(self, inbound: Inbound) -> None:
        """Asks for each message of a frame that is let in; what is approved comes to the mailbox later."""
        admitted = self.let_in(inbound)
        if admitted is None:
            return
        inbound = admitted
        count = len(inbound.frame.payloads)
        for index in range(count):
            self._hold(inbound if count == 1 else part(inbound, range(index, index + 1)))

    @property
    def queued(self) -> int:
        return self.mailbox.size + len(self._held)

    def reject_waiting(self, why: str) -> None:
        super().reject_waiting(why)
        for held in list(self._held):
            self._held.discard(held)
            if held.withdraw is not None:
                held.withdraw()
            self.counters.received += 1
            self.reject(held.inbound, range(1), why)

    def _hold(self, inbound: Inbound) -> None:
        if self.host.ended:
            self.take_in(inbound)  # which says that the agent is gone
            return
        desk = self._approving.approvals
        held = _Held(inbound)
        try:
            question = self._question(inbound)
            if self.queued >= self.spec.mailbox:
                raise Busy(f"{self._name}: {self.spec.mailbox} calls wait already")
            if desk is None:
                raise Busy(f"{self._name}: nobody here can be asked for approval {question.approval!r}")
            self._held.add(held)
            self._note("approval asked", held, ())
            held.withdraw = desk.ask_approval(question, self._settler(held))
        except AgentBusError as error:
            self._held.discard(held)
            self._refuse(inbound, error)
        except Exception as error:  # the desk's own: without its word nothing is done
            self.host.dropped(self.spec.name, 1, f"its desk raised {type(error).__name__}: {said(error)}")
            if held in self._held:
                self._held.discard(held)
                self._refuse(inbound, HandlerFailed(said(error), error_type=type(error).__name__))

    def _question(self, inbound: Inbound) -> Question:
        """What a person is to say yes to. Raises `SchemaMismatch`, `PayloadTooLarge`."""
        message = self.parse(inbound, 0)
        frame = inbound.frame
        payload = message.SerializeToString(deterministic=True) if inbound.foreign == "json" else frame.payloads[0]
        if len(payload) > MAX_BYTES:
            text = f"{self._name}: {len(payload)} bytes are more than a person can approve: at most {MAX_BYTES}"
            raise PayloadTooLarge(text)
        wait_s = None
        if frame.deadlines_ms and frame.deadlines_ms[0]:
            wait_s = inbound.received_s + frame.deadlines_ms[0] / 1000 - self.host.port.bus.loop.time()
        assert isinstance(self.spec, RpcSpec)
        return Question(
            approval=self.spec.approval,
            agent=self.host.name,
            behavior=self.spec.name,
            sender=frame.source,
            message_id=str(frame.message_id(0)) if frame.source else "",
            type=full_name(self.spec.type),
            payload=payload,
            wait_s=wait_s,
        )

    def _settler(self, held: _Held) -> Settle:
        def settle(error: AgentBusError | None) -> None:
            if held not in self._held:
                return
            self._held.discard(held)
            self._note("approved" if error is None else "not approved", held, error)
            if error is None:
                self.take_in(held.inbound)
            else:
                self._refuse(held.inbound, error)

        return settle

    def _note(self, what: str, held: _Held, why: object) -> None:
        """For who asks why, and for logs; a foreign client's call has no id to be asked about by."""
        frame, host, spec = held.inbound.frame, self.host, self.spec
        assert isinstance(spec, RpcSpec)
        if frame.source:
            called = frame.message_id(0)
            key = (called.source, called.epoch, called.sequence)
            facts = {"approval": spec.approval, "behavior": spec.name, **({"error": why} if why else {})}
            host.port.bus.decisions.note(host.log, key, host.name, what, tuple(facts), tuple(facts.values()))

    def _refuse(self, inbound: Inbound, error: AgentBusError) -> None:
        self.counters.received += 1
        if isinstance(error, DeadlineExceeded):
            self.counters.expired += 1
        elif not isinstance(error, SchemaMismatch):  # which is counted as malformed
            self.counters.refused += 1
        if inbound.engagement is not None:
            inbound.engagement.end()
        answer(self.host, inbound, 0, error)

    @property
    def _name(self) -> str:
        return f"{self.host.name}.{self.spec.name}"
