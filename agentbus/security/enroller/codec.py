"""Requests to be enrolled and their answers, spelled: the room's one reader of their wire code."""

from __future__ import annotations

import json
from hashlib import sha256

from google.protobuf.message import DecodeError

from ...errors import ConfigurationError, Unauthorized
from ...wire.v1.enrolling_pb2 import (
    EnrolmentGrant,
    EnrolmentProofs,
    EnrolmentPuzzle,
    EnrolmentRequest,
    EnrolmentVoucher,
    EnrolmentWish,
)
from ..admission import MAX_VOUCHERS, Challenge, Voucher
from ..credentials import RealmFile
from ..keys import KEY_BYTES, KeyPair, verified
from ..realm.issuing import Issued, Wanted
from .model import NEWCOMER, NONCE_BYTES, Proofs, Request, Wish

__all__ = [
    "EnrolmentGrant",
    "EnrolmentRequest",
    "application_of",
    "decode_application",
    "decode_grant",
    "decode_puzzle",
    "decode_request",
    "encode_application",
    "encode_grant",
    "encode_proofs",
    "encode_puzzle",
    "encode_request",
    "signed_part",
]

DOMAIN = b"agentbus enrolment wish v2\0"
GRANT = b"agentbus enrolment grant v1\0"
MAX_BYTES = 16384


def encode_wish(wish: Wish) -> bytes:
    """The wish, as it travels."""
    wanted = wish.wanted
    return EnrolmentWish(
        key=wanted.key,
        realm=wish.realm,
        node=wanted.node,
        names=wanted.names,
        jobs=wanted.jobs,
        role=wanted.role,
        asked_s=wish.asked_s,
        valid_s=wish.valid_s,
        nonce=wish.nonce,
    ).SerializeToString(deterministic=True)


def application_of(body: bytes) -> bytes:
    """What is asked for in a wish, its times and its chance left aside: the bytes that proofs are about. Raises
    `DecodeError`."""
    told = EnrolmentWish.FromString(body)
    for name in ("asked_s", "valid_s", "nonce"):
        told.ClearField(name)
    return told.SerializeToString(deterministic=True)


def encode_application(wanted: Wanted, realm: str) -> bytes:
    """The application for that."""
    return application_of(encode_wish(Wish(wanted=wanted, realm=realm, asked_s=0, valid_s=0, nonce=b"")))


def decode_application(application: bytes) -> tuple[Wanted, str]:
    """What an application asks for, and in which realm. Raises `Unauthorized` when it is none."""
    try:
        told = EnrolmentWish.FromString(application)
        if len(told.key) != KEY_BYTES or application_of(application) != application:
            raise Unauthorized("not an application: agentbus identity request makes one")
        wanted = Wanted(key=told.key, node=told.node, role=told.role, names=tuple(told.names), jobs=tuple(told.jobs))
        return wanted, told.realm
    except (DecodeError, ConfigurationError) as error:
        raise Unauthorized(f"not an application: {error}") from None


def signed_part(body: bytes, proof: bytes) -> bytes:
    """What who asks has to sign: the wish, and what is shown for it."""
    return DOMAIN + sha256(proof).digest() + body


def encode_proofs(proofs: Proofs) -> bytes:
    """A newcomer's proofs, as they travel."""
    return EnrolmentProofs(
        join=proofs.join,
        vouchers=[
            EnrolmentVoucher(key=each.key, until_s=each.until_s, signature=each.signature) for each in proofs.vouchers
        ],
        solution=proofs.solution,
        token=EnrolmentVoucher(key=proofs.token[0], signature=proofs.token[1]) if proofs.token else None,
    ).SerializeToString(deterministic=True)


def _decode_proofs(proof: bytes) -> Proofs:
    told = EnrolmentProofs.FromString(proof)
    return Proofs(
        join=told.join,
        vouchers=tuple(Voucher(each.key, each.signature, each.until_s) for each in told.vouchers[:MAX_VOUCHERS]),
        solution=told.solution,
        token=(told.token.key, told.token.signature) if told.HasField("token") else None,
    )


