"""Sealed to one: the recipient reads it and knows who it is from; nobody else does, and nothing may be altered."""

from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_scalarmult
from nacl.signing import SigningKey

from agentbus.errors import SchemaMismatch, Unauthorized
from agentbus.security import KeyPair
from agentbus.security.sealing import Sealed, boxes, seal, unseal
from examples.climate.v1.climate_pb2 import Reading, TargetReply

ANNA, BERT, MALLORY = KeyPair(bytes(range(32))), KeyPair(bytes(31) + b"b"), KeyPair(bytes(31) + b"m")
SECRET = Reading(room="vault", celsius=11)


def test_one_reads_it_and_knows_who_it_is_from() -> None:
    sealed = seal(SECRET, to=BERT.key, sender=ANNA)
    assert b"vault" not in sealed.SerializeToString()
    travelled = Sealed.FromString(sealed.SerializeToString())
    assert unseal(travelled, Reading, BERT) == SECRET
    assert unseal(travelled, Reading, BERT, sender=ANNA.key) == SECRET
    assert travelled.sender == ANNA.key
    assert sealed.body != seal(SECRET, to=BERT.key, sender=ANNA).body
    assert sealed.ByteSize() - SECRET.ByteSize() < 170


def test_nobody_else_reads_it() -> None:
    sealed = seal(SECRET, to=BERT.key, sender=ANNA)
    with pytest.raises(Unauthorized, match=f"sealed to another, not to {MALLORY.public}"):
        unseal(sealed, Reading, MALLORY)
    sealed.to = MALLORY.key
    with pytest.raises(Unauthorized, match="can't be opened"):
        unseal(sealed, Reading, MALLORY)


def test_nobody_seals_in_anothers_name() -> None:
    forged = seal(SECRET, to=BERT.key, sender=MALLORY)
    with pytest.raises(Unauthorized, match="by another than"):
        unseal(forged, Reading, BERT, sender=ANNA.key)
    forged.sender = ANNA.key
    with pytest.raises(Unauthorized, match="can't be opened"):
        unseal(forged, Reading, BERT)


def test_it_is_passed_on_to_nobody_in_the_senders_name() -> None:
    """Bert can't make Carl believe that Anna has sealed it to Carl."""
    sealed = seal(SECRET, to=BERT.key, sender=ANNA)
    carl = KeyPair(bytes(31) + b"c")
    sealed.to = carl.key
    with pytest.raises(Unauthorized, match="can't be opened"):
        unseal(sealed, Reading, carl)


def test_type_and_context_are_bound() -> None:
    sealed = seal(SECRET, to=BERT.key, sender=ANNA, context="job 7")
    assert unseal(sealed, Reading, BERT, context="job 7") == SECRET
    for context in ("", "job 8"):
        with pytest.raises(Unauthorized, match="context"):
            unseal(sealed, Reading, BERT, context=context)
    with pytest.raises(Unauthorized, match=r"a sealed examples.climate.v1.Reading, not a .*TargetReply"):
        unseal(sealed, TargetReply, BERT, context="job 7")
    sealed.type = TargetReply.DESCRIPTOR.full_name
    with pytest.raises(Unauthorized, match="can't be opened"):
        unseal(sealed, TargetReply, BERT, context="job 7")


def test_every_byte_counts() -> None:
    body = seal(SECRET, to=BERT.key, sender=ANNA).SerializeToString()
    for place in range(len(body)):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        try:
            sealed = Sealed.FromString(altered)
        except Exception:
            continue  # not even a message any more
        if sealed.SerializeToString(deterministic=True) == body:
            continue
        with pytest.raises(Unauthorized):
            unseal(sealed, Reading, BERT)


def test_what_was_sealed_may_still_be_nonsense() -> None:
    lie = Sealed(sender=ANNA.key, to=BERT.key, type=Reading.DESCRIPTOR.full_name, nonce=bytes(24))
    key = boxes._key_between(ANNA, BERT.key, ANNA.key, BERT.key)
    lie.body = boxes.encrypted(BytesValue(value=b"\xff"), lie, "", key)
    with pytest.raises(SchemaMismatch, match="what was sealed is no"):
        unseal(lie, Reading, BERT)


@pytest.mark.parametrize(
    "key", [b"", bytes(32), b"\x01" + bytes(31), bytes(31), b"\xff" * 32], ids=lambda k: k.hex()[:4]
)
def test_what_is_no_key_gets_nothing(key: bytes) -> None:
    with pytest.raises(Unauthorized, match="no Ed25519 public key"):
        seal(SECRET, to=key, sender=ANNA)
    with pytest.raises(Unauthorized):
        unseal(Sealed(sender=key, to=BERT.key, type=Reading.DESCRIPTOR.full_name), Reading, BERT)


def test_the_conversion_is_libsodiums() -> None:
    """What PyNaCl's boxes of the converted keys agree on."""
    anna, bert = SigningKey(bytes(range(32))), SigningKey(bytes(31) + b"b")
    theirs = crypto_scalarmult(
        bytes(anna.to_curve25519_private_key()), bytes(bert.verify_key.to_curve25519_public_key())
    )
    assert ANNA.shared_with(BERT.key) == BERT.shared_with(ANNA.key) == theirs
    assert ANNA.shared_with(MALLORY.key) != theirs


@given(st.binary(max_size=300))
def test_bytes_from_anywhere(body: bytes) -> None:
    try:
        sealed = Sealed.FromString(body)
    except Exception:
        return
    with pytest.raises(Unauthorized):
        unseal(sealed, Reading, BERT)
    sealed.to, sealed.group, sealed.type = BERT.key, "", Reading.DESCRIPTOR.full_name
    with pytest.raises(Unauthorized):
        unseal(sealed, Reading, BERT)


@given(st.text(st.characters(exclude_categories=("Cs",))), st.floats(allow_nan=False), st.text())
def test_whatever_is_sealed_comes_back(room: str, celsius: float, context: str) -> None:
    message = Reading(room=room, celsius=celsius)
    sealed = seal(message, to=BERT.key, sender=ANNA, context=context)
    assert unseal(sealed, Reading, BERT, context=context) == message
