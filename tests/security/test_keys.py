"""Keys: their form is NATS's, their secrets stay inside."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import nkeys
import pytest

from agentbus.errors import ConfigurationError
from agentbus.security import KeyPair, Kind, key_of, public_nkey, verified

SEED = bytes(range(32))


@pytest.mark.parametrize("kind", list(Kind))
def test_the_form_is_that_of_nats(kind: Kind) -> None:
    pair = KeyPair(SEED, kind)
    theirs = nkeys.from_seed(bytearray(pair.reveal_seed().encode()))
    assert pair.public == theirs.public_key.decode()
    assert pair.public[0] == kind.value
    assert pair.sign(b"hello") == theirs.sign(b"hello")
    assert key_of(pair.public, kind) == pair.key
    assert KeyPair.from_seed(pair.reveal_seed(), kind) == pair


def test_a_signature_is_one_keys_over_one_message() -> None:
    pair, other = KeyPair(SEED), KeyPair.create()
    signature = pair.sign(b"hello")
    assert verified(pair.key, b"hello", signature)
    assert not verified(other.key, b"hello", signature)
    assert not verified(pair.key, b"hellp", signature)
    assert not verified(pair.key, b"hello", signature[:-1])
    assert not verified(b"short", b"hello", signature)
    assert not verified(pair.key, b"hello", bytes(64))


def test_secrets_stay_inside() -> None:
    pair = KeyPair(SEED)
    seed = pair.reveal_seed()
    shown = f"{pair!r} {pair} {pair.__slots__} {[pair]}"
    assert seed not in shown
    assert SEED.hex() not in shown
    for escape in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            escape(pair)


@pytest.mark.parametrize("position", [1, 5, 20, 40, 57])
def test_a_mistyped_seed_is_refused_and_not_shown(position: int) -> None:
    seed = KeyPair(SEED).reveal_seed()
    wrong = seed[:position] + ("A" if seed[position] != "A" else "B") + seed[position + 1 :]
    with pytest.raises(ConfigurationError) as failure:
        KeyPair.from_seed(wrong)
    assert wrong[10:] not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["", "S", "SU", "SUAA", "nonsense", "\x00", "ü" * 58, KeyPair(SEED, Kind.ACCOUNT).reveal_seed()]
)
def test_what_is_no_users_seed_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="begins with SU"):
        KeyPair.from_seed(text)


@pytest.mark.parametrize("public", ["", "U", "UAAA", "A" * 56, KeyPair(SEED).public[:-1] + "A", "ü" * 56])
def test_what_is_no_public_key_is_refused(public: str) -> None:
    with pytest.raises(ConfigurationError, match="public NKEY of a user"):
        key_of(public)
    assert key_of(public_nkey(SEED)) == SEED


def test_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "node.nk"
    pair = KeyPair(SEED)
    pair.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyPair.load(path) == pair
    with pytest.raises(ConfigurationError, match="not overwritten"):
        KeyPair.create().save(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {path}"):
        KeyPair.load(path)
    with pytest.raises(ConfigurationError, match="agentbus identity new"):
        KeyPair.load(tmp_path / "none.nk")
    with pytest.raises(ConfigurationError, match="can be kept"):
        pair.save(tmp_path / "no such folder" / "node.nk")
    other = tmp_path / "other.nk"
    other.write_bytes(b"\xff\xfe")
    other.chmod(0o600)
    with pytest.raises(ConfigurationError, match="not text"):
        KeyPair.load(other)


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTBUS_SEED", raising=False)
    assert KeyPair.from_environment() is None
    monkeypatch.setenv("AGENTBUS_SEED", KeyPair(SEED).reveal_seed())
    assert KeyPair.from_environment() == KeyPair(SEED)
    monkeypatch.setenv("AGENTBUS_SEED", "SUnonsense")
    with pytest.raises(ConfigurationError, match="AGENTBUS_SEED") as failure:
        KeyPair.from_environment()
    assert "nonsense" not in str(failure.value)
