"""The knobs of leases, and the formulas between them."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError

LONGEST_ELECTION_S = 10.0
"""Seconds that a stream may be without a leader, by which no live holder may lose a lease."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseConfig:
    """How leases are kept and taken.

    Attributes:
        renew_s: seconds between two renewals. Several fit into `stale_s`: at most a quarter of it.
        poll_s: seconds between two looks of who waits for a lease.
        stale_s: seconds for which a revision has to stay the same, by the clock of who looks, until the lease is
            taken without a verdict. More than the longest election (10 s) and one renewal.
        gap_s: between two looks that were answered no more than that counts as time in which the holder could have
            renewed: while the store is away it can't. By default twice the longer of `poll_s` and `renew_s`.
        retry_s: seconds until what was not answered is looked at again.
        ask_s: seconds that one operation of the store may take.
        ttl_s: seconds after which the server deletes the key of a lease that nobody renews: garbage collection
            only, whole seconds, more than `stale_s`. None: never.
    """

    renew_s: float = 3.0
    poll_s: float = 1.0
    stale_s: float = 15.0
    gap_s: float = 0.0
    retry_s: float = 0.5
    ask_s: float = 2.0
    ttl_s: float | None = None

    def __post_init__(self) -> None:
        if min(self.renew_s, self.poll_s, self.retry_s, self.ask_s) <= 0:
            raise ConfigurationError(f"{self}: renew_s, poll_s, retry_s and ask_s are seconds above 0")
        if self.stale_s <= LONGEST_ELECTION_S + self.renew_s:
            raise ConfigurationError(
                f"stale_s={self.stale_s}: use more than the longest election, {LONGEST_ELECTION_S:g} s, and one "
                f"renewal, {self.renew_s:g} s, together: or a live holder can lose its lease"
            )
        if self.renew_s * 4 > self.stale_s:
            raise ConfigurationError(f"renew_s={self.renew_s}: use at most a quarter of stale_s={self.stale_s}")
        if self.ttl_s is not None and (self.ttl_s <= self.stale_s or self.ttl_s != int(self.ttl_s)):
            raise ConfigurationError(f"ttl_s={self.ttl_s}: use whole seconds, more than stale_s={self.stale_s}")
        if not self.gap_s:
            object.__setattr__(self, "gap_s", 2.0 * max(self.poll_s, self.renew_s))
