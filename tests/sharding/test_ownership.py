"""Who holds which shard: by the hash, with patience, without storms."""

from __future__ import annotations

from collections import Counter

import pytest

from agentbus.errors import ConfigurationError
from agentbus.peers import PeerId
from agentbus.sharding import Finding, ShardConfig, ShardJob
from agentbus.sharding.checks import Checks
from agentbus.sharding.machine import Candidate, Drop, Look, Ownership, Take, ranking
from agentbus.sharding.model import parse_evidence

JOB = ShardJob(name="job", shards=60)
CONFIG = ShardConfig()


def peer(index: int, epoch: int = 1) -> PeerId:
    return PeerId(f"w{index}", epoch)


def candidates(count: int) -> list[Candidate]:
    return [Candidate(peer=peer(index)) for index in range(count)]


def firsts(of: list[Candidate]) -> dict[int, PeerId]:
    return {shard: ranking("job", shard, of)[0].peer for shard in range(JOB.shards)}


def test_who_leaves_moves_its_own_shards_only() -> None:
    before, after = firsts(candidates(6)), firsts(candidates(5))
    moved = {shard for shard in before if before[shard] != after[shard]}
    assert moved == {shard for shard, holder in before.items() if holder == peer(5)} != set()


def test_a_new_life_gets_the_shards_of_the_one_before() -> None:
    again = [*candidates(5), Candidate(peer=peer(5, epoch=9))]
    assert {shard: holder.name for shard, holder in firsts(again).items()} == {
        shard: holder.name for shard, holder in firsts(candidates(6)).items()
    }


def test_a_small_weight_is_a_small_share() -> None:
    of = [*candidates(5), Candidate(peer=peer(5), weight=0.25)]
    share = Counter(ranking("job", shard, of)[0].peer for shard in range(6000))
    assert share[peer(5)] == pytest.approx(6000 * 0.25 / 5.25, rel=0.2)
    assert share[peer(0)] == pytest.approx(6000 / 5.25, rel=0.1)


def look(count: int, held: set[int], holders: dict[int, PeerId]) -> Look:
    return Look(candidates=candidates(count), held=frozenset(held), holders=holders)


def test_the_first_wants_it_at_once_and_the_next_with_patience() -> None:
    ranks = {index: [one.peer for one in ranking("job", 0, candidates(5))].index(peer(index)) for index in range(5)}
    for index in range(5):
        effects = Ownership(peer(index), JOB, CONFIG, 0.0).handle(look(5, set(), {}), 0.0)
        takes = {effect.shard: effect.patience_s for effect in effects if isinstance(effect, Take)}
        assert takes[0] == ranks[index] * CONFIG.patience_s
        assert len(takes) == JOB.shards


def test_a_shard_in_living_hands_is_watched_by_few() -> None:
    holders = dict.fromkeys(range(JOB.shards), peer(9))
    watching = Counter[int]()
    for index in range(10):
        effects = Ownership(peer(index), JOB, CONFIG, 0.0).handle(look(10, set(), holders), 0.0)
        watching.update(effect.shard for effect in effects if isinstance(effect, Take) and index != 9)
    assert all(2 <= watching[shard] <= CONFIG.watchers for shard in range(JOB.shards))


def test_a_shard_is_given_back_when_its_first_has_settled() -> None:
    mine = next(shard for shard, first in firsts(candidates(3)).items() if first == peer(2))
    machine = Ownership(peer(0), JOB, CONFIG, 0.0)
    holders = {mine: peer(0)}
    machine.handle(look(2, {mine}, holders), 0.0)
    for now in (1.0, 3.0, 5.9):
        assert not [e for e in machine.handle(look(3, {mine}, holders), now) if isinstance(e, Drop)]
    dropped = [e for e in machine.handle(look(3, {mine}, holders), 6.0) if isinstance(e, Drop)]
    assert [effect.shard for effect in dropped] == [mine]


def test_who_was_away_itself_has_not_seen_others_settle() -> None:
    mine = next(shard for shard, first in firsts(candidates(3)).items() if first == peer(2))
    machine = Ownership(peer(0), JOB, CONFIG, 0.0)
    seen = look(3, {mine}, {mine: peer(0)})
    machine.handle(look(2, {mine}, {mine: peer(0)}), 0.0)
    machine.handle(seen, 1.0)
    assert not [e for e in machine.handle(seen, 30.0) if isinstance(e, Drop)]
    step = CONFIG.settle_s / 2
    assert not [e for e in machine.handle(seen, 30.0 + step) if isinstance(e, Drop)]
    assert [e.shard for e in machine.handle(seen, 30.0 + 2 * step) if isinstance(e, Drop)] == [mine]


