"""A witness's judgement, without a network: what is held never shrinks, and of one size one root is cosigned, ever."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentbus.ledger.machine import MAX_EVIDENCE, Accuse, Cosign, Effect, Offered, Outcome, Refuse, WitnessMachine
from agentbus.ledger.merkle import consistency_ranges, leaf_hash, range_hash, root_of
from agentbus.ledger.notes import Checkpoint

ORIGIN = "example.org/log"


def leaves(size: int, story: str = "true", from_: int = 0) -> list[bytes]:
    """A log; another story from record `from_` on."""
    return [leaf_hash(f"{number} {story if number >= from_ else 'true'}".encode()) for number in range(size)]


def offer(hashes: list[bytes], old: int) -> Offered:
    size = len(hashes)
    checkpoint = Checkpoint(ORIGIN, size, root_of(hashes))
    proof = [
        range_hash(begin, end, lambda level, index: root_of(hashes[index << level : (index + 1) << level]))
        for begin, end in consistency_ranges(old, size)
    ]
    return Offered(checkpoint=checkpoint, note=checkpoint.text.encode(), old_size=old, proof=tuple(proof))


def outcome(effects: list[Effect]) -> Outcome:
    assert isinstance(effects[-1], Cosign | Refuse)
    return Outcome.COSIGNED if isinstance(effects[-1], Cosign) else effects[-1].outcome


def test_a_log_that_grows_is_cosigned() -> None:
    machine = WitnessMachine()
    assert outcome(machine.handle(offer(leaves(3), 0), 0.0)) is Outcome.COSIGNED
    assert outcome(machine.handle(offer(leaves(7), 3), 0.0)) is Outcome.COSIGNED
    assert outcome(machine.handle(offer(leaves(7), 7), 0.0)) is Outcome.COSIGNED
    held = machine.held(ORIGIN)
    assert held is not None
    assert held.checkpoint.size == 7
    assert machine.next_deadline() is None


def test_a_proof_from_another_size_is_asked_for_again() -> None:
    machine = WitnessMachine()
    assert outcome(machine.handle(offer(leaves(7), 3), 0.0)) is Outcome.OTHER_SIZE
    machine.handle(offer(leaves(5), 0), 0.0)
    (effect,) = machine.handle(offer(leaves(9), 3), 0.0)
    assert isinstance(effect, Refuse)
    assert effect.held is not None
    assert (effect.outcome, effect.held.checkpoint.size) == (Outcome.OTHER_SIZE, 5)


def test_rollback_fork_and_rewriting_are_refused_and_both_sides_are_kept() -> None:
    machine = WitnessMachine()
    first = offer(leaves(7), 0)
    machine.handle(first, 0.0)
    for offered, expected in (
        (offer(leaves(5), 0), Outcome.ROLLBACK),
        (offer(leaves(7, "other", 2), 7), Outcome.FORK),
        (offer(leaves(9, "other", 2), 7), Outcome.INCONSISTENT),
        (replace(offer(leaves(9), 7), proof=()), Outcome.INCONSISTENT),
    ):
        effects = machine.handle(offered, 0.0)
        assert outcome(effects) is expected
        accusation = effects[0]
        assert isinstance(accusation, Accuse)
        assert (accusation.evidence.held, accusation.evidence.offered) == (first.note, offered.note)
    assert outcome(machine.handle(offer(leaves(9), 7), 0.0)) is Outcome.COSIGNED


def test_evidence_is_bounded_and_rollbacks_leave_room_for_forks() -> None:
    machine = WitnessMachine()
    machine.handle(offer(leaves(7), 0), 0.0)
    accused = [len(machine.handle(offer(leaves(5), 0), 0.0)) == 2 for _ in range(MAX_EVIDENCE + 5)]
    assert accused == [True] * MAX_EVIDENCE + [False] * 5
    assert len(machine.handle(offer(leaves(7, "other"), 7), 0.0)) == 2


class Witnessing(RuleBasedStateMachine):
    """Any stories in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = WitnessMachine()
        self.cosigned: dict[int, bytes] = {}
        self.largest: list[bytes] = []

    @rule(
        size=st.integers(0, 20),
        story=st.sampled_from(["true", "false", "wrong"]),
        from_=st.integers(0, 20),
        right=st.booleans(),
        old=st.integers(0, 20),
    )
    def offer(self, size: int, story: str, from_: int, right: bool, old: int) -> None:
        hashes = leaves(size, story, from_)
        held = self.machine.held(ORIGIN)
        start = held.checkpoint.size if right and held else old
        effects = self.machine.handle(offer(hashes, min(start, size)), 0.0)
        if outcome(effects) is Outcome.COSIGNED:
            assert hashes[: len(self.largest)] == self.largest, "it begins with all that was cosigned before"
            self.largest = hashes

    @invariant()
    def holds_the_largest(self) -> None:
        held = self.machine.held(ORIGIN)
        if held is not None:
            assert held.checkpoint == Checkpoint(ORIGIN, len(self.largest), root_of(self.largest))


Witnessing.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestWitnessing = Witnessing.TestCase
