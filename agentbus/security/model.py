"""What the room tells and is told: frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who may speak as whom, in a realm, until when.

    Attributes:
        key: the node's Ed25519 public key, 32 bytes.
        realm, node: the node's.
        names: the agents that it may host: names, or beginnings of names that end in ``*``.
        jobs: the sharding jobs that it may work on.
        role: what it is enrolled as.
        issued_s, expires_s: seconds since 1970.
        issuer: the Ed25519 public key of the role's issuer, 32 bytes.
    """

    key: bytes
    realm: str
    node: str
    names: tuple[str, ...]
    role: str
    issued_s: int
    expires_s: int
    issuer: bytes
    jobs: tuple[str, ...] = ()

    def hosts(self, name: str) -> bool:
        """Whether it may speak in that name: its own, or one of its agents'."""
        return name == self.node or any(
            name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])) for pattern in self.names
        )