def test_a_worker_that_flaps_moves_its_shards_once() -> None:
    mine = next(shard for shard, first in firsts(candidates(3)).items() if first == peer(2))
    machine = Ownership(peer(0), JOB, CONFIG, 0.0)
    visits: set[int] = set()
    for step in range(600):  # 3 s away, 7 s there: longer than settle_s, for a minute
        there = step % 100 >= 30
        effects = machine.handle(look(3 if there else 2, {mine}, {mine: peer(0)}), step * 0.1)
        if any(isinstance(effect, Drop) and effect.shard == mine for effect in effects):
            visits.add(step // 100)
    assert visits == {0}
    for step in range(600, 2600):
        effects = machine.handle(look(3, {mine}, {mine: peer(0)}), step * 0.1)
        if any(isinstance(effect, Drop) and effect.shard == mine for effect in effects):
            break
    else:
        raise AssertionError("never given back though it stays")
    assert step * 0.1 > 60.0 + 2 * CONFIG.settle_s


def test_who_is_no_candidate_drops_everything() -> None:
    machine = Ownership(peer(0), JOB, CONFIG, 0.0)
    machine.handle(look(3, set(), {}), 0.0)
    others = Look(candidates=candidates(3)[1:], held=frozenset({1, 2}), holders={})
    effects = machine.handle(others, 1.0)
    assert {effect.shard for effect in effects if isinstance(effect, Drop)} == set(range(JOB.shards))
    assert machine.handle(Look(candidates=candidates(3)[1:], held=frozenset(), holders={}), 2.0) == []


def test_nobody_takes_more_than_the_limit() -> None:
    config = ShardConfig(limit=4)
    machine = Ownership(peer(0), JOB, config, 0.0)
    effects = machine.handle(look(1, set(), {}), 0.0)
    assert len([effect for effect in effects if isinstance(effect, Take)]) == 4


@pytest.mark.parametrize(("others", "liars"), [(3, 1), (4, 1), (11, 1), (11, 3), (127, 3)])
def test_a_segment_is_checked_by_an_honest_one_with_q(others: int, liars: int) -> None:
    config = ShardConfig(liars=liars)
    missed = (1.0 - config.draw_probability(others)) ** (others - liars)
    assert 1.0 - missed >= 0.8 - 1e-9
    assert config.draw_probability(others) * (others - liars) >= min(liars + 1, others - liars) - 1e-9


def test_a_segment_is_drawn_for_again_until_it_is_verified() -> None:
    draws = iter([0.9, 0.9, 0.0])
    checks = Checks(ShardConfig(recheck_s=2.0, liars=1), lambda: next(draws))
    checks.seen((0, 7), peer(1), 0.0)
    for now, queued in ((0.0, 0), (1.0, 0), (2.0, 0), (4.0, 1)):
        assert checks.settle(lambda key: True, 9, now) == []
        assert checks.waiting == queued
    assert checks.next() == (0, 7)
    assert checks.next() is None
    checks.found((0, 7), Finding.DENIED)
    checks.settle(lambda key: True, 9, 6.0)
    assert len(checks) == 0


def test_who_was_found_wrong_is_accused_again_as_long_as_it_counts() -> None:
    checks = Checks(ShardConfig(recheck_s=2.0), lambda: 0.0)
    checks.seen((0, 7), peer(1), 0.0)
    checks.settle(lambda key: True, 9, 0.0)
    assert checks.next() == (0, 7)
    checks.found((0, 7), Finding.CONFIRMED)
    assert checks.settle(lambda key: True, 9, 2.0) == [(0, 7)]
    assert checks.settle(lambda key: True, 9, 3.0) == []
    assert checks.settle(lambda key: True, 9, 4.0) == [(0, 7)]
    assert checks.settle(lambda key: False, 9, 6.0) == []
    assert len(checks) == 0


def test_the_oldest_check_gives_way_at_the_limit() -> None:
    checks = Checks(ShardConfig(max_checks=2), lambda: 0.0)
    for number in range(5):
        checks.seen((0, number), peer(1), 0.0)
    checks.settle(lambda key: True, 9, 0.0)
    assert [checks.next(), checks.next(), checks.next()] == [(0, 4), (0, 3), None]


def test_at_the_limit_who_commits_most_gives_way() -> None:
    checks = Checks(ShardConfig(max_checks=4), lambda: 0.0)
    checks.seen((1, 1), peer(2), 0.0)
    for number in range(9):
        checks.seen((0, number), peer(1), 0.0)
    checks.settle(lambda key: True, 9, 0.0)
    assert checks.waiting == 4
    assert (1, 1) in [checks.next(), checks.next()]


def test_authors_take_turns_and_of_each_the_newest_and_the_oldest() -> None:
    checks = Checks(ShardConfig(), lambda: 0.0)
    for number in range(6):
        checks.seen((0, number), peer(1), 0.0)
    for number in range(3):
        checks.seen((1, number), peer(2), 0.0)
    checks.seen((2, 0), peer(3), 0.0)
    checks.settle(lambda key: True, 9, 0.0)
    order = [checks.next() for _ in range(10)]
    assert order[:3] == [(0, 5), (1, 0), (2, 0)]
    assert order[3:7] == [(0, 0), (1, 2), (0, 1), (1, 1)]
    assert sorted(key for key in order if key) == [(0, n) for n in range(6)] + [(1, n) for n in range(3)] + [(2, 0)]


def test_who_was_found_wrong_is_checked_last() -> None:
    checks = Checks(ShardConfig(), lambda: 0.0)
    for number in range(3):
        checks.seen((0, number), peer(1), 0.0)
        checks.seen((1, number), peer(2), 0.0)
    checks.settle(lambda key: True, 9, 0.0)
    first = checks.next()
    assert first == (0, 2)
    checks.found(first, Finding.CONFIRMED)
    assert [shard for shard, _ in (key for key in iter(checks.next, None) if key)] == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("wrong", [{"checked": 1.0}, {"liars": -1}, {"settle_s": 0.0}, {"probation_weight": 0.0}])
def test_knobs_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        ShardConfig(**wrong)  # type: ignore[arg-type]


def test_evidence_is_job_shard_sequence() -> None:
    assert parse_evidence("job/3/17") == ("job", 3, 17)
    assert parse_evidence("job/3") is parse_evidence("job/-1/2") is parse_evidence("a/b/c/d") is None
