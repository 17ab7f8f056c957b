"""What leases are made of: who holds one, what is read of it, and what happens to it. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Holder:
    """Who holds a lease: an agent in one life, and its node."""

    name: str
    epoch: int
    node: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.epoch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """The value of a lease's key.

    Attributes:
        holder: who has it.
        token: the revision at acquisition; 0 in the write that acquires it, as its revision was not known yet.
    """

    holder: Holder
    token: int = 0

    def token_at(self, revision: int) -> int:
        """The fencing token, for a record that was read at `revision`."""
        return self.token or revision


# -- events: what a machine is told --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """The lease is wanted. One that is free, or whose holder's life is over, is taken after `patience_s` seconds."""

    patience_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Leave:
    """The lease is not wanted any more: it is given back."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Something has happened that may concern the lease: look now."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer to `Read`, from the leader.

    Attributes:
        record: None when nobody holds it.
        revision: 0 when there is no record.
        over: whether the holder's life is over: it failed, was superseded, or is quarantined.
    """

    record: LeaseRecord | None
    revision: int
    over: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to `Write` or `Erase`: it was done, at this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to `Write` or `Erase`: the revision was another; nothing was done."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer to any of them: none came. A write may have been done, or not."""


Event = Want | Leave | Nudge | Tick | Found | Done | Refused | Unknown

# -- effects: what a machine asks for ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Read:
    """Read the key; answer with `Found` or `Unknown`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Compare-and-set; `expected` 0: there is none. Answer with `Done`, `Refused` or `Unknown`."""

    record: LeaseRecord
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """Delete if the revision is `expected`; answer with `Done`, `Refused` or `Unknown`."""

    expected: int


@dataclass(frozen=True, slots=True)
class Acquired:
    """The lease is held from now on, with this fencing token."""

    token: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The lease is not held any more."""

    reason: str


Effect = Read | Write | Erase | Acquired | Lost
