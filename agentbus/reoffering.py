"""Offering a job once more: who has won several at once, and is busy when one comes up, looks for somebody to whom it
comes cheaper now. The table of policies says what that saves, and for whom.

Jobs are offered one after the other: the next when bidding for the last has closed, so that who has taken one answers
with what the next costs it then. What was offered once more is not offered a third time.

Invariants: at most `WAITING` jobs wait to be offered, the agent does the others itself; each is kept, passed on or
answered with an error, whatever happens; who has called for a job pays no more than its award said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Self

from google.protobuf.message import Message

from .awards import lowest_bid
from .contracts import Engagement
from .deals import Deal
from .decisions import JobKey, job_id
from .delegating import WINDOW_S, Delegation
from .errors import AgentBusError, DeadlineExceeded, Refused, SchemaMismatch
from .inbound import Inbound
from .negotiation import Terms, invalid
from .policies import Decision
from .proposals import subcontracted
from .specs import PolicySpec
from .worker import Host, answer

WAITING = 1024
"""Jobs that may wait to be offered once more."""


class Won(NamedTuple):
    """A job that this agent has won.

    Attributes:
        key: the job's.
        order: as it goes into a mailbox.
        engagement: with its contract.
        cost: what it was to cost, the queue included, when the bid was made.
        weight: of the bid.
        until_s: the loop's time at which its caller stops waiting.
    """

    key: JobKey
    order: Inbound
    engagement: Engagement
    cost: float
    weight: float
    until_s: float


class Reoffers:
    """The jobs of one behavior that are offered once more.

    Args:
        host: the agent's side.
        spec: the behavior.
        decide: what the agent says to the job now.
        keep: does the job here.
    """

    __slots__ = ("_decide", "_host", "_keep", "_spec", "_turn", "tasks")

    def __init__(
        self, host: Host, spec: PolicySpec, decide: Callable[[bytes, Terms], Decision], keep: Callable[[Won], None]
    ) -> None:
        self._host = host
        self._spec = spec
        self._decide = decide
        self._keep = keep
        self._turn = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()

    def take(self, won: Won) -> None:
        """Keeps the job, passes it on or refuses it, as it comes now."""
        if len(self.tasks) >= WAITING:
            self._keep(won)
            return
        task = self._host.port.bus.loop.create_task(self._run(won), name=f"{self._spec.name}: offered once more")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, won: Won) -> None:
        host, engagement = self._host, won.engagement
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            task.cancel()

        if not engagement.begin(stop, late=False):
            return  # its caller has gone
        try:
            deal = await self._offered(won)
        except asyncio.CancelledError:
            engagement.stop = None
            if engagement.cancelled:  # by its caller, who waits no longer
                engagement.end()
            else:  # the agent is restarted, and does it then; or it has gone, and the mailbox refuses it
                self._keep(won)
            raise
        except AgentBusError as error:
            engagement.end()
            answer(host, won.order, 0, error)
            return
        engagement.stop = None
        if deal is not None:
            engagement.end()
            self._pass_on(won, *deal)
        elif not engagement.cancelled:
            self._keep(won)

    async def _offered(self, won: Won) -> tuple[Deal[Message], float] | None:
        """How another has done it, and what it would have cost here; None: it is to be done here. Raises `Refused` when
        the agent can't do it any more, and nobody else would."""
        host, contract = self._host, won.engagement.contract
        payload = won.order.frame.payloads[0]
        async with _Turn(self._turn) as turn:
            now = self._decide(payload, contract.terms)
            if now.cost is None or invalid("the cost", now.cost):
                raise now.refusal or Refused("it can't do this job any more")
            if contract.terms.again and contract.terms.value is not None and now.cost > contract.terms.value:
                raise Refused(f"it has become busy: the job would cost it {now.cost:g}, more than it is worth")
            if contract.terms.again or now.cost <= won.cost:
                return None
            left_s = won.until_s - host.port.bus.loop.time()
            if left_s <= 0:
                return None
            frame = won.order.frame
            offer = Delegation(
                host.port,
                self._spec.type.FromString(payload),
                self._spec.reply,
                lowest_bid(),
                Terms(value=now.cost, team=contract.terms.team, again=True),
                host.peers,
                host.log,
                window_s=min(WINDOW_S, left_s / 2),
                deadline_s=left_s,
                patience_s=None,
                cause=(frame.hops + 1, frame.traces[0] if frame.traces else ""),
            )
            try:
                return await offer.run(closed=turn.release), now.cost
            except DeadlineExceeded:
                raise
            except AgentBusError as error:
                self._note(won, "not passed on", value=now.cost, offered_as=job_id(offer.key), reason=error)
                return None

    def _pass_on(self, won: Won, deal: Deal[Message], cost: float) -> None:
        host, contract = self._host, won.engagement.contract
        (winner,) = deal.winners
        saved = cost - winner.payment
        payment = min(contract.payment, max(winner.payment, contract.payment - (1 - won.weight) * saved))
        self._note(won, "passed on", to=winner.agent, offered_as=deal.job, saved=saved, payment=payment)
        try:
            answer(host, won.order, 0, subcontracted(winner.result, payment, winner.agent))
        except SchemaMismatch as error:
            answer(host, won.order, 0, error)

    def _note(self, won: Won, what: str, **facts: object) -> None:
        host = self._host
        names, values = ("behavior", *facts), (self._spec.name, *facts.values())
        host.port.bus.decisions.note(host.log, won.key, host.name, what, names, values)


class _Turn:
    """Holds a lock until it is let go, within the block or at its end."""

    __slots__ = ("_held", "_lock")

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._held = False

    async def __aenter__(self) -> Self:
        self._held = await self._lock.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()
