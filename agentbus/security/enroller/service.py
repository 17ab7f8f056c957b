"""The enroller as an agent: issues to who is admitted, for an hour at most unless told otherwise, publishes who votes,
and makes the realm's streams, which no other role but the operator's may.

It holds the roles' signing keys and the join key, and neither the operator's nor an account's key. The epoch sets it
signs by the signing key of its own role, which the account's JWT names.

Invariants: a set is in the books before anybody is shown it, so no number is ever used twice, whenever it is killed; it
issues none before it has seen the newest that the realm has, and none after it has seen one that is not its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from ...agent import Agent
from ...behaviors import every, on_start, rpc
from ...context import Context
from ...errors import AgentBusError, ConfigurationError, Refused, Unauthorized
from ...supervision import Supervision
from ...transport import StreamLimits
from ..admission import Admission, AllOf, Challenge, quotas
from ..credentials import read_secret
from ..electorate import Electorate, EpochSet, verified_epoch_set
from ..electorate.codec import issuer_of
from ..electorate.register import Register
from ..enrolling import Issuers
from ..realm.books import BOOKS, Books, open_books, read_books
from ..realm.claims import decode, revocations
from ..realm.demands import read_demands
from ..realm.folder import ACCOUNT_JWT, JOIN_KEY, signing_key
from ..realm.issuing import VALID_S
from ..realm.state import REALM, read_state
from .admission import RESERVED, StillEnrolled, Terms, policy_of
from .codec import EnrolmentGrant, EnrolmentRequest, decode_request, encode_grant, encode_puzzle
from .deciding import Desk, Standing
from .publishing import Publisher, with_seats
from .streams import stream_specs

ROLE = "enroller"
TICK_S = 0.25
"""Seconds between two looks at what others have changed, and at what is due."""
REPAIR_S = 2.0
"""Seconds between two looks at whether the newest epoch set stands where it was stored."""


class Enroller(Agent):
    """Admits keys to the realm, and says who votes. Host one in a realm: of two, one issues no sets.

    Args:
        folder: the realm's ``enroller/``. It is read anew for each request, so that a revocation counts at once.
        admission: what newcomers have to show, all of it (`security.admission`). By default what ``admission.json`` in
            the folder says: the join key, unless told otherwise.
        terms: what newcomers may be.
        valid_s: seconds that what it issues is valid.
        streams: the limits of the realm's streams; by default with three copies where there are servers enough.
        clock: seconds since 1970.
    """

    version = "1.0.0"
    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self,
        folder: Path | str,
        *,
        admission: Sequence[Admission] | None = None,
        terms: Terms | None = None,
        valid_s: int = VALID_S,
        streams: StreamLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._valid_s = valid_s
        self._state = read_state(self._folder)
        self._limits = streams or StreamLimits(replicas=3 if self._state.servers >= 3 else 1)
        policy = (
            policy_of(read_demands(self._folder), self._join_key, os.urandom(32))
            if admission is None
            else AllOf(*admission)
        )
        self._quotas = [*quotas(policy)]
        for quota, counted in zip(self._quotas, read_books(self._folder).quotas, strict=False):
            quota.recall(counted)
        terms = terms or Terms(reserved=frozenset((*RESERVED, *self._state.layout.escrows)))
        renewal = StillEnrolled(self._issuers, self._state.public.realm, self._void)
        self._desk = Desk(policy, renewal, lambda role: signing_key(self._folder, role), terms=terms, valid_s=valid_s)
        self._publisher = Publisher(self._state.public.realm, lambda signed: self._set(signed) is not None)
        self._seen: list[tuple[int, int]] | None = None
        self._due: float | None = None
        self._newest = b""
        self._troubled = False

    @on_start
    async def make_streams(self, ctx: Context) -> None:
        """The realm's streams, as the other roles may not make any."""
        for spec in stream_specs(self._state, self._limits):
            await ctx.transport.ensure_stream(spec)

    @rpc(EnrolmentRequest, EnrolmentGrant)
    async def enroll(self, request: EnrolmentRequest, ctx: Context) -> EnrolmentGrant:
        """Issues, or raises `Refused` or `Unauthorized`, and logs either."""
        standing = self._standing()
        asked = decode_request(request)
        wanted = asked.wish.wanted
        log = ctx.log.bind(asks=wanted.node, role=wanted.role, admission=asked.admission[:32])
        now_s = self._clock()
        try:
            with open_books(self._folder) as books:  # the operator enrolls by hand, too
                register = self._register(books, standing)
                issued = self._desk.decide(asked, standing, register, books.tokens, now_s)
                if isinstance(issued, Challenge):
                    return encode_puzzle(issued)
                self._keep(books, register, now_s)
        except AgentBusError as error:
            log.warning("not enrolled", why=str(error))
            raise
        log.info("enrolled", names=list(wanted.names))
        await self._publisher.publish(ctx, self._newest)
        issuer = signing_key(self._folder, wanted.role)
        return encode_grant(
            issued, standing.public, standing.account_jwt, asked.body, issuer, self._publisher.published
        )

    @every(TICK_S, immediately=True)
    async def look(self, ctx: Context) -> None:
        """Issues the next epoch set when somebody was enrolled by hand or revoked, has expired or gets its vote; and
        publishes what is not published yet."""
        try:
            if not self._publisher.issues:
                await self._go_on(ctx)
            self._refresh()
        except AgentBusError as error:
            if not self._troubled:
                ctx.log.warning("the epoch set can't be brought up to date", why=str(error))
            self._troubled = True
            return
        self._troubled = False
        await self._publisher.publish(ctx, self._newest)

    @every(REPAIR_S)
    async def put_back(self, ctx: Context) -> None:
        """The epoch set, where something else stands in its place."""
        await self._publisher.repair(ctx)

    # -- inside ----------------------------------------------------------------------------------------------------

    async def _go_on(self, ctx: Context) -> None:
        """Goes on from the newest set that the realm has: it may be newer than the books, which are an older copy then.
        Raises `StorageFailed`, `NotConnected`: it is not known yet."""
        found = await self._publisher.find(ctx)
        if found is None:
            return
        with open_books(self._folder) as books:
            newest, mine = self._set(found), own_set(books.signed, self._state.public.realm)
            if newest is not None and found != books.signed and (mine is None or newest.number >= mine.number):
                ctx.log.warning("these books are behind the realm's epoch set: going on", number=newest.number)
                books.members = with_seats(books.members, newest, self._clock(), self._valid_s)
                books.signed = found
        self._publisher.issues = True
        self._seen = None

    def _refresh(self) -> None:
        """Looks at the books, and at who is revoked, when something has changed or is due."""
        now_s = self._clock()
        due = self._due is not None and now_s >= self._due
        seen = self._stamps()  # before they are read: what changes meanwhile is looked at again
        if not self._publisher.issues or (not due and seen == self._seen):
            return
        standing = self._standing()
        with open_books(self._folder) as books:
            self._keep(books, self._register(books, standing), now_s)
        self._seen = seen

    def _keep(self, books: Books, register: Register, now_s: float) -> None:
        """Into the books: who is enrolled now, and the set that follows, if this enroller may issue it."""
        if self._publisher.issues:
            books.signed = register.issue(now_s)[1]
        books.members = register.members
        books.quotas = [quota.kept() for quota in self._quotas] or books.quotas
        books.tokens = {key: token for key, token in books.tokens.items() if token.until_s > now_s}
        self._due = register.next_deadline()
        self._newest = books.signed

    def _register(self, books: Books, standing: Standing) -> Register:
        """Who stands in the books, but for those that have been revoked."""
        realm = self._state.public.realm
        last = own_set(books.signed, realm)
        members = [
            each
            for each in books.members
            if not standing.void_for_good(each.key) and not standing.void(each.key, int(each.issued_s))
        ]
        return Register(
            realm, signing_key(self._folder, ROLE), (last, books.signed) if last is not None else None, members
        )

    def _set(self, signed: bytes) -> EpochSet | None:
        """A set that an enroller of this realm has signed; None for anything else."""
        public = self._state.public
        try:
            return Electorate(public.realm, lambda: public.keys_of(ROLE), signed).epoch if signed else None
        except Unauthorized:
            return None

    def _stamps(self) -> list[tuple[int, int]]:
        return [_stamp(self._folder / name) for name in (BOOKS, REALM, ACCOUNT_JWT)]

    def _standing(self) -> Standing:
        """How the realm stands: what the operator has signed. Raises `Refused` when that can't be trusted."""
        try:
            self._state = read_state(self._folder)
            jwt = read_secret(self._folder / ACCOUNT_JWT, "copy it from the realm's folder").strip()
            claims = decode(jwt)
        except (ConfigurationError, Unauthorized) as error:
            raise Refused(f"the enroller's folder can't be used: {error}") from None
        public = self._state.public
        if claims["iss"] != public.operator or claims["sub"] != public.account:
            raise Refused("the enroller's account.jwt is not of its realm's operator")
        return Standing(public=public, revoked=revocations(claims), account_jwt=jwt)

    def _issuers(self) -> Issuers:
        return self._state.public.issuers

    def _void(self, key: bytes, issued_s: int) -> bool:
        return self._standing().void(key, issued_s)

    def _join_key(self) -> str:
        return read_secret(self._folder / JOIN_KEY, "agentbus realm init makes one").strip()


def own_set(signed: bytes, realm: str) -> EpochSet | None:
    """The set in the books, whatever key has signed it: the numbers go on also when that key is void. None: no set yet.
    Raises `Refused`: it is none."""
    try:
        return verified_epoch_set(signed, issuer_of(signed), realm) if signed else None
    except Unauthorized as error:
        raise Refused(f"the enroller's books are damaged, put a copy back: {error}") from None


def _stamp(path: Path) -> tuple[int, int]:
    """What changes whenever a file is replaced."""
    try:
        told = path.stat()
    except OSError:
        return 0, 0
    return told.st_mtime_ns, told.st_ino
