"""The market of compute: no cent is lost, who is honest is paid for what it did, and who cheats loses its work."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

from agentbus import Agent, Context, Node, Refused, on
from agentbus.market import EscrowClient, EscrowLedger
from agentbus.market.agreements import Acceptance, AgreementState, Contest, Demand, Usage
from agentbus.market.codec import encode
from agentbus.market.escrow import HoldState
from agentbus.wire.v1 import market_pb2 as words
from examples.compute import arbiter, provider
from examples.compute.__main__ import document, main
from examples.compute.arbiter import Arbiter
from examples.compute.buyer import Deal
from examples.compute.cast import ARBITER, BANK, BUYERS, LEDGER, PROVIDERS, UNITS, Clock
from examples.compute.market import REALM, Market, Story, live
from examples.compute.primes import BLOCK, answers, asked, chance, count, described, evidence, exact_chance, made_up
from examples.compute.v1.compute_pb2 import Decline, RatingReply, RatingRequest, TrustReply, TrustRequest
from tests.nats_server import NatsServer
from tests.virtual_loop import run_virtually

HERE = "memory://compute-tests"
ROUNDS = 22
HONEST = [kind.name for kind in PROVIDERS if kind.honest]
CHEATS = [kind.name for kind in PROVIDERS if not kind.honest]
S = AgreementState


def lived(seed: int, rounds: int, sample: int = 3) -> Story:
    """A run in virtual time: a machine that stalls makes nobody silent."""
    stories: list[Story] = []

    async def go() -> None:
        stories.append(await live(seed, rounds, sample, HERE))

    run_virtually(go())
    return stories[0]


@cache
def once(seed: int) -> Story:
    """A run that all tests look at."""
    return lived(seed, ROUNDS)


@pytest.fixture(params=[1, 2])
def story(request: pytest.FixtureRequest) -> Story:
    return once(request.param)


# -- the work ----------------------------------------------------------------------------------------------------------


def test_the_primes_are_those_of_the_tables() -> None:
    assert [sum(map(count, range(10**power))) for power in range(3)] == [1_229, 9_592, 78_498]
    assert sum(map(count, range(4_000, 4_003))) == sum(_prime(number) for number in range(40_000_001, 40_030_000, 2))


def _prime(number: int) -> bool:
    return all(number % divisor for divisor in range(3, 6_326, 2))


def test_what_is_made_up_looks_right_and_is_not() -> None:
    rng = Random(1)
    blocks = range(50, 250)
    guesses = [made_up(block, rng) for block in blocks]
    assert all(abs(guess / count(block) - 1) < 0.12 for block, guess in zip(blocks, guesses, strict=True))
    assert sum(guess == count(block) for block, guess in zip(blocks, guesses, strict=True)) < 20


def test_work_and_answers_are_read_back() -> None:
    assert asked(described([3, 1, 4])) == [3, 1, 4]
    assert answers(evidence([15, 92])) == [15, 92]
    assert answers(b"\xff\xff") == []
    with pytest.raises(ValueError, match="no work that can be done here"):
        asked("primes, please")
    for wrong in ("{}", '{"block": 7, "numbers": [1]}', f'{{"block": {BLOCK}}}'):
        with pytest.raises(ValueError, match="they have 10000 here, and one block at least"):
            asked(wrong)


def test_the_chance_of_catching_is_that_of_drawing() -> None:
    rng, tries = Random(2), 20_000
    seen = sum(any(rng.random() < 0.1 for _ in range(3)) for _ in range(tries)) / tries
    assert chance(2, 20, 3) == pytest.approx(0.271)
    assert seen == pytest.approx(chance(2, 20, 3), abs=0.015)
    for function in (chance, exact_chance):
        assert (function(0, 20, 3), function(20, 20, 1), function(5, 20, 0)) == (0, 1, 0)
    drawn = sum(min(rng.sample(range(20), 3)) < 2 for _ in range(tries)) / tries
    assert drawn == pytest.approx(exact_chance(2, 20, 3), abs=0.015)
    assert exact_chance(2, 20, 19) == 1 > chance(2, 20, 19)


# -- the market --------------------------------------------------------------------------------------------------------


def test_no_cent_is_lost_and_none_comes_from_nowhere(story: Story) -> None:
    assert story.books.sound, story.books.problems
    assert story.conserved
    assert all(hold.balance == 0 for hold in story.books.holds.values()), "nothing stays in escrow"
    assert len(story.books.holds) == len(story.deals)
    for deal in story.deals:
        hold = story.books.holds[f"{deal.demand}-hold"]
        assert (hold.payer, hold.payee, hold.paid) == (deal.buyer, deal.provider, deal.paid)
        assert hold.amount == UNITS * deal.price


def test_who_is_honest_is_paid_exactly_for_what_it_did(story: Story) -> None:
    for name in HONEST:
        account = story.accounts[name]
        assert (account.lost, account.faked, account.refused) == (0, 0, 0)
        assert account.paid == account.units
        assert account.income == sum(deal.units * deal.price for deal in story.deals if deal.provider == name)


def test_nobody_is_paid_for_what_was_found_to_be_made_up(story: Story) -> None:
    disputed = [deal for deal in story.deals if deal.state is S.RESOLVED]
    assert disputed
    kinds = {kind.name: kind for kind in PROVIDERS}
    for deal in disputed:
        assert deal.provider in CHEATS
        lies = round(kinds[deal.provider].fakes * UNITS)
        lucky = deal.paid // deal.price - (UNITS - lies)  # guesses that were right
        assert 0 <= lucky < lies
        assert story.books.holds[f"{deal.demand}-hold"].state is HoldState.RESOLVED
    for name in CHEATS:
        account = story.accounts[name]
        assert account.paid == account.units - account.refused
        assert account.refused <= account.faked


def test_who_cheats_loses_its_trust_and_then_its_work(story: Story) -> None:
    for name in CHEATS:
        account = story.accounts[name]
        assert account.jobs > 0, "it asks for less, and wins at first"
        assert account.lost > 0
        assert account.last is not None
        assert account.last < ROUNDS * 2 / 3
        assert account.trust < min(story.accounts[other].trust for other in HONEST)
    assert story.lost <= story.false


def test_who_dies_is_replaced_and_the_money_comes_back(story: Story) -> None:
    (dead,) = [deal for deal in story.deals if deal.state is S.EXPIRED]
    assert (dead.provider, dead.units, dead.paid) == ("cleo", 0, 0)
    assert story.books.holds[f"{dead.demand}-hold"].state is HoldState.REFUNDED
    (other,) = [deal for deal in story.deals if deal.demand == dead.demand[:-1] + "1"]
    assert other.provider != "cleo"
    assert (other.round, other.units, other.state) == (dead.round, UNITS, S.SETTLED)
    assert all(deal.provider != "cleo" for deal in story.deals if dead.round < deal.round < dead.round + 10)


def test_an_offer_that_comes_late_is_refused_and_its_maker_stays(story: Story) -> None:
    assert story.late == 1
    assert any(deal.provider == "dan" and deal.round > 5 for deal in story.deals)


def test_who_checks_nothing_pays_for_everything_and_who_checks_all_for_what_is_right() -> None:
    blind, careful = lived(1, 6, sample=0), lived(1, 6, sample=UNITS)
    assert (blind.lost, blind.expected, blind.exact) == (0, 0, 0)
    won = [sum(each.accounts[name].jobs for name in CHEATS) for each in (blind, careful)]
    assert won == [10, 2], "of twelve that the cheapest could have; two were trials of others"
    assert blind.wrong == sum(account.faked for account in blind.accounts.values()) - _lucky(blind) > 0
    assert careful.wrong == careful.off == 0
    assert careful.lost == careful.false == careful.exact > 0


def _lucky(story: Story) -> int:
    return sum(account.faked for account in story.accounts.values()) - sum(story.undetected.values())


def told(story: Story) -> dict[str, Any]:
    return document(story)


def test_the_same_seed_the_same_story_and_another_another() -> None:
    first, again, other = [lived(seed, 6) for seed in (5, 5, 6)]
    assert told(first) == told(again)
    assert told(first)["deals"] != told(other)["deals"]


async def test_on_a_broker_it_is_the_same(broker: NatsServer) -> None:
    here, there = [await live(3, 4, 3, url, patience_s=15.0) for url in (HERE, broker.url)]
    assert told(here) == told(there)
    assert there.conserved


# -- the hard cases ----------------------------------------------------------------------------------------------------


def test_usage_that_never_comes_or_is_too_short_is_not_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lazy(self: provider.Seller, demand: Demand) -> list[int]:
        blocks = asked(demand.work)
        if self.kind.name == "eve":
            return [count(block) for block in blocks[:5]]  # right, but a part
        return [*map(count, blocks), 7]  # more than was agreed: no usage

    monkeypatch.setattr(provider.Seller, "_counted", lazy)
    found = lived(1, 1)
    assert found.conserved
    states = {deal.provider: (deal.state, deal.paid) for deal in found.deals}
    assert states.pop("eve") == (S.RESOLVED, 5 * _price(found.deals, "eve"))
    assert states
    assert set(states.values()) == {(S.EXPIRED, 0)}


def _price(deals: list[Deal], name: str) -> int:
    return next(deal.price for deal in deals if deal.provider == name)


def demanded(name: str, buyer: str) -> Demand:
    """Blocks 1 and 2; there is time."""
    return Demand(
        id=name,
        buyer=buyer,
        account=buyer,
        work=described([1, 2]),
        units=2,
        price=20,
        made_s=0.0,
        offers_until_s=1e5,
        work_until_s=2e5,
        settle_until_s=3e5,
        arbiter=ARBITER,
    )


class Ears(Agent):
    """Hears what providers say of some demands."""

    def __init__(self) -> None:
        self.offers: asyncio.Queue[words.Offer] = asyncio.Queue()
        self.usages: asyncio.Queue[words.Usage] = asyncio.Queue()

    @on(words.Offer)
    async def offered(self, offer: words.Offer, ctx: Context) -> None:
        if offer.demand.startswith("x-") and offer.provider == "ada":
            await self.offers.put(offer)

    @on(words.Usage)
    async def used(self, usage: words.Usage, ctx: Context) -> None:
        if usage.demand.startswith("x-"):
            await self.usages.put(usage)


async def test_without_money_in_escrow_there_is_no_work() -> None:
    ears = Ears()
    async with Market(1, 3, HERE, 1.0) as market, Node(HERE, realm=REALM, agents={"ears": ears}):
        bank, escrow = market.bank, EscrowClient(market.bank, market.ledger)
        for number, units in enumerate((None, 1, 2)):
            market.clock.round = number
            demand = demanded(f"x-{number}", BANK)
            await bank.publish(encode(demand))
            offer = await ears.offers.get()
            if units is not None:
                amount = units * offer.price
                await escrow.hold(f"{demand.id}-hold", BANK, "ada", amount, for_s=4e5, arbiter=ARBITER)
            await bank.publish(encode(Acceptance(demand=demand.id, provider="ada")))
        usage = await ears.usages.get()
        assert usage.demand == "x-2", "not for nothing, and not for half of it"
        assert answers(usage.evidence) == [count(1), count(2)]


@pytest.mark.parametrize(
    ("work", "units", "arbiter_name"), [("primes", 1, ARBITER), (described([1]), 2, ARBITER), (described([1]), 1, "me")]
)
async def test_a_demand_that_makes_no_sense_has_no_offers(work: str, units: int, arbiter_name: str) -> None:
    async with Market(1, 3, HERE, 1.0) as market:
        wrong = replace(demanded("x", BANK), work=work, units=units, arbiter=arbiter_name)
        async with Node(HERE, realm=REALM, agents={"clerk": (clerk := Clerk())}):
            await market.bank.publish(encode(wrong))
            assert {await clerk.heard.get() for _ in PROVIDERS} == {(kind.name, "x") for kind in PROVIDERS}


class Clerk(Agent):
    """Hears who declines."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    @on(Decline)
    async def declined(self, decline: Decline, ctx: Context) -> None:
        await self.heard.put((ctx.sender, decline.demand))


