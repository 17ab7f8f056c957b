"""A witness's judgement: of each log it holds the newest checkpoint that it has cosigned, and cosigns another only if
that one begins with it. Pure: signatures are verified before, and made after.

Invariants: what is held never shrinks; of one size one root is cosigned, ever; what contradicts is kept with what it
contradicts.

Reference: C2SP tlog-witness (add-checkpoint).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .merkle import verify_consistency
from .notes import Checkpoint

MAX_EVIDENCE = 16
"""Of each log and outcome; more is refused without being kept: the first contradiction says all there is to say."""


class Outcome(StrEnum):
    """What a witness says to a checkpoint."""

    COSIGNED = "cosigned"
    OTHER_SIZE = "other size"
    """The proof starts from another size than it holds: ask again with one from there."""
    ROLLBACK = "rollback"
    FORK = "fork"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint that was cosigned, and the log's note of it."""

    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A checkpoint, its signature verified, and a proof.

    Attributes:
        checkpoint: what the log says.
        note: in which it says so.
        old_size: where the proof starts.
        proof: from there to the checkpoint.
    """

    checkpoint: Checkpoint
    note: bytes
    old_size: int = 0
    proof: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two notes of one log that do not go together, and why. A `Outcome.FORK` proves to anybody that has the log's key
    that it told two stories; the others show what the witness was offered."""

    outcome: Outcome
    held: bytes
    offered: bytes


@dataclass(frozen=True, slots=True)
class Cosign:
    """Keep it, then sign it."""

    held: Held


@dataclass(frozen=True, slots=True)
class Refuse:
    """Say so. `held` is what stands against it, if anything does."""

    outcome: Outcome
    held: Held | None


@dataclass(frozen=True, slots=True)
class Accuse:
    """Keep the evidence, as this number of those of its log and outcome."""

    origin: str
    number: int
    evidence: Evidence


Effect = Cosign | Refuse | Accuse


class WitnessMachine:
    """One witness's memory of all its logs.

    Args:
        held: what it held when it ended.
        accused: how much evidence it had of each log and outcome.
    """

    def __init__(
        self, held: Mapping[str, Held] | None = None, accused: Mapping[tuple[str, Outcome], int] | None = None
    ) -> None:
        self._held = dict(held or {})
        self._accused = dict(accused or {})

    def held(self, origin: str) -> Held | None:
        """The newest of a log that it has cosigned."""
        return self._held.get(origin)

    def handle(self, event: Offered, now: float) -> list[Effect]:
        """Judges a checkpoint. `now` plays no part."""
        offered, held = event.checkpoint, self._held.get(event.checkpoint.origin)
        if held is None:
            return self._cosign(event) if event.old_size == 0 else [Refuse(Outcome.OTHER_SIZE, None)]
        known = held.checkpoint
        if offered.size < known.size:
            return self._refuse(Outcome.ROLLBACK, held, event)
        if offered.size == known.size:
            return self._cosign(event) if offered.root == known.root else self._refuse(Outcome.FORK, held, event)
        if event.old_size != known.size:
            return [Refuse(Outcome.OTHER_SIZE, held)]
        if known.size and not verify_consistency(known.size, offered.size, known.root, offered.root, event.proof):
            return self._refuse(Outcome.INCONSISTENT, held, event)
        return self._cosign(event)

    def next_deadline(self) -> float | None:
        """It waits for nothing."""
        return None

    def _cosign(self, event: Offered) -> list[Effect]:
        held = Held(event.checkpoint, event.note)
        self._held[event.checkpoint.origin] = held
        return [Cosign(held)]

    def _refuse(self, outcome: Outcome, held: Held, event: Offered) -> list[Effect]:
        refusal: list[Effect] = [Refuse(outcome, held)]
        accused = (event.checkpoint.origin, outcome)
        number = self._accused.get(accused, 0)
        if number < MAX_EVIDENCE:
            self._accused[accused] = number + 1
            refusal.insert(0, Accuse(event.checkpoint.origin, number, Evidence(outcome, held.note, event.note)))
        return refusal
