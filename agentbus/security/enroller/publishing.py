"""Publishes the realm's epoch sets: one stream, which keeps the newest and tells everybody who follows it.

Invariants: a set is stored after the one that this enroller has stored or seen last, by compare and set; who finds
another there has been replaced, and issues no more. Nobody is shown a set before it is stored. What no enroller has
signed counts for nothing, and is replaced: whoever may ask JetStream anything can have its answer stored there, by
naming the subject for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256

from ...context import Context
from ...errors import AgentBusError, Conflict
from ..electorate.following import epochs_stream, epochs_subject
from ..electorate.model import EpochSet, Member

STORE_S = 2.0
"""Seconds that storing a set may take; it is tried again."""
MAX_TRIED = 4096
"""Sets that were tried and not acknowledged, and are known again: more than there are in a quarter of an hour."""


class Publisher:
    """One enroller's.

    Args:
        realm: its name.
        genuine: whether an enroller of the realm has signed that set.

    Attributes:
        published: the newest set that is stored.
        issues: whether this enroller may issue sets: it has seen the realm's newest, and nobody has replaced it.
    """

    def __init__(self, realm: str, genuine: Callable[[bytes], bool]) -> None:
        self._genuine = genuine
        self.published = b""
        self.issues = False
        self._stream, self._subject = epochs_stream(realm), epochs_subject(realm)
        self._sequence = 0
        self._tried: dict[str, None] = {}
        self._replaced = False
        self._lock = asyncio.Lock()

    async def find(self, ctx: Context) -> bytes | None:
        """The newest set that the realm has, empty for none; None when this enroller was replaced. Raises
        `StorageFailed`, `NotConnected`."""
        if self._replaced:
            return None
        found = await ctx.transport.last(self._stream, self._subject, timeout_s=STORE_S)
        self._sequence, self.published = (found.sequence, found.body) if found is not None else (0, b"")
        return self.published

    async def publish(self, ctx: Context, signed: bytes) -> None:
        """Stores a set, if it is not; a failure is logged, and it is to be tried again."""
        async with self._lock:
            if not self.issues or not signed or signed == self.published:
                return
            name = sha256(signed).hexdigest()
            self._tried[name] = None
            if len(self._tried) > MAX_TRIED:
                del self._tried[next(iter(self._tried))]
            try:
                stored = await ctx.transport.store(
                    self._subject, signed, message_id=name, expected=self._sequence, timeout_s=STORE_S
                )
            except Conflict:
                await self._other(ctx)
            except AgentBusError as error:
                ctx.log.warning("the epoch set is not published yet", why=str(error))
            else:
                self._sequence, self.published = stored.sequence, signed
                self._tried.clear()

    async def repair(self, ctx: Context) -> None:
        """Puts the newest set back, where something that no enroller has signed stands in its place."""
        async with self._lock:
            if not self.issues or not self.published:
                return
            with suppress(AgentBusError):  # the next time, then
                found = await ctx.transport.last(self._stream, self._subject, timeout_s=STORE_S)
                if found is not None and self._genuine(found.body):
                    return
                expected = found.sequence if found is not None else 0
                name = f"{sha256(self.published).hexdigest()}:{expected}"
                stored = await ctx.transport.store(
                    self._subject, self.published, message_id=name, expected=expected, timeout_s=STORE_S
                )
                self._sequence = stored.sequence
                ctx.log.error("what no enroller has signed stood in place of the epoch set: it was replaced")

    async def _other(self, ctx: Context) -> None:
        """Another set was stored meanwhile: its own, whose acknowledgement was lost or late, or that of another
        enroller."""
        try:
            found = await ctx.transport.last(self._stream, self._subject, timeout_s=STORE_S)
        except AgentBusError:
            return
        if found is not None and sha256(found.body).hexdigest() in self._tried:
            self._sequence, self.published = found.sequence, found.body
            return
        if found is None or not self._genuine(found.body):
            self._sequence = found.sequence if found is not None else 0
            ctx.log.error("what no enroller has signed stood in place of the epoch set: it is replaced")
            return
        self.issues, self._replaced = False, True
        ctx.log.error("another enroller issues this realm's epoch sets: this one issues none any more")


def with_seats(members: Iterable[Member], newest: EpochSet, now_s: float, valid_s: float) -> tuple[Member, ...]:
    """Members as older books know them, and those that only a newer set does: these are taken to be enrolled for
    `valid_s` from now, with the vote that they have there, or without."""
    known = {member.key: member for member in members}
    nodes = {seat.node for seat in newest.seats if seat.key not in known}
    for seat in newest.seats:
        if seat.key not in known:
            known[seat.key] = Member(
                key=seat.key,
                node=seat.node,
                issued_s=now_s,
                until_s=now_s + valid_s,
                sponsor=seat.sponsor,
                votes_from_s=0.0 if seat.votes else None,
            )
    mine = {seat.key for seat in newest.seats}
    return tuple(member for member in known.values() if member.key in mine or member.node not in nodes)
