"""Who is enrolled and who votes: numbered sets that the enroller signs. One vote an identity."""

from __future__ import annotations

from .chain import Electorate, Fork
from .codec import signed_epoch_set, verified_epoch_set
from .model import EpochSet, Member, Seat
from .register import Register

__all__ = ["Electorate", "EpochSet", "Fork", "Member", "Register", "Seat", "signed_epoch_set", "verified_epoch_set"]
