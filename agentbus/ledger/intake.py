"""What waits to be written: a bounded queue of records, which counts what it could not take.

Nothing is lost in silence: what came when the queue was full is counted by kind, and goes into the log as one record of
kind `lost` as soon as there is room.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

from ..decisions import Decided, job_id
from ..decisions import written as told_decision
from ..errors import AgentBusError, Busy
from ..messages import Frame
from .codec import write_record
from .model import Keep, Kind, Record
from .rules import DECISION, Rules
from .tiles import MAX_ENTRY

LOSSES = "agentbus.lost"
"""The type of a record of kind `lost`."""


Taken = tuple[bytes, asyncio.Future[int] | None]
"""A record's bytes, and who waits for it to be durable."""


class Waiting(NamedTuple):
    """What is not written yet: how its bytes are made, and of what; and who waits for it."""

    make: Callable[[Any, Any, Keep], bytes]
    what: Any
    payload: Any
    keep: Keep
    written: asyncio.Future[int] | None


class Intake:
    """One ledger's queue.

    Args:
        rules: what is kept.
        room: records that may wait.
        whole: bytes of a payload above which its digest is kept.
        clock: seconds since 1970.

    Attributes:
        lost: records that were not taken, since the beginning.
        node: whose it is.
        max_entry: bytes of a record at most.
        arrived: set while something waits.
        idle: set while all that was taken is durable.
        shut: why nothing is taken any more.
    """

    def __init__(self, rules: Rules, *, room: int, whole: int, clock: Callable[[], float]) -> None:
        self.lost = 0
        self.node = ""
        self.max_entry = MAX_ENTRY
        self.shut: AgentBusError | None = None
        self.arrived = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self._rules = rules
        self._room = room
        self._whole = whole
        self._clock = clock
        self._queue: deque[Waiting] = deque()
        self._untold: Counter[Kind] = Counter()
        self._lost_from_us = 0

    def __len__(self) -> int:
        return len(self._queue)

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return int(self._clock() * 1e6)

    def wants(self, kind: Kind, subject: str, type_name: str) -> bool:
        """Whether the rules keep anything of such a record."""
        return self._rules.keep(kind, subject, type_name) is not Keep.NOTHING

    # -- in --------------------------------------------------------------------------------------------------------

    def put(self, record: Record, payload: bytes = b"", written: asyncio.Future[int] | None = None) -> bool:
        """Takes a record, with as much of its payload as the rules keep. Returns whether they keep any of it.

        Raises:
            Busy: the queue is full; the record is counted as lost.
            AgentBusError: `shut`, likewise.
        """
        keep = self._rules.keep(record.kind, record.subject, record.type)
        if keep is Keep.NOTHING:
            return False
        if not self._add(record.kind, Waiting(self._entry, record, payload, keep, written)):
            raise self.shut or Busy(f"{self._room} records wait to be logged: the log is behind; try again")
        return True

    def take_decision(self, decided: Decided) -> None:
        """Takes a decision about a job as it is made; it is spelled when it is written."""
        keep = self._rules.keep(Kind.DECIDED, DECISION, DECISION)
        if keep is not Keep.NOTHING:
            self._add(Kind.DECIDED, Waiting(self._decision, decided, None, keep, None))

    def take_sent(self, subject: str, frame: Frame, but: str = "") -> None:
        """Takes the messages of a frame that is being sent, those of one agent excepted."""
        keep = self._rules.keep(Kind.SENT, subject, frame.type)
        if keep is Keep.NOTHING:
            return
        for index in range(len(frame.payloads)):
            if _source(frame, index) != but:
                self._add(Kind.SENT, Waiting(self._sent, (subject, frame), index, keep, None))

    def _add(self, kind: Kind, waiting: Waiting) -> bool:
        if self.shut or len(self._queue) >= self._room:
            self.lost += 1
            self._lost_from_us = self._lost_from_us or self.now_us()
            self._untold[kind] += 1
            return False
        if not self._queue:
            self.arrived.set()
            self.idle.clear()
        self._queue.append(waiting)
        return True

    # -- out -------------------------------------------------------------------------------------------------------

    def take(self, count: int) -> list[Taken]:
        """The next records as bytes, `count` at most, and who waits for each."""
        taken: list[Taken] = []
        queue = self._queue
        for _ in range(min(count, len(queue))):
            make, what, payload, keep, written = queue.popleft()
            taken.append((make(what, payload, keep), written))
        if self._untold:
            taken.append((write_record(self._losses()), None))
        if not self._queue:
            self.arrived.clear()
        return taken

    def written(self) -> None:
        """What was taken last is durable."""
        if not self._queue:
            self.idle.set()

    def _losses(self) -> Record:
        told = ", ".join(f"{count} {kind.value}" for kind, count in sorted(self._untold.items()))
        lost, since = self._untold.total(), self._lost_from_us
        self._untold.clear()
        self._lost_from_us = 0
        return Record(
            at_us=since, kind=Kind.LOST, agent="", node=self.node, type=LOSSES, outcome=f"{lost} not logged: {told}"
        )

    # -- spelling --------------------------------------------------------------------------------------------------

    def _entry(self, record: Record, payload: bytes, keep: Keep) -> bytes:
        digest = sha256(payload).digest() if payload and keep is not Keep.FACTS else b""
        if keep is Keep.WHOLE and len(payload) <= self._whole:
            entry = write_record(record, len(payload), digest, payload)
            if len(entry) <= self.max_entry:
                return entry
        return write_record(record, len(payload), digest)

    def _decision(self, decided: Decided, _: None, keep: Keep) -> bytes:
        record = Record(
            at_us=decided.at_us,
            kind=Kind.DECIDED,
            agent=decided.agent,
            node=self.node,
            subject=job_id(decided.key),
            type=DECISION,
        )
        return self._entry(record, told_decision(self.node, decided), keep)

    def _sent(self, sent: tuple[str, Frame], index: int, keep: Keep) -> bytes:
        subject, frame = sent
        record = Record(
            at_us=frame.time_us,
            kind=Kind.SENT,
            agent=_source(frame, index),
            node=self.node,
            subject=subject,
            type=frame.type,
            message_id=str(frame.message_id(index)),
        )
        return self._entry(record, frame.payloads[index], keep)


def _source(frame: Frame, index: int) -> str:
    return frame.sources[index] if frame.sources else frame.source
