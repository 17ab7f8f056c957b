"""What a node needs of an identity: a Protocol, which `agentbus.security.Identity` fulfils."""

from __future__ import annotations

from typing import Protocol

from .errors import ConfigurationError
from .peers import Electorate
from .speaking import Speaker
from .transport import FrameGuard, Transport


class NodeIdentity(Protocol):
    """Who a node is, and how it connects."""

    @property
    def node(self) -> str:
        """The node's name, which is not its own to choose."""
        ...

    @property
    def realm(self) -> str:
        """The realm it is enrolled in."""
        ...

    @property
    def guard(self) -> FrameGuard:
        """What signs the node's frames, and lets in only what was signed."""
        ...

    @property
    def electorate(self) -> Electorate:
        """Who has a vote in the realm, kept up to date while the node runs."""
        ...

    def connection(self, url: str | None) -> Transport:
        """A transport that connects as this identity, by the realm's URLs unless one is given."""
        ...

    def begin(self, speaker: Speaker) -> None:
        """The node is up: begins to keep the identity valid. `speaker`: by which to ask for it."""
        ...

    async def end(self) -> None:
        """The node stops."""
        ...


def whose(identity: NodeIdentity | None, realm: str | None, name: str | None) -> tuple[str, str | None]:
    """A node's realm and name: its identity's, if it has one. Raises `ConfigurationError` when it is given others."""
    if identity is None:
        return realm or "default", name
    if realm not in (None, identity.realm) or name not in (None, identity.node):
        who = f"node {identity.node!r} of realm {identity.realm!r}"
        raise ConfigurationError(f"this identity is that of {who}: leave realm= and name= away")
    return identity.realm, identity.node
