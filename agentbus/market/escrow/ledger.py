"""Where a ledger is kept: a bucket of its own, with keys ``tx.*``, ``account.*``, ``hold.*``, ``writer``, ``lease``."""

from __future__ import annotations

from ...storage import Bucket
from ...transport import Transport
from .codec import read_record
from .config import EscrowConfig
from .model import Record


async def open_ledger(transport: Transport, ledger: str, *, realm: str, config: EscrowConfig) -> Bucket:
    """The bucket, made if it is not there. Raises `StorageFailed`, `NotConnected`."""
    return await Bucket.open(
        transport,
        f"escrow-{ledger}",
        realm=realm,
        replicas=config.replicas,
        max_bytes=config.max_bytes,
        timeout_s=config.commit_s,
    )


async def fetch(bucket: Bucket, key: str) -> tuple[int, Record | None]:
    """The revision of a key's last write, 0 for none, and the record that it left. Raises `StorageFailed`."""
    entry = await bucket.get(key)
    if entry is None:
        return await bucket.revision(key), None  # of a deletion, perhaps: what is written next has to expect it
    return entry.revision, read_record(key, entry.value)
