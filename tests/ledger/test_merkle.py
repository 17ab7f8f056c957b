"""The tree: Certificate Transparency's vectors, and proofs of all sizes against the plain definition."""

from __future__ import annotations

from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.ledger.merkle import (
    EMPTY,
    CompactRange,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    range_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The entries, roots and proofs that implementations of RFC 6962 are checked against.
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSIONS = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
CONSISTENCIES = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962's definition, word for word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else EMPTY
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(plain_root(leaves[:k]), plain_root(leaves[k:]))


def hashes(leaves: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    """Of ranges, by perfect subtrees."""

    def node(level: int, index: int) -> bytes:
        return plain_root(leaves[index << level : (index + 1) << level])

    return [range_hash(begin, end, node) for begin, end in ranges]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    compact = CompactRange()
    for leaf in LEAVES[:size]:
        compact.append(leaf)
    assert root_of(LEAVES[:size]).hex() == compact.root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_inclusion_proofs_are_those_of_certificate_transparency(index: int, size: int) -> None:
    proof = hashes(LEAVES, inclusion_ranges(index, size))
    assert tuple(each.hex() for each in proof) == INCLUSIONS[index, size]
    assert verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new"), CONSISTENCIES)
def test_consistency_proofs_are_those_of_certificate_transparency(old: int, new: int) -> None:
    proof = hashes(LEAVES, consistency_ranges(old, new))
    assert tuple(each.hex() for each in proof) == CONSISTENCIES[old, new]
    assert verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), proof)


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65])
def test_each_record_of_each_size_is_proved_and_no_other(size: int) -> None:
    leaves = leaves_of(size)
    root = plain_root(leaves)
    assert root_of(leaves) == root
    for index in range(size):
        proof = hashes(leaves, inclusion_ranges(index, size))
        assert len(proof) <= ceil(log2(size))
        assert verify_inclusion(leaves[index], index, size, proof, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
        assert not verify_inclusion(leaves[index], index + size, size, proof, root)
        assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
        assert not verify_inclusion(leaves[index], index, size, proof[:-1], root) or not proof
        for other in range(size):
            assert other == index or not verify_inclusion(leaves[index], other, size, proof, root)


@pytest.mark.parametrize("new", [*range(1, 34), 64, 65])
def test_each_size_is_proved_from_each_before(new: int) -> None:
    leaves = leaves_of(new)
    root = plain_root(leaves)
    for old in range(new + 1):
        before = plain_root(leaves[:old])
        proof = hashes(leaves, consistency_ranges(old, new))
        assert verify_consistency(old, new, before, root, proof)
        assert not verify_consistency(old, new, leaf_hash(b"other"), root, proof)
        assert not verify_consistency(old, new, before, leaf_hash(b"other"), proof) or old == 0
        assert not verify_consistency(old, new, before, root, [*proof, root])
        assert not proof or not verify_consistency(old, new, before, root, proof[:-1])
        assert not verify_consistency(new + 1, new, before, root, proof)


@settings(deadline=None)
@given(st.data())
def test_a_proof_that_is_altered_proves_nothing(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    leaves = leaves_of(size)
    root = root_of(leaves)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    inclusion = hashes(leaves, inclusion_ranges(index, size))
    consistency = hashes(leaves, consistency_ranges(old, size))
    assert verify_inclusion(leaves[index], index, size, inclusion, root)
    assert verify_consistency(old, size, root_of(leaves[:old]), root, consistency)
    for proof in (inclusion, consistency):
        at = data.draw(st.integers(0, len(proof) - 1))
        byte = data.draw(st.integers(0, 31))
        altered = bytearray(proof[at])
        altered[byte] ^= data.draw(st.integers(1, 255))
        wrong = [*proof[:at], bytes(altered), *proof[at + 1 :]]
        if proof is inclusion:
            assert not verify_inclusion(leaves[index], index, size, wrong, root)
        else:
            assert not verify_consistency(old, size, root_of(leaves[:old]), root, wrong)


@settings(deadline=None)
@given(
    st.binary(max_size=80),
    st.integers(0, 1 << 70),
    st.integers(0, 1 << 70),
    st.lists(st.binary(max_size=40), max_size=5),
)
def test_verification_withstands_anything(content: bytes, one: int, two: int, proof: list[bytes]) -> None:
    assert not verify_inclusion(content, one, two, proof, content) or (one, two) == (0, 1)
    assert not verify_consistency(one, two, content, content, proof) or one == two
