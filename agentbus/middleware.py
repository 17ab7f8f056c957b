"""Middleware: a handler in, a handler out. It sees messages, never frames.

A behavior compiles to one `Handler`; `stack` wraps it, the first middleware outermost. What a behavior handles is
decided here only by raising, answering, or calling on. Deadlines that travel with requests, and the hop limit, are
kept by the worker and the bus for every behavior and need no middleware.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from .context import Context
from .errors import AgentBusError, Busy, ConfigurationError, DeadlineExceeded
from .messages import full_name

Handler = Callable[[Any, Context], Awaitable[Message | None]]
"""What everything is: takes a message and its context, returns a reply or None."""
Middleware = Callable[[Handler], Handler]


def stack(handler: Handler, middleware: Sequence[Middleware]) -> Handler:
    """The handler inside its middleware, the first outermost."""
    for wrap in reversed(middleware):
        handler = wrap(handler)
    return handler


def deadline(seconds: float) -> Middleware:
    """Ends a handler that takes longer than `seconds` with `DeadlineExceeded`, whoever waits for it."""
    _positive("deadline", seconds)

    def wrap(handler: Handler) -> Handler:
        async def limited(message: Message, ctx: Context) -> Message | None:
            scope = asyncio.timeout(seconds)
            try:
                async with scope:
                    return await handler(message, ctx)
            except TimeoutError as error:
                if not scope.expired():
                    raise
                raise DeadlineExceeded(f"the handler took more than {seconds:g} s") from error

        return limited

    return wrap


def retry(attempts: int = 3, *, first_s: float = 0.05, factor: float = 2.0, max_s: float = 5.0) -> Middleware:
    """Calls the handler again after an error that says a retry can help, with full jitter between the attempts.

    Args:
        attempts: calls in all, at least 1.
        first_s: the longest first pause, seconds; each further one `factor` times as long, at most `max_s`.
    """
    if attempts < 1:
        raise ConfigurationError(f"retry: attempts={attempts}: use at least 1")

    def wrap(handler: Handler) -> Handler:
        async def retried(message: Message, ctx: Context) -> Message | None:
            for attempt in range(1, attempts):
                try:
                    return await handler(message, ctx)
                except AgentBusError as error:
                    pause = ctx.rng.uniform(0.0, min(max_s, first_s * factor ** (attempt - 1)))
                    remaining = ctx.deadline_s
                    if not error.retryable or (remaining is not None and remaining <= pause):
                        raise
                await asyncio.sleep(pause)
            return await handler(message, ctx)

        return retried

    return wrap


def limit(rate: float, *, burst: int = 1) -> Middleware:
    """A token bucket: more than `rate` messages a second, beyond a `burst`, are refused with `Busy`."""
    _positive("limit", rate)
    if burst < 1:
        raise ConfigurationError(f"limit: burst={burst}: use at least 1")

    def wrap(handler: Handler) -> Handler:
        tokens, last = float(burst), float("-inf")

        async def limited(message: Message, ctx: Context) -> Message | None:
            nonlocal tokens, last
            now = ctx.now()
            tokens, last = min(float(burst), tokens + (now - max(last, now - burst / rate)) * rate), now
            if tokens < 1.0 - 1e-9:
                raise Busy(
                    f"more than {rate:g} {full_name(message)} a second: try again in {(1 - tokens) / rate:.3g} s"
                )
            tokens -= 1.0
            return await handler(message, ctx)

        return limited

    return wrap


def dedupe(remember: int = 4096) -> Middleware:
    """Handles a message once, by its id, among the last `remember`; a duplicate of an event is dropped, one of a
    request gets the first's reply. A message whose handler failed may come again. Foreign messages have no id and
    pass."""
    if remember < 1:
        raise ConfigurationError(f"dedupe: remember={remember}: use at least 1")

    def wrap(handler: Handler) -> Handler:
        seen: OrderedDict[str, asyncio.Future[Message | None]] = OrderedDict()

        async def once(message: Message, ctx: Context) -> Message | None:
            identity = ctx.message_id
            if not identity:
                return await handler(message, ctx)
            first = seen.get(identity)
            if first is not None:
                await asyncio.wait({first})
                if first.cancelled():
                    raise Busy(f"{identity}: another copy of it was being handled, and failed")
                return first.result()
            outcome: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
            seen[identity] = outcome
            while len(seen) > remember:
                seen.popitem(last=False)
            try:
                reply = await handler(message, ctx)
            except BaseException:
                seen.pop(identity, None)
                outcome.cancel()
                raise
            outcome.set_result(reply)
            return reply

        return once

    return wrap


def trace() -> Middleware:
    """Logs each message with what became of it and how long it took, at level debug; failures at warning."""

    def wrap(handler: Handler) -> Handler:
        async def traced(message: Message, ctx: Context) -> Message | None:
            start = ctx.now()
            log = ctx.log.bind(type=full_name(message), sender=ctx.sender, hops=ctx.hops, trace=ctx.trace or None)
            try:
                reply = await handler(message, ctx)
            except Exception as error:
                log.warning("failed", error=repr(error), duration_s=round(ctx.now() - start, 6))
                raise
            log.debug("handled", duration_s=round(ctx.now() - start, 6))
            return reply

        return traced

    return wrap


def _positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{name}: {value!r}: use a number above 0")