async def test_the_arbiter_believes_the_ledger_and_not_a_tale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter, "PATIENCE_S", 0.05)
    clock = Clock()
    lab, rival = BUYERS[:2]
    async with (
        Node(HERE, realm="court", agents={LEDGER: EscrowLedger("court", issuer=BANK, clock=clock)}),
        Node(HERE, realm="court", name=BANK) as bank,
        Node(HERE, realm="court", agents={ARBITER: Arbiter("court", clock)}),
        Node(HERE, realm="court", name=lab) as buyer,
        Node(HERE, realm="court", name=rival) as other,
        Node(HERE, realm="court", name="ada") as ada,
    ):
        escrow = {node.name: EscrowClient(node, "court") for node in (bank, buyer, other, ada)}
        for name in (lab, "ada"):
            await escrow[name].open(f"{name}-opens", name)
        await escrow[BANK].transfer("funds", BANK, lab, 100)
        demand = demanded("d", lab)
        with pytest.raises(Refused, match="nobody has told of demand 'd'"):
            await buyer.request(encode(Contest(demand="d", by=lab)), words.Ruling, to=ARBITER)
        await buyer.publish(encode(demand))
        await escrow[lab].hold("d-hold", lab, "ada", 10, for_s=9, arbiter=ARBITER)
        await ada.publish(encode(Acceptance(demand="d", provider="ada")))
        await other.publish(encode(Usage(demand="d", provider="ada", units=2, evidence=evidence([0, 0]))))  # a forgery
        await ada.publish(encode(Usage(demand="d", provider="ada", units=2, evidence=evidence([count(1), 7]))))
        contest = encode(Contest(demand="d", by=lab))
        with pytest.raises(Refused, match="has no dispute with ada in the ledger"):
            await buyer.request(contest, words.Ruling, to=ARBITER)
        await escrow[lab].dispute("d-dispute", "d-hold")
        with pytest.raises(Refused, match=f"{rival} has no dispute"):
            await other.request(contest, words.Ruling, to=ARBITER)
        ruling = await buyer.request(contest, words.Ruling, to=ARBITER)
        assert ruling == words.Ruling(demand="d", units=1)
        assert (await escrow[lab].balance(lab), await escrow[lab].balance("ada")) == (95, 5)

        slander = RatingRequest(demand="d", provider="ada", satisfaction=-1.0)
        assert not (await other.request(slander, RatingReply, to=ARBITER)).counts
        assert (await buyer.request(slander, RatingReply, to=ARBITER)).counts
        assert not (await buyer.request(slander, RatingReply, to=ARBITER)).counts, "once"
        assert list((await buyer.request(TrustRequest(), TrustReply, to=ARBITER)).rated) == ["ada"]


