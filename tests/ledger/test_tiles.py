"""Tiles: where they lie, what is in them, and an edge that is taken up again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.errors import LedgerInvalid
from agentbus.ledger.merkle import leaf_hash, root_of
from agentbus.ledger.tiles import (
    BUNDLE,
    Place,
    Tail,
    decode_bundle,
    edge,
    encode_bundle,
    hashes_in,
    place_of,
    tile_of,
)
from tests.ledger.logs import entries


def test_paths_are_those_of_the_specification() -> None:
    assert Place(0, 1234067).path == "tile/0/x001/x234/067"
    assert Place(3, 7, 17).path == "tile/3/007.p/17"
    assert Place(BUNDLE, 1000, 1).path == "tile/entries/x001/000.p/1"


def test_the_edge_is_that_of_the_specification() -> None:
    """A tree of 70,000: one partial tile of 112 at level 0, of 17 at level 1, of 1 at level 2."""
    tiles = [place for place in edge(70_000) if place.level != BUNDLE]
    assert tiles == [Place(0, 273, 112), Place(1, 1, 17), Place(2, 0, 1)]
    assert [place for place in edge(256) if place.level != BUNDLE] == [Place(1, 0, 1)]
    assert edge(0) == []


@settings(deadline=None)
@given(st.integers(-1, 6), st.integers(0, 10**9), st.integers(1, 256))
def test_a_path_says_its_place(level: int, number: int, width: int) -> None:
    place = Place(level, number, width)
    assert place_of(place.path) == place


@pytest.mark.parametrize(
    "path",
    ["tile/0/1", "tile/00/001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/x000/001", "tile/-1/001", "checkpoint"],
)
def test_other_paths_are_no_places(path: str) -> None:
    assert place_of(path) is None


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_comes_back(records: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(records)) == records


def test_a_bundle_that_is_cut_off_says_where() -> None:
    content = encode_bundle([b"one", b"two", b"three"])
    with pytest.raises(LedgerInvalid) as caught:
        decode_bundle(content[:-1])
    assert caught.value.index == 2
    with pytest.raises(LedgerInvalid):
        decode_bundle(content[:-6])


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_050])
def test_the_tail_has_the_root_and_the_files_of_its_tree(size: int) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    tail = Tail()
    tail.extend(b"%d" % number for number in range(size))
    snapshot = tail.snapshot()
    files = dict(snapshot.files)
    assert (snapshot.size, snapshot.root) == (size, root_of(leaves))
    stored = [each for number in range(-(-size // 256)) for each in hashes_in(_file(files, 0, number, size))]
    assert stored == leaves
    again = Tail.at(size, lambda place: files[place.path])
    assert again.root() == snapshot.root
    again.extend(entries(300))
    tail.extend(entries(300))
    assert again.snapshot().files == tail.snapshot().files
    assert tail.snapshot().files == tuple(
        (place.path, dict(tail.snapshot().files)[place.path]) for place in edge(size + 300)
    )


def _file(files: dict[str, bytes], level: int, number: int, size: int) -> bytes:
    width = min(256, (size >> 8 * level) - 256 * number)
    return files[Place(level, number, width).path]


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 1 << 30))
def test_a_subtree_is_in_one_tile(level: int, index: int) -> None:
    tile_level, number, part = tile_of(level, index)
    assert part.stop - part.start == 1 << level % 8
    assert 0 <= part.start < part.stop <= 256
    first = (number * 256 + part.start) << 8 * tile_level
    assert first == index << level
