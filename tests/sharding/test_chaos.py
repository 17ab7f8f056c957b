"""A hundred seeds of crashes, partitions, frozen connections, a broker that dies: nothing lost, nothing counted twice."""

from __future__ import annotations

import pytest

from .chaos import survives

EACH = 5


@pytest.mark.parametrize("first", range(0, 100, EACH))
def test_whatever_happens_the_answer_is_a_plain_loop_s(first: int) -> None:
    for seed in range(first, first + EACH):
        survives(seed)
