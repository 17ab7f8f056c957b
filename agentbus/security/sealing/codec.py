"""Sealed messages and epochs, spelled: the one reader of this wire code, and what is bound and signed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ...wire.v1.sealing_pb2 import EpochKey, GroupEpoch, GroupKeyRequest, Sealed

__all__ = ["EpochKey", "GroupEpoch", "GroupKeyRequest", "Sealed", "bound", "epoch_bytes", "header"]

DOMAIN = b"agentbus sealed v1\0"
EPOCH_DOMAIN = b"agentbus group epoch v1\0"


def header(sealed: Sealed, context: str) -> bytes:
    """What the body is bound to: who, to whom, which key, what type, in which context."""
    names = (sealed.group.encode(), sealed.type.encode(), context.encode("utf-8", "surrogatepass"))
    return DOMAIN + bound((sealed.sender, sealed.to, sealed.epoch.to_bytes(8, "big"), *names))


def epoch_bytes(group: str, number: int, keeper: bytes, members: Collection[bytes], nonce: bytes) -> bytes:
    """What the keeper signs of an epoch, and of whose request it answers."""
    return EPOCH_DOMAIN + bound((group.encode(), number.to_bytes(8, "big"), keeper, nonce, *sorted(members)))


def bound(parts: Iterable[bytes]) -> bytes:
    """The parts, each after its length: no two lists give the same."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
