"""Who does it, and who takes over: rendezvous hashing, and by load. Pure; the same on every node.

Source: Thaler and Ravishankar, Using name-based mappings to increase hit rates, IEEE/ACM ToN 1998.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b


def rendezvous(key: str, nodes: Iterable[str]) -> list[str]:
    """The nodes in the order of their scores for `key`, highest first: when one goes the others keep theirs."""

    def score(node: str) -> tuple[bytes, str]:
        return blake2b(f"{key}\0{node}".encode(), digest_size=8).digest(), node

    return sorted(set(nodes), key=score, reverse=True)


def least_loaded(key: str, nodes: Iterable[str], load: Callable[[str], float | None]) -> list[str]:
    """The nodes by load, least first; those whose load is unknown come last; ties in rendezvous order."""
    order = rendezvous(key, nodes)
    known = {node: load(node) for node in order}
    return sorted(order, key=lambda node: (known[node] is None, known[node] or 0.0))
