"""The knobs of a desk."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalsConfig:
    """How long calls wait for a person, and how many.

    Attributes:
        wait_s: the longest that a call waits; less when its requester stops waiting before.
        pending: calls that may wait at the desk; the requester of one more gets `Busy`.
        pending_each: of those, the most that one sender may have.
        remembered: decided calls that are known when a second answer comes.
        skew_s: by how much a person's clock may be ahead or behind.
    """

    wait_s: float = 300.0
    pending: int = 1024
    pending_each: int = 128
    remembered: int = 1024
    skew_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("wait_s", "skew_s"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise ConfigurationError(f"approvals: {name}={value!r}: use a number of seconds above 0")
        for name in ("pending", "pending_each", "remembered"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigurationError(f"approvals: {name}={value!r}: use a whole number from 1")
