"""What all tests of the hall share: the wires they run on."""

from __future__ import annotations

import pytest

from .secrets_shown import pytest_runtest_makereport

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture(params=["memory"])
def url(request: pytest.FixtureRequest) -> str:
    """Where a test's nodes meet. A memory broker belongs to the test's event loop, so each test has its own."""
    return f"{request.param}://hall"
