"""Requests to be enrolled and their answers, spelled: the room's one reader of their wire code."""

from __future__ import annotations

import json
from hashlib import sha256

from google.protobuf.message import DecodeError

from ...errors import ConfigurationError, Unauthorized
from ...wire.v1.enrolling_pb2 import EnrolmentGrant, EnrolmentRequest, EnrolmentWish
from ..credentials import RealmFile
from ..keys import KEY_BYTES, KeyPair, verified
from ..realm.issuing import Issued, Wanted
from .model import NONCE_BYTES, Request, Wish

__all__ = ["EnrolmentGrant", "EnrolmentRequest", "decode_grant", "decode_request", "encode_grant", "encode_request"]

DOMAIN = b"agentbus enrolment wish v1\0"
GRANT = b"agentbus enrolment grant v1\0"
MAX_BYTES = 8192


def encode_wish(wish: Wish) -> bytes:
    """The bytes that are signed, behind `DOMAIN`."""
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


def encode_request(
    wish: Wish, pair: KeyPair, admission: str, proof: bytes, former: KeyPair | None = None
) -> EnrolmentRequest:
    """The request, signed by the wish's key, and by the key that is given up if there is one."""
    body = encode_wish(wish)
    return EnrolmentRequest(
        wish=body,
        signature=pair.sign(DOMAIN + body),
        admission=admission,
        proof=proof,
        former_signature=former.sign(DOMAIN + body) if former is not None else b"",
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
    except (DecodeError, ConfigurationError) as error:
        raise Unauthorized(f"not a request to be enrolled: {error}") from None
    wish = Wish(wanted=wanted, realm=told.realm, asked_s=told.asked_s, valid_s=told.valid_s, nonce=told.nonce)
    return Request(
        wish=wish,
        body=message.wish,
        signature=message.signature,
        admission=message.admission,
        proof=message.proof,
        former_signature=message.former_signature,
    )


def encode_grant(issued: Issued, realm: RealmFile, account_jwt: str, wish: bytes, issuer: KeyPair) -> EnrolmentGrant:
    """What was issued for that wish; the account, as its operator has signed it, says for the realm who may issue. All
    of it, where the servers are and their authority too, is signed by the key that issued."""
    told = {**realm.as_json(), "account_jwt": account_jwt}
    grant = EnrolmentGrant(jwt=issued.jwt, enrolment=issued.enrolment, realm=json.dumps(told))
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


def decode_grant(message: EnrolmentGrant) -> tuple[Issued, RealmFile, str]:
    """What was issued, the realm, and its account's JWT, read and not believed. Raises `Unauthorized`."""
    try:
        told = json.loads(message.realm)
        realm = RealmFile.of_json(told)
    except (ValueError, ConfigurationError, RecursionError) as error:
        raise Unauthorized(f"not what an enroller answers: {error}") from None
    return Issued(jwt=message.jwt, enrolment=message.enrolment), realm, str(told.get("account_jwt", ""))
