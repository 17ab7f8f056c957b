"""How well this node is itself (Lifeguard, section IV.A: local health aware probe)."""

from __future__ import annotations


class Awareness:
    """The local health multiplier: 0 when all is well, up to `limit`.

    It grows when answers that should have come did not, or when others suspect this node; each answered probe
    lowers it by one. Probes are slower, and wait longer, by ``1 + score``.

    Args:
        limit: the largest score; 0 turns it off.
    """

    __slots__ = ("factor", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.factor = 1

    @property
    def score(self) -> int:
        """0 (well) to `limit`."""
        return self.factor - 1

    def apply(self, delta: int) -> None:
        """Adds to the score, within 0 and `limit`."""
        self.factor = min(max(self.factor + delta, 1), self.limit + 1)
