"""`Witness`: the agent that cosigns others' checkpoints, and only what begins with all it has cosigned before.

What it has cosigned is durable before its signature leaves. It does not look at records: it sees to it that everybody
sees the same log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import ClassVar

from ..agent import Agent
from ..behaviors import on_start, on_stop, rpc
from ..context import Context
from ..errors import ConfigurationError, LedgerInvalid, Refused
from ..supervision import Supervision
from .codec import CosignReply, CosignRequest, HeldReply, HeldRequest, to_outcome
from .machine import MAX_EVIDENCE, Accuse, Cosign, Evidence, Held, Offered, Outcome, Refuse, WitnessMachine
from .notes import Note, Signature, cosign, open_checkpoint
from .signing import NOTE, Key, Signer
from .store import Files

MAX_PROOF = 64
"""Hashes: what a tree of 2^63 leaves takes."""

_EVIDENCE = (Outcome.FORK, Outcome.ROLLBACK, Outcome.INCONSISTENT)


class Witness(Agent):
    """Cosigns the checkpoints of logs.

    Args:
        store: where it keeps what it has cosigned: a `Folder`, or `InBucket`; of its own.
        signer: its key. The same key must not sign anything else.
        logs: the keys of the logs that it knows; it cosigns no others'.
        clock: seconds since 1970.
    """

    supervision: ClassVar[Supervision] = Supervision(on_failure="resume")

    def __init__(
        self, store: Files, signer: Signer, *, logs: Iterable[Key], clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._signer = signer
        self._logs = {key.name: key for key in logs}
        if any(key.kind != NOTE for key in self._logs.values()):
            raise ConfigurationError("a log's key signs notes: give Key.of(signer)")
        self._clock = clock
        self._machine = WitnessMachine()
        self._cosigned: dict[str, bytes] = {}
        self._evidence: dict[tuple[str, Outcome, int], Evidence] = {}

    def held(self, origin: str) -> bytes | None:
        """The newest checkpoint of a log that it has cosigned, with its cosignature; for audits."""
        return self._cosigned.get(origin)

    def evidence(self, origin: str) -> list[Evidence]:
        """What contradicts what it has cosigned, forks first."""
        found = [(_EVIDENCE.index(key[1]), key[2], one) for key, one in self._evidence.items() if key[0] == origin]
        return [one for _, _, one in sorted(found, key=lambda each: each[:2])]

    # -- life ------------------------------------------------------------------------------------------------------

    @on_start
    async def _begin(self, ctx: Context) -> None:
        await self._store.open(ctx.transport, ctx.realm)
        held: dict[str, Held] = {}
        accused: dict[tuple[str, Outcome], int] = {}
        for origin, key in self._logs.items():
            content = await self._store.read(_path(origin))
            if content is not None:
                note, checkpoint = open_checkpoint(content, key)
                held[origin] = Held(checkpoint, bytes(Note(note.text, _by(note, key))))
                self._cosigned[origin] = content
            for outcome in _EVIDENCE:
                accused[origin, outcome] = await self._read_evidence(origin, outcome)
        self._machine = WitnessMachine(held, accused)

    async def _read_evidence(self, origin: str, outcome: Outcome) -> int:
        for number in range(MAX_EVIDENCE):
            first = await self._store.read(_path(origin, outcome, number, "held"))
            second = await self._store.read(_path(origin, outcome, number, "offered"))
            if first is None or second is None:
                return number
            self._evidence[origin, outcome, number] = Evidence(outcome, first, second)
        return MAX_EVIDENCE

    @on_stop
    async def _end(self, ctx: Context) -> None:
        await self._store.close()

    # -- asked -----------------------------------------------------------------------------------------------------

    @rpc(CosignRequest, CosignReply)
    async def cosign(self, request: CosignRequest, ctx: Context) -> CosignReply:
        """Judges a checkpoint. Raises `Refused`: it is of no log that this witness knows, or not signed by it."""
        try:
            claimed = Note.parse(request.checkpoint).checkpoint.origin
            key = self._logs.get(claimed)
            if key is None:
                raise LedgerInvalid(f"no log of the name {claimed!r} is known here")
            note, checkpoint = open_checkpoint(request.checkpoint, key)
        except LedgerInvalid as error:
            raise Refused(str(error)) from None
        if len(request.proof) > MAX_PROOF:
            raise Refused(f"a proof of {len(request.proof)} hashes: {MAX_PROOF} are enough for any log")
        note = Note(note.text, _by(note, key))  # what others have written below it is none of ours
        offered = Offered(
            checkpoint=checkpoint, note=bytes(note), old_size=request.old_size, proof=tuple(request.proof)
        )
        reply = CosignReply()
        for effect in self._machine.handle(offered, ctx.now()):
            match effect:
                case Cosign():
                    reply = await self._sign(note, effect.held)
                case Refuse():
                    reply = _refusal(effect)
                case Accuse():
                    await self._accuse(effect, ctx)
        return reply

    async def _sign(self, note: Note, held: Held) -> CosignReply:
        origin, size = held.checkpoint.origin, held.checkpoint.size
        line = cosign(note, self._signer, int(self._clock()))
        content = bytes(note.plus([line]))
        await self._store.write([(_path(origin), content)])
        self._cosigned[origin] = content
        return CosignReply(outcome=to_outcome(Outcome.COSIGNED), held_size=size, cosignature=line.line)

    async def _accuse(self, accusation: Accuse, ctx: Context) -> None:
        origin, number, evidence = accusation.origin, accusation.number, accusation.evidence
        ctx.log.error("a log contradicts itself", origin=origin, how=evidence.outcome.value)
        self._evidence[origin, evidence.outcome, number] = evidence
        await self._store.write(
            [
                (_path(origin, evidence.outcome, number, "held"), evidence.held),
                (_path(origin, evidence.outcome, number, "offered"), evidence.offered),
            ]
        )

    @rpc(HeldRequest, HeldReply)
    async def tell_held(self, request: HeldRequest, ctx: Context) -> HeldReply:
        """The newest checkpoint of a log that it has cosigned."""
        return HeldReply(checkpoint=self.held(request.origin) or b"")


def _refusal(effect: Refuse) -> CosignReply:
    held = effect.held
    return CosignReply(
        outcome=to_outcome(effect.outcome),
        held_size=held.checkpoint.size if held else 0,
        held=held.note if held else b"",
    )


def _by(note: Note, key: Key) -> tuple[Signature, ...]:
    return tuple(signature for signature in note.signatures if signature.is_by(key))


def _path(origin: str, outcome: Outcome | None = None, number: int = 0, which: str = "") -> str:
    """Where a log's things lie; its name may be longer, and hold more, than a path can."""
    log = sha256(origin.encode()).hexdigest()[:32]
    return f"witness/{log}/checkpoint" if outcome is None else f"witness/{log}/{outcome.value}/{number}/{which}"
