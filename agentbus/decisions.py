"""Decisions about jobs, kept for whoever asks why: ``agentbus why JOB``. Pure.

A node keeps the last `KEPT` that its agents made, as buyers and as bidders: in memory, until the node ends. What has
to outlast that is for a log (`ledger`), which is handed each as it is made.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from logging import DEBUG
from sys import float_info
from typing import Any, NamedTuple

import structlog
from structlog.typing import FilteringBoundLogger

from .messages import clip, said

KEPT = 16_384
"""Decisions that a node keeps: of about 1,400 jobs among eight bidders and their buyer on it."""
TOLD = 1000
"""Decisions that it tells of at once, the newest."""
LONGEST = 500
"""Characters of a reason."""

_PLAIN = frozenset({int, float, bool, type(None)})
"""What is written when somebody asks; words that are not too long, too."""

JobKey = tuple[str, int, int]
"""A call's message id: the buyer, the life of its node, the number."""


def job_id(key: JobKey) -> str:
    """As it is written in logs, deals and errors: ``buyer:epoch:number``."""
    return f"{key[0]}:{key[1]}:{key[2]}"


class Decided(NamedTuple):
    """One decision.

    Attributes:
        key: the job.
        at_us: when, microseconds since 1970 by the node's clock; for people.
        agent: who decided.
        what: ``bid``, ``refused``, ``awarded``...
        facts: by what, each a name and a value.
    """

    key: JobKey
    at_us: int
    agent: str
    what: str
    facts: dict[str, Any]


_Kept = tuple[JobKey, int, str, str, tuple[str, ...], tuple[Any, ...]]


def _decided(entry: _Kept) -> Decided:
    key, at_us, agent, what, names, values = entry
    return Decided(key, at_us, agent, what, dict(zip(names, values, strict=True)))


class Decisions:
    """One node's.

    Args:
        clock_us: microseconds since 1970.
    """

    __slots__ = ("_clock_us", "_kept", "_takers")

    def __init__(self, clock_us: Callable[[], int]) -> None:
        self._clock_us = clock_us
        self._kept: deque[_Kept] = deque(maxlen=KEPT)
        self._takers: tuple[Callable[[Decided], None], ...] = ()

    def hand_to(self, take: Callable[[Decided], None]) -> Callable[[], None]:
        """Hands each decision on as it is made, until what it returns is called. `take` is called within the
        negotiation: it must not wait, and an error of its own costs nobody anything but a line in the log."""
        self._takers += (take,)

        def end() -> None:
            self._takers = tuple(taker for taker in self._takers if taker is not take)

        return end

    def note(
        self,
        log: FilteringBoundLogger,
        key: JobKey,
        agent: str,
        what: str,
        names: tuple[str, ...],
        values: tuple[Any, ...],
        at_us: int = 0,
    ) -> None:
        """Keeps a decision, and logs it at level debug where logs were set up, as structlog alone prints all levels.
        What is no number and no word is kept as it is written: an error holds whatever its raiser had in hand. (What is
        kept is tuples, which the garbage collector does not look through again: each job makes a dozen.)

        Args:
            at_us: now, by this clock, where the caller has looked; 0: it has not.
        """
        for value in values:
            kind = value.__class__
            if kind not in _PLAIN and not (kind is str and len(value) <= LONGEST):
                values = tuple(map(_plain, values))
                break
        entry = (key, at_us or self._clock_us(), agent, what, names, values)
        self._kept.append(entry)
        if self._takers:
            self._hand_on(log, entry)
        if structlog.is_configured() and log.is_enabled_for(DEBUG):
            facts = {name: _plain(fact) for name, fact in zip(names, values, strict=True)}
            log.debug(f"job {what}", job=job_id(key), **facts)

    def _hand_on(self, log: FilteringBoundLogger, entry: _Kept) -> None:
        for take in self._takers:
            try:
                take(_decided(entry))
            except Exception as error:
                log.error("a decision was not taken", job=job_id(entry[0]), what=entry[3], error=repr(error))

    def of(self, job: str) -> Iterator[Decided]:
        """What was decided about a job, the oldest first; about each job for the empty one. At most `TOLD`."""
        found = [entry for entry in self._kept if not job or job_id(entry[0]) == job]
        yield from map(_decided, found[-TOLD:])


def written(node: str, entry: Decided) -> bytes:
    """A decision as a node tells it: JSON."""
    facts = {name: _plain(fact) for name, fact in entry.facts.items()}
    told = {"job": job_id(entry.key), "at_us": entry.at_us, "node": node, "agent": entry.agent, "what": entry.what}
    return json.dumps({**told, "facts": facts}).encode()


def _plain(fact: Any) -> Any:
    """As JSON holds it: numbers that are finite, words, and lists and dicts of them."""
    if fact is None or isinstance(fact, bool) or (isinstance(fact, int | float) and abs(fact) <= float_info.max):
        return fact
    if isinstance(fact, BaseException):
        return clip(f"{type(fact).__name__}: {said(fact)}", LONGEST)
    try:
        return clip(str(fact), LONGEST)
    except Exception:  # it is whatever a cost method has returned
        return type(fact).__name__
