"""A test that shows a secret fails, also when it passes otherwise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentbus.security import KeyPair
from tests.secrets_shown import secrets_in

HERE = Path(__file__).parents[2]
PRINTING = """
import os, subprocess, sys

def test_prints():
    {0}
"""


def outcome(tmp_path: Path, statement: str) -> tuple[int, str]:
    test = tmp_path / "test_printing.py"
    test.write_text(PRINTING.format(statement))
    words = ("-m", "pytest", "-p", "tests.secrets_shown", "-p", "no:cacheprovider", "--rootdir", tmp_path, test)
    done = subprocess.run([sys.executable, *words], cwd=HERE, capture_output=True, text=True, timeout=15, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("statement", ["print({0!r})", "print({0!r}, file=sys.stderr)", "os.system('echo ' + {0!r})"])
def test_a_test_that_shows_a_seed_fails(tmp_path: Path, statement: str) -> None:
    seed = KeyPair.create().reveal_seed()
    code, told = outcome(tmp_path, statement.format(seed[:20] + seed[20:]))
    assert code == 1
    assert "shows the seed of a key in what it printed or logged" in told


def test_a_test_that_shows_a_public_key_passes(tmp_path: Path) -> None:
    assert outcome(tmp_path, f"print({KeyPair.create().public!r})")[0] == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nats://user:swordfish@127.0.0.1:4222", ["a password in a URL"]),
        ("nats://user:***@127.0.0.1:4222", []),
        ("nats://127.0.0.1:4222", []),
        ("-----BEGIN EC PRIVATE KEY-----", ["a private key"]),
        ("-----BEGIN CERTIFICATE-----", []),
    ],
)
def test_what_is_a_secret(text: str, what: list[str]) -> None:
    assert secrets_in(text) == what