def encode_request(
    wish: Wish, pair: KeyPair, admission: str, proof: bytes, former: KeyPair | None = None
) -> EnrolmentRequest:
    """The request, signed by the wish's key, and by the key that is given up if there is one."""
    body = encode_wish(wish)
    signed = signed_part(body, proof)
    return EnrolmentRequest(
        wish=body,
        signature=pair.sign(signed),
        admission=admission,
        proof=proof,
        former_signature=former.sign(signed) if former is not None else b"",
    )


def decode_request(message: EnrolmentRequest) -> Request:
    """The request, read and not believed. Raises `Unauthorized` when it is none."""
    if len(message.wish) + len(message.proof) > MAX_BYTES:
        raise Unauthorized(f"a request to be enrolled has {MAX_BYTES} bytes at most")
    try:
        told = EnrolmentWish.FromString(message.wish)
        if len(told.key) != KEY_BYTES or len(told.nonce) != NONCE_BYTES:
            raise Unauthorized("not a request to be enrolled: its key or its nonce is of another length")
        wanted = Wanted(key=told.key, node=told.node, role=told.role, names=tuple(told.names), jobs=tuple(told.jobs))
        application = application_of(message.wish)
        proofs = _decode_proofs(message.proof) if message.admission == NEWCOMER else Proofs()
    except (DecodeError, ConfigurationError) as error:
        raise Unauthorized(f"not a request to be enrolled: {error}") from None
    wish = Wish(wanted=wanted, realm=told.realm, asked_s=told.asked_s, valid_s=told.valid_s, nonce=told.nonce)
    return Request(
        wish=wish,
        body=message.wish,
        application=application,
        signature=message.signature,
        admission=message.admission,
        proof=message.proof,
        proofs=proofs,
        former_signature=message.former_signature,
    )


def encode_grant(
    issued: Issued, realm: RealmFile, account_jwt: str, wish: bytes, issuer: KeyPair, epoch_set: bytes = b""
) -> EnrolmentGrant:
    """What was issued for that wish; the account, as its operator has signed it, says for the realm who may issue. All
    of it, where the servers are and their authority too, is signed by the key that issued; an epoch set by its own."""
    told = {**realm.as_json(), "account_jwt": account_jwt}
    grant = EnrolmentGrant(jwt=issued.jwt, enrolment=issued.enrolment, realm=json.dumps(told), epoch_set=epoch_set)
    grant.signature = issuer.sign(_granted(wish, grant))
    return grant


def check_grant(message: EnrolmentGrant, wish: bytes, issuer: bytes) -> None:
    """Raises `Unauthorized` when that key has not signed the grant, for this wish."""
    if not verified(issuer, _granted(wish, message), message.signature):
        raise Unauthorized("what is answered was not signed by an enroller for this request, or has been altered")


def _granted(wish: bytes, grant: EnrolmentGrant) -> bytes:
    """What is signed of a grant."""
    parts = (wish, grant.jwt.encode(), grant.enrolment, grant.realm.encode())
    return GRANT + sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def encode_puzzle(puzzle: Challenge) -> EnrolmentGrant:
    """What is to be solved first."""
    return EnrolmentGrant(puzzle=EnrolmentPuzzle(challenge=puzzle.nonce, bits=puzzle.bits))


def decode_puzzle(message: EnrolmentGrant) -> Challenge | None:
    """What is to be solved first, if that is what was answered."""
    told = message.puzzle
    return Challenge(told.challenge, told.bits) if message.HasField("puzzle") else None


def decode_grant(message: EnrolmentGrant) -> tuple[Issued, RealmFile, str]:
    """What was issued, the realm, and its account's JWT, read and not believed. Raises `Unauthorized`."""
    try:
        told = json.loads(message.realm)
        realm = RealmFile.of_json(told)
    except (ValueError, ConfigurationError, RecursionError) as error:
        raise Unauthorized(f"not what an enroller answers: {error}") from None
    return Issued(jwt=message.jwt, enrolment=message.enrolment), realm, str(told.get("account_jwt", ""))
