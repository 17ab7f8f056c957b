"""The enroller as an agent: issues to who is admitted, for an hour at most unless told otherwise, and makes the realm's
streams, which no other role but the operator's may.

It holds the roles' signing keys and the join key, and neither the operator's nor an account's key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from ...agent import Agent
from ...behaviors import on_start, rpc
from ...context import Context
from ...errors import AgentBusError, ConfigurationError, Refused, Unauthorized
from ...supervision import Supervision
from ...transport import StreamLimits, StreamSpec
from ..credentials import read_secret
from ..enrolling import Issuers
from ..realm.claims import decode, revocations
from ..realm.folder import (
    ACCOUNT_JWT,
    JOIN_KEY,
    RealmState,
    read_state,
    read_taken,
    signing_key,
    write_taken,
)
from ..realm.issuing import VALID_S
from ..realm.permissions import bucket_of, leases_of
from .admission import RESERVED, Admission, JoinKey, StillEnrolled
from .codec import EnrolmentGrant, EnrolmentRequest, decode_request, encode_grant
from .deciding import Desk, Standing

SEEN_BYTES, SEEN_S = 64 << 20, 30 * 86400.0
"""What is kept of the durable events that were seen, and for how long: as long as these are good."""


class Enroller(Agent):
    """Admits keys to the realm.

    Args:
        folder: the realm's ``enroller/``. It is read anew for each request, so that a revocation counts at once.
        admissions: forms of admission, beside renewal. By default the join key in the folder.
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
        admissions: Sequence[Admission] | None = None,
        valid_s: int = VALID_S,
        streams: StreamLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = Path(folder)
        self._clock = clock
        self._state = read_state(self._folder)
        self._limits = streams or StreamLimits(replicas=3 if self._state.servers >= 3 else 1)
        forms: Sequence[Admission] = admissions if admissions is not None else (self._by_join_key(),)
        renewal = StillEnrolled(self._issuers, self._state.public.realm, self._void)
        self._desk = Desk((*forms, renewal), lambda role: signing_key(self._folder, role), valid_s=valid_s)

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
        try:
            self._desk.taken = read_taken(self._folder)  # the operator enrolls by hand, too
            issued = self._desk.decide(asked, standing, self._clock())
        except AgentBusError as error:
            log.warning("not enrolled", why=str(error))
            raise
        write_taken(self._folder, self._desk.taken)
        log.info("enrolled", names=list(wanted.names))
        issuer = signing_key(self._folder, wanted.role)
        return encode_grant(issued, standing.public, standing.account_jwt, asked.body, issuer)

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

    def _by_join_key(self) -> JoinKey:
        secret = read_secret(self._folder / JOIN_KEY, "agentbus realm init makes one").strip()
        return JoinKey(secret, reserved=(*RESERVED, *self._state.layout.escrows))


def stream_specs(state: RealmState, limits: StreamLimits) -> list[StreamSpec]:
    """The realm's streams: those of durable events, the buckets, and those of the sharding jobs."""
    layout, realm = state.layout, state.public.realm
    made = [
        StreamSpec(name=f"agentbus_{realm}_{kind}", subjects=(f"{realm}.{kind}.>",), limits=limits)
        for kind in ("log", "dead")
    ]
    made.append(
        StreamSpec(
            name=f"agentbus_{realm}_seen",
            subjects=(f"{realm}.seen.>",),
            limits=StreamLimits(max_bytes=SEEN_BYTES, max_age_s=SEEN_S, replicas=limits.replicas),
            per_subject=1,
            refuse_when_full=True,
        )
    )
    for job in layout.jobs:
        root = f"{realm}.shard.{job}"
        kept = StreamLimits(max_age_s=0.0, replicas=limits.replicas)
        for name, subjects in (("in", (f"{root}.in.*",)), ("out", (f"{root}.out.*", f"{root}.ok.*.*"))):
            made.append(
                StreamSpec(
                    name=f"agentbus_{realm}_shard_{job}_{name}", subjects=subjects, limits=kept, refuse_when_full=True
                )
            )
    for bucket in (*layout.buckets, *map(leases_of, layout.jobs), *map(bucket_of, layout.escrows)):
        made.append(
            StreamSpec(
                name=f"KV_{realm}_{bucket}",
                subjects=(f"$KV.{realm}_{bucket}.>",),
                limits=StreamLimits(max_bytes=256 << 20, max_age_s=0.0, replicas=limits.replicas),
                per_subject=1,
                batches=True,
                message_ttl=True,
                refuse_when_full=True,
            )
        )
    return made
