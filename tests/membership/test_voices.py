"""Nobody is dead because one says so."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from agentbus.membership import Swim, local
from agentbus.membership.model import ChangeKind, Effect, Notify, Packet, PacketKind, Send, State, Word


def word(state: State, node: str, *by: str) -> Word:
    return Word(state=state, node=node, epoch=1, life=1, incarnation=0, by=by)


def gossip(source: str, *words: Word) -> Packet:
    return Packet(PacketKind.GOSSIP, source, 1, 0, "", words)


def machine(voices: int = 2) -> Swim:
    swim = Swim("me", 1, replace(local(), voices=voices), Random(1), 0.0, ())
    swim.start(0.0)
    for other in ("a", "b", "c", "liar"):
        swim.handle(gossip(other, word(State.ALIVE, other)), 0.1)
    return swim


def deaths(effects: list[Effect]) -> list[str]:
    ends = (ChangeKind.FAILED, ChangeKind.LEFT)
    return [effect.word.node for effect in effects if isinstance(effect, Notify) and effect.kind in ends]


@pytest.mark.parametrize("state", [State.FAILED, State.LEFT])
def test_one_voice_kills_nobody_however_often(state: State) -> None:
    swim = machine()
    for _ in range(5):
        effects = swim.handle(gossip("liar", word(state, "a", "b", "c", "me")), 0.2)
        assert deaths(effects) == []
        assert all(effect.to == "a" for effect in effects if isinstance(effect, Send) and effect.packet.words)


@pytest.mark.parametrize("state", [State.FAILED, State.LEFT])
def test_two_voices_do(state: State) -> None:
    swim = machine()
    swim.handle(gossip("b", word(state, "a", "b")), 0.2)
    assert deaths(swim.handle(gossip("c", word(state, "a", "b")), 0.2)) == ["a"]


def test_a_suspicion_told_by_another_is_a_voice() -> None:
    swim = machine()
    swim.handle(gossip("b", word(State.SUSPECT, "a", "b")), 0.2)
    assert deaths(swim.handle(gossip("b", word(State.FAILED, "a", "b")), 0.2)) == []
    assert deaths(swim.handle(gossip("c", word(State.FAILED, "a", "b")), 0.2)) == ["a"]


def test_what_was_said_before_it_refuted_is_forgotten() -> None:
    swim = machine()
    swim.handle(gossip("liar", word(State.SUSPECT, "a", "liar")), 0.2)
    refuted = Word(state=State.ALIVE, node="a", epoch=1, life=1, incarnation=1)
    swim.handle(gossip("a", refuted), 0.3)
    again = Word(state=State.FAILED, node="a", epoch=1, life=1, incarnation=1, by=("b",))
    assert deaths(swim.handle(gossip("b", again), 0.4)) == []


def test_a_good_bye_of_its_own_needs_no_other() -> None:
    assert deaths(machine().handle(gossip("a", word(State.LEFT, "a", "a")), 0.2)) == ["a"]


def test_with_one_voice_it_is_as_in_swim() -> None:
    assert deaths(machine(1).handle(gossip("liar", word(State.FAILED, "a", "liar")), 0.2)) == ["a"]
