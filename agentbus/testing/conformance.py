"""The conformance kit: holds any `Transport` to what `agentbus.transport` promises.

A third party's transport passes the same checks as NATS and the in-memory one::

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    async def test_conformance(check: Check) -> None:
        await check.run(my_factory)

or, all at once, ``await check_transport(my_factory)``. A broken promise is an `AssertionError` that names it. Every
check uses subjects and streams of its own, so it can run beside others on one broker, and every wait has a deadline.
The streams, of at most 1 MiB each, are left behind: use a broker made for tests.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..transport import TransportFactory
from .conformance_ground import BrokerControl, Check, Ground
from .conformance_jobs import JOBS
from .conformance_live import LIVE
from .conformance_outage import OUTAGE
from .conformance_storage import STORAGE, STORAGE_OUTAGE
from .conformance_streams import STREAMS

__all__ = ["CHECKS", "OUTAGE_CHECKS", "BrokerControl", "Check", "Ground", "check_transport"]

CHECKS: Sequence[Check] = (*LIVE, *STREAMS, *JOBS, *STORAGE)
"""What every transport can be held to with a factory alone."""

OUTAGE_CHECKS: Sequence[Check] = (*OUTAGE, *STORAGE_OUTAGE)
"""What needs, besides the factory, a broker that the kit may stop and start."""


async def check_transport(
    factory: TransportFactory,
    *,
    broker: BrokerControl | None = None,
    checks: Sequence[Check] | None = None,
    patience_s: float = 5.0,
) -> None:
    """Runs the checks one after the other on connections that `factory` makes.

    Args:
        factory: makes one more connected transport to one broker; the kit closes it.
        broker: stops and starts that broker. With it the `OUTAGE_CHECKS` run too.
        checks: which to run. Default: `CHECKS`, and `OUTAGE_CHECKS` with a `broker`.
        patience_s: seconds to wait for one thing that must come.

    Raises:
        AssertionError: a promise is broken; the text has the check's name, the promise and what happened.
    """
    if checks is None:
        checks = CHECKS if broker is None else (*CHECKS, *OUTAGE_CHECKS)
    for check in checks:
        await check.run(factory, patience_s=patience_s, broker=broker)
