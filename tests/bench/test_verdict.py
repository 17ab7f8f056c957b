"""Who was the limit: decided from the signs alone."""

from __future__ import annotations

import pytest

from bench.load.settings import Settings
from bench.load.verdict import GeneratorStrain, TargetStrain, judge

SCHEDULED = Settings(rate=1000.0)
FREE = Settings(rate=0.0)


def strain(
    *, processor: float = 0.3, loop_lag_s: float = 0.0, send_lag_s: float = 0.0005, waited_s: float = 0.0
) -> GeneratorStrain:
    return GeneratorStrain(
        processor=processor, loop_lag_s=loop_lag_s, send_lag_s=send_lag_s, waited_s=waited_s, took_s=10.0
    )


@pytest.mark.parametrize(
    ("settings", "sent", "generator", "agents", "who"),
    [
        pytest.param(SCHEDULED, 1000, strain(), 0.3, "nothing", id="kept"),
        pytest.param(SCHEDULED, 1000, strain(), 0.99, "nothing", id="kept, agents near their limit"),
        pytest.param(SCHEDULED, 1000, strain(processor=0.99), 0.3, "nothing", id="kept, though full"),
        pytest.param(SCHEDULED, 700, strain(processor=0.99, send_lag_s=2.0), 0.3, "generator", id="behind and full"),
        pytest.param(SCHEDULED, 1000, strain(processor=0.95, send_lag_s=0.05), 0.3, "generator", id="late and full"),
        pytest.param(SCHEDULED, 700, strain(loop_lag_s=0.3, send_lag_s=2.0), 0.3, "generator", id="held up"),
        pytest.param(SCHEDULED, 700, strain(send_lag_s=2.0), 0.3, "generator", id="behind, without waiting"),
        pytest.param(SCHEDULED, 700, strain(send_lag_s=2.0, waited_s=6.0), 0.3, "server", id="behind, by waiting"),
        pytest.param(SCHEDULED, 700, strain(send_lag_s=2.0, waited_s=6.0), 0.97, "agents", id="agents were full"),
        pytest.param(
            SCHEDULED, 700, strain(processor=0.95, send_lag_s=2.0, waited_s=6.0), 0.3, "server", id="full, but waiting"
        ),
        pytest.param(FREE, 1000, strain(processor=0.99), 0.3, "generator", id="free and full"),
        pytest.param(FREE, 1000, strain(), 0.97, "agents", id="free, agents full"),
        pytest.param(FREE, 1000, strain(), 0.3, "server", id="free, none full"),
    ],
)
def test_the_limit(settings: Settings, sent: int, generator: GeneratorStrain, agents: float, who: str) -> None:
    limit = judge(settings, 1000, sent, [generator], [TargetStrain(agents, 0.0)])
    assert limit.who == who
    assert limit.text.endswith(")")


def test_one_slow_generator_of_several_is_enough() -> None:
    slow = strain(processor=1.0, send_lag_s=1.0)
    limit = judge(SCHEDULED, 1000, 800, [strain(), slow], [TargetStrain(0.2, 0.0)])
    assert limit.who == "generator"


def test_agents_near_their_limit_are_told_even_when_the_schedule_was_kept() -> None:
    limit = judge(SCHEDULED, 1000, 1000, [strain()], [TargetStrain(0.99, 0.0)])
    assert "near their limit" in limit.text
