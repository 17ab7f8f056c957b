"""Asks an enroller: to be enrolled, and to be enrolled anew before it ends.

Invariants: what is taken was issued by one whom the realm knows, for this key and this node; a renewal that fails is
tried again until what is held has expired, and each failure is logged.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Protocol

import structlog

from ..errors import AgentBusError, ConfigurationError, Refused, Unauthorized
from ..speaking import Speaker
from .admission import Challenge, Voucher, join_proof, solve
from .credentials import Credentials
from .enroller.codec import (
    EnrolmentGrant,
    application_of,
    check_grant,
    decode_grant,
    decode_puzzle,
    encode_proofs,
    encode_request,
    encode_wish,
)
from .enroller.deciding import TOKEN
from .enroller.model import NEWCOMER, NONCE_BYTES, RENEWAL, Proofs, Wish
from .enrolling import verified_enrolment
from .keys import KeyPair
from .realm.claims import decode, former_issuers, signing_keys
from .realm.issuing import Wanted

MAX_BITS = 24
"""Of a puzzle that is solved: some 20 s."""
MAX_PUZZLES = 3
LOOK_S = 2.0
"""Seconds between two looks at whether somebody else has renewed what is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What a newcomer has to show.

    Attributes:
        join_key: the realm's; empty for none.
        vouchers: members' words for its application; the first is its sponsor's.
        token: the key that a one-time token is.
        max_bits: the hardest puzzle that it solves.
    """

    join_key: str = field(default="", repr=False)
    vouchers: tuple[Voucher, ...] = ()
    token: KeyPair | None = None
    max_bits: int = MAX_BITS

    def proofs(self, application: bytes, solution: bytes = b"") -> Proofs:
        """Shown for an application."""
        return Proofs(
            join=join_proof(self.join_key, application) if self.join_key else b"",
            vouchers=self.vouchers,
            solution=solution,
            token=(self.token.key, self.token.sign(TOKEN + application)) if self.token else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalConfig:
    """When to ask anew.

    Attributes:
        at: the part of the validity after which it is asked.
        jitter: the part of the validity by which it is asked earlier, at random, so that a fleet does not ask at once.
        retry_s: seconds between two attempts at first; doubled each time, up to a tenth of the validity.
        timeout_s: seconds of an attempt.
        valid_s: seconds of validity to ask for; 0: what the enroller gives.

    Raises:
        ConfigurationError: out of range.
    """

    at: float = 2 / 3
    jitter: float = 0.1
    retry_s: float = 1.0
    timeout_s: float = 5.0
    valid_s: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.jitter < self.at < 1 or self.retry_s <= 0 or self.timeout_s <= 0 or self.valid_s < 0:
            raise ConfigurationError("a renewal comes at a part of the validity between 0 and 1, its jitter below it")


class Holder(Protocol):
    """Who holds credentials."""

    credentials: Credentials

    def found(self) -> Credentials | None:
        """What was kept for it meanwhile by somebody else, if that is newer."""
        ...

    async def take(self, credentials: Credentials, *, timeout_s: float = 5.0) -> None:
        """Goes on with newer ones."""
        ...


async def join(
    speaker: Speaker,
    joiner: Credentials,
    pair: KeyPair,
    wanted: Wanted,
    showing: Showing | str,
    now_s: float,
    *,
    valid_s: int = 0,
    on_puzzle: Callable[[Challenge], None] = lambda puzzle: None,
) -> Credentials:
    """Asks, by a node that is connected as the realm's joiner, to enroll a key. Solves a puzzle if there is one.

    Args:
        speaker, joiner: who asks.
        pair, wanted: for which key, for what.
        showing: what there is to show; a text is the join key.
        now_s: seconds since 1970.
        valid_s: seconds to be valid; 0: what the enroller gives.
        on_puzzle: told of each puzzle before it is solved.

    Raises:
        Refused: the enroller does not admit it; the text says why. Or the puzzle is too hard.
        Unauthorized: what was answered is not by this realm.
        NoResponders, DeadlineExceeded: no enroller answers.
    """
    if isinstance(showing, str):
        showing = Showing(join_key=showing)
    realm, solution, began_s = joiner.realm.realm, b"", monotonic()
    for _ in range(MAX_PUZZLES):
        at_s = now_s + monotonic() - began_s
        wish = _wish(wanted, realm, at_s, valid_s)
        proofs = showing.proofs(application_of(encode_wish(wish)), solution)
        request = encode_request(wish, pair, NEWCOMER, encode_proofs(proofs))
        grant = await speaker.request(request, EnrolmentGrant)
        puzzle = decode_puzzle(grant)
        if puzzle is None:
            return _granted(grant, request.wish, pair, joiner, wanted, at_s)
        if puzzle.bits > showing.max_bits:
            raise Refused(f"a puzzle of {puzzle.bits} bits: no more than {showing.max_bits} are solved here")
        on_puzzle(puzzle)
        solution = await asyncio.to_thread(solve, puzzle.nonce, pair.key, realm, puzzle.bits)
    raise Refused(f"{MAX_PUZZLES - 1} puzzles were solved, and the enroller wants another: too slow?")


async def renewed(
    speaker: Speaker, held: Credentials, now_s: float, *, fresh: KeyPair | None = None, valid_s: int = 0,
    timeout_s: float = 5.0,
) -> Credentials:  # fmt: skip
    """Asks to be enrolled anew; with a `fresh` key in place of the present one if there is one. Raises as `join`."""
    enrolled = held.enrolled
    pair = fresh or held.pair
    wanted = Wanted(key=pair.key, node=enrolled.node, role=enrolled.role, names=enrolled.names, jobs=enrolled.jobs)
    wish = _wish(wanted, enrolled.realm, now_s, valid_s)
    request = encode_request(wish, pair, RENEWAL, held.enrolment, held.pair if fresh is not None else None)
    grant = await speaker.request(request, EnrolmentGrant, timeout_s=timeout_s)
    return _granted(grant, request.wish, pair, held, wanted, now_s)


def _wish(wanted: Wanted, realm: str, now_s: float, valid_s: int) -> Wish:
    return Wish(wanted=wanted, realm=realm, asked_s=int(now_s), valid_s=valid_s, nonce=os.urandom(NONCE_BYTES))


def _granted(
    message: EnrolmentGrant, wish: bytes, pair: KeyPair, held: Credentials, wanted: Wanted, now_s: float
) -> Credentials:
    """What was issued, if it is what was asked for, by who may issue it. Raises `Unauthorized`."""
    issued, realm, account_jwt = decode_grant(message)
    known = held.realm
    if (realm.realm, realm.operator, realm.account) != (known.realm, known.operator, known.account):
        raise Unauthorized("the enroller answers for another realm, or another operator")
    account = decode(account_jwt)  # whoever answers may say who issues: the operator has to have said so, too
    if (account["iss"], account["sub"]) != (known.operator, known.account):
        raise Unauthorized("who answers for the enroller shows an account that this realm's operator has not signed")
    if account["iat"] < known.issued_s:
        raise Unauthorized(
            f"what the enroller shows of its realm is {known.issued_s - account['iat']} s older than what is known: is "
            "its account.jwt that of the operator's last act?"
        )
    issuing = signing_keys(account)
    if any(issuing.get(key) != role for role, keys in realm.roles.items() for key in keys):
        raise Unauthorized("who answers for the enroller names issuers that the realm's operator does not")
    claims = decode(issued.jwt)
    enrolled = verified_enrolment(issued.enrolment, realm.issuers, realm.realm, now_s)
    same = (enrolled.key, enrolled.node, enrolled.role) == (wanted.key, wanted.node, wanted.role)
    if not same or claims["sub"] != pair.public or claims["iss"] not in realm.roles[wanted.role]:
        raise Unauthorized("what the enroller issued is not what was asked for")
    check_grant(message, wish, enrolled.issuer)
    realm = replace(realm, issued_s=account["iat"], former=former_issuers(account))  # by the operator's word
    return Credentials(pair=pair, jwt=issued.jwt, enrolment=issued.enrolment, realm=realm, epoch_set=message.epoch_set)


class Renewal:
    """Renews what a holder holds, for as long as its node runs.

    Args:
        holder: whose.
        config: when.
        clock: seconds since 1970.
    """

    def __init__(self, holder: Holder, config: RenewalConfig, clock: Callable[[], float]) -> None:
        self._holder = holder
        self._config = config
        self._clock = clock
        self._rng = random.Random()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.stdlib.get_logger("agentbus.identity")

    def begin(self, speaker: Speaker) -> None:
        """Begins."""
        if self._task is None:
            name = f"{self._holder.credentials.enrolled.node}: renewal"
            self._task = asyncio.get_running_loop().create_task(self._run(speaker), name=name)

    async def end(self) -> None:
        """Ends."""
        task, self._task = self._task, None
        while task is not None and not task.done():
            task.cancel()  # more than once: on Python 3.11 `asyncio.wait_for`, in nats-py, can swallow a cancellation
            await asyncio.wait((task,), timeout=0.05)

    def due_s(self) -> float:
        """When to ask, seconds since 1970."""
        enrolled = self._holder.credentials.enrolled
        validity = enrolled.expires_s - enrolled.issued_s
        return enrolled.issued_s + validity * (self._config.at - self._rng.uniform(0.0, self._config.jitter))

    async def _run(self, speaker: Speaker) -> None:
        due_s = self.due_s()
        while True:
            left_s = due_s - self._clock()
            if left_s <= 0:
                await self._renew(speaker)
                due_s = self.due_s()
            elif await self._look():
                due_s = self.due_s()
            else:
                await asyncio.sleep(min(left_s, LOOK_S))

    async def _look(self) -> bool:
        """Goes on with what was kept meanwhile by somebody else; whether there was anything."""
        found = self._holder.found()
        if found is None:
            return False
        try:
            await self._holder.take(found, timeout_s=self._config.timeout_s)
        except AgentBusError as error:
            self._log.warning("what its file says was not taken", why=str(error), error=type(error).__name__)
        return True

    async def _renew(self, speaker: Speaker) -> None:
        """Asks until it is answered. What has expired is asked for no more often than each tenth of its validity."""
        config = self._config
        enrolled = self._holder.credentials.enrolled
        longest = max(config.retry_s, (enrolled.expires_s - enrolled.issued_s) / 10)
        pause = config.retry_s
        while True:
            held = self._holder.credentials
            left_s = held.enrolled.expires_s - self._clock()
            log = self._log.bind(node=held.enrolled.node, realm=held.realm.realm, left_s=round(left_s, 1))
            try:
                if await self._look():
                    return
                fresh = await renewed(speaker, held, self._clock(), valid_s=config.valid_s, timeout_s=config.timeout_s)
                await self._holder.take(fresh, timeout_s=config.timeout_s)
                log.info("identity renewed", until_s=fresh.enrolled.expires_s)
                return
            except AgentBusError as error:
                log.warning("identity not renewed", why=str(error), error=type(error).__name__)
            except Exception as error:
                log.error("renewing raised", error=type(error).__name__, exc_info=error)
            await asyncio.sleep(self._rng.uniform(pause / 2, pause))
            pause = min(2 * pause, longest)
