"""The quorum, as a machine: whatever liars say, in whatever order, with whatever lost."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agentbus import Peer, PeerId
from agentbus.detection.verdicts import (
    Accuse,
    Case,
    Convict,
    Finding,
    Found,
    Publish,
    Quorum,
    Reproduce,
    Verdict,
    VerdictConfig,
    Vote,
    Witness,
)
from agentbus.detection.verdicts.model import Effect
from agentbus.errors import ConfigurationError
from agentbus.faults import FALSE_ACCUSER

SIZE = 12
F3 = VerdictConfig(faulty=3)


def witness(number: int, epoch: int = 1) -> Witness:
    return Witness(PeerId("detection", 100 * epoch + number), f"n-{number}")


class Everybody:
    """A view of nodes that each host a witness and a worker."""

    def __init__(self, size: int = SIZE) -> None:
        self.peers: list[Peer] = []
        for number in range(size):
            self.add(number)

    def add(self, number: int, epoch: int = 1) -> None:
        for name in ("detection", "worker"):
            self.peers.append(Peer(id=PeerId(name, 100 * epoch + number), node=f"n-{number}"))

    def remove(self, number: int) -> None:
        self.peers = [peer for peer in self.peers if peer.node != f"n-{number}"]

    def alive(self) -> Sequence[Peer]:
        return self.peers

    def get(self, name: str) -> Peer | None:
        return next((peer for peer in self.peers if peer.id.name == name), None)


def case(accused: int, evidence: str = "e", *, epoch: int = 1, kind: str = "lying") -> Case:
    return Case(kind, PeerId("worker", 100 * epoch + accused), f"n-{accused}", evidence)


def vote(by: int, about: Case, *, confirm: bool = True, accuses: bool = False, number: int = 1, epoch: int = 1) -> Vote:
    finding = Finding.CONFIRMED if confirm else Finding.DENIED
    return Vote(case=about, finding=finding, by=witness(by, epoch), number=number, accuses=accuses)


def convicted(effects: Sequence[Effect]) -> list[Verdict]:
    return [effect.verdict for effect in effects if isinstance(effect, Convict)]


def quorum(me: int = 0, config: VerdictConfig = F3, view: Everybody | None = None) -> Quorum:
    return Quorum(witness(me), view or Everybody(), config)


# -- single steps ------------------------------------------------------------------------------------------------------


def test_f_voices_decide_nothing_and_one_more_does() -> None:
    machine = quorum()
    for by in (2, 3, 4):
        assert convicted(machine.handle(vote(by, case(1)), 0.0)) == []
    (verdict,) = convicted(machine.handle(vote(5, case(1)), 0.0))
    assert verdict.witnesses == ("n-2", "n-3", "n-4", "n-5")
    assert verdict.agent == PeerId("worker", 101)
    assert machine.convicted(PeerId("worker", 101))
    assert not machine.convicted(PeerId("worker", 201))


def test_a_witness_has_one_vote_however_often_and_in_whatever_life_it_speaks() -> None:
    view = Everybody()
    machine = quorum(view=view)
    for number in range(10):
        assert convicted(machine.handle(vote(2, case(1), number=number), 0.0)) == []
    view.remove(2)
    view.add(2, epoch=2)
    for by in (2, 3):
        assert convicted(machine.handle(vote(by, case(1), epoch=2 if by == 2 else 1), 0.0)) == []
    assert convicted(machine.handle(vote(4, case(1)), 0.0)) == []
    assert len(convicted(machine.handle(vote(5, case(1)), 0.0))) == 1


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(lambda by: vote(by, case(1), epoch=2), id="a life that is not known"),
        pytest.param(lambda by: vote(by + 50, case(1)), id="strangers"),
        pytest.param(lambda by: vote(1, case(1), number=by), id="the accused"),
        pytest.param(lambda by: vote(by, case(1, epoch=7)), id="a life of the accused that is over"),
        pytest.param(lambda by: vote(by, case(1)._replace(node="n-9")), id="an accused that is elsewhere"),
    ],
)
def test_votes_that_count_for_nothing(heard) -> None:
    machine = quorum()
    for by in range(2, 10):
        assert machine.handle(heard(by), 0.0) == []
    assert len(machine.docket) == 0


def test_votes_before_their_accusation_are_kept_and_only_the_accusation_asks_to_look_again() -> None:
    machine = quorum()
    for by in (2, 3, 4):
        assert machine.handle(vote(by, case(1)), 0.0) == []
    effects = machine.handle(vote(2, case(1), accuses=True, number=2), 0.0)
    assert effects == [Reproduce(case(1), "n-2")]
    effects = machine.handle(Found(case(1), Finding.CONFIRMED), 0.0)
    assert len(convicted(effects)) == 1
    assert [effect.vote.finding for effect in effects if isinstance(effect, Publish)] == [Finding.CONFIRMED]


def test_what_was_not_found_out_is_tried_again_and_not_for_ever() -> None:
    machine = quorum()
    effects = machine.handle(vote(2, case(1), accuses=True), 0.0)
    now, tried = 0.0, 0
    while any(isinstance(effect, Reproduce) for effect in effects):
        tried += 1
        assert machine.handle(Found(case(1), Finding.UNKNOWN), now) == []
        due = machine.next_deadline()
        assert due is not None
        now = due
        effects = machine.tick(now)
    assert tried == F3.tries
    assert machine.tick(F3.case_s) == []
    assert len(machine.docket) == 0


def test_denied_accusations_convict_their_author_and_not_whoever_is_said_to_accuse() -> None:
    machine = quorum()
    for count in range(3):
        about = case(5, f"e{count}")
        machine.handle(vote(2, about, accuses=True, number=count + 1), 0.0)
        machine.handle(vote(3, about, number=count + 1), 0.0)  # backs it; answers for nothing
        found = [
            verdict
            for by in (6, 7, 8, 9)
            for verdict in convicted(machine.handle(vote(by, about, confirm=False, number=count + 1), 0.0))
        ]
        assert [(verdict.kind, verdict.node) for verdict in found] == ([(FALSE_ACCUSER, "n-2")] if count == 2 else [])
    assert machine.verdicts()[0].witnesses == ("n-6", "n-7", "n-8", "n-9")


def test_old_false_accusations_are_forgotten() -> None:
    machine = quorum()
    for count in range(6):
        now = count * F3.memory_s * 0.6
        machine.tick(now)
        machine.handle(vote(2, case(5, f"e{count}"), accuses=True, number=count + 1), now)
        for by in (6, 7, 8, 9):
            assert convicted(machine.handle(vote(by, case(5, f"e{count}"), confirm=False, number=count + 1), now)) == []


def test_one_author_opens_so_many_cases_and_leaves_room_for_others() -> None:
    machine = quorum()
    for count in range(100):
        machine.handle(vote(2, case(1, f"e{count}"), accuses=True, number=count + 1), 0.0)
    assert len(machine.docket) == F3.author_cases
    machine.handle(vote(3, case(4), accuses=True), 0.0)
    assert len(machine.docket) == F3.author_cases + 1
    for count in range(100):
        machine.handle(Accuse(case(1, "mine", kind=f"kind{count}")), 0.0)
    assert len(machine.docket) == 2 * F3.author_cases + 1


def test_who_has_confirmed_a_case_opens_no_other_against_that_life_for_a_while() -> None:
    machine = quorum()
    assert machine.handle(Accuse(case(1, "a")), 0.0)
    assert machine.handle(Accuse(case(1, "b")), F3.patience_s - 0.01) == []
    assert machine.handle(Accuse(case(1, "b", kind="slow")), 0.0)
    assert machine.handle(Accuse(case(2, "b")), 0.0)
    assert machine.handle(Accuse(case(1, "b")), F3.patience_s)


def test_of_many_true_cases_against_one_life_all_look_at_the_same() -> None:
    machines = {number: quorum(number) for number in range(3, SIZE)}
    wire: list[tuple[int, Vote]] = []
    looks: dict[str, int] = {}

    def carry_out(number: int, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish():
                    wire.extend((other, effect.vote) for other in machines if other != number)
                case Reproduce():
                    looks[effect.case.evidence] = looks.get(effect.case.evidence, 0) + 1
                    carry_out(number, machines[number].handle(Found(effect.case, Finding.CONFIRMED), 0.1))
                case Convict():
                    pass

    for number, machine in machines.items():
        carry_out(number, machine.handle(Accuse(case(1, f"e{SIZE - number:02}")), 0.0))
    while wire:
        to, said = wire.pop()
        carry_out(to, machines[to].handle(said, 0.1))
    assert all(machine.convicted(PeerId("worker", 101)) for machine in machines.values())
    assert sum(looks.values()) < 3 * SIZE  # each at each of the others' cases would be 72


def test_a_confirmed_case_that_finds_no_quorum_keeps_nobody_from_looking_at_another() -> None:
    machine = quorum()
    machine.handle(Accuse(case(1, "a")), 0.0)
    other = case(1, "b")
    assert machine.handle(vote(2, other, accuses=True), 0.5) == []
    effects: list[Effect] = []
    while (due := machine.next_deadline()) is not None and due <= F3.patience_s:
        effects += machine.tick(due)
    assert Reproduce(other, "n-2") in effects


def test_a_look_that_waited_for_its_turn_is_not_taken_when_it_is_not_needed_any_more() -> None:
    machine = quorum()
    about = case(1, "b")
    assert machine.handle(vote(2, about, accuses=True), 0.0) == [Reproduce(about, "n-2")]
    assert machine.needed(about, 0.1)
    machine.handle(Accuse(case(1, "a")), 0.1)
    assert not machine.needed(about, 0.2)
    effects: list[Effect] = []
    while (due := machine.next_deadline()) is not None and due <= 0.1 + F3.patience_s:
        effects += machine.tick(due)
    assert Reproduce(about, "n-2") in effects
    assert machine.needed(about, due or 0.0)
    for by in (3, 4, 5):
        machine.handle(vote(by, case(1, "a")), 2.2)
    assert machine.convicted(PeerId("worker", 101))
    assert not machine.needed(about, 2.3)


def test_a_replay_does_not_open_a_case_that_is_over_and_a_new_accusation_does() -> None:
    machine = quorum()
    heard = vote(2, case(1), accuses=True, number=7)
    machine.handle(heard, 0.0)
    machine.tick(F3.case_s)
    assert len(machine.docket) == 0
    assert machine.handle(heard, F3.case_s) == []
    assert len(machine.docket) == 0
    assert machine.handle(vote(2, case(1), accuses=True, number=8), F3.case_s) == [Reproduce(case(1), "n-2")]


def test_an_open_case_is_told_again_and_again_and_a_decided_one_ever_more_rarely() -> None:
    machine = quorum()
    effects = machine.handle(Accuse(case(1)), 0.0)
    said = [(0.0, effect.vote.number) for effect in effects if isinstance(effect, Publish)]
    for by in (2, 3, 4):
        machine.handle(vote(by, case(1)), 1.0)
    while (due := machine.next_deadline()) is not None:
        said += [(due, effect.vote.number) for effect in machine.tick(due) if isinstance(effect, Publish)]
    assert [number for _, number in said] == sorted({number for _, number in said})
    assert len(said) < 16
    assert max(at for at, _ in said) < F3.memory_s
    assert len(machine.docket) == 0
    assert machine.convicted(PeerId("worker", 101))


def test_whoever_has_decided_answers_who_has_not() -> None:
    machine = quorum()
    machine.handle(Accuse(case(1)), 0.0)
    for by in (2, 3, 4):
        machine.handle(vote(by, case(1)), 0.1)
    asked = vote(5, case(1))
    answers = [effect for effect in machine.handle(asked, 3.0) if isinstance(effect, Publish)]
    assert [answer.vote.finding for answer in answers] == [Finding.CONFIRMED]
    assert machine.handle(asked, 3.0) == []  # not more often than it would anyway


def test_nobody_accuses_the_own_node_or_looks_again_at_it() -> None:
    machine = quorum(1)
    assert machine.handle(Accuse(case(1)), 0.0) == []
    assert machine.handle(vote(2, case(1), accuses=True), 0.0) == []
    for by in (3, 4):
        machine.handle(vote(by, case(1)), 0.0)
    assert len(convicted(machine.handle(vote(5, case(1)), 0.0))) == 1


def test_knobs_that_would_let_one_decide_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="one voice"):
        VerdictConfig(faulty=0)
    with pytest.raises(ConfigurationError, match="max_cases"):
        VerdictConfig(faulty=3, author_cases=16, max_cases=48)


# -- in whatever order -------------------------------------------------------------------------------------------------

votes = st.builds(
    lambda by, accused, evidence, confirm, accuses: vote(
        by, case(accused, f"e{evidence}"), confirm=confirm, accuses=accuses and confirm
    ),
    st.integers(1, 8),
    st.integers(1, 8),
    st.integers(0, 2),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(votes, max_size=60), st.randoms(use_true_random=False))
def test_the_same_votes_in_any_order_and_number_give_the_same_verdicts(said: list[Vote], chance: random.Random) -> None:
    config = VerdictConfig(faulty=1, max_false=2)
    verdicts: list[set[tuple[str, PeerId]]] = []
    for _ in range(3):
        order = said + chance.sample(said, len(said) // 2)
        chance.shuffle(order)
        machine = quorum(config=config)
        found = [verdict for heard in order for verdict in convicted(machine.handle(heard, 0.0))]
        assert len({(verdict.kind, verdict.agent) for verdict in found}) == len(found)
        assert all(len(verdict.witnesses) >= 2 and verdict.node not in verdict.witnesses for verdict in found)
        verdicts.append({(verdict.kind, verdict.agent) for verdict in found})
    assert verdicts[0] == verdicts[1] == verdicts[2]


# -- against liars -----------------------------------------------------------------------------------------------------


class Liars(RuleBasedStateMachine):
    """Nine honest nodes and three liars who say whatever they like, to each node something else."""

    HONEST = range(3, SIZE)
    LIARS = range(3)

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.view = Everybody()
        self.machines = {number: Quorum(witness(number), self.view, F3) for number in self.HONEST}
        self.wire: list[tuple[int, Vote]] = []
        self.looking: list[tuple[int, Case]] = []
        self.found: dict[int, list[Verdict]] = {number: [] for number in self.HONEST}
        self.lies = 0
        self.truly: set[str] = set()

    def carry_out(self, number: int, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Publish():
                    self.wire += [(other, effect.vote) for other in self.HONEST if other != number]
                case Reproduce():
                    self.looking.append((number, effect.case))
                case Convict():
                    self.found[number].append(effect.verdict)

    @rule(liar=st.sampled_from(LIARS), accused=st.integers(0, SIZE - 1), data=st.data())
    def lie(self, liar: int, accused: int, data: st.DataObject) -> None:
        self.lies += 1
        evidence = data.draw(st.sampled_from(["made up", "made up too", f"new {self.lies}"]))
        for other in data.draw(st.sets(st.sampled_from(self.HONEST))):
            confirm, accuses = data.draw(st.booleans()), data.draw(st.booleans())
            said = vote(liar, case(accused, evidence), confirm=confirm, accuses=accuses, number=self.lies)
            self.wire.append((other, said))

    @rule(liar=st.sampled_from(LIARS), data=st.data())
    def collude(self, liar: int, data: st.DataObject) -> None:
        """All liars vote for one another's accusation, and against a true one."""
        accused = data.draw(st.sampled_from(self.HONEST))
        self.lies += 1
        for by in self.LIARS:
            for other in self.HONEST:
                said = vote(by, case(accused, f"plot {self.lies}"), accuses=by == liar, number=self.lies)
                self.wire.append((other, said))
                if self.truly:
                    true = vote(by, case(liar, min(self.truly)), confirm=False, number=self.lies)
                    self.wire.append((other, true))

    @rule(honest=st.sampled_from(HONEST), liar=st.sampled_from(LIARS))
    def accuse_truly(self, honest: int, liar: int) -> None:
        evidence = f"wrong {liar}"
        self.truly.add(evidence)
        self.carry_out(honest, self.machines[honest].handle(Accuse(case(liar, evidence)), self.now))

    @precondition(lambda self: self.wire)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, 12))):
            if self.wire:
                index = data.draw(st.integers(0, len(self.wire) - 1))
                to, said = self.wire.pop(index)
                if data.draw(st.integers(0, 4)):  # a fifth is lost
                    self.carry_out(to, self.machines[to].handle(said, self.now))

    @precondition(lambda self: self.looking)
    @rule(known=st.booleans())
    def look(self, known: bool) -> None:
        number, about = self.looking.pop(0)
        truth = Finding.CONFIRMED if about.evidence == f"wrong {about.node[2:]}" else Finding.DENIED
        found = Found(about, truth if known else Finding.UNKNOWN)
        self.carry_out(number, self.machines[number].handle(found, self.now))

    @rule(seconds=st.floats(0.01, 3.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        for number, machine in self.machines.items():
            self.carry_out(number, machine.tick(self.now))

    @invariant()
    def nobody_honest_is_convicted(self) -> None:
        for verdicts in self.found.values():
            for verdict in verdicts:
                assert int(verdict.node[2:]) in self.LIARS, verdict
                assert len(set(verdict.witnesses)) >= 4
                assert verdict.node not in verdict.witnesses

    @invariant()
    def all_is_bounded(self) -> None:
        for machine in self.machines.values():
            assert len(machine.docket) <= SIZE * F3.author_cases + len(machine.verdicts()) * F3.author_cases

    def teardown(self) -> None:
        """When the wire works again, whoever is truly accused is convicted by all within a few seconds."""
        if not hasattr(self, "machines"):
            return
        self.truly = set()
        for liar in self.LIARS:
            self.accuse_truly(3 + liar, liar)
        for _ in range(60):
            self.now += 0.2
            while self.wire or self.looking:
                wire, self.wire = self.wire, []
                for to, said in wire:
                    self.carry_out(to, self.machines[to].handle(said, self.now))
                while self.looking:
                    self.look(True)
            for number, machine in self.machines.items():
                self.carry_out(number, machine.tick(self.now))
        self.nobody_honest_is_convicted()
        for machine in self.machines.values():
            for liar in self.LIARS:
                assert machine.convicted(PeerId("worker", 100 + liar), "lying")


Liars.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestLiars = Liars.TestCase
