"""JetStream as a transport needs it: streams, durable publishing, the API that consumers are made with.

Invariants: a message is stored under one id however often it is tried; every call ends by its deadline; what may be
temporary (no link, no leader, JetStream not up yet) is tried again until then, what is a refusal is not.

Reference: https://docs.nats.io/reference/reference-protocols/nats_api_reference and NATS ADR-1.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from ..errors import Closed, NotConnected, StorageFailed, Unauthorized
from ..subjects import matches
from ..transport import Headers, StreamLimits, StreamSpec
from .nats_inbox import Answer, Inbox, Outcome, Wire

FIRST_TRY_S = 1.0
"""Seconds that the first attempt waits for its answer; each further one waits twice as long."""
LONGEST_TRY_S = 8.0
PAUSE_S = 0.1
"""Seconds before a temporary refusal is tried again; doubled each time up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 1.0

STREAM_DIFFERS = 10058
STREAM_MISSING = 10059
CONSUMER_EXISTS = (10105, 10148)
_AGAIN = (10158, 10176)
"""An id whose first attempt is under way; a batch of which a part was lost, so that nothing of it is stored."""
_FULL = (10047, 10077)
"""Refusals with the code of what is temporary: no storage left for a stream, a stream that refuses when it is full."""


class ApiError(StorageFailed):
    """JetStream said no. `number` is its ``err_code``, `reason` its text, `stream` who said so, if a stream did."""

    def __init__(self, text: str, number: int, reason: str = "", stream: str = "") -> None:
        super().__init__(text)
        self.number = number
        self.reason = reason
        self.stream = stream


