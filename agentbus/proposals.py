"""The contract net's messages, spelled: values to protobuf and back. The hall's one reader of their wire code."""

from __future__ import annotations

from google.protobuf.message import Message

from .awards import Bid, Ranked
from .messages import full_name
from .negotiation import Terms
from .wire.v1.negotiation_pb2 import Award, CallForProposals, Cancellation, Proposal, Rejection, Subcontracted

__all__ = [
    "AWARD",
    "CALL",
    "CANCELLATION",
    "PROPOSAL",
    "REJECTION",
    "SUBCONTRACTED",
    "Award",
    "CallForProposals",
    "Cancellation",
    "Proposal",
    "Rejection",
    "Subcontracted",
    "award",
    "bid_of",
    "call",
    "rejection",
    "subcontracted",
    "terms_of",
]

CALL: str = full_name(CallForProposals)
PROPOSAL: str = full_name(Proposal)
AWARD: str = full_name(Award)
REJECTION: str = full_name(Rejection)
CANCELLATION: str = full_name(Cancellation)
SUBCONTRACTED: str = full_name(Subcontracted)


def call(job: bytes, terms: Terms) -> CallForProposals:
    """A call for proposals."""
    message = CallForProposals(job=job, team=terms.team, second_price=terms.second_price, again=terms.again)
    if terms.value is not None:
        message.value = terms.value
    return message


def terms_of(message: CallForProposals) -> Terms:
    """What a call says beside the job."""
    value = message.value if message.HasField("value") else None
    return Terms(value=value, team=message.team, second_price=message.second_price, again=message.again)


def bid_of(bidder: str, payload: bytes) -> Bid:
    """A bid. Raises `google.protobuf.message.DecodeError`."""
    message = Proposal.FromString(payload)
    return Bid(bidder=bidder, bid=message.bid, weight=message.weight)


def award(number: int, ranked: Ranked) -> Award:
    """To the winner of call `number`."""
    return Award(call=number, price=ranked.price, payment=ranked.payment)


def rejection(number: int, price: float | None) -> Message:
    """To who has not won call `number`."""
    return Rejection(call=number) if price is None else Rejection(call=number, price=price)


def subcontracted(result: Message, payment: float, by: str) -> Subcontracted:
    """A winner's answer, when another has done the job for it."""
    return Subcontracted(result=result.SerializeToString(), type=full_name(result), payment=payment, by=by)