# -- the program -------------------------------------------------------------------------------------------------------


def test_what_it_prints_writes_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--rounds", "4", "--json", str(tmp_path / "it.json"), "--svg", str(tmp_path / "it.svg")]
    assert main(words) == 0
    out = capsys.readouterr().out
    figures = json.loads((tmp_path / "it.json").read_text())
    drawn = " ".join(ElementTree.fromstring((tmp_path / "it.svg").read_text()).itertext())
    for name, account in figures["providers"].items():
        assert name in out
        assert name in drawn
        assert f"{account['income'] / 100:.2f}" in out
        assert f"{account['income'] / 100:.2f}" in drawn
    assert f"To be expected were {figures['expected']:.1f} by" in out
    assert "the ledger is sound" in out


def test_money_that_is_missing_is_told(story: Story) -> None:
    poorer = {name: cents - (name == "lab-1") for name, cents in story.left.items()}
    assert not replace(story, left=poorer).conserved
    assert not replace(story, books=replace(story.books, issued=1, problems=("lost",), found=1)).conserved


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--rounds", "0"], "--rounds 0: use 1 to 75"),
        (["--sample", "21"], "--sample 21: use 0 to 20"),
        (["--patience", "0"], "--patience 0: use 0.01 to 30 seconds"),
        (["--svg", "/nowhere/it.svg"], "there is no folder /nowhere"),
    ],
)
def test_what_makes_no_sense_is_told_at_once(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
