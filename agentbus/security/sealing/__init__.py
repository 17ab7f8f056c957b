"""Payloads that only their recipients can read.

* `seal`, `unseal`: to one recipient, by its Ed25519 public key
* `GroupKeeper`, `GroupMember`: agents that change a group's key when its membership does, and seal and unseal with it
* `Sealed`: the message that travels; it is a protobuf message like any other
* `GroupKeys`, `KeyRing`: the same without a bus, pure
"""

from __future__ import annotations

from .boxes import seal, unseal
from .codec import GroupEpoch, GroupKeyRequest, Sealed
from .config import GroupConfig
from .groups import seal_for_group, unseal_in_group
from .machine import GroupKeys, KeyRing
from .model import Epoch
from .service import GroupKeeper, GroupMember

__all__ = [
    "Epoch",
    "GroupConfig",
    "GroupEpoch",
    "GroupKeeper",
    "GroupKeyRequest",
    "GroupKeys",
    "GroupMember",
    "KeyRing",
    "Sealed",
    "seal",
    "seal_for_group",
    "unseal",
    "unseal_in_group",
]
