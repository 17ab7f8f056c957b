"""How strangers come to a price: auctions, an order book, assignments, bundles of tasks, reputation.

Each is a pure machine: it is told events, answers with effects, and says when it next wants a `Tick`; it knows no
clock, no chance and no wire. Amounts are whole numbers of ticks (`Ticks`); CBBA, which pays nobody, values in floats.

* one lot: `first_price`, `second_price`, `CommitReveal` (sealed); `EnglishAuction`, `DutchAuction` (open); each a
  sale or, with `Side.LOWEST`, a procurement
* one good, many buyers and sellers: `DoubleAuction` over an `OrderBook`
* many lots, one each: `assign`, or `AssignmentAuctioneer` and `AssignmentBidder`
* many tasks, a team without an auctioneer: `BundleAgent`
* whom to believe: `Reputation`
* money: `EscrowLedger`, the agent that keeps accounts, `EscrowClient`, and what else `agentbus.market.escrow` has
* what is agreed, used and paid: `agentbus.market.agreements`
"""

from __future__ import annotations

from .assignment import Assigned, AssignmentAuctioneer, AssignmentBidder, Call, Offer, assign
from .bundles import Beliefs, BundleAgent, Claim, Tell
from .commitment import CommitReveal, commitment
from .double_auction import Cancel, Cancelled, DoubleAuction, Rests, Trade, Why
from .dutch import DutchAuction
from .english import EnglishAuction
from .escrow import EscrowClient, EscrowConfig, EscrowLedger, audit
from .model import (
    Accepted,
    Asking,
    Bid,
    Commit,
    Decline,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Reveal,
    RevealNow,
    Side,
    Standing,
    Tick,
    Ticks,
)
from .order_book import Order, OrderBook, OrderSide
from .reputation import Reputation, ReputationConfig, expected_gain
from .sealed import SealedAuction, first_price, second_price

__all__ = [
    "Accepted",
    "Asking",
    "Assigned",
    "AssignmentAuctioneer",
    "AssignmentBidder",
    "Beliefs",
    "Bid",
    "BundleAgent",
    "Call",
    "Cancel",
    "Cancelled",
    "Claim",
    "Commit",
    "CommitReveal",
    "Decline",
    "DoubleAuction",
    "DutchAuction",
    "EnglishAuction",
    "EscrowClient",
    "EscrowConfig",
    "EscrowLedger",
    "Offer",
    "Order",
    "OrderBook",
    "OrderSide",
    "Outcome",
    "Pricing",
    "Reason",
    "Refusal",
    "Reputation",
    "ReputationConfig",
    "Rests",
    "Reveal",
    "RevealNow",
    "SealedAuction",
    "Side",
    "Standing",
    "Tell",
    "Tick",
    "Ticks",
    "Trade",
    "Why",
    "assign",
    "audit",
    "commitment",
    "expected_gain",
    "first_price",
    "second_price",
]
