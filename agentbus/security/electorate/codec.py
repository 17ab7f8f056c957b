"""Epoch sets, spelled, signed and verified."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

from google.protobuf.message import DecodeError

from ...errors import SubjectError, Unauthorized
from ...subjects import check_name
from ...wire.v1 import electorate_pb2
from ..keys import KEY_BYTES, SIGNATURE_BYTES, KeyPair, public_nkey, verified
from .model import EpochSet, Seat

DOMAIN = b"agentbus epoch set v1\0"
MAX_SEATS = 4096
MAX_BYTES = 1 << 20
DIGEST_BYTES = 32


def digest(signed: bytes) -> bytes:
    """By what the next set names this one."""
    return sha256(signed).digest()


def signed_epoch_set(epoch: EpochSet, issuer: KeyPair) -> bytes:
    """The signed set: 64 bytes of signature, then the set. Raises `Unauthorized` when the issuer is not the one that it
    names, or when nobody would take it."""
    if issuer.key != epoch.issuer:
        raise Unauthorized(f"{issuer.public} can't sign what {public_nkey(epoch.issuer)} issues")
    _check(epoch)
    body = electorate_pb2.EpochSet(
        realm=epoch.realm,
        number=epoch.number,
        issued_s=epoch.issued_s,
        previous=epoch.previous,
        issuer=epoch.issuer,
        seats=[
            electorate_pb2.Seat(key=seat.key, node=seat.node, sponsor=seat.sponsor, votes=seat.votes)
            for seat in epoch.seats
        ],
    ).SerializeToString(deterministic=True)
    return issuer.sign(DOMAIN + body) + body


def issuer_of(signed: bytes) -> bytes:
    """Which key says that it has signed a set. Raises `Unauthorized` for what is none."""
    try:
        return electorate_pb2.EpochSet.FromString(signed[SIGNATURE_BYTES:]).issuer
    except DecodeError as error:
        raise Unauthorized(f"not an epoch set: {error}") from None


def verified_epoch_set(signed: bytes, issuer: bytes, realm: str) -> EpochSet:
    """The set. Raises `Unauthorized` when it is none, not the issuer's, or another realm's."""
    if len(signed) > MAX_BYTES:
        raise Unauthorized(f"an epoch set of {len(signed)} bytes: at most {MAX_BYTES}")
    body = signed[SIGNATURE_BYTES:]
    if not verified(issuer, DOMAIN + body, signed[:SIGNATURE_BYTES]):
        raise Unauthorized("the epoch set was not signed by the realm's enroller, or has been altered")
    try:
        message = electorate_pb2.EpochSet.FromString(body)
    except DecodeError as error:
        raise Unauthorized(f"not an epoch set: {error}") from None
    epoch = EpochSet(
        realm=message.realm,
        number=message.number,
        issued_s=message.issued_s,
        issuer=message.issuer,
        previous=message.previous,
        seats=tuple(
            Seat(key=seat.key, node=seat.node, sponsor=seat.sponsor, votes=seat.votes) for seat in message.seats
        ),
    )
    _check(epoch)
    if epoch.issuer != issuer:
        raise Unauthorized(f"the epoch set names {public_nkey(epoch.issuer)} as its issuer, and another has signed it")
    if epoch.realm != realm:
        raise Unauthorized(f"an epoch set of realm {epoch.realm!r}, not of {realm!r}")
    return epoch


def _check(epoch: EpochSet) -> None:
    seats = epoch.seats
    keys = [seat.key for seat in seats]
    if epoch.number < 1 or len(epoch.issuer) != KEY_BYTES or len(epoch.previous) not in (0, DIGEST_BYTES):
        raise Unauthorized("not an epoch set: a number from 1, an issuer and a digest of 32 bytes")
    if len(seats) > MAX_SEATS:
        raise Unauthorized(f"an epoch set of {len(seats)} seats: at most {MAX_SEATS}")
    if any(len(seat.key) != KEY_BYTES or len(seat.sponsor) not in (0, KEY_BYTES) for seat in seats):
        raise Unauthorized(f"an epoch set's keys have {KEY_BYTES} bytes")
    if any(former >= later for former, later in pairwise(keys)):
        raise Unauthorized("an epoch set is ordered by key, and no key has two seats")
    if len({seat.node for seat in seats}) != len(seats):
        raise Unauthorized("a node has two seats in the epoch set: it has one key, and one vote")
    try:
        for name, label in ((epoch.realm, "realm"), *((seat.node, "node") for seat in seats)):
            check_name(name, label)
    except SubjectError as error:
        raise Unauthorized(f"not an epoch set: {error}") from None
