"""One delivery of a stored message, as the in-memory transport hands it out."""

from __future__ import annotations

from collections.abc import Callable

from ..transport import Headers
from .memory_consumer import Delivery, Settlement

Settle = Callable[[Delivery, Settlement, float], None]


class MemoryJob:
    """See `agentbus.transport.Job`."""

    __slots__ = ("_delivery", "_settle", "_settled", "attempt")

    def __init__(self, delivery: Delivery, settle: Settle) -> None:
        self.attempt = delivery.attempt
        self._delivery = delivery
        self._settle = settle
        self._settled = False

    @property
    def subject(self) -> str:
        return self._delivery.entry.subject

    @property
    def body(self) -> bytes:
        return self._delivery.entry.body

    @property
    def headers(self) -> Headers | None:
        return self._delivery.entry.headers

    @property
    def sequence(self) -> int:
        return self._delivery.entry.sequence

    def ack(self) -> None:
        """Done."""
        self._finish(Settlement.ACK)

    def retry(self, delay_s: float = 0.0) -> None:
        """Not done: again, not before `delay_s` seconds."""
        self._finish(Settlement.RETRY, delay_s)

    def discard(self) -> None:
        """Given up."""
        self._finish(Settlement.DISCARD)

    def progress(self) -> None:
        """Still at it."""
        if not self._settled:
            self._settle(self._delivery, Settlement.PROGRESS, 0.0)

    def _finish(self, settlement: Settlement, delay_s: float = 0.0) -> None:
        if not self._settled:
            self._settled = True
            self._settle(self._delivery, settlement, delay_s)
