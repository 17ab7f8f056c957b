"""The work and the known answer: saved states go on bit for bit, and what is lost, wrong or double is found."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from agentbus.peers import PeerId
from agentbus.sharding import Claim, Segment
from examples.selfhealing.answer import PlainLoop, compare
from examples.selfhealing.ledger import Ledger
from examples.selfhealing.mischief import Mischief
from examples.selfhealing.scoring import Floats, Scoring, pack, scores_of, unpack
from examples.selfhealing.timeline import What


def records(number: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(number, 3))


def loop(number: int = 1000, shards: int = 3, batch: int = 40) -> PlainLoop:
    plain = PlainLoop(records(number), Scoring(3), shards=shards, batch=batch)
    while not plain.passes:
        plain.deal()
    return plain


def answered(plain: PlainLoop) -> list[list[tuple[int, bytes]]]:
    return [list(enumerate(results)) for results in plain.results]


def test_a_state_that_was_saved_goes_on_bit_for_bit() -> None:
    scoring = Scoring(3)
    one, other = scoring.begin(0), scoring.begin(0)
    for number in range(30):
        batch = pack(number * 33, 0, records(33, seed=number))
        other = scoring.restore(scoring.snapshot(other))
        assert scoring.step(one, batch) == scoring.step(other, batch)
        assert scoring.snapshot(one) == scoring.snapshot(other)
    assert scores_of(scoring.step(one, pack(0, 0, records(8)))).any(), "a window was complete: there are scores"


def test_what_is_no_saved_state_is_refused() -> None:
    scoring = Scoring(3)
    state = scoring.begin(2)
    scoring.step(state, pack(0, 2, records(300)))
    saved = scoring.snapshot(state)
    for bad in (b"", saved[:9], saved[:-1], b"HST2" + saved[4:], saved[:4] + b"\xff" * 7 + saved[11:]):
        with pytest.raises(ValueError, match="no saved state"):
            scoring.restore(bad)


def test_a_batch_is_what_was_packed() -> None:
    rows = records(5)
    unpacked = unpack(pack(7, 3, rows))
    assert (unpacked.first, unpacked.shard) == (7, 3)
    assert (unpacked.records == rows).all()
    for bad in (b"", b"x" * 20, pack(7, 3, rows)[:-8], pack(7, 3, rows[:0])):
        with pytest.raises(ValueError, match="no batch"):
            unpack(bad)
    with pytest.raises(ValueError, match="3 values a record, not 2"):
        Scoring(2).step(Scoring(2).begin(0), pack(7, 3, rows))


def test_the_stream_begins_again_and_every_record_is_dealt_once_a_pass() -> None:
    plain = PlainLoop(records(100), Scoring(3), shards=3, batch=40)
    batches = [plain.deal() for _ in range(6)]
    assert [batch.shard for batch in batches] == [0, 1, 2, 0, 1, 2]
    assert [batch.first for batch in batches] == [0, 40, 80, 100, 140, 180]
    assert [batch.index for batch in batches] == [0, 0, 0, 1, 1, 1]
    assert (plain.dealt, plain.passes) == (200, 2)
    assert unpack(batches[0].body).records.tolist() == unpack(batches[3].body).records.tolist()


def test_an_equal_answer_is_equal() -> None:
    plain = loop()
    same = compare(plain, answered(plain))
    assert same.ok
    assert (same.records, same.equal) == (1000, 1000)


def test_what_is_lost_double_or_wrong_is_counted_by_the_record() -> None:
    plain = loop()
    lost = answered(plain)
    lost[1].pop()
    assert not compare(plain, lost).ok
    assert compare(plain, lost).lost == 40
    twice = answered(plain)
    twice[2].append(twice[2][0])
    assert compare(plain, twice).twice == 40
    unknown = answered(plain)
    unknown[0].append((99, b""))
    assert compare(plain, unknown).twice == 1
    wrong = answered(plain)
    index, result = wrong[0][-1]
    scores = scores_of(result).copy()
    scores[3] = np.nextafter(scores[3], 2.0)
    wrong[0][-1] = (index, scores.tobytes())
    assert compare(plain, wrong).differing == 1
    short = answered(plain)
    index, result = short[0][-1]
    short[0][-1] = (index, result[:-8])
    assert compare(plain, short).lost == 1


class Told:
    def __init__(self) -> None:
        self.facts: list[tuple[What, dict[str, Any]]] = []

    def __call__(self, what: What, **facts: Any) -> None:
        self.facts.append((what, facts))


def segment(plain: PlainLoop, token: int, previous: int, first: int, last: int, **changes: Any) -> Segment:
    facts: dict[str, Any] = {
        "token": token,
        "previous": previous,
        "inputs": tuple(range(first + 1, last + 1)),
        "results": tuple(plain.results[0][first:last]),
        "digest": plain.digests[0][last - 1],
        "checkpoint": b"",
    }
    return Segment(**{**facts, **changes})


def claim(name: str, token: int, rewind_to: int = 0) -> Claim:
    return Claim(holder=PeerId(name, token), node=name, token=token, rewind_to=rewind_to)


def test_the_ledger_tells_what_is_right_and_what_became_void() -> None:
    plain, told = loop(shards=1), Told()
    ledger = Ledger(plain, 1, told)
    ledger.read(0, 1, claim("a", 1))
    ledger.read(0, 2, segment(plain, 1, 0, 0, 2))
    ledger.read(0, 3, segment(plain, 1, 2, 2, 3, results=(bytes(319) + b"\x01",)))
    ledger.read(0, 4, claim("b", 2, rewind_to=2))
    ledger.read(0, 5, segment(plain, 1, 3, 3, 4))  # of a zombie: it counts for nothing
    ledger.read(0, 6, segment(plain, 2, 2, 2, 3, digest=hashlib.sha256(b"poison").digest()))
    ledger.read(0, 7, None)
    assert [(what, facts["who"], facts["records"], facts.get("right")) for what, facts in told.facts] == [
        (What.CLAIMED, "a", 0, None),
        (What.COMMITTED, "a", 80, True),
        (What.COMMITTED, "a", 40, False),
        (What.CLAIMED, "b", 40, None),
        (What.COMMITTED, "b", 40, False),
    ]
    assert ledger.committed == 3
    assert ledger.inputs(0) == [1, 2, 3]
    assert ledger.answer() == [list(enumerate(plain.results[0][:3]))]
    assert ledger.verified(0) == 0


def test_a_liar_changes_the_share_that_it_is_told_to_and_only_of_its_own() -> None:
    batch = pack(0, 0, records(2000))
    right = np.linspace(0.0, 0.4, 2000).astype("<f8").tobytes()
    mischief = Mischief()
    assert mischief.results(batch, right, own=True) == right
    mischief.lie({"share": 0.1, "poison": False, "accuse": False})
    told = mischief.results(batch, right, own=True)
    assert told == mischief.results(batch, right, own=True)
    assert 150 < (scores_of(told) != scores_of(right)).sum() < 250
    assert mischief.results(batch, right, own=False) == right
    mischief.lie({"share": 0.1, "poison": False, "accuse": True})
    assert mischief.results(batch, right, own=False) != right


def test_a_poisoner_saves_another_state_and_scores_right() -> None:
    scoring, mischief = Scoring(3), Mischief()
    state = scoring.begin(0)
    scoring.step(state, pack(0, 0, records(100)))
    mischief.lie({"share": 1.0, "poison": True, "accuse": False})
    saved = scoring.snapshot(state)
    assert scoring.snapshot(mischief.state(state, own=True)) != saved
    assert scoring.snapshot(mischief.state(state, own=False)) == saved
    assert scoring.snapshot(state) == saved
    assert mischief.results(pack(0, 0, records(5)), bytes(40), own=True) == bytes(40)
