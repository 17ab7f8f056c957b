"""Sealing to one recipient: X25519 between two identities, then XChaCha20-Poly1305.

Both Ed25519 identity keys are converted to X25519, so nobody needs a second key. The key of a box is
BLAKE2b-256(X25519(sender, recipient), sender, recipient); both can make it and nobody else, so whoever can open a box
knows who sealed it, and can't prove it to others. There is no forward secrecy: a key that is stolen opens what was
sealed to it, and by it, before.

Reference: libsodium, `crypto_sign_ed25519_pk_to_curve25519`, `crypto_kx` (the order of what is hashed),
`crypto_aead_xchacha20poly1305_ietf`; draft-irtf-cfrg-xchacha.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_aead_xchacha20poly1305_ietf_encrypt
from nacl.exceptions import CryptoError

from ...errors import SchemaMismatch, Unauthorized
from ...messages import full_name
from ..keys import KeyPair, public_nkey
from .codec import Sealed, header

M = TypeVar("M", bound=Message)

NONCE_BYTES = 24
_PERSON = b"agentbus seal v1"


def seal(message: Message, *, to: bytes, sender: KeyPair, context: str = "") -> Sealed:
    """The message, for the eyes of one recipient.

    Args:
        to: the recipient's Ed25519 public key, 32 bytes.
        sender: the sender's key pair; the recipient will know who it was.
        context: anything that both know, a job's id say: it is opened in that context only, and does not travel.

    Raises:
        Unauthorized: `to` is no key that can be sealed to.
    """
    sealed = Sealed(sender=sender.key, to=to, type=full_name(message), nonce=os.urandom(NONCE_BYTES))
    sealed.body = encrypted(message, sealed, context, _key_between(sender, to, sender.key, to))
    return sealed


def unseal(sealed: Sealed, kind: type[M], pair: KeyPair, *, sender: bytes | None = None, context: str = "") -> M:
    """The message that was sealed to this key pair. ``sealed.sender`` is proven by that.

    Args:
        kind: what it has to be.
        sender: who has to have sealed it; None: anybody, which is for the caller to look at.
        context: as it was sealed in.

    Raises:
        Unauthorized: it is not for this key, of another type or sender, altered, or of another context.
        SchemaMismatch: its sender has sealed bytes that are none of the type.
    """
    if sealed.group or sealed.to != pair.key:
        whom = f"group {sealed.group!r}" if sealed.group else "another"
        raise Unauthorized(f"a {sealed.type} that is sealed to {whom}, not to {pair.public}")
    if sender is not None and sealed.sender != sender:
        raise Unauthorized(f"a {sealed.type} that says it is sealed by another than {public_nkey(sender)}")
    return decrypted(sealed, kind, context, _key_between(pair, sealed.sender, sealed.sender, pair.key))


def encrypted(message: Message, sealed: Sealed, context: str, key: bytes) -> bytes:
    """The body of a sealed message whose other fields are there."""
    return crypto_aead_xchacha20poly1305_ietf_encrypt(
        message.SerializeToString(), header(sealed, context), sealed.nonce, key
    )


def decrypted(sealed: Sealed, kind: type[M], context: str, key: bytes) -> M:
    """The message in the body. Raises `Unauthorized`, `SchemaMismatch`."""
    if sealed.type != full_name(kind):
        raise Unauthorized(f"a sealed {sealed.type}, not a {full_name(kind)}")
    try:
        payload = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed.body, header(sealed, context), sealed.nonce, key)
    except (CryptoError, ValueError, TypeError):
        raise Unauthorized(
            f"a sealed {sealed.type} can't be opened: it was altered, or is of another sender or context"
        ) from None
    try:
        return kind.FromString(payload)
    except DecodeError as error:
        raise SchemaMismatch(f"what was sealed is no {sealed.type}: {error}") from None


def _key_between(mine: KeyPair, other: bytes, sender: bytes, to: bytes) -> bytes:
    return blake2b(mine.shared_with(other) + sender + to, digest_size=32, person=_PERSON).digest()
