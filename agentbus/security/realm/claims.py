"""JWTs as nats-server reads them: claims of operators, accounts and users, encoded, decoded, verified. Pure.

Invariants: what `decode` returns was signed by the key that it names as issuer; the encoding of one set of claims is
one text, and its ``jti`` is the hash of the rest.

Reference: nats-architecture-and-design ADR-14; github.com/nats-io/jwt v2, whose judge here is nats-server itself.
"""

from __future__ import annotations

import json
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import new as new_hash
from typing import Any, cast

from ...errors import ConfigurationError, Unauthorized
from ..credentials import FormerIssuer, former_of
from ..keys import KeyPair, Kind, key_of, verified
from .permissions import Permissions

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION = 2
_LONGEST = 1 << 20
"""Characters of a JWT that is read."""


FORMER = "agentbus_former"
"""A claim of our own, of accounts."""


def encode(claims: Mapping[str, Any], issuer: KeyPair, now_s: int) -> str:
    """The JWT. ``iss``, ``iat`` and ``jti`` are set here."""
    told: dict[str, Any] = {"jti": "", "iat": now_s, "iss": issuer.public, **claims}
    told["jti"] = b32encode(new_hash("sha512_256", _dumped(told)).digest()).decode().rstrip("=")
    body = f"{_text(_dumped(_HEADER))}.{_text(_dumped(told))}"
    return f"{body}.{_text(issuer.sign(body.encode()))}"


def decode(jwt: str) -> dict[str, Any]:
    """The claims of a JWT whose signature is that of its issuer. Raises `Unauthorized`: whom to believe is for the
    caller to decide."""
    if len(jwt) > _LONGEST:
        raise Unauthorized(f"a JWT of {len(jwt)} characters: at most {_LONGEST}")
    try:
        head, body, signature = jwt.split(".")
        header, claims = json.loads(_bytes(head)), json.loads(_bytes(body))
        if not isinstance(claims, dict) or header != _HEADER:
            raise ValueError("neither header nor claims of a NATS JWT")
        told = cast("dict[str, Any]", claims)
        issuer = str(told["iss"])
        key = key_of(issuer, {"O": Kind.OPERATOR, "A": Kind.ACCOUNT}[issuer[:1]])
        sound = verified(key, f"{head}.{body}".encode(), _bytes(signature))
        if not isinstance(told["iat"], int) or not isinstance(told["nats"], dict):
            raise ValueError("claims without a time")
    except (ValueError, KeyError, TypeError, RecursionError, ConfigurationError):
        raise Unauthorized("not a NATS JWT, or not whole") from None
    if not sound:
        raise Unauthorized(f"a JWT that {issuer} is said to have signed, and has not")
    return told


def operator_claims(operator: str, name: str, system_account: str) -> dict[str, Any]:
    """Of an operator, who signs them itself."""
    nats = {"type": "operator", "version": _VERSION, "system_account": system_account}
    return {"name": name, "sub": operator, "nats": nats}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What an account may use; -1 for no limit.

    Attributes:
        connections: at once.
        disk_bytes, memory_bytes: of its streams, all copies counted; 0 and 0: no JetStream.
        streams, consumers: how many.
        payload: bytes of a message.
    """

    connections: int = -1
    disk_bytes: int = -1
    memory_bytes: int = -1
    streams: int = -1
    consumers: int = -1
    payload: int = -1


def account_claims(
    account: str,
    name: str,
    limits: AccountLimits,
    scopes: Sequence[tuple[str, str, Permissions]] = (),
    revoked: Mapping[str, int] | None = None,
    former: Sequence[tuple[str, str, int]] = (),
    exports: Sequence[Mapping[str, str]] = (),
    imports: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Of an account, by its operator.

    Args:
        account: its public key.
        name: its name, for people.
        limits: what it may use.
        scopes: its signing keys: public key, role, and what whoever it signs may do.
        revoked: users, to the second (since 1970) up to which what was issued to them is void.
        former: signing keys that were replaced: public key, role, and until when (seconds since 1970) they counted.
            Members mind these, servers do not.
        exports, imports: see `separation`.
    """
    return {
        "name": name,
        FORMER: [list(entry) for entry in former],
        "sub": account,
        "nats": {
            "type": "account",
            "version": _VERSION,
            "limits": {
                "subs": -1,
                "data": -1,
                "payload": limits.payload,
                "imports": -1,
                "exports": -1,
                "wildcards": True,
                "conn": limits.connections,
                "leaf": 0,
                "mem_storage": limits.memory_bytes,
                "disk_storage": limits.disk_bytes,
                "streams": limits.streams,
                "consumer": limits.consumers,
            },
            "signing_keys": [
                {"kind": "user_scope", "key": key, "role": role, "template": _template(permissions)}
                for key, role, permissions in scopes
            ],
            "revocations": dict(revoked or {}),
            **({"exports": [dict(each) for each in exports]} if exports else {}),
            **({"imports": [dict(each) for each in imports]} if imports else {}),
            "default_permissions": {"pub": {}, "sub": {}},
        },
    }


def user_claims(user: str, name: str, account: str, expires_s: int, tags: Sequence[str] = ()) -> dict[str, Any]:
    """Of a user whose role's signing key says what it may do. `expires_s` 0: never ends."""
    nats: dict[str, Any] = {"type": "user", "version": _VERSION, "issuer_account": account}
    if tags:
        nats["tags"] = list(tags)
    return {"name": name, "sub": user, "nats": nats, **({"exp": expires_s} if expires_s else {})}


def system_user_claims(user: str, name: str, expires_s: int) -> dict[str, Any]:
    """Of a user of the system account, signed by that account's own key: it has no limits of its own."""
    nats: dict[str, Any] = {
        "type": "user",
        "version": _VERSION,
        "pub": {},
        "sub": {},
        "subs": -1,
        "data": -1,
        "payload": -1,
    }
    return {"name": name, "sub": user, "nats": nats, "exp": expires_s}


def revocations(claims: Mapping[str, Any]) -> dict[str, int]:
    """Of an account's claims: users, to the second up to which what was issued to them is void."""
    found: Any = claims["nats"].get("revocations") or {}
    return {str(user): int(at) for user, at in found.items()}


def signing_keys(claims: Mapping[str, Any]) -> dict[str, str]:
    """Of an account's claims: its signing keys, public NKEYs, to the role that each issues."""
    found: Any = claims["nats"].get("signing_keys") or []
    return {str(scope["key"]): str(scope["role"]) for scope in found}


def former_issuers(claims: Mapping[str, Any]) -> tuple[FormerIssuer, ...]:
    """Of an account's claims: the signing keys that it had before. Raises `Unauthorized`."""
    try:
        return former_of(claims.get(FORMER, ()))
    except (TypeError, ValueError):
        raise Unauthorized("the account's former signing keys can't be read") from None


def _template(permissions: Permissions) -> dict[str, Any]:
    deaf = {"deny": list(permissions.deaf)} if permissions.deaf else {}
    told: dict[str, Any] = {
        "pub": {"allow": list(permissions.publish)} if permissions.publish else {"deny": [">"]},
        "sub": {"allow": list(permissions.subscribe), **deaf} if permissions.subscribe else {"deny": [">"]},
        "subs": permissions.subscriptions,
        "data": -1,
        "payload": -1,
        "allowed_connection_types": ["STANDARD"],
    }
    return told


def _dumped(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
