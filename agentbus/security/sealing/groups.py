"""Sealing for a group: its epoch's key for secrecy, the sender's signature for who it was; and epochs, handed on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

from ...errors import Unauthorized
from ...messages import full_name
from ..keys import KEY_BYTES, KeyPair, public_nkey, verified
from .boxes import NONCE_BYTES, decrypted, encrypted, seal, unseal
from .codec import EpochKey, GroupEpoch, Sealed, bound, epoch_bytes, header
from .model import Epoch

M = TypeVar("M", bound=Message)

SIGNED = b"agentbus sealed for a group v1\0"


def seal_for_group(message: Message, *, epoch: Epoch, sender: KeyPair, context: str = "") -> Sealed:
    """The message, for the eyes of an epoch's members.

    Raises:
        Unauthorized: the sender is not a member.
    """
    if sender.key not in epoch.members:
        raise Unauthorized(f"{sender.public} is no member of group {epoch.group!r} in epoch {epoch.number}")
    sealed = Sealed(
        sender=sender.key,
        group=epoch.group,
        epoch=epoch.number,
        type=full_name(message),
        nonce=os.urandom(NONCE_BYTES),
    )
    sealed.body = encrypted(message, sealed, context, epoch.key)
    sealed.signature = sender.sign(_signed(sealed, context))
    return sealed


def unseal_in_group(sealed: Sealed, kind: type[M], epoch: Epoch, *, context: str = "") -> M:
    """The message that a member has sealed in that epoch. ``sealed.sender`` is proven by that.

    Raises:
        Unauthorized: it is of another epoch or type, not by a member, altered, or of another context.
        SchemaMismatch: its sender has sealed bytes that are none of the type.
    """
    if (sealed.group, sealed.epoch) != (epoch.group, epoch.number) or sealed.to:
        raise Unauthorized(f"not sealed for group {epoch.group!r} in epoch {epoch.number}")
    if sealed.sender not in epoch.members:
        raise Unauthorized(f"a {sealed.type} for group {epoch.group!r} by somebody who is no member of it")
    if not verified(sealed.sender, _signed(sealed, context), sealed.signature):
        who = public_nkey(sealed.sender)
        raise Unauthorized(f"a sealed {sealed.type} is not signed by {who}: altered, or of another context")
    return decrypted(sealed, kind, context, epoch.key)


def _signed(sealed: Sealed, context: str) -> bytes:
    parts = (header(sealed, context), sealed.nonce, sealed.body)
    return SIGNED + hashlib.sha256(bound(parts)).digest()


# -- epochs on their way -----------------------------------------------------------------------------------------------


def context_of(epoch: Epoch, keeper: KeyPair, nonce: bytes = b"") -> str:
    """What the keys in an announcement are bound to: the epoch, word for word."""
    return _context(epoch_bytes(epoch.group, epoch.number, keeper.key, epoch.members, nonce))


def handed(epoch: Epoch, keeper: KeyPair, to: bytes, context: str) -> Sealed:
    """An epoch's key for one member: of use in the announcement of that context only."""
    return seal(EpochKey(key=epoch.key), to=to, sender=keeper, context=context)


def announced(epoch: Epoch, keeper: KeyPair, keys: Sequence[Sealed], nonce: bytes = b"") -> GroupEpoch:
    """An epoch as it travels: its members for all to read, and its key as it was `handed` to some.

    Args:
        nonce: of the request that this answers.
    """
    signed = epoch_bytes(epoch.group, epoch.number, keeper.key, epoch.members, nonce)
    return GroupEpoch(
        group=epoch.group,
        epoch=epoch.number,
        keeper=keeper.key,
        members=sorted(epoch.members),
        keys=keys,
        signature=keeper.sign(signed),
        nonce=nonce,
    )


def taken(told: GroupEpoch, keeper: bytes, pair: KeyPair, members: int) -> Epoch | None:
    """The epoch with its key, as far as it was handed to this key pair; None when it was not.

    Args:
        keeper: whose word counts.
        members: of a group, at most.

    Raises:
        Unauthorized: it is not the keeper's, or was altered.
    """
    roster = frozenset(told.members)
    if len(told.members) > members or any(len(key) != KEY_BYTES for key in roster):
        raise Unauthorized(f"an epoch of group {told.group!r} with members that can't be")
    signed = epoch_bytes(told.group, told.epoch, keeper, roster, told.nonce)
    if told.keeper != keeper or not verified(keeper, signed, told.signature):
        raise Unauthorized(f"an epoch of group {told.group!r} that is not by its keeper {public_nkey(keeper)}")
    mine = next((key for key in told.keys if key.to == pair.key), None)
    if mine is None or pair.key not in roster:
        return None
    key = unseal(mine, EpochKey, pair, sender=keeper, context=_context(signed)).key
    if len(key) != KEY_BYTES:
        raise Unauthorized(f"a key of {len(key)} bytes for group {told.group!r}")
    return Epoch(group=told.group, number=told.epoch, members=roster, key=key)


def _context(signed: bytes) -> str:
    return hashlib.sha256(signed).hexdigest()
