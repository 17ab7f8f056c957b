"""Whether a lie pays: one bidder of a second-price auction bids something else than the truth, all others bid it."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from agentbus.market import Bid, Pricing, SealedAuction, Side, Tick

HIGHEST = 1_000


def gain(bids: Mapping[str, int], who: str, truth: int, side: Side, pricing: Pricing, reserve: int) -> int:
    """What a bidder gains by an auction in which it bids what `bids` says."""
    auction = SealedAuction(closes_s=1.0, side=side, pricing=pricing, reserve=reserve)
    for name, amount in bids.items():
        auction.handle(Bid(bidder=name, amount=amount), 0.0)
    auction.handle(Tick(), 1.0)
    outcome = auction.outcome
    if outcome is None or outcome.winner != who or outcome.price is None:
        return 0
    return side.sign * (truth - outcome.price)


def best_lie(seed: int, lies: int, pricing: Pricing) -> int:
    """The most that any of so many random lies gains over the truth, in one random instance."""
    rng = Random(seed)
    side = rng.choice(list(Side))
    reserve = rng.randint(0, HIGHEST)
    truths = {f"b{n}": rng.randint(0, HIGHEST) for n in range(rng.randint(1, 8))}
    liar = rng.choice(list(truths))
    honest = gain(truths, liar, truths[liar], side, pricing, reserve)
    others = list(truths.values())
    seen: list[int] = []
    for _ in range(lies):  # half of them near what decides: other bids and the reserve
        lie = rng.choice([*others, reserve]) + rng.randint(-1, 1) if rng.random() < 0.5 else rng.randint(0, HIGHEST)
        seen.append(gain({**truths, liar: max(0, lie)}, liar, truths[liar], side, pricing, reserve) - honest)
    return max(seen)
