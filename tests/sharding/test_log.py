"""`fold`: what of a shard's log counts, whatever stands in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentbus.peers import PeerId
from agentbus.sharding import Attest, Claim, Segment, fold
from agentbus.sharding.codec import decode_attest, decode_entry, encode
from agentbus.sharding.log import ShardLog
from agentbus.sharding.model import Entry, digest_of


def claim(name: str, token: int, rewind_to: int = 0) -> Claim:
    return Claim(holder=PeerId(name, 1), node=f"n-{name}", token=token, rewind_to=rewind_to)


def segment(token: int, previous: int, *inputs: int) -> Segment:
    results = tuple(b"%d" % number for number in inputs)
    return Segment(
        token=token, previous=previous, inputs=inputs, results=results, digest=digest_of(b"s"), checkpoint=b"s"
    )


def attest(number: int, name: str) -> Attest:
    return Attest(segment=number, by=PeerId(name, 1))


def test_segments_of_the_holder_count_in_order() -> None:
    log = fold(enumerate([claim("a", 5), segment(5, 0, 1, 2), segment(5, 2, 7)], 1))
    assert [(link.sequence, link.first, link.last) for link in log.links] == [(2, 1, 2), (3, 7, 7)]
    assert (log.position, log.committed, log.last, log.ignored) == (7, 3, 3, 0)


def test_what_was_committed_is_not_committed_again() -> None:
    log = fold(enumerate([claim("a", 5), segment(5, 0, 1, 2), segment(5, 2, 2, 3), segment(5, 0, 1, 2)], 1))
    assert (log.committed, log.ignored) == (2, 2)


def test_nothing_counts_of_who_was_fenced_or_never_claimed() -> None:
    log = fold(enumerate([segment(5, 0, 1), claim("a", 5), claim("b", 6), segment(5, 0, 1), segment(6, 0, 1)], 1))
    assert [link.author.name for link in log.links] == ["b"]
    assert log.ignored == 2


def test_a_claim_with_an_older_token_is_no_claim() -> None:
    log = fold(enumerate([claim("b", 6), claim("a", 5), segment(5, 0, 1), claim("c", 6), segment(6, 0, 1)], 1))
    assert log.claim is not None
    assert log.claim.holder.name == "b"
    assert [link.author.name for link in log.links] == ["b"]
    assert log.ignored == 3


def test_a_claim_that_rewinds_voids_what_is_after_and_nothing_else() -> None:
    log = fold(
        enumerate([claim("a", 5), segment(5, 0, 1), segment(5, 2, 2), claim("b", 6, rewind_to=2), segment(6, 2, 2)], 1)
    )
    assert [(link.sequence, link.author.name) for link in log.links] == [(2, "a"), (5, "b")]
    assert (log.void, log.committed) == (1, 2)
    assert not log.apply(6, claim("c", 7, rewind_to=3))  # names what is void already
    assert log.claim is not None
    assert log.claim.holder.name == "b"


def test_a_segment_is_verified_by_more_than_f_others() -> None:
    log = fold(enumerate([claim("a", 5), segment(5, 0, 1), segment(5, 2, 2)], 1))
    for name in ("a", "b", "b"):
        log.apply(9, attest(2, name))
    assert log.verified(0) == 1
    assert log.verified(1) == 0
    log.apply(9, attest(2, "c"))
    assert log.verified(1) == 1
    assert log.verified(1, lambda peer: peer.name != "c") == 0
    log.apply(9, attest(3, "b"))
    assert log.verified(0) == 2


def all_but(name: str) -> Callable[[PeerId], bool]:
    return lambda peer: peer.name != name


def test_who_is_condemned_costs_what_is_not_verified_and_what_stands_on_it() -> None:
    log = fold(
        enumerate([claim("a", 5), segment(5, 0, 1), segment(5, 2, 2), claim("b", 6, rewind_to=3), segment(6, 3, 3)], 1)
    )
    log.apply(9, attest(2, "x"))
    log.apply(9, attest(5, "x"))
    assert log.suspect((), 0, all_but("a")) == 2
    assert log.suspect((), 0, all_but("b")) is None
    log.apply(9, attest(3, "y"))
    assert log.suspect((), 0, all_but("a")) is None


def test_messages_are_what_they_were() -> None:
    for entry in (claim("a", 2**60, 9), segment(5, 3, 7, 9)):
        assert decode_entry(encode(entry)) == entry
    assert decode_attest(encode(attest(7, "b"))) == attest(7, "b")
    assert decode_entry(b"\xff\xff") is None
    assert decode_entry(b"") is None
    assert decode_attest(b"\xff") is None


entries: st.SearchStrategy[Entry | None] = st.one_of(
    st.builds(claim, st.sampled_from("abc"), st.integers(1, 5), st.integers(0, 30)),
    st.builds(
        lambda token, previous, inputs: segment(token, previous, *inputs),
        st.integers(1, 5),
        st.integers(0, 30),
        st.lists(st.integers(1, 20), max_size=3),
    ),
    st.builds(attest, st.integers(1, 30), st.sampled_from("abc")),
    st.none(),
)


@given(st.lists(entries, max_size=30))
@settings(max_examples=100, deadline=None)
def test_whatever_the_log_holds_no_input_counts_twice(found: list[Entry | None]) -> None:
    log = ShardLog()
    tokens = [0]
    for sequence, entry in enumerate(found, 1):
        log.apply(sequence, entry)
        tokens.append(log.token)
        assert not log.apply(sequence, None)  # what is told again changes nothing
    assert tokens == sorted(tokens)
    firsts = [(link.first, link.last) for link in log.links]
    assert all(one[1] < other[0] for one, other in itertools.pairwise(firsts))
    assert log.committed == sum(link.inputs for link in log.links)
    assert all(
        link.previous == before
        for link, before in zip(log.links, [0, *(link.sequence for link in log.links)], strict=False)
    )


@given(st.lists(entries, max_size=30), st.sets(st.integers(1, 30)), st.sampled_from(["a", "b", "nobody"]))
@settings(max_examples=100, deadline=None)
def test_where_to_rewind_to_is_before_the_first_that_is_suspect(
    found: list[Entry | None], condemned: set[int], distrusted: str
) -> None:
    log, trusted = fold(enumerate(found, 1)), all_but(distrusted)
    suspects = [
        link.previous
        for link in log.links
        if (link.sequence in condemned or link.author.name == distrusted) and not link.verified(0, trusted)
    ]
    assert log.suspect(condemned, 0, trusted) == next(iter(suspects), None)


class TwoWriters(RuleBasedStateMachine):
    """Holders that write by compare-and-set on what they have read, some of them long fenced."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Entry] = []
        self.tokens = 0
        self.holders: list[tuple[int, ShardLog]] = []

    def store(self, log: ShardLog, entry: Entry) -> bool:
        if log.last != len(self.written):
            return False
        self.written.append(entry)
        return log.apply(len(self.written), entry)

    @rule(behind=st.integers(0, 5))
    def acquires(self, behind: int) -> None:
        self.tokens += 1
        log = fold(enumerate(self.written[: max(0, len(self.written) - behind)], 1))
        self.holders.append((self.tokens, log))
        self.store(log, claim(f"h{self.tokens}", self.tokens, log.tip_sequence))

    @precondition(lambda self: self.holders)
    @rule(data=st.data(), count=st.integers(1, 3))
    def commits(self, data: st.DataObject, count: int) -> None:
        token, log = data.draw(st.sampled_from(self.holders))
        first = log.position + 1
        stored = self.store(log, segment(token, log.tip_sequence, *range(first, first + count)))
        if stored:
            assert log.token == token, "stored by who was fenced"

    @precondition(lambda self: self.holders)
    @rule(data=st.data())
    def reads_on(self, data: st.DataObject) -> None:
        _, log = data.draw(st.sampled_from(self.holders))
        for sequence, entry in enumerate(self.written, 1):
            log.apply(sequence, entry)

    @invariant()
    def each_input_once_and_none_left_out(self) -> None:
        log = fold(enumerate(self.written, 1))
        assert log.committed == log.position
        for link in log.links:
            assert link.author.name == f"h{log.holders[int(link.author.name[1:])].token}"


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
