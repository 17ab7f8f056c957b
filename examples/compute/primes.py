"""The work: counting primes, block by block; and how a cheat makes it up. Pure."""

from __future__ import annotations

from functools import cache
from math import comb, isqrt, log
from random import Random

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from .v1.compute_pb2 import Counts, Work

BLOCK = 10_000
"""Numbers in a block."""
NONE = bytes(BLOCK // 2)


@cache
def small(limit: int) -> tuple[int, ...]:
    """The primes up to a limit."""
    sieve = bytearray([1]) * (limit + 1)
    for number in range(2, isqrt(limit) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit + 1, number)))
    return tuple(number for number in range(2, limit + 1) if sieve[number])


def count(block: int) -> int:
    """How many primes there are in a block: the sieve of Eratosthenes, for the odd numbers of a stretch."""
    first, end = block * BLOCK, (block + 1) * BLOCK
    odd = bytearray(b"\1") * (BLOCK // 2)  # of number first + 2 * place + 1
    for prime in small(1 << isqrt(end).bit_length())[1:]:
        if (square := prime * prime) >= end:
            break
        start = (square - first) // 2 if square >= first else -(first + 1) * ((prime + 1) // 2) % prime
        odd[start::prime] = NONE[start::prime]
    return odd.count(1)  # in block 0 for 1, which is no prime, there is 2, which is


def made_up(block: int, rng: Random) -> int:
    """A guess that looks right: by the prime number theorem a share of 1 / log(x) are primes, and a little chance."""
    return max(0, round(BLOCK / log((block + 0.5) * BLOCK) + rng.gauss(0.0, 15.0)))


def described(blocks: list[int]) -> str:
    """A demand's `work`: as JSON, which people can read."""
    return json_format.MessageToJson(Work(block=BLOCK, numbers=blocks), indent=None)


def asked(work: str) -> list[int]:
    """The blocks of a demand. Raises `ValueError` for anything else."""
    try:
        found = json_format.Parse(work, Work())
    except json_format.ParseError as error:
        raise ValueError(f"this is no work that can be done here: {error}") from None
    if found.block != BLOCK or not found.numbers:
        raise ValueError(f"blocks of {found.block} numbers: they have {BLOCK} here, and one block at least")
    return list(found.numbers)


def evidence(counts: list[int]) -> bytes:
    """Answers, as usage has them."""
    return Counts(counts=counts).SerializeToString()


def answers(found: bytes) -> list[int]:
    """What usage tells; nothing, when it can't be read."""
    try:
        return list(Counts.FromString(found).counts)
    except DecodeError:
        return []


def chance(wrong: int, units: int, sample: int) -> float:
    """That a sample finds at least one answer that is wrong: ``1 - (1 - q)^s``, each drawn from all of them."""
    return 1.0 - (1.0 - wrong / units) ** sample


def exact_chance(wrong: int, units: int, sample: int) -> float:
    """The same for a sample in which no answer is twice, as buyers draw it: a little more."""
    return 1.0 - comb(units - wrong, sample) / comb(units, sample)
