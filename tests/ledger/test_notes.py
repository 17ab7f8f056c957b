"""Keys, notes and checkpoints, in the form that others read and write."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError, LedgerInvalid
from agentbus.ledger import COSIGNATURE, Checkpoint, Ed25519, Key, Note, Signing, is_fork, open_checkpoint
from agentbus.ledger.notes import Signature, cosign, sign
from agentbus.security.keys import KeyPair
from tests.ledger.logs import LOG, LOG_KEY, ONE, ONE_KEY, TWO_KEY

# The note and key of the documentation of Go's sumdb/note.
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
CHECKPOINT = Checkpoint("example.org/log", 20852163, bytes(range(32)))


def test_a_note_that_somebody_else_signed_is_read() -> None:
    note, key = Note.parse(NOTE.encode()), Key.parse(PETER)
    assert note.signed_by(key)
    assert str(key) == PETER
    assert bytes(note) == NOTE.encode()
    assert not note.signed_by(LOG_KEY)


def test_a_checkpoint_is_written_as_it_is_specified() -> None:
    root = b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert Checkpoint("example.com/behind-the-sofa", 20852163, root).text == text
    assert Checkpoint.parse(text) == Checkpoint("example.com/behind-the-sofa", 20852163, root)


def test_a_signed_checkpoint_comes_back() -> None:
    note = sign(CHECKPOINT, LOG)
    assert open_checkpoint(bytes(note), LOG_KEY) == (note, CHECKPOINT)


def test_a_cosignature_says_when_and_is_of_its_type() -> None:
    note = sign(CHECKPOINT, LOG)
    line = cosign(note, ONE, 1679315147)
    assert int.from_bytes(line.content[:8], "big") == 1679315147
    assert ONE_KEY.verifies(f"cosignature/v1\ntime 1679315147\n{CHECKPOINT.text}".encode(), line.content[8:])
    both = note.plus([line, line])
    assert len(both.signatures) == 2
    assert (both.signed_by(LOG_KEY), both.signed_by(ONE_KEY), both.signed_by(TWO_KEY)) == (True, True, False)
    assert not both.signed_by(Key.of(ONE)), "a cosignature is no signature of a note"
    later = Signature(line.name, line.key_id, (1679315148).to_bytes(8, "big") + line.content[8:])
    with pytest.raises(LedgerInvalid, match=r"one\.example"):
        note.plus([later]).signed_by(ONE_KEY)


def test_every_byte_of_a_signed_note_counts() -> None:
    content = bytes(sign(CHECKPOINT, LOG).plus([cosign(sign(CHECKPOINT, LOG), ONE, 1)]))
    for at in range(len(content)):
        for flip in (1, 32, 128, 255):
            altered = bytearray(content)
            altered[at] ^= flip
            with pytest.raises(LedgerInvalid):  # noqa: PT012 - either of them
                note, _ = open_checkpoint(bytes(altered), LOG_KEY)
                if not note.signed_by(ONE_KEY):
                    raise LedgerInvalid("a signature was lost")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_is_no_note_is_refused(content: bytes) -> None:
    with pytest.raises(LedgerInvalid):
        open_checkpoint(content, LOG_KEY)


@settings(deadline=None)
@given(st.text(max_size=100))
def test_whatever_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Key.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("Peter", "Paul"),
        PETER[:-4],
        PETER.replace("ARpc", "Ahpc"),
        "a+00000000+",
    ],
)
def test_a_key_that_was_copied_badly_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Key.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b"])
def test_a_key_has_a_name_that_a_note_can_hold(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Ed25519(name)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        Ed25519("a", b"short")


def test_a_key_shows_nothing_of_itself() -> None:
    seed = b"\xabSECRET-SECRET-SECRET-SECRET-123"
    assert "SECRET" not in repr(Ed25519("a", seed))
    assert seed.hex() not in repr(Ed25519("a", seed))


def test_two_checkpoints_of_one_size_prove_a_fork() -> None:
    first, second = sign(CHECKPOINT, LOG), sign(Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, bytes(32)), LOG)
    larger = sign(Checkpoint(CHECKPOINT.origin, CHECKPOINT.size + 1, bytes(32)), LOG)
    assert is_fork(bytes(first), bytes(second), LOG_KEY)
    assert not is_fork(bytes(first), bytes(first), LOG_KEY)
    assert not is_fork(bytes(first), bytes(larger), LOG_KEY)
    forged = sign(Checkpoint(CHECKPOINT.origin, CHECKPOINT.size, bytes(32)), Ed25519(LOG.name))
    with pytest.raises(LedgerInvalid, match="not signed"):
        is_fork(bytes(first), bytes(forged), LOG_KEY)


def test_an_identity_signs_a_log() -> None:
    pair = KeyPair(b"7" * 32)
    signer = Signing("example.org/node-1", pair.key, pair.sign)
    checkpoint = Checkpoint(signer.name, 5, bytes(32))
    assert open_checkpoint(bytes(sign(checkpoint, signer)), Key.of(signer))[1] == checkpoint
    with pytest.raises(ConfigurationError, match="32 bytes"):
        Signing("example.org/node-1", pair.public.encode(), pair.sign)


def test_a_key_of_another_type_than_its_use_is_told() -> None:
    assert Key.of(ONE, COSIGNATURE).id != Key.of(ONE).id
