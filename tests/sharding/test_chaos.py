"""A hundred seeds of crashes, partitions, frozen connections, a broker that dies: nothing is lost or counted twice."""

from __future__ import annotations

import pytest

from .chaos import survives


@pytest.mark.parametrize("seed", range(100))
def test_whatever_happens_the_answer_is_a_plain_loop_s(seed: int) -> None:
    survives(seed)
