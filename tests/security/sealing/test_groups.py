"""A group's key: new with each change of its membership; who left opens nothing after, who joined nothing before."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from agentbus.errors import ConfigurationError, Unauthorized
from agentbus.security import KeyPair
from agentbus.security.sealing import (
    Epoch,
    GroupConfig,
    GroupKeys,
    KeyRing,
    Sealed,
    seal_for_group,
    unseal_in_group,
)
from agentbus.security.sealing.codec import GroupEpoch
from agentbus.security.sealing.groups import announced, context_of, handed, taken
from agentbus.security.sealing.model import Asked, Hand, Learned, LeftOut, Members, Refusal, Tick, Why
from examples.climate.v1.climate_pb2 import Reading

KEEPER = KeyPair(bytes(31) + b"k")
PAIRS = [KeyPair(bytes([n]) * 32) for n in range(1, 6)]
ANNA, BERT, CARL = PAIRS[:3]
SMALL = GroupConfig(keep_s=10.0, kept=2, members=4)
SECRET = Reading(room="vault")


def keeper(config: GroupConfig = SMALL) -> GroupKeys:
    numbers = count(1)
    return GroupKeys("team", first=100, new_key=lambda: bytes([next(numbers)]) * 32, config=config)


def members(*pairs: KeyPair) -> frozenset[bytes]:
    return frozenset(pair.key for pair in pairs)


def epoch(number: int, *pairs: KeyPair, group: str = "team") -> Epoch:
    return Epoch(group=group, number=number, members=members(*pairs), key=bytes([number]) * 32)


def told_to(epoch: Epoch, to: frozenset[bytes], keeper: KeyPair = KEEPER) -> GroupEpoch:
    """An epoch on its way, with its key for some."""
    context = context_of(epoch, keeper)
    return announced(epoch, keeper, [handed(epoch, keeper, member, context) for member in to])


# -- the keeper's side -------------------------------------------------------------------------------------------------


def test_a_new_key_whenever_the_membership_is_new() -> None:
    keys = keeper()
    (first,) = keys.handle(Members(members(ANNA, BERT)), 0.0)
    assert isinstance(first, Hand)
    assert first.to == first.epoch.members == members(ANNA, BERT)
    assert keys.handle(Members(members(BERT, ANNA)), 0.0) == []
    (joined,) = keys.handle(Members(members(ANNA, BERT, CARL)), 0.0)
    (left,) = keys.handle(Members(members(BERT, CARL)), 0.0)
    (back,) = keys.handle(Members(members(ANNA, BERT)), 0.0)
    hands = [first, joined, left, back]
    assert [hand.epoch.number for hand in hands if isinstance(hand, Hand)] == [100, 101, 102, 103]
    assert len({hand.epoch.key for hand in hands if isinstance(hand, Hand)}) == 4


def test_who_asks_gets_the_key_of_this_moment_or_none() -> None:
    keys = keeper()
    (nobody,) = keys.handle(Asked(ANNA.key), 0.0)
    assert isinstance(nobody, Refusal)
    keys.handle(Members(members(ANNA)), 0.0)
    keys.handle(Members(members(BERT)), 0.0)
    (refusal,) = keys.handle(Asked(ANNA.key), 0.0)
    assert isinstance(refusal, Refusal)
    assert refusal.why is Why.NOT_A_MEMBER
    (hand,) = keys.handle(Asked(BERT.key), 0.0)
    assert keys.epoch is not None
    assert hand == Hand(keys.epoch, members(BERT))


def test_a_group_is_bounded() -> None:
    keys = keeper()
    (refusal,) = keys.handle(Members(members(*PAIRS)), 0.0)
    assert isinstance(refusal, Refusal)
    assert refusal.why is Why.TOO_MANY
    assert keys.epoch is None


def test_keys_are_not_shown() -> None:
    assert "\\x07" not in repr(epoch(7, ANNA))
    assert "key" not in repr(epoch(7))


# -- a member's side ---------------------------------------------------------------------------------------------------


def test_epochs_only_grow_and_old_ones_end() -> None:
    ring = KeyRing("team", SMALL)
    assert (ring.current, ring.next_deadline()) == (None, None)
    assert ring.handle(Learned(epoch(1, ANNA)), 0.0) == []
    assert ring.handle(Learned(epoch(1, ANNA)), 0.0) == []
    assert ring.handle(Learned(epoch(2, ANNA)), 5.0) == []
    assert ring.get(1, 14.9) == epoch(1, ANNA)
    assert ring.next_deadline() == 15.0
    assert ring.get(1, 15.0) is None
    assert ring.get(2, 1e9) == ring.current == epoch(2, ANNA)
    for other, why in (
        (epoch(1, ANNA), Why.OLD),
        (epoch(2, ANNA, BERT), Why.ANOTHER_KEY),
        (epoch(9, ANNA, group="other"), Why.OTHER_GROUP),
    ):
        (refusal,) = ring.handle(Learned(other), 20.0)
        assert refusal.why is why
    for number in (3, 4, 5):
        ring.handle(Learned(epoch(number, ANNA)), 20.0)
    assert [ring.get(number, 20.0) is not None for number in (2, 3, 4, 5)] == [False, True, True, True]


def test_who_is_left_out_has_nothing_to_seal_with() -> None:
    ring = KeyRing("team", SMALL)
    ring.handle(Learned(epoch(5, ANNA)), 0.0)
    ring.handle(LeftOut(4), 0.0)
    assert (ring.current, ring.out) == (epoch(5, ANNA), False)
    ring.handle(LeftOut(6), 0.0)
    assert (ring.current, ring.out) == (None, True)
    assert ring.get(5, 1.0) is not None, "for what was under way"
    ring.handle(Tick(), 10.0)
    assert ring.get(5, 10.0) is None
    (refusal,) = ring.handle(Learned(epoch(6, ANNA)), 10.0)
    assert refusal.why is Why.OLD
    ring.handle(Learned(epoch(7, ANNA)), 10.0)
    assert (ring.current, ring.out) == (epoch(7, ANNA), False)


# -- what is sealed ----------------------------------------------------------------------------------------------------


def test_members_read_it_and_know_which_member_it_was() -> None:
    first = epoch(1, ANNA, BERT)
    sealed = seal_for_group(SECRET, epoch=first, sender=ANNA, context="plan")
    assert b"vault" not in sealed.SerializeToString()
    assert unseal_in_group(sealed, Reading, first, context="plan") == SECRET
    with pytest.raises(Unauthorized, match="context"):
        unseal_in_group(sealed, Reading, first)
    with pytest.raises(Unauthorized, match="no member"):
        seal_for_group(SECRET, epoch=first, sender=CARL)
    # Bert has the key, and still can't speak as Anna
    forged = seal_for_group(SECRET, epoch=first, sender=BERT)
    forged.sender = ANNA.key
    with pytest.raises(Unauthorized, match=f"not signed by {ANNA.public}"):
        unseal_in_group(forged, Reading, first)
    # somebody got hold of the key, and is no member
    outside = seal_for_group(SECRET, epoch=epoch(1, ANNA, BERT, CARL), sender=CARL)
    with pytest.raises(Unauthorized, match="no member"):
        unseal_in_group(outside, Reading, first)


def test_every_byte_counts() -> None:
    first = epoch(1, ANNA, BERT)
    body = seal_for_group(SECRET, epoch=first, sender=ANNA).SerializeToString()
    for place in range(len(body)):
        try:
            sealed = Sealed.FromString(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
        except Exception:
            continue  # not even a message any more
        with pytest.raises(Unauthorized):
            unseal_in_group(sealed, Reading, first)


# -- epochs on their way -----------------------------------------------------------------------------------------------


def test_an_epoch_reaches_those_it_is_for() -> None:
    first = epoch(1, ANNA, BERT)
    told = told_to(first, members(ANNA, BERT))
    assert first.key not in told.SerializeToString()
    assert taken(told, KEEPER.key, ANNA, 4) == taken(told, KEEPER.key, BERT, 4) == first
    assert taken(told, KEEPER.key, CARL, 4) is None
    assert taken(told_to(first, members(ANNA)), KEEPER.key, BERT, 4) is None
    with pytest.raises(Unauthorized, match="not by its keeper"):
        taken(told_to(first, members(ANNA), CARL), KEEPER.key, ANNA, 4)
    with pytest.raises(Unauthorized, match="can't be"):
        taken(told, KEEPER.key, ANNA, 1)


@pytest.mark.parametrize("change", ["group", "epoch", "keeper", "members", "signature", "nonce"])
def test_an_epoch_is_the_keepers_word_for_word(change: str) -> None:
    told = told_to(epoch(1, ANNA, BERT), members(ANNA, BERT))
    if change == "members":
        told.members.append(CARL.key)
    else:
        setattr(told, change, {"group": "other", "epoch": 2}.get(change, CARL.key))
    with pytest.raises(Unauthorized, match="not by its keeper"):
        taken(told, KEEPER.key, ANNA, 4)
    mixed = told_to(epoch(1, ANNA, BERT), members(ANNA))
    mixed.keys[0].CopyFrom(told_to(epoch(2, ANNA, BERT), members(ANNA)).keys[0])
    with pytest.raises(Unauthorized):
        taken(mixed, KEEPER.key, ANNA, 4)


@pytest.mark.parametrize("knobs", [{"keep_s": 0}, {"kept": 0}, {"members": 0}, {"ask_s": float("inf")}])
def test_knobs_that_can_not_be(knobs: Any) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(knobs))):
        GroupConfig(**knobs)


# -- fuzz --------------------------------------------------------------------------------------------------------------


class GroupFuzz(RuleBasedStateMachine):
    """People join and leave, words are lost, told again and out of order; what each can open is what it should."""

    words: Bundle[Any] = Bundle("words")

    def __init__(self) -> None:
        super().__init__()
        self.keys = keeper()
        self.rings = {pair.key: KeyRing("team", SMALL) for pair in PAIRS}
        self.now = 0.0
        self.ever: dict[int, Epoch] = {}
        self.secrets: list[Sealed] = []

    @rule(target=words, chosen=st.sets(st.sampled_from(PAIRS), max_size=4))
    def change(self, chosen: set[KeyPair]) -> Any:
        before = self.keys.epoch
        effects = self.keys.handle(Members(members(*chosen)), self.now)
        now = self.keys.epoch
        assert now is not None
        assert bool(effects) is (before is None or before.members != now.members)
        if before is not None and effects:
            assert now.number > before.number
            assert now.key != before.key
        self.ever[now.number] = now
        return told_to(now, now.members)

    @rule(word=words, pair=st.sampled_from(PAIRS))
    def hear(self, word: Any, pair: KeyPair) -> None:
        ring = self.rings[pair.key]
        before = ring.current
        told = taken(word, KEEPER.key, pair, 4)
        if told is not None:
            assert pair.key in told.members
            ring.handle(Learned(told), self.now)
        else:
            ring.handle(LeftOut(word.epoch), self.now)
        if before is not None and ring.current is not None:
            assert ring.current.number >= before.number

    @rule(pair=st.sampled_from(PAIRS))
    def speak(self, pair: KeyPair) -> None:
        current = self.rings[pair.key].current
        if current is not None:
            self.secrets.append(seal_for_group(SECRET, epoch=current, sender=pair))

    @precondition(lambda self: self.secrets)
    @rule(data=st.data(), pair=st.sampled_from(PAIRS))
    def listen(self, data: st.DataObject, pair: KeyPair) -> None:
        sealed = data.draw(st.sampled_from(self.secrets))
        known = self.rings[pair.key].get(sealed.epoch, self.now)
        if known is not None:
            assert pair.key in self.ever[sealed.epoch].members, "only who was in it ever has its key"
            assert unseal_in_group(sealed, Reading, known) == SECRET

    @rule(by_s=st.floats(0.0, 8.0))
    def wait(self, by_s: float) -> None:
        self.now += by_s
        for ring in self.rings.values():
            ring.handle(Tick(), self.now)

    @invariant()
    def bounded(self) -> None:
        for key, ring in self.rings.items():
            held = [*([ring.current] if ring.current else []), *(each for _, each in ring._replaced.values())]
            assert len(held) <= SMALL.kept + 1
            assert all(key in each.members and self.ever[each.number] == each for each in held)
            assert all(until_s <= self.now + SMALL.keep_s for until_s, _ in ring._replaced.values())


GroupFuzz.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestGroupFuzz = GroupFuzz.TestCase
