"""The guard of a node's frames: it signs what goes, and lets in what is signed, in time, and new.

Sealing and opening cost one signature each a frame, of however many messages. An enrolment is verified when it is first
seen, and known by its bytes from then on. See docs/decisions/0024-signed-frames.md.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from ..errors import AgentBusError, ConfigurationError, StorageFailed, SubjectError, Unauthorized
from ..limits import FORGED, INVALID, Watcher
from ..subjects import check_name
from ..transport import Job, Opened, Transport
from .claims import Claim
from .enrolling import SKEW_S, FormerIssuers, Issuers, verified_enrolment
from .keys import SIGNATURE_BYTES, KeyPair, verified
from .model import Enrolment
from .positions import ClaimedJob, Delivery, Positions, page_of
from .replay import CAPACITY, Replays
from .signing import OVERHEAD, Header, packed, parsed, signable

KNOWN = 4096
"""Enrolments that are remembered as verified."""
STREAMS = 65536
"""Streams whose next number is remembered; one that was forgotten begins above all numbers that were."""
SHORT = 128
"""Characters of a subject that is kept as it is; of a longer one its hash is kept, so that they take little memory."""
MICRO = 1_000_000


@dataclass(slots=True)
class GuardCounters:
    """What a guard has seen.

    Attributes:
        sealed, opened: frames signed, and let in.
        forged: no frame, or not signed by whom they name, for where they came, with what they say.
        strangers: signed by who may not speak so: no valid enrolment, another's name.
        stale: issued too long ago, or in the future.
        replayed: live frames that had come before, or were issued before this node's boot.
        skipped, late: gaps and inversions: live frames that had not come when a later one of their stream did, and
            those that came after one. What is lost on the way is the first less the second.
        again: durable frames that were delivered again, and let in.
        copies: durable frames that were completed before, or that somebody stored again.
        forgotten: durable frames that were issued before what is remembered of their key's streams: copies, or later
            than some ten thousand streams of that key.
        ignored: those in the name of a key that the node's watcher does not hear: not looked at.
    """

    sealed: int = 0
    opened: int = 0
    forged: int = 0
    strangers: int = 0
    stale: int = 0
    replayed: int = 0
    skipped: int = 0
    late: int = 0
    again: int = 0
    copies: int = 0
    forgotten: int = 0
    ignored: int = 0

    @property
    def refused(self) -> int:
        """All that was not let in."""
        durable = self.copies + self.forgotten
        return self.forged + self.strangers + self.stale + self.replayed + durable + self.ignored


class _Known:
    """An enrolment that was verified, and what follows from it."""

    __slots__ = ("enrolment", "inbox", "names", "until_us")

    def __init__(self, enrolment: Enrolment, until_us: int | None = None) -> None:
        self.enrolment = enrolment
        self.until_us = until_us  # its issuer was replaced then
        self.inbox = f"{enrolment.realm}.in.{enrolment.node}."
        self.names: set[str] = set()

    def speaks_as(self, name: str) -> bool:
        """Whether it may speak in that name."""
        if name in self.names:
            return True
        try:
            if not self.enrolment.hosts(check_name(name)):
                return False
        except SubjectError:
            return False
        if len(self.names) < KNOWN:
            self.names.add(name)
        return True

    def holds_at(self, when_us: int) -> bool:
        """Whether it is valid then."""
        enrolment = self.enrolment
        if self.until_us is not None and when_us >= self.until_us:
            return False
        return enrolment.issued_s - SKEW_S <= when_us / MICRO < enrolment.expires_s


class Guard:
    """Signs and verifies the frames of one node; a `FrameGuard`: ``Node(..., name=..., guard=Guard(...))``.

    Args:
        pair: the node's key.
        enrolment: what says whom the node may speak as, signed (`signed_enrolment`).
        issuers: whom the realm knows: public key to the role that it issues.
        realm: the realm's name.
        former: issuers that were replaced: durable frames that were signed before are let in.
        window_s: seconds for which a live frame is good.
        skew_s: seconds by which clocks may differ.
        durable_s: seconds for which a durable frame is good: longer than the realm's log keeps one.
        capacity: live streams whose numbers are remembered, see `replay`.
        replicas: copies of what is remembered of durable streams, in a cluster.
        clock: seconds since 1970; by default the node's.

    Attributes:
        counters: what it has seen.
        watcher: see `FrameGuard`.

    Raises:
        Unauthorized: the enrolment is not one, or not for this key.
        ConfigurationError: a time that is none.
    """

    def __init__(
        self,
        pair: KeyPair,
        enrolment: bytes,
        issuers: Issuers,
        realm: str,
        *,
        former: FormerIssuers | None = None,
        window_s: float = 30.0,
        skew_s: float = 2.0,
        durable_s: float = 30 * 86400.0,
        capacity: int = CAPACITY,
        replicas: int = 1,
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name, seconds in (("window_s", window_s), ("skew_s", skew_s), ("durable_s", durable_s)):
            if not 0 < seconds < 1e9:
                raise ConfigurationError(f"{name}={seconds!r}: use a number of seconds above 0")
        self.counters = GuardCounters()
        self.watcher: Watcher | None = None
        self._issuers = dict(issuers)
        self._former = dict(former or {})
        self._realm = realm
        self._window_us = int(window_s * MICRO)
        self._skew_us = int(skew_s * MICRO)
        self._durable_us = int(durable_s * MICRO)
        self._capacity = capacity
        self._replicas = replicas
        self._clock = clock
        self._now_us = _microseconds(clock or time.time)
        self._pair, self._enrolment, self._own = self._believed(pair, enrolment, self._issuers)
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._begun = 0
        self._restart(0)

    def renew(
        self,
        enrolment: bytes,
        pair: KeyPair | None = None,
        issuers: Issuers | None = None,
        former: FormerIssuers | None = None,
    ) -> None:
        """Another enrolment from now on, with another key, other issuers and former ones if they are given. Frames
        under the old one are let in for as long as it is valid. Raises `Unauthorized` when it is not for this node."""
        known_issuers = self._issuers if issuers is None else dict(issuers)
        pair, enrolment, own = self._believed(pair or self._pair, enrolment, known_issuers)
        if own.enrolment.node != self._own.enrolment.node:
            raise Unauthorized(f"the enrolment is for node {own.enrolment.node!r}, not {self._own.enrolment.node!r}")
        self._pair, self._enrolment, self._own = pair, enrolment, own
        self._issuers = known_issuers
        if former is not None:
            self._former = dict(former)
        for signed, known in list(self._known.items()):
            if known_issuers.get(known.enrolment.issuer) != known.enrolment.role:
                del self._known[signed]  # whoever issued it is believed no more

    @property
    def enrolment(self) -> Enrolment:
        """Whom it speaks for now."""
        return self._own.enrolment

    @property
    def overhead(self) -> int:
        """Bytes that sealing adds at most."""
        return OVERHEAD + 2

    # -- the node's life -------------------------------------------------------------------------------------------

    def begin(self, transport: Transport, *, realm: str, node: str, clock_us: Callable[[], int]) -> None:
        """A node begins to hear; what was issued before this moment is refused. Raises `ConfigurationError` when it is
        another's."""
        own = self._own.enrolment
        if (realm, node) != (self._realm, own.node):
            raise ConfigurationError(
                f"the identity is for node {own.node!r} in realm {self._realm!r}, not for {node!r} in {realm!r}: "
                f"write Node(realm={self._realm!r}, name={own.node!r}, ...)"
            )
        if self._clock is None:
            self._now_us = clock_us
        boot_us = self._now_us()
        self.end()
        self._restart(boot_us)
        age_s = (self._durable_us + 2 * self._skew_us) / MICRO + 3600.0
        writer = f"{node}:{boot_us:x}:{self._begun}"
        self._positions = Positions(transport, realm, node=node, age_s=age_s, writer=writer, replicas=self._replicas)

    def end(self) -> None:
        """The node has ended; a second call does nothing."""
        if self._positions is not None:
            self._positions.close()

    def vouch(self, name: str) -> None:
        """Raises `Unauthorized` when the node may not speak in that name now."""
        own = self._own
        if not own.speaks_as(name):
            names = ", ".join(own.enrolment.names) or "no agents"
            raise Unauthorized(
                f"node {own.enrolment.node!r} may not speak as {name!r}: it is enrolled for {names}; enroll it for more"
            )
        if not own.holds_at(self._now_us()):
            raise Unauthorized(
                f"node {own.enrolment.node!r}: its own enrolment has expired, or is not valid yet: "
                "agentbus identity enroll it again"
            )

    def _restart(self, boot_us: int) -> None:
        self._begun += 1
        self._replays = Replays(boot_us, capacity=self._capacity)
        self._numbers: OrderedDict[tuple[str, int, str], int] = OrderedDict()
        self._floor = 0
        self._positions: Positions | None = None

    def _believed(self, pair: KeyPair, signed: bytes, issuers: Issuers) -> tuple[KeyPair, bytes, _Known]:
        """Its own enrolment, as others would believe it while it is valid."""
        enrolment = verified_enrolment(signed, issuers, self._realm, _valid_s(signed))
        if enrolment.key != pair.key:
            raise Unauthorized(f"node {enrolment.node!r}: its enrolment is for another key")
        return pair, signed, _Known(enrolment)

    # -- out -------------------------------------------------------------------------------------------------------

    def seal(self, body: bytes, *, subject: str, reply: str, source: str, epoch: int, durable: bool) -> bytes:
        """See `FrameGuard.seal`."""
        self.vouch(source)
        issued_us = self._now_us()
        number, begins = self._next(source, epoch, subject)
        expires_us = issued_us + (self._durable_us if durable else self._window_us)
        header = Header(source, epoch, number, issued_us, expires_us, durable, begins, self._enrolment)
        head = packed(header)
        self.counters.sealed += 1
        return b"".join((self._pair.sign(signable(subject, reply, head, body)), head, body))

    def _next(self, source: str, epoch: int, subject: str) -> tuple[int, bool]:
        """The number of the next frame of a stream, and whether it is counted anew."""
        numbers, stream = self._numbers, (source, epoch, subject)
        last = numbers.get(stream)
        if last is None:
            if len(numbers) >= STREAMS:
                self._floor = max(self._floor, numbers.popitem(last=False)[1])
            number = numbers[stream] = self._floor + 1
            return number, self._floor > 0
        number = numbers[stream] = last + 1
        numbers.move_to_end(stream)
        return number, False

    # -- in --------------------------------------------------------------------------------------------------------

    def open(self, sealed: bytes, *, subject: str, reply: str, ear: str, durable: bool) -> tuple[bytes, Opened]:
        """See `FrameGuard.open`."""
        counters = self.counters
        try:
            header, start = parsed(sealed)
            if header.durable != durable:
                raise Unauthorized("a live frame among durable events, or the other way round")
        except Unauthorized:
            counters.forged += 1
            raise
        self._in_time(header)
        known = self._speaker(header)
        enrolment = known.enrolment
        watcher = self.watcher
        if watcher is not None and watcher.ignores(enrolment.key):
            counters.ignored += 1
            raise Unauthorized(f"a frame in the name of {header.source!r}: its key is graylisted")
        try:
            signed = signable(subject, reply, sealed[SIGNATURE_BYTES:start], memoryview(sealed)[start:])
        except Unauthorized:
            counters.forged += 1
            raise
        if not verified(enrolment.key, signed, sealed[:SIGNATURE_BYTES]):
            counters.forged += 1
            if watcher is not None:
                watcher.saw(enrolment.key, FORGED)
            raise Unauthorized(
                f"a frame on {subject!r} in the name of {header.source!r} was not signed by it, or has been altered"
            )
        if reply and not reply.startswith(known.inbox):
            counters.strangers += 1
            if watcher is not None:
                watcher.saw(enrolment.key, INVALID)
            raise Unauthorized(f"{header.source!r} wants an answer to go to {reply[:80]!r}, which is another's")
        if durable:
            skipped, late = 0, False
        else:
            topic = subject if len(subject) <= SHORT else sha256(subject.encode()).hexdigest()
            stream = (ear, header.epoch, header.source, topic)
            heard = self._replays.judge(enrolment.key, stream, header.number, header.issued_us, begins=header.begins)
            if heard.refusal:
                counters.replayed += 1
                raise Unauthorized(f"a frame of {header.source!r} on {subject!r} is a replay: {heard.refusal}")
            counters.skipped += heard.skipped
            counters.late += heard.late
            _, skipped, late = heard
        counters.opened += 1
        who = (header.source, header.epoch, header.number)
        return sealed[start:], Opened(*who, skipped, late, enrolment.key, known.speaks_as, header.issued_us)

    def _in_time(self, header: Header) -> None:
        now_us, issued_us = self._now_us(), header.issued_us
        good_us = self._durable_us if header.durable else self._window_us
        late_us = now_us - self._skew_us - min(header.expires_us, issued_us + good_us)
        early_us = issued_us - self._skew_us - now_us
        if late_us > 0 or early_us > 0:
            self.counters.stale += 1
            apart = f"{late_us / MICRO:.3f} s too late" if late_us > 0 else f"{early_us / MICRO:.3f} s too early"
            raise Unauthorized(f"a frame in the name of {header.source!r} came {apart}: is a clock wrong?")

    def _speaker(self, header: Header) -> _Known:
        """Who may have signed it. Raises `Unauthorized` when that is nobody, or not in that name.

        A durable frame is judged by the time of its issue: it may be read when the enrolment has long been renewed.
        """
        when_us = header.issued_us if header.durable else self._now_us()
        known = self._known.get(header.enrolment)
        try:
            if known is None:
                known = self._verified(header, when_us)
                if len(self._known) >= KNOWN:
                    self._known.popitem(last=False)
                self._known[header.enrolment] = known
            node = known.enrolment.node
            if known.until_us is not None and not header.durable:
                raise Unauthorized(f"node {node!r}: its enrolment is by an issuer that was replaced")
            if not known.holds_at(when_us):
                raise Unauthorized(f"node {node!r}: its enrolment has expired: let it renew it")
            if not known.speaks_as(header.source):
                raise Unauthorized(f"node {node!r} may not speak as {header.source!r}")
        except Unauthorized:
            self.counters.strangers += 1
            raise
        return known

    def _verified(self, header: Header, when_us: int) -> _Known:
        """The enrolment, believed. Raises `Unauthorized`."""
        issuers: Issuers = self._issuers
        if header.durable and self._former:
            before = {key: role for key, (role, until_s) in self._former.items() if when_us < until_s * MICRO}
            issuers = {**before, **issuers}
        enrolment = verified_enrolment(header.enrolment, issuers, self._realm, when_us / MICRO)
        replaced = enrolment.issuer not in self._issuers
        return _Known(enrolment, self._former[enrolment.issuer][1] * MICRO if replaced else None)

    # -- durable frames --------------------------------------------------------------------------------------------

    def claim(self, consumer: str, opened: Opened, job: Job, then: Callable[[Job, AgentBusError | None], None]) -> None:
        """See `FrameGuard.claim`."""
        positions = self._positions
        assert positions is not None
        number, place = opened.number, job.sequence
        page, stream = page_of(opened.key, opened.epoch, opened.source, job.subject)

        def judged(verdict: Claim | AgentBusError) -> None:
            if verdict is Claim.FIRST or verdict is Claim.AGAIN:
                self.counters.again += verdict is Claim.AGAIN
                then(ClaimedJob(job, lambda: positions.complete(consumer, page, stream, number, place)), None)
            elif isinstance(verdict, AgentBusError):
                then(job, verdict)
            elif verdict is Claim.FULL:
                then(job, StorageFailed(f"{consumer}: {verdict.value}"))
            else:
                if verdict is Claim.FORGOTTEN:
                    self.counters.forgotten += 1
                else:
                    self.counters.copies += 1
                error = f"a durable frame of {opened.source!r} on {job.subject!r} was refused: {verdict.value}"
                then(job, Unauthorized(error))

        positions.judge(consumer, Delivery(page, stream, number, job, opened.issued_us, judged))


def _microseconds(clock: Callable[[], float]) -> Callable[[], int]:
    return lambda: int(clock() * MICRO)


def _valid_s(signed: bytes) -> float:
    """A moment at which the enrolment says that it is valid."""
    from .codec import decode_enrolment

    return float(decode_enrolment(signed[SIGNATURE_BYTES:]).issued_s)
