"""Keys: who signs (`Signer`), and what it takes to check it (`Key`).

Ed25519 by PyNaCl, which the extra ``security`` installs.

Reference: C2SP signed-note (key ids, verifier keys); C2SP tlog-cosignature (type 4); RFC 8032.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from types import ModuleType
from typing import Protocol

from ..errors import ConfigurationError

NOTE = 1
"""The type of a key that signs notes."""
COSIGNATURE = 4
"""The type of a key that cosigns checkpoints, as a witness."""
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64

_NAME = re.compile(r"[^\s+\x00-\x1f]+")


class Signer(Protocol):
    """Whoever has a private key.

    Attributes:
        name: of the key: a log's origin, or a witness's name; no spaces, no ``+``.
        public: the Ed25519 public key, 32 bytes.
    """

    @property
    def name(self) -> str: ...
    @property
    def public(self) -> bytes: ...
    def sign(self, message: bytes, /) -> bytes:
        """The Ed25519 signature, 64 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """A `Signer` of what somebody else holds: an identity's key, say, ``Signing(origin, pair.key, pair.sign)``.

    Attributes:
        name: of the key.
        public: 32 bytes.
        sign: gives the Ed25519 signature of its bytes.
    """

    name: str
    public: bytes
    sign: Callable[[bytes], bytes]

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public) != PUBLIC_BYTES:
            raise ConfigurationError(f"the key {self.name!r}: give the Ed25519 public key as {PUBLIC_BYTES} bytes")


class Ed25519:
    """A `Signer` whose key is held in memory.

    Args:
        name: of the key.
        seed: the private key, 32 bytes; by default a new one.
    """

    __slots__ = ("_key", "name", "public")

    def __init__(self, name: str, seed: bytes | None = None) -> None:
        self.name = check_key_name(name)
        signing = _nacl().SigningKey
        try:
            self._key = signing.generate() if seed is None else signing(seed)
        except (ValueError, TypeError):
            raise ConfigurationError(f"the key {name!r} takes a seed of 32 bytes") from None
        self.public: bytes = bytes(self._key.verify_key)

    def __repr__(self) -> str:
        return f"<Ed25519 {self.name}>"

    def sign(self, message: bytes) -> bytes:
        """See `Signer`."""
        return bytes(self._key.sign(message).signature)


@dataclass(frozen=True, slots=True)
class Key:
    """What checks signatures. Written ``name+id+base64`` (a *vkey*).

    Attributes:
        name: the signer's.
        public: 32 bytes.
        kind: `NOTE` or `COSIGNATURE`.
    """

    name: str
    public: bytes
    kind: int = NOTE

    @classmethod
    def of(cls, signer: Signer, kind: int = NOTE) -> Key:
        """The key of a signer."""
        return cls(check_key_name(signer.name), signer.public, kind)

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key that `str` has written. Raises `ConfigurationError`."""
        parts = text.strip().split("+", 2)
        try:
            name, key_id, content = parts
            decoded = b64decode(content, validate=True)
        except (ValueError, Error):
            raise ConfigurationError(f"{text!r} is no verifier key: it is written name+id+base64") from None
        key = cls(name, decoded[1:], decoded[0] if decoded else 0)
        if key.kind not in (NOTE, COSIGNATURE) or len(key.public) != PUBLIC_BYTES:
            raise ConfigurationError(f"{text!r}: an Ed25519 key of type 1 or 4 is needed")
        if key.id.hex() != key_id or str(key) != text.strip():
            raise ConfigurationError(f"{text!r}: name, id and key do not belong together: copy it whole")
        return key

    @property
    def id(self) -> bytes:
        """Four bytes by which a signature says whose it is."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is of this key and of exactly this message."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        nacl = _nacl()
        try:
            nacl.VerifyKey(self.public).verify(message, signature)
        except Exception as error:
            if type(error).__name__ not in ("BadSignatureError", "ValueError", "RuntimeError"):
                raise
            return False
        return True

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"


def check_key_name(name: str) -> str:
    """The name, if it can be a key's. Raises `ConfigurationError`."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a key: write one without spaces, control characters and '+'")
    return name


def _nacl() -> ModuleType:
    try:
        from nacl import signing
    except ImportError:
        raise ConfigurationError("signing needs PyNaCl: install agentbus-network[security]") from None
    return signing
