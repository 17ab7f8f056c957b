"""The knobs of a ledger and of a witness."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerConfig:
    """Of a `Ledger`.

    Attributes:
        queue: records that may wait to be written. What comes when it is full is counted, and the count is logged.
        batch: records written with one wait for the disk. The event loop spells and hashes them in one go, about 10 us
            each.
        whole: bytes of a payload above which its digest is kept in its place.
        quorum: witnesses whose cosignatures make a checkpoint a witnessed one; 0: all there are.
        cosign_s: seconds that a witness has to answer.
        append_s: seconds within which `Ledger.append` must have been written.
        retry_s: seconds to wait after a disk or a broker has refused.
    """

    queue: int = 65_536
    batch: int = 1_024
    whole: int = 32_768
    quorum: int = 0
    cosign_s: float = 2.0
    append_s: float = 10.0
    retry_s: float = 0.5

    def __post_init__(self) -> None:
        if min(self.queue, self.batch) < 1 or min(self.whole, self.quorum) < 0:
            raise ConfigurationError("queue and batch are at least 1, whole and quorum at least 0")
        if min(self.cosign_s, self.append_s, self.retry_s) <= 0:
            raise ConfigurationError("cosign_s, append_s and retry_s are seconds above 0")
