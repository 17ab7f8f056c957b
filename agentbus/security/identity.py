"""An identity at work: connects with what it holds, and takes what is newer without losing the link.

`Identity` is what a node is given: ``Node(identity=Identity.load("courier.id"), agents=[...])``. What it holds may
change meanwhile (`Renewal` asks for it, or `agentbus identity enroll` writes the file anew): the next connection takes
the newest.

Invariants: the secret key never leaves the `KeyPair`; nothing is said to a server without TLS; what has expired is a
typed error that says how to go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

from ..errors import ConfigurationError, Unauthorized
from ..speaking import Speaker
from ..transports.nats import Endpoint, NatsTransport
from .credentials import Credentials
from .electorate import Electorate
from .electorate.following import Following
from .enrolling import Issuers
from .guard import Guard
from .renewing import Renewal, RenewalConfig
from .trust import trusting

MAKERS = ("enroller", "operator")
"""The roles that make streams."""
FOLLOWERS = ("agent", "operator")
"""The roles that may follow the realm's epoch sets; the others know the one that came with their enrolment."""


class Identity:
    """One node's.

    Args:
        credentials: what it holds.
        path: where they are kept, also when they are renewed; None: nowhere.
        renewal: how they are renewed; None: they are not.
        clock: seconds since 1970.
        wire: makes the transport, of `NatsTransport`'s arguments: a subclass, say, that tells more of the link.

    Attributes:
        credentials: the newest.
        guard: signs the node's frames, and lets in only what was signed.
        electorate: who has a vote, by the newest epoch set of the realm's enroller; nobody before the first is known.
        renewals: how often they were renewed here.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        path: Path | None = None,
        renewal: RenewalConfig | None = None,
        clock: Callable[[], float] = time.time,
        wire: Callable[..., NatsTransport] = NatsTransport,
    ) -> None:
        self.credentials = credentials
        realm = credentials.realm
        self.guard = Guard(
            credentials.pair,
            credentials.enrolment,
            realm.issuers,
            realm.realm,
            former=realm.former_issuers,
            clock=clock,
        )
        self.electorate = Electorate(self.realm, lambda: self.credentials.realm.keys_of("enroller"))
        self._following = Following(self.electorate, self.realm, self.node)
        self._following.take(credentials.epoch_set)
        self.renewals = 0
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._clock = clock
        self._wire = wire
        self._transport: NatsTransport | None = None
        self._renewal = Renewal(self, renewal, clock) if renewal is not None else None

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        renewal: RenewalConfig | None = None,
        clock: Callable[[], float] = time.time,
        wire: Callable[..., NatsTransport] = NatsTransport,
    ) -> Self:
        """From a file that `agentbus identity enroll` made; it is written anew at each renewal.

        Raises:
            ConfigurationError: there is none, it can be read by others, or it holds no enrolled identity.
        """
        held = Credentials.load(path)
        return cls(held, path=Path(path), renewal=renewal or RenewalConfig(), clock=clock, wire=wire)

    @property
    def node(self) -> str:
        """The node's name."""
        return self.credentials.enrolled.node

    @property
    def realm(self) -> str:
        """The realm it is enrolled in."""
        return self.credentials.realm.realm

    def issuers(self) -> Issuers:
        """Whom its realm believes now, for who has to know it later, too: ``Approvals(issuers=identity.issuers)``."""
        return self.credentials.realm.issuers

    def connection(self, url: str | None = None) -> NatsTransport:
        """A transport that connects as this identity. Raises `ConfigurationError`: the URL is not one of NATS.

        Args:
            url: in place of the realm's own.
        """
        role = self.credentials.enrolled.role
        self._transport = self._wire(
            url or self.credentials.realm.url,
            name=self.node,
            tls=trusting(self.credentials.realm),
            inbox_prefix=f"{self.realm}.in.{self.node}.own",
            resolve=lambda: self._endpoint(url),
            restricted=True,
            makes_streams=role in MAKERS,
        )
        return self._transport

    async def take(self, credentials: Credentials, *, timeout_s: float = 5.0) -> None:
        """Goes on with newer credentials: keeps them, and connects with them before the present link is left.

        Raises:
            ConfigurationError: they are another node's, or can't be kept.
            NotConnected, Unauthorized: there is no connection with them; the present one stays.
        """
        if credentials.enrolled.node != self.node or credentials.realm.realm != self.realm:
            raise ConfigurationError(f"what was issued is not for node {self.node!r} of realm {self.realm!r}")
        self._go_on(credentials)
        self.renewals += 1
        if self._path is not None:
            replace(credentials, epoch_set=self.electorate.signed).save(self._path)
            self._seen = _stamp(self._path)
        if self._transport is not None:
            await self._transport.renew(timeout_s=timeout_s)

    def found(self) -> Credentials | None:
        """What stands in its file when somebody else has written it anew, as `agentbus identity rotate` and
        `agentbus realm rotate` do; else None."""
        held = self.credentials
        if self._path is None or (stamp := _stamp(self._path)) == self._seen:
            return None
        self._seen = stamp
        try:
            kept = Credentials.load(self._path)
        except ConfigurationError:
            return None
        told, now = kept.enrolled, held.enrolled
        if (told.node, told.realm) != (now.node, now.realm) or told.expires_s <= self._clock():
            return None
        newer = (told.issued_s, kept.realm.issued_s) >= (now.issued_s, held.realm.issued_s)
        return kept if newer and (kept.enrolment, kept.realm) != (held.enrolment, held.realm) else None

    def _go_on(self, credentials: Credentials) -> None:
        """Speaks and connects with these from now on. Raises `Unauthorized`, and nothing has changed then."""
        realm = credentials.realm
        self.guard.renew(credentials.enrolment, credentials.pair, realm.issuers, realm.former_issuers)
        self.credentials = credentials
        self._following.take(credentials.epoch_set)

    def begin(self, speaker: Speaker) -> None:
        """Begins to renew what is held before it ends, and to follow who has a vote."""
        if self._transport is not None and self.credentials.enrolled.role in FOLLOWERS:
            self._following.begin(self._transport)
        if self._renewal is not None:
            self._renewal.begin(speaker)

    async def end(self) -> None:
        """Ends both."""
        await self._following.end()
        if self._renewal is not None:
            await self._renewal.end()

    async def _endpoint(self, url: str | None) -> Endpoint:
        """What to connect with now. Raises `Unauthorized` when it has expired, `ConfigurationError`."""
        if (kept := self.found()) is not None:
            self._go_on(kept)
        held = self.credentials
        if held.enrolled.expires_s <= self._clock():
            raise Unauthorized(
                f"the identity of node {held.enrolled.node!r} has expired: agentbus identity enroll it again"
            )
        return Endpoint(
            url=url or held.realm.url,
            jwt=held.jwt,
            sign=held.pair.sign,
            tls=trusting(held.realm),
            tls_first=held.realm.tls_first,
        )


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes whenever a file is replaced."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_ino
