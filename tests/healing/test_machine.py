"""The loop of one node, under any sequence of faults, comings and goings."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentbus.faults import ERRING, FAILED, FALSE_ACCUSER, LYING, OVERLOADED, SILENT, SLOW
from agentbus.healing import HealingConfig, Policy
from agentbus.healing.knowledge import Knowledge
from agentbus.healing.limits import Limits
from agentbus.healing.machine import REQUESTED, HealingMachine
from agentbus.healing.model import (
    Announced,
    Arrived,
    Belief,
    Effect,
    Event,
    Gone,
    Life,
    Log,
    Perform,
    Performed,
    Record,
    Restart,
    Tell,
    Tick,
    Told,
    Trouble,
)
from agentbus.healing.placement import least_loaded, rendezvous
from agentbus.peers import PeerId, Standing

KINDS = (ERRING, FAILED, FALSE_ACCUSER, LYING, OVERLOADED, SILENT, SLOW, "unheard-of")
NODES = tuple(f"n{number}" for number in range(9))


def machine(config: HealingConfig | None = None, me: str = "n0", nodes: tuple[str, ...] = NODES) -> HealingMachine:
    made = HealingMachine(me, Policy(), Knowledge(config or HealingConfig()))
    for number, node in enumerate(nodes):
        assert made.handle(Arrived(node=node, epoch=100 + number), 0.0) == []
    return made


def trouble(kind: str, node: str, epoch: int | None = None, agent: str = "w") -> Trouble:
    life = Life(agent, node, 100 + NODES.index(node) if epoch is None else epoch)
    return Trouble(kind=kind, life=life, reason="seen", witnesses=("n1", "n2"))


def logs(effects: list[Effect]) -> list[Record]:
    return [effect.record for effect in effects if isinstance(effect, Log)]


def performs(effects: list[Effect]) -> list[Perform]:
    return [effect for effect in effects if isinstance(effect, Perform)]


class AnyFleet(RuleBasedStateMachine):
    """Whatever happens: limits hold, a quarantine stays, and everything is finite."""

    config = HealingConfig(faulty=2, max_share=0.34, per_agent=3, per_kind=5, per_fleet=8, limit_s=20.0)

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.machine = machine(self.config)
        self.epochs = {node: 100 + number for number, node in enumerate(NODES)}
        self.refused: set[PeerId] = set()
        self.disturbed: list[tuple[float, str, str]] = []

    def step(self, event: Event) -> None:
        before = set(self.machine._out())
        effects = self.machine.handle(event, self.now)
        after = set(self.machine._out())
        if after - before and not isinstance(event, Arrived):  # one that is back in a refused life was taken out before
            fleet = len(self.machine.knowledge.alive.keys() | before | after)
            assert len(after) <= max(self.config.may_be_out(fleet), len(before))
        for effect in effects:
            match effect:
                case Tell(belief=belief):
                    if belief.standing is Standing.QUARANTINED:
                        self.refused.add(belief.life.peer)
                        self.count(belief.kind, belief.life)
                case Perform(trouble=about):
                    assert about.life.node != self.machine.me
                    self.count(about.kind, about.life)
                case Log():
                    pass

    def count(self, kind: str, life: Life) -> None:
        self.disturbed.append((self.now, kind, f"{life.agent}@{life.node}"))

    @rule(kind=st.sampled_from(KINDS), node=st.sampled_from(NODES), agent=st.sampled_from(["w", ""]), old=st.booleans())
    def fault(self, kind: str, node: str, agent: str, old: bool) -> None:
        epoch = self.epochs[node] - (1000 if old else 0)
        self.step(Trouble(kind=kind, life=Life(agent, node, epoch), witnesses=("n1",)))

    @rule(node=st.sampled_from(NODES))
    def recovered(self, node: str) -> None:
        self.step(Trouble(kind=SLOW, life=Life("w", node, self.epochs[node]), recovered=True))

    @rule(node=st.sampled_from(NODES[1:]))
    def goes(self, node: str) -> None:
        self.step(Gone(node=node, epoch=self.epochs[node]))

    @rule(node=st.sampled_from(NODES[1:]), anew=st.booleans())
    def comes(self, node: str, anew: bool) -> None:
        self.epochs[node] += 1000 if anew else 0
        self.step(Arrived(node=node, epoch=self.epochs[node]))

    @rule(node=st.sampled_from(NODES), by=st.sampled_from(NODES), bad=st.booleans())
    def told(self, node: str, by: str, bad: bool) -> None:
        standing = Standing.QUARANTINED if bad else Standing.PROBATION
        until = None if bad else self.now + 5.0
        belief = Belief(life=Life("w", node, self.epochs[node]), standing=standing, kind=LYING, until_s=until)
        self.step(Told(belief=belief, by=by))

    @rule(seconds=st.floats(0.01, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.step(Tick())

    @precondition(lambda self: self.refused)
    @invariant()
    def a_quarantined_life_stays_so(self) -> None:
        for peer in self.refused:
            assert self.machine.knowledge.standing(peer) is Standing.QUARANTINED
            assert self.machine.knowledge.weight(peer) == 0.0

    @invariant()
    def deadlines_are_in_the_future_after_a_tick(self) -> None:
        self.machine.handle(Tick(), self.now)
        due = self.machine.next_deadline()
        assert due is None or due > self.now

    @invariant()
    def no_more_is_quarantined_than_the_limits_allow(self) -> None:
        taken = [at for at, _, _ in self.disturbed if at > self.now - self.config.limit_s]
        quarantines = len(self.refused)
        assert quarantines <= len(self.disturbed)
        # A restart is counted when it is decided, and may be performed again when nothing is seen of it.
        assert len(taken) <= self.config.per_fleet * (1 + self.config.attempts)


TestAnyFleet = AnyFleet.TestCase
TestAnyFleet.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NODES), st.floats(0.0, 5.0)), max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_rate_limits_hold_for_any_sequence(asked: list[tuple[str, str, float]]) -> None:
    config = HealingConfig(per_agent=2, per_kind=3, per_fleet=5, limit_s=10.0)
    limits, now = Limits(config), 0.0
    taken: list[tuple[float, str, str]] = []
    for kind, node, later in asked:
        now += later
        about = trouble(kind, node)
        if not limits.refusal(about, now):
            limits.take(about, now)
            taken.append((now, kind, node))
        recent = [one for one in taken if one[0] > now - config.limit_s]
        assert len(recent) <= config.per_fleet
        for word, limit in ((1, config.per_kind), (2, config.per_agent)):
            counts = [one[word] for one in recent]
            assert all(counts.count(key) <= limit for key in set(counts))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NODES), st.floats(0.0, 3.0)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_dry_run_changes_nothing(asked: list[tuple[str, str, float]]) -> None:
    made, now = machine(HealingConfig(dry_run=True)), 0.0
    for kind, node, later in asked:
        now += later
        effects = made.handle(trouble(kind, node), now) + made.handle(Tick(), now)
        assert all(isinstance(effect, Log) for effect in effects)
        outcomes = {record.outcome for record in logs(effects)}
        assert outcomes <= {"dry run: nothing was changed", "no rule asks for anything", "given up"}
    assert list(made.knowledge.beliefs()) == []
    assert made._out() == set()


@given(kind=st.sampled_from(KINDS), node=st.sampled_from(NODES))
def test_a_preview_says_what_would_be_done_and_changes_nothing(kind: str, node: str) -> None:
    made, twin = machine(), machine()
    planned = made.preview(trouble(kind, node), 1.0)
    assert list(made.knowledge.beliefs()) == []
    assert made.next_deadline() is None
    effects, same = made.handle(trouble(kind, node), 1.0), twin.handle(trouble(kind, node), 1.0)
    assert effects == same
    for record in logs(effects):
        assert record.action in {one.action for one in planned}


def test_the_third_liar_of_nine_waits_until_one_is_back() -> None:
    made = machine(HealingConfig(faulty=2))
    for node in ("n3", "n4"):
        assert logs(made.handle(trouble(LYING, node), 1.0))[0].action == "quarantine"
    waits = logs(made.handle(trouble(LYING, "n5"), 1.0))
    assert [(record.action, record.outcome) for record in waits] == [
        ("quarantine", "waits: 2 of 9 nodes are out, and 2 may be")
    ]
    assert made.knowledge.standing(PeerId("w", 105)) is Standing.TRUSTED
    made.handle(Gone(node="n3", epoch=103), 5.0)
    made.handle(Arrived(node="n3", epoch=1103), 6.0)
    effects = made.handle(Tick(), 7.0)
    assert ("quarantine", 6.0) in [(record.action, record.latency_s) for record in logs(effects)]
    assert made.knowledge.standing(PeerId("w", 105)) is Standing.QUARANTINED


def test_a_waiting_plan_is_given_up_in_the_end() -> None:
    made = machine(HealingConfig(faulty=0))
    made.handle(trouble(LYING, "n3"), 1.0)
    outcomes = [record.outcome for second in range(70) for record in logs(made.handle(Tick(), 2.0 + second))]
    assert outcomes == ["given up"]
    assert made.next_deadline() is None


@pytest.mark.parametrize("kind", [LYING, FALSE_ACCUSER])
def test_who_is_quarantined_asks_nobody_and_hosts_nothing(kind: str) -> None:
    made = machine()
    made.handle(trouble(kind, "n3"), 1.0)
    order = made._order(trouble(LYING, "n4"), Restart())
    assert "n3" not in order
    assert "n4" not in order
    assert len(order) == len(NODES) - 2


def test_probation_doubles_with_each_fault_and_is_forgotten() -> None:
    config = HealingConfig(probation_s=10.0, probation_max_s=60.0, window_s=300.0)
    made, lengths, now = machine(config), [], 0.0
    for life in range(5):
        epoch = 103 + life * 1000
        made.handle(Arrived(node="n3", epoch=epoch), now)
        made.handle(trouble(FAILED, "n3", epoch, agent=""), now + 1.0)
        made.handle(Gone(node="n3", epoch=epoch), now + 1.0)
        now += 2.0
        made.handle(Arrived(node="n3", epoch=epoch + 1000), now)
        belief = made.knowledge.belief(Life("", "n3", epoch + 1000))
        assert belief is not None
        assert belief.until_s is not None
        lengths.append(belief.until_s - now)
    assert lengths == [10.0, 20.0, 40.0, 60.0, 60.0]
    made.handle(Tick(), now + 61.0)
    assert made.knowledge.standing(PeerId("w", 5103)) is Standing.TRUSTED
    made.handle(Gone(node="n3", epoch=5103), now + 400.0)
    made.handle(Arrived(node="n3", epoch=6103), now + 401.0)
    assert made.knowledge.standing(PeerId("w", 6103)) is Standing.TRUSTED


def test_who_was_cut_off_with_many_others_is_not_on_probation() -> None:
    made = machine(HealingConfig(faulty=3))
    cut, stopped = NODES[1:6], NODES[7]
    for node in cut:
        made.handle(Gone(node=node, epoch=100 + NODES.index(node)), 1.0)
        made.handle(trouble(FAILED, node, agent=""), 1.0)
    for node in cut[:-1]:
        made.handle(Arrived(node=node, epoch=100 + NODES.index(node)), 5.0)
    made.handle(Arrived(node=cut[-1], epoch=9000), 6.0)  # this one has died meanwhile
    assert [belief.life.node for belief in made.knowledge.beliefs()] == [cut[-1]]
    made.handle(Gone(node=stopped, epoch=107), 10.0)
    made.handle(trouble(FAILED, stopped, agent=""), 10.0)
    made.handle(Arrived(node=stopped, epoch=107), 12.0)
    assert made.knowledge.standing(PeerId("w", 107)) is Standing.PROBATION


def test_a_fault_is_heard_once_and_of_a_past_life_never() -> None:
    made = machine()
    assert logs(made.handle(trouble(SLOW, "n3"), 1.0))
    assert made.handle(trouble(SLOW, "n3"), 1.5) == []
    assert made.handle(trouble(SLOW, "n3", 50), 5.0) == []
    assert logs(made.handle(trouble(SLOW, "n3"), 5.0))


def test_slowness_again_and_again_is_answered_by_a_restart() -> None:
    order = rendezvous(f"{trouble(SLOW, 'n3').id}/restart", set(NODES) - {"n3"})
    made = machine(me=order[0])
    asked = [performs(made.handle(trouble(SLOW, "n3"), 10.0 * time)) for time in range(1, 4)]
    assert [len(some) for some in asked] == [0, 0, 1]
    assert asked[2][0].action.reason == "3 times within 600 s"


def test_a_restart_that_nothing_is_seen_of_is_asked_for_by_the_next_and_ends() -> None:
    config = HealingConfig(turn_s=1.0, restart_s=10.0, attempts=2)
    order = rendezvous(f"{trouble(LYING, 'n3').id}/restart", set(NODES) - {"n3"})
    first, second = order[0], order[1]
    made = machine(config, me=second)
    heard = trouble(LYING, "n3")
    assert [one for one in performs(made.handle(heard, 1.0)) if isinstance(one.action, Restart)] == []
    made.handle(Announced(fault=heard.id, action="restart", by=first), 1.1)
    assert not performs(made.handle(Tick(), 11.9))[1:]
    asked = [one for one in performs(made.handle(Tick(), 12.2)) if isinstance(one.action, Restart)]
    assert len(asked) == 1
    made.handle(Performed(perform=asked[0], outcome="failed: OSError: no"), 12.3)
    again = [one for one in performs(made.handle(Tick(), 13.4)) if isinstance(one.action, Restart)]
    assert again == asked
    made.handle(Performed(perform=asked[0], outcome=REQUESTED), 13.5)
    assert logs(made.handle(Arrived(node="n3", epoch=1103), 14.0))[0].outcome == "it lives anew"
    late = performs(made.handle(Tick(), 60.0))
    assert [one for one in late if isinstance(one.action, Restart)] == []


def test_an_announcement_out_of_turn_keeps_nobody_from_acting() -> None:
    heard = trouble(LYING, "n3")
    order = rendezvous(f"{heard.id}/restart", set(NODES) - {"n3"})
    made = machine(me=order[1])
    made.handle(heard, 1.0)
    made.handle(Announced(fault=heard.id, action="restart", by=order[-1]), 1.1)
    asked = [one for one in performs(made.handle(Tick(), 2.1)) if isinstance(one.action, Restart)]
    assert len(asked) == 1


@given(voices=st.lists(st.sampled_from(NODES), max_size=20))
def test_what_is_told_is_believed_from_f_plus_one(voices: list[str]) -> None:
    made = machine(HealingConfig(faulty=2))
    belief = Belief(life=Life("w", "n3", 103), standing=Standing.QUARANTINED, kind=LYING)
    counted: set[str] = set()
    for by in voices:
        made.handle(Told(belief=belief, by=by), 1.0)
        counted |= {by} - {"n0", "n3"}
        believed = made.knowledge.standing(PeerId("w", 103)) is Standing.QUARANTINED
        assert believed == (len(counted) >= 3)


def test_who_was_told_first_still_does_its_part_when_it_hears_the_fault() -> None:
    heard = trouble(LYING, "n3")
    order = rendezvous(f"{heard.id}/restart", set(NODES) - {"n3"})
    made = machine(HealingConfig(faulty=1), me=order[0])
    belief = Belief(life=heard.life, standing=Standing.QUARANTINED, kind=LYING)
    for by in order[1:4]:
        made.handle(Told(belief=belief, by=by), 1.0)
    assert made.knowledge.standing(PeerId("w", 103)) is Standing.QUARANTINED
    asked = [one for one in performs(made.handle(heard, 1.1)) if isinstance(one.action, Restart)]
    assert len(asked) == 1


def test_strangers_and_the_quarantined_are_no_voices() -> None:
    made = machine(HealingConfig(faulty=1))
    made.handle(trouble(LYING, "n4"), 1.0)
    belief = Belief(life=Life("w", "n3", 103), standing=Standing.QUARANTINED, kind=LYING)
    for by in ("n4", "stranger", "n1"):
        made.handle(Told(belief=belief, by=by), 2.0)
    assert made.knowledge.standing(PeerId("w", 103)) is Standing.TRUSTED


def test_a_probation_does_not_begin_again_by_hearsay() -> None:
    made = machine(HealingConfig(faulty=1, probation_s=5.0))
    made.handle(trouble(SLOW, "n3"), 1.0)
    made.handle(Tick(), 7.0)
    assert made.knowledge.standing(PeerId("w", 103)) is Standing.TRUSTED
    belief = Belief(life=Life("w", "n3", 103), standing=Standing.PROBATION, kind=SLOW, until_s=9.0)
    for by in ("n1", "n2", "n4"):
        made.handle(Told(belief=replace(belief, since_s=7.0), by=by), 7.0)
    assert made.knowledge.standing(PeerId("w", 103)) is Standing.TRUSTED


def test_the_whole_node_s_standing_is_its_agents() -> None:
    made = machine()
    made.handle(trouble(LYING, "n3", agent=""), 1.0)
    assert made.knowledge.standing(PeerId("anything", 103)) is Standing.QUARANTINED
    assert made.knowledge.standing(PeerId("anything", 104)) is Standing.TRUSTED


@given(st.sets(st.sampled_from(NODES), min_size=2), st.text(max_size=20), st.data())
def test_rendezvous_keeps_the_order_of_those_who_stay(nodes: set[str], key: str, data: st.DataObject) -> None:
    order = rendezvous(key, nodes)
    gone = data.draw(st.sampled_from(sorted(nodes)))
    assert rendezvous(key, nodes - {gone}) == [node for node in order if node != gone]


def test_the_least_loaded_come_first_and_the_unknown_last() -> None:
    load = {"a": 3.0, "b": 1.0, "c": None}
    assert least_loaded("k", ["a", "b", "c"], load.get) == ["b", "a", "c"]
