"""Pages of claims: bounded, and what they forget is refused from then on; also when several nodes share them, one of
which may lie, and writes are lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.errors import StorageFailed
from agentbus.security import pages as module
from agentbus.security.claims import Claim
from agentbus.security.pages import MAX_STREAMS, PAGE_BYTES, Page, SharedPage

HANDLED = (Claim.FIRST, Claim.AGAIN)


def name_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_a_page_is_bounded_and_refuses_copies_of_what_it_forgot() -> None:
    page = SharedPage(Page())
    for stream in range(1, 1001):
        assert page.claim(name_of(stream), 1, stream, issued_us=stream) is Claim.FIRST
        page.own.complete(name_of(stream), 1, stream)
        assert len(page.own.to_bytes()) <= PAGE_BYTES + 100
        page.written()
    kept = SharedPage(Page.from_bytes(page.own.to_bytes()))
    assert 70 < len(kept.own) < 90
    for stream in range(1, 1001):
        found = kept.claim(name_of(stream), 1, 5000, issued_us=stream)
        assert found is (Claim.DONE if stream > 1000 - len(kept.own) else Claim.FORGOTTEN), stream
    assert len(kept.own) < 90, "what is refused takes no room"
    assert not kept.changed


def test_a_forgotten_stream_goes_on_and_what_it_had_claimed_is_refused() -> None:
    page = SharedPage(Page())
    for number in (1, 3):
        page.claim(name_of(0), number, number, issued_us=number)
        page.own.complete(name_of(0), number, number)
    for stream in range(1, 200):
        page.claim(name_of(stream), 1, stream, issued_us=stream)
        page.own.complete(name_of(stream), 1, stream)
    page.own.to_bytes()
    page.written()
    assert page.own.claims(name_of(0)) is None
    assert page.claim(name_of(0), 4, 1000, issued_us=1000) is Claim.FIRST
    assert [page.claim(name_of(0), number, 2000, issued_us=number) for number in (1, 2, 3)] == [Claim.FORGOTTEN] * 3
    assert page.claim(name_of(0), 2, 2000, issued_us=999) is Claim.FIRST, "later than what was forgotten"


def test_what_is_open_is_not_forgotten_but_when_there_is_too_much_of_it() -> None:
    page = SharedPage(Page())
    for stream in range(MAX_STREAMS):
        page.claim(name_of(stream), 1, stream, issued_us=stream + 1)
    page.own.to_bytes()
    page.written()
    assert page.claim(name_of(0), 1, 0, issued_us=1) is Claim.AGAIN
    assert not page.changed
    for stream in range(MAX_STREAMS, 2 * MAX_STREAMS):
        page.claim(name_of(stream), 1, stream, issued_us=stream + 1)
    assert len(Page.from_bytes(page.own.to_bytes())) == MAX_STREAMS
    page.written()
    assert page.claim(name_of(1), 1, 1, issued_us=2) is Claim.FORGOTTEN


def test_the_floor_of_a_liar_goes_with_its_page() -> None:
    liar = Page()
    liar.floor_us = 1 << 62
    own = SharedPage(Page(), [liar])
    assert own.claim(name_of(1), 1, 1, issued_us=5) is Claim.FORGOTTEN
    assert own.own.to_bytes() == Page().to_bytes()
    assert SharedPage(own.own).claim(name_of(1), 1, 1, issued_us=5) is Claim.FIRST


def test_what_one_node_has_forgotten_is_delivered_again_while_another_has_it_open() -> None:
    dead, own = SharedPage(Page()), SharedPage(Page())
    dead.claim(name_of(0), 1, 1, issued_us=1)
    for stream in range(1, 200):
        own.claim(name_of(stream), 1, stream + 1, issued_us=stream + 1)
        own.own.complete(name_of(stream), 1, stream + 1)
    shared = SharedPage(Page.from_bytes(own.own.to_bytes()), [dead.own])
    assert shared.claim(name_of(0), 1, 9, issued_us=1) is Claim.COPY
    assert shared.claim(name_of(0), 1, 1, issued_us=1) is Claim.AGAIN
    assert shared.changed, "it is claimed in its own page before it is handled"


@given(st.binary(max_size=200))
def test_bytes_of_chance_are_read_or_refused(kept: bytes) -> None:
    try:
        page = Page.from_bytes(kept)
    except StorageFailed:
        return
    assert not kept or len(Page.from_bytes(page.to_bytes())) <= len(page)


# -- several nodes -----------------------------------------------------------------------------------------------------


@dataclass
class Log:
    """The newest page of each node."""

    kept: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    revision: int = 0

    def write(self, node: str, body: bytes) -> int:
        self.revision += 1
        self.kept[node] = (self.revision, body)
        return self.revision


class Node:
    """An honest node, as `Positions` does it."""

    def __init__(self, name: str, log: Log) -> None:
        self.name, self.log = name, log
        self.shared: SharedPage | None = None
        self.own = b""
        self.others: dict[str, Page] = {}
        self.revision = 0
        self.completed: list[tuple[bytes, int, int]] = []
        self.handled: set[tuple[int, int, int]] = set()

    def deliver(self, stream: int, number: int, place: int, *, lost: bool) -> Claim:
        while True:
            if self.shared is None:
                news = sorted((at, node, body) for node, (at, body) in self.log.kept.items() if at > self.revision)
                for revision, node, body in news[: 1 if self.revision else None]:
                    self.revision = revision
                    if node == self.name:
                        self.own = body
                    else:
                        self.others[node] = Page.from_bytes(body)
                self.shared = SharedPage(Page.from_bytes(self.own), self.others.values())
            for done in self.completed:
                self.shared.own.complete(*done)
            found = self.shared.claim(name_of(stream), number, place, issued_of(stream, number))
            if not self.shared.changed:
                break
            if self.revision != self.log.revision:
                self.shared = None
                continue
            body = self.shared.own.to_bytes()
            revision = self.log.write(self.name, body)
            if not lost:
                self.own, self.revision = body, revision
                self.shared.written()
                self.completed.clear()
                break
            self.shared, lost = None, False
        if found in HANDLED:
            self.handled.add((stream, number, place))
        return found


def issued_of(stream: int, number: int) -> int:
    return 1 + 3 * stream + number


DEEDS = st.sampled_from(["deliver"] * 6 + ["complete"] * 4 + ["restart", "lie", "unsay"])
ACTS = st.lists(
    st.tuples(
        DEEDS, st.sampled_from("ab"), st.integers(0, 5), st.sampled_from([1, 2, 9000]), st.integers(1, 2), st.booleans()
    ),
    min_size=20,
    max_size=80,
)
Act = tuple[str, str, int, int, int, bool]


@settings(max_examples=150)
@given(ACTS, st.booleans())
def test_a_frame_is_handled_from_one_place_whatever_is_forgotten(acts: list[Act], lies: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE_BYTES", 120)
        done(acts, lies)


def done(acts: list[Act], lies: bool) -> None:
    log, said = Log(), SharedPage(Page())
    nodes = {name: Node(name, log) for name in "ab"}
    places: dict[tuple[int, int], int] = {}
    completed: set[tuple[int, int]] = set()
    for act, name, stream, number, place, flag in acts:
        node = nodes[name]
        match act:
            case "deliver":
                found = node.deliver(stream, number, place, lost=flag)
                if found in HANDLED:
                    assert places.setdefault((stream, number), place) == place, "handled from two places"
                elif not lies and places.get((stream, number)) == place:
                    assert (stream, number) in completed, f"{name}: {found} for what nobody has completed"
            case "complete":
                if (stream, number, place) in node.handled:
                    node.completed.append((name_of(stream), number, place))
                    completed.add((stream, number))
            case "restart":
                nodes[name] = Node(name, log)
                nodes[name].handled = node.handled
            case "lie" if lies:
                said.claim(name_of(stream), number, place, issued_of(stream, number))
                if flag:
                    said.own.complete(name_of(stream), number, place)
                log.write("x", said.own.to_bytes())
                said.written()
            case "unsay" if lies:
                said = SharedPage(Page())
                log.write("x", b"")
            case _:
                pass
