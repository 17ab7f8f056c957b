"""Key pairs in NATS's form: Ed25519 in base32 with a letter for what they are for (NKEY). Secrets stay inside.

A key pair shows its public half wherever it is printed, logged or compared, and can't be pickled or copied by accident;
its seed comes out by `reveal_seed` only, by name.

Reference: nats-architecture-and-design, ADR-14 (JWT libraries and NKEYs); RFC 8032.
"""

# nkeys leaves its types open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import os
from base64 import b32decode, b32encode
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import NoReturn, Self

import nkeys
from nacl.bindings import (
    crypto_scalarmult,
    crypto_sign,
    crypto_sign_ed25519_pk_to_curve25519,
    crypto_sign_ed25519_sk_to_curve25519,
    crypto_sign_open,
)
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import SigningKey

from ..errors import ConfigurationError, Unauthorized

SEED_BYTES = 32
SIGNATURE_BYTES = 64
KEY_BYTES = 32


class Kind(Enum):
    """What a key pair is for."""

    OPERATOR = "O"
    ACCOUNT = "A"
    USER = "U"
    SERVER = "N"

    @property
    def prefix(self) -> int:
        """The byte of the NKEY form."""
        return {"O": nkeys.PREFIX_BYTE_OPERATOR, "A": nkeys.PREFIX_BYTE_ACCOUNT, "U": nkeys.PREFIX_BYTE_USER}.get(
            self.value, nkeys.PREFIX_BYTE_SERVER
        )


class KeyPair:
    """A secret key and its public half.

    Args:
        seed: 32 bytes of chance.
        kind: what it is for.

    Attributes:
        kind: what it is for.
        key: the public half, 32 bytes.
        public: the same as an NKEY, 56 characters.
    """

    __slots__ = ("_secret", "key", "kind", "public")

    def __init__(self, seed: bytes, kind: Kind = Kind.USER) -> None:
        signing = SigningKey(seed)
        self.kind = kind
        self.key = bytes(signing.verify_key)
        self._secret = bytes(signing) + self.key  # as libsodium wants it
        self.public = public_nkey(self.key, kind)

    @classmethod
    def create(cls, kind: Kind = Kind.USER) -> Self:
        """A new one, from the system's chance."""
        return cls(os.urandom(SEED_BYTES), kind)

    @classmethod
    def from_seed(cls, text: str, kind: Kind = Kind.USER) -> Self:
        """From an NKEY seed, ``SU...`` for a user's. Raises `ConfigurationError`, which does not show it."""
        text = text.strip()
        wrong = f"not a {kind.name.lower()}'s NKEY seed, or mistyped: it begins with S{kind.value}"
        try:
            prefix, raw = nkeys.decode_seed(text.encode())
            found = cls(bytes(raw), kind)
        except Exception:  # nkeys, base64 and PyNaCl each raise their own
            raise ConfigurationError(wrong) from None
        if prefix != kind.prefix or found.reveal_seed() != text:  # nkeys does not look at the checksum
            raise ConfigurationError(wrong)
        return found

    @classmethod
    def load(cls, path: Path | str, kind: Kind = Kind.USER) -> Self:
        """From a file that nobody else may read. Raises `ConfigurationError`, which names the file and the remedy."""
        path = Path(path)
        try:
            text = read_private(path)
        except OSError as error:
            raise ConfigurationError(f"no key in {path}: {error.strerror}; agentbus identity new makes one") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"no key in {path}: it is not text; agentbus identity new makes one") from None
        try:
            return cls.from_seed(text, kind)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None

    @classmethod
    def from_environment(cls, name: str = "AGENTBUS_SEED", kind: Kind = Kind.USER) -> Self | None:
        """From an environment variable, or None when it is not set. Raises `ConfigurationError`."""
        text = os.environ.get(name)
        if text is None:
            return None
        try:
            return cls.from_seed(text, kind)
        except ConfigurationError as error:
            raise ConfigurationError(f"the environment variable {name}: {error}") from None

    def save(self, path: Path | str) -> None:
        """Into a new file of mode 0600. Raises `ConfigurationError` when there is one already."""
        path = Path(path)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigurationError(f"{path} is there already: a key is not overwritten") from None
        except OSError as error:
            raise ConfigurationError(f"no key can be kept in {path}: {error.strerror}") from None
        with os.fdopen(handle, "w") as file:
            file.write(self.reveal_seed() + "\n")

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def shared_with(self, key: bytes) -> bytes:
        """The X25519 secret that this key pair and another share, 32 bytes: both halves are converted from Ed25519, as
        libsodium does it. Raises `Unauthorized` when the other key is none."""
        try:
            theirs = _x25519(key)
            return crypto_scalarmult(crypto_sign_ed25519_sk_to_curve25519(self._secret), theirs)
        except (CryptoError, TypeError, ValueError):
            raise Unauthorized(f"{key[:KEY_BYTES].hex()} is no Ed25519 public key that can be sealed to") from None

    def reveal_seed(self) -> str:
        """The secret, as an NKEY seed."""
        return nkeys.encode_seed(self._secret[:SEED_BYTES], self.kind.prefix).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyPair) and self.public == other.public

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"<{self.kind.name.lower()} {self.public}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key pair is not pickled or copied: save() it, or hand it on")


def read_private(path: Path) -> str:
    """The text of a file that nobody else may read. What is looked at is what is read, whatever becomes of the path.

    Raises:
        ConfigurationError: others may read or change it. OSError, UnicodeDecodeError.
    """
    with path.open(encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise ConfigurationError(f"{path} can be read by others: chmod 600 {path}")
        return file.read()


def public_nkey(key: bytes, kind: Kind = Kind.USER) -> str:
    """A public key of 32 bytes as an NKEY, ``U...`` for a user's."""
    body = bytes([kind.prefix]) + key
    return b32encode(body + _checksum(body)).decode().rstrip("=")


def key_of(public: str, kind: Kind = Kind.USER) -> bytes:
    """The 32 bytes of a public NKEY. Raises `ConfigurationError`."""
    try:
        raw = b32decode(public + "=" * (-len(public) % 8))
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES + 3 or raw[0] != kind.prefix or raw[-2:] != _checksum(raw[:-2]):
        raise ConfigurationError(
            f"{public[:60]!r} is not the public NKEY of a {kind.name.lower()}: 56 letters, first {kind.value}"
        )
    return raw[1:-2]


@lru_cache(maxsize=2048)  # it takes twice the time of the agreement itself
def _x25519(key: bytes) -> bytes:
    return crypto_sign_ed25519_pk_to_curve25519(key)


def _checksum(body: bytes) -> bytes:
    return nkeys.crc16(bytearray(body)).to_bytes(2, "little")


def verified(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's, over that message."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False  # libsodium reads as many bytes as there should be
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True
