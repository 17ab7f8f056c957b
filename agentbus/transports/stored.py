"""What both wires check of a stored message before it is sent, and what they leave out when it is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigurationError
from ..subjects import check_subject
from ..transport import MAX_BATCH, Headers, Write

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
AMONG = "Nats-Expected-Last-Subject-Sequence-Subject"
TTL = "Nats-TTL"
RESERVED = "Nats-"
"""What the names of the broker's own headers begin with."""


def stamped(
    message_id: str, headers: Headers | None, expected: int | None, among: str, ttl_s: float | None
) -> dict[str, str]:
    """The headers of a message to be stored. Raises `ConfigurationError`: a time to live that streams do not have, or
    a pattern of which nothing is expected."""
    marks = {**(headers or {}), MESSAGE_ID: message_id}
    if expected is not None:
        marks[EXPECTED] = str(expected)
    if among:
        if expected is None:
            raise ConfigurationError(f"among={among!r}: say what is expected of it, too")
        marks[AMONG] = check_subject(among, pattern=True)
    if ttl_s is not None:
        if ttl_s < 1 or ttl_s != int(ttl_s):
            raise ConfigurationError(f"ttl_s={ttl_s}: a stream counts it in whole seconds; write 1 or more of them")
        marks[TTL] = f"{int(ttl_s)}s"
    return marks


def stamped_batch(writes: Sequence[Write], message_id: str) -> list[tuple[Write, dict[str, str]]]:
    """The messages of a batch with their headers; each has an id that follows from the batch's.

    Raises:
        ConfigurationError: no messages, more than `MAX_BATCH`, a subject twice, or as `stamped`.
    """
    if not 1 <= len(writes) <= MAX_BATCH:
        raise ConfigurationError(f"a batch of {len(writes)} messages: write 1 to {MAX_BATCH}")
    if len({write.subject for write in writes}) < len(writes):
        raise ConfigurationError("a batch writes a subject twice: write each once")
    return [
        (write, stamped(f"{message_id}.{number}", write.headers, write.expected, "", write.ttl_s))
        for number, write in enumerate(writes)
    ]


def own_headers(headers: Headers | None) -> Headers | None:
    """The headers without the broker's own; None for none."""
    return {name: value for name, value in (headers or {}).items() if not name.startswith(RESERVED)} or None
