"""Sealed bids that the auctioneer can't read either: commit, then reveal. Pure.

First each bidder sends a digest of its bid; when commitments are closed it shows the bid and the nonce. A digest binds
(no other bid has it) and hides (the nonce is long and secret). Lot and bidder are part of it, so that a digest copied
from another bidder, or from another auction, opens nothing.

Invariants: a bid counts only if it opens its own bidder's commitment; who has committed either reveals in time or is
named among the forfeits, which is where a deposit is lost.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

from ..errors import ConfigurationError
from .model import (
    MAX_BIDDERS,
    Accepted,
    AuctionEffect,
    AuctionEvent,
    Commit,
    Outcome,
    Pricing,
    Reason,
    Refusal,
    Reveal,
    RevealNow,
    Side,
    Tick,
    checked,
    wrong_amount,
)
from .sealed import check_terms, misplaced, settle

MIN_NONCE = 16
"""Bytes that a nonce has at least: 128 bits can't be tried."""
MAX_NONCE = 1024
DIGEST_BYTES = 32
_DOMAIN = b"agentbus.market.bid.v1"


def commitment(lot: str, bidder: str, amount: int, nonce: bytes) -> bytes:
    """The digest that binds a bidder to an amount: SHA-256 over lot, bidder, amount and nonce, each with its length.

    Args:
        lot: which auction.
        bidder: whose bid.
        amount: in ticks.
        nonce: at least 16 bytes that nobody can guess (``secrets.token_bytes(32)``), new for each bid.

    Raises:
        ConfigurationError: no amount, or a nonce that is too short or too long.
    """
    checked("amount", amount)
    if not MIN_NONCE <= len(nonce) <= MAX_NONCE:
        raise ConfigurationError(f"a nonce of {len(nonce)} bytes: take {MIN_NONCE} to {MAX_NONCE}, from secrets")
    parts = (_DOMAIN, lot.encode(), bidder.encode(), amount.to_bytes(8, "big"), nonce)
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


class CommitReveal:
    """One lot, sealed by commitments.

    Args:
        lot: its name, part of each commitment.
        commits_until_s: until when commitments are taken.
        reveals_until_s: until when they are opened.
        side: whose bid wins.
        pricing: what the winner pays.
        reserve: what a bid has to reach to win.
        max_bidders: a commitment more is refused.
    """

    def __init__(
        self,
        lot: str,
        *,
        commits_until_s: float,
        reveals_until_s: float,
        side: Side = Side.HIGHEST,
        pricing: Pricing = Pricing.SECOND,
        reserve: int | None = None,
        max_bidders: int = MAX_BIDDERS,
    ) -> None:
        check_terms(side, pricing, reserve, commits_until_s, reveals_until_s)
        self.lot = lot
        self.side = side
        self.pricing = pricing
        self.reserve = reserve
        self.commits_until_s = commits_until_s
        self.reveals_until_s = reveals_until_s
        self.max_bidders = max_bidders
        self.outcome: Outcome | None = None
        self._digests: dict[str, bytes] = {}
        self._amounts: dict[str, int] = {}
        self._revealing = False

    def handle(self, event: AuctionEvent, now: float) -> list[AuctionEffect]:
        """Takes in what has happened; returns what to tell."""
        effects: list[AuctionEffect] = []
        self._advance(now, effects)
        match event:
            case Commit():
                effects.append(self._commit(event))
            case Reveal():
                effects.append(self._reveal(event))
                if self._revealing and len(self._amounts) == len(self._digests):
                    self._close(effects)
            case Tick():
                pass
            case _:
                effects.append(misplaced(event.bidder, event))
        return effects

    def next_deadline(self) -> float | None:
        """When a `Tick` is due, or None: it is over."""
        if self.outcome is not None:
            return None
        return self.reveals_until_s if self._revealing else self.commits_until_s

    def _advance(self, now: float, effects: list[AuctionEffect]) -> None:
        if not self._revealing and now >= self.commits_until_s:
            self._revealing = True
            if self._digests:
                effects.append(RevealNow(bidders=tuple(self._digests), until_s=self.reveals_until_s))
            else:
                self._close(effects)
        if now >= self.reveals_until_s:
            self._close(effects)

    def _commit(self, commit: Commit) -> AuctionEffect:
        who, digest = commit.bidder, commit.digest
        if self._revealing:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="no more commitments are taken")
        if len(digest) != DIGEST_BYTES:
            return Refusal(party=who, reason=Reason.NOT_A_COMMITMENT, text=f"{len(digest)} bytes, not {DIGEST_BYTES}")
        if who in self._digests:
            return Refusal(party=who, reason=Reason.TWICE, text="one commitment a bidder; the first one binds")
        if len(self._digests) >= self.max_bidders:
            return Refusal(party=who, reason=Reason.FULL, text=f"{self.max_bidders} have committed already")
        self._digests[who] = digest
        return Accepted(bidder=who)

    def _reveal(self, reveal: Reveal) -> AuctionEffect:
        who = reveal.bidder
        if not self._revealing:
            return Refusal(party=who, reason=Reason.TOO_EARLY, text="commitments are still taken: keep the bid secret")
        if self.outcome is not None:
            return Refusal(party=who, reason=Reason.TOO_LATE, text="the auction is closed")
        if who not in self._digests:
            return Refusal(party=who, reason=Reason.NO_COMMITMENT, text=f"{who!r} has committed to nothing")
        if who in self._amounts:
            return Refusal(party=who, reason=Reason.TWICE, text="the bid is revealed already")
        wrong = wrong_amount(who, reveal.amount)
        if wrong is not None:
            return wrong
        if not MIN_NONCE <= len(reveal.nonce) <= MAX_NONCE or not compare_digest(
            commitment(self.lot, who, reveal.amount, reveal.nonce), self._digests[who]
        ):
            return Refusal(party=who, reason=Reason.MISMATCH, text="amount and nonce do not open the commitment")
        self._amounts[who] = reveal.amount
        return Accepted(bidder=who, amount=reveal.amount)

    def _close(self, effects: list[AuctionEffect]) -> None:
        if self.outcome is not None:
            return
        in_order = {who: self._amounts[who] for who in self._digests if who in self._amounts}
        settled = settle(in_order, self.side, self.pricing, self.reserve)
        forfeits = tuple(who for who in self._digests if who not in self._amounts)
        self.outcome = Outcome(winner=settled.winner, price=settled.price, ranking=settled.ranking, forfeits=forfeits)
        effects.append(self.outcome)
