"""One-time tokens, and the files in which applications and members' words for them travel.

A token is a key: whoever has it signs its application with it, so it does not travel, and the enroller keeps its public
half. Applications and vouchers are nobody's secret.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigurationError, Unauthorized
from ..admission import Voucher
from ..credentials import read_secret, write_secret
from ..enroller.codec import decode_application, encode_application
from ..enroller.model import Token
from ..keys import KEY_BYTES, SIGNATURE_BYTES, KeyPair, Kind, key_of, public_nkey, verified
from .folder import RealmFolder
from .issuing import Wanted

APPLYING = b"agentbus application v1\0"


def make_token(
    realm: RealmFolder,
    path: Path,
    *,
    node: str,
    role: str,
    names: tuple[str, ...],
    until_s: float,
    jobs: tuple[str, ...] = (),
) -> Token:
    """A token that admits once, into a file of mode 0600. Raises `ConfigurationError`."""
    pair = KeyPair.create()
    wanted = Wanted(key=pair.key, node=node, role=role, names=names, jobs=jobs)
    realm.check(wanted)
    token = Token(node=wanted.node, role=wanted.role, names=wanted.names, jobs=wanted.jobs, until_s=until_s)
    told = {"token": pair.reveal_seed(), "node": node, "role": role, "agents": list(names), "jobs": list(jobs)}
    write_secret(path, json.dumps(told) + "\n")
    realm.add_token(pair.key, token)
    return token


def read_token(path: Path) -> tuple[KeyPair, Token]:
    """The key that a token is, and what it admits. Raises `ConfigurationError`, which shows nothing of it."""
    text = read_secret(path, "agentbus realm token makes one")
    try:
        told = json.loads(text)
        token = Token(
            node=str(told["node"]),
            role=str(told["role"]),
            names=tuple(map(str, told["agents"])),
            jobs=tuple(map(str, told["jobs"])),
            until_s=0.0,
        )
        return KeyPair.from_seed(str(told["token"])), token
    except (ConfigurationError, ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{path} holds no token: agentbus realm token makes one") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """An application, read. Attributes: `body`: its bytes; `wanted`, `realm`: what they ask for."""

    body: bytes
    wanted: Wanted
    realm: str


def write_application(path: Path, pair: KeyPair, wanted: Wanted, realm: str) -> None:
    """An application, for members to vouch for. Raises `ConfigurationError`."""
    body = encode_application(wanted, realm)
    told = {
        "application": b64encode(body).decode(),
        "signature": b64encode(pair.sign(APPLYING + body)).decode(),
        "key": pair.public,
        "realm": realm,
        "node": wanted.node,
        "role": wanted.role,
        "agents": list(wanted.names),
    }
    _write(path, told)


def read_application(path: Path) -> Applying:
    """An application that its key has signed; what stands beside it is for people. Raises `ConfigurationError`."""
    wrong = f"{path} holds no application: agentbus identity request makes one"
    try:
        told = json.loads(path.read_text("utf-8"))
        body, signature = (b64decode(told[name], validate=True) for name in ("application", "signature"))
        wanted, realm = decode_application(body)
    except OSError as error:
        raise ConfigurationError(f"nothing to read in {path}: {error.strerror}") from None
    except (Unauthorized, ConfigurationError, ValueError, KeyError, TypeError):
        raise ConfigurationError(wrong) from None
    if not verified(wanted.key, APPLYING + body, signature):
        raise ConfigurationError(f"{path}: whoever made it does not hold the key that it asks for")
    return Applying(body=body, wanted=wanted, realm=realm)


def write_voucher(path: Path, voucher: Voucher) -> None:
    """A member's word. Raises `ConfigurationError`."""
    signature = b64encode(voucher.signature).decode()
    _write(path, {"member": public_nkey(voucher.key), "until_s": voucher.until_s, "signature": signature})


def read_voucher(path: Path) -> Voucher:
    """A member's word, not verified. Raises `ConfigurationError`."""
    try:
        told = json.loads(path.read_text("utf-8"))
        found = Voucher(
            key_of(str(told["member"]), Kind.USER), b64decode(told["signature"], validate=True), int(told["until_s"])
        )
    except OSError as error:
        raise ConfigurationError(f"nothing to read in {path}: {error.strerror}") from None
    except (ConfigurationError, ValueError, KeyError, TypeError):
        found = Voucher(b"", b"", 0)
    if len(found.key) != KEY_BYTES or len(found.signature) != SIGNATURE_BYTES or not 0 <= found.until_s < 1 << 63:
        raise ConfigurationError(f"{path} holds no member's word: agentbus identity vouch makes one")
    return found


def _write(path: Path, told: Mapping[str, object]) -> None:
    try:
        path.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise ConfigurationError(f"nothing can be kept in {path}: {error.strerror}") from None
