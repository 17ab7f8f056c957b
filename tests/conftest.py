"""What all tests of the hall share: the wires they run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from .secrets_shown import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """What a command sets up for its logs ends with its test: another one may look at what is logged."""
    yield
    structlog.reset_defaults()


@pytest.fixture(params=["memory"])
def url(request: pytest.FixtureRequest) -> str:
    """Where a test's nodes meet. A memory broker belongs to the test's event loop, so each test has its own."""
    return f"{request.param}://hall"
