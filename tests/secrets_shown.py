"""No test's output shows a secret: a test that prints or logs one fails, whatever it is about.

Looked for: seeds of keys in NATS's form, private keys in PEM, user JWTs, passwords in URLs; in what a test and the
processes that it started printed, and in what was logged. Secrets that hide elsewhere (``ps``, errors, what commands
print) have tests of their own, with planted markers: tests/security/realms/test_secrets.py.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Final

import pytest

SECRETS: Final = {
    "the seed of a key": re.compile(r"\bS[OAUNCX][A-Z2-7]{56}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a user's JWT": re.compile(r"\beyJ0eXAiOiJKV1Qi[\w-]+\.[\w-]+\.[\w-]{20,}"),
    "a password in a URL": re.compile(r"\b(?:nats|tls)://[^\s/:@]+:(?!\*)[^\s/@]+@"),
}


def secrets_in(text: str) -> list[str]:
    """What secrets a text shows, in words."""
    return [what for what, pattern in SECRETS.items() if pattern.search(text)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test that ends and whose output shows a secret."""
    report = yield
    shown = sorted({what for _, text in report.sections for what in secrets_in(text)})
    if shown and report.when == "teardown":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} shows {', '.join(shown)} in what it printed or logged"
    return report