class JetStream:
    """JetStream over one transport."""

    __slots__ = ("_made", "_replicas", "inbox", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._made: dict[str, StreamSpec] = {}
        self._replicas: dict[str, int] = {}
        self.inbox = Inbox(wire)

    async def api(self, call: str, request: dict[str, Any], what: str, deadline: float) -> dict[str, Any]:
        """Calls ``$JS.API.{call}``; `what` begins the text of an error. Raises `ApiError`, `StorageFailed`,
        `NotConnected`."""
        return await self.tried(f"$JS.API.{call}", json.dumps(request).encode(), None, what, deadline)

    async def ensure_stream(self, spec: StreamSpec, timeout_s: float) -> None:
        """See `Transport.ensure_stream`. A stream that is gone later is made again by whoever misses it."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        self._made[spec.name] = spec
        self._replicas.pop(spec.name, None)
        what = f"stream {spec.name!r} could not be made"
        settings = _settings(spec)
        wanted = {"name": spec.name, "subjects": list(spec.subjects), **_fixed(), **settings}
        try:
            await self.api(f"STREAM.CREATE.{spec.name}", wanted, what, deadline)
            return
        except ApiError as error:
            if error.number != STREAM_DIFFERS:
                raise
        found = (await self.api(f"STREAM.INFO.{spec.name}", {}, what, deadline))["config"]
        heard: list[str] = found.get("subjects", [])
        missing = [subject for subject in spec.subjects if not any(matches(pattern, subject) for pattern in heard)]
        if found.get("allow_msg_ttl"):
            del settings["allow_msg_ttl"]  # once allowed it can't be taken back
        differing = {key: value for key, value in settings.items() if found.get(key, False) != value}
        changed = {**found, **differing, "subjects": heard + missing}
        if changed != found:
            await self.api(
                f"STREAM.UPDATE.{spec.name}", changed, f"stream {spec.name!r} could not be changed", deadline
            )

    async def replicas(self, stream: str, deadline: float) -> int:
        """How many copies of a stream there are. Asked once. Raises as `api`."""
        if stream not in self._replicas:
            what = f"how many copies stream {stream!r} has is not known"
            found = (await self.api(f"STREAM.INFO.{stream}", {}, what, deadline))["config"]
            self._replicas[stream] = found.get("num_replicas", 1)
        return self._replicas[stream]

    async def make_again(self, stream: str, deadline: float) -> bool:
        """Makes a stream again that `ensure_stream` made and somebody deleted, or a server lost; False for any other.
        Raises as `ensure_stream`."""
        spec = self._made.get(stream)
        if spec is None:
            return False
        self.wire.note("stream", f"stream {stream!r} is gone: making it again")
        await self.ensure_stream(spec, max(0.0, deadline - asyncio.get_running_loop().time()))
        return True

    async def _make_again_for(self, subject: str, deadline: float) -> None:
        for spec in self._made.values():
            if any(matches(pattern, subject) for pattern in spec.subjects):
                await self.make_again(spec.name, deadline)
                return

    async def tried(
        self,
        subject: str,
        body: bytes,
        headers: Headers | Callable[[], Headers] | None,
        what: str,
        deadline: float,
    ) -> dict[str, Any]:
        """The first answer that is not a temporary refusal. `headers`: what gives them is called for each attempt.
        Raises as `api`."""
        loop = asyncio.get_running_loop()
        patience, pause, why = FIRST_TRY_S, PAUSE_S, ""
        while True:
            if not self.wire.connected:
                await self.wire.until_connected(deadline)
            try:
                marks = headers() if callable(headers) else headers
                answer = await self.inbox.ask(subject, body, marks, min(deadline, loop.time() + patience))
            except NotConnected as error:
                answer, why = None, str(error)
            if answer is not None:
                reply, why = _judged(answer, what)
                if reply is not None:
                    return reply
            left = deadline - loop.time()
            if left <= 0:
                raise StorageFailed(f"{what} in time: {why}")
            if answer is not None and answer.outcome is Outcome.NO_RESPONDERS:
                await self._make_again_for(subject, deadline)
            if answer is not None and answer.outcome is Outcome.LATE:
                patience = min(2 * patience, LONGEST_TRY_S)
            elif self.wire.connected:
                await asyncio.sleep(min(pause, left))
                pause = min(2 * pause, LONGEST_PAUSE_S)


def _judged(answer: Answer, what: str) -> tuple[dict[str, Any] | None, str]:
    """The reply, or None and why the same should be tried again. Raises `ApiError`, `StorageFailed`, `Closed`."""
    if answer.outcome is Outcome.CLOSED:
        raise Closed("the transport was closed")
    if answer.outcome is Outcome.DENIED:
        raise Unauthorized(f"{what}: {answer.body.decode()}")
    if answer.outcome is Outcome.NO_RESPONDERS:
        return None, "nobody answers: make the stream with ensure_stream, and enable jetstream on the server"
    if answer.outcome is not Outcome.ANSWERED:
        return None, answer.outcome.value
    try:
        reply: dict[str, Any] = json.loads(answer.body)
        problem: dict[str, Any] | None = reply.get("error")
    except (ValueError, AttributeError):
        raise StorageFailed(f"{what}: something other than JetStream answered") from None
    if problem is None:
        return reply, ""
    number: int = problem.get("err_code", 0)
    text: str = problem.get("description", "no reason given")
    if (problem.get("code") in (429, 503) and number not in _FULL) or number in _AGAIN:
        return None, text
    raise ApiError(f"{what}: {text}", number, text, str(reply.get("stream", "")))


def nanoseconds(seconds: float) -> int:
    """As JetStream counts time; fractions of a second are kept."""
    return round(seconds * 1_000_000_000)


def _fixed() -> dict[str, Any]:
    return {"retention": "limits", "storage": "file"}


def _settings(spec: StreamSpec) -> dict[str, Any]:
    return {
        **_limits(spec.limits),
        "discard": "new" if spec.refuse_when_full else "old",
        "max_msgs_per_subject": spec.per_subject,
        "allow_atomic": spec.batches,
        "allow_msg_ttl": spec.message_ttl,
        "allow_rollup_hdrs": spec.per_subject > 0,
        "allow_direct": False,
    }


def _limits(limits: StreamLimits) -> dict[str, Any]:
    window = min(limits.duplicate_window_s, limits.max_age_s) if limits.max_age_s > 0 else limits.duplicate_window_s
    return {
        "max_bytes": limits.max_bytes,
        "max_age": nanoseconds(limits.max_age_s),
        "max_msgs": limits.max_messages,
        "duplicate_window": nanoseconds(window),
        "num_replicas": limits.replicas,
    }
