"""Make identities, have them enrolled in a realm, show them, change their key, and revoke them.

An identity is one file of mode 0600: `agentbus run --identity FILE` is that node. Enrolling is done by hand, by who has
the realm's folder (--realm-dir), or by an enroller that runs in the realm (--joiner), which is shown what the realm
demands: --join-key, --voucher, or a --token; a puzzle is solved without a word of yours.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .acts import Act, add_acts, tell
from .arguments import count
from .failures import UsageError
from .output import note
from .realm import pushed

if TYPE_CHECKING:
    from agentbus.security.credentials import Credentials
    from agentbus.security.keys import KeyPair
    from agentbus.security.realm.folder import RealmFolder
    from agentbus.security.realm.issuing import Wanted


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_acts(
        parser,
        {
            "new": Act(summary="make a key, in a file of mode 0600", configure=_file, execute=_new),
            "show": Act(summary="show who an identity is, and until when", configure=_file, execute=_show),
            "request": Act(
                summary="ask for members' words: write what is asked for", configure=_request_words, execute=_request
            ),
            "vouch": Act(summary="give one's word for an application", configure=_vouch_words, execute=_vouch),
            "enroll": Act(summary="have an identity enrolled", configure=_enroll_words, execute=_enroll),
            "rotate": Act(summary="give an enrolled identity a new key", configure=_file, execute=_rotate),
            "revoke": Act(summary="cut an identity off (the operator's act)", configure=_revoke_words, execute=_revoke),
        },
    )


def execute(arguments: Namespace) -> int:
    """Runs the act."""
    run = {
        "new": _new,
        "show": _show,
        "request": _request,
        "vouch": _vouch,
        "enroll": _enroll,
        "rotate": _rotate,
        "revoke": _revoke,
    }[arguments.act]
    return run(arguments)


def _file(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the identity's file")


def _new(arguments: Namespace) -> int:
    from agentbus.security.keys import KeyPair

    pair = KeyPair.create()
    pair.save(arguments.file)
    tell(arguments, {"key": pair.public, "file": str(arguments.file)})
    return 0


def _show(arguments: Namespace) -> int:
    from agentbus.security.credentials import Credentials, read_secret
    from agentbus.security.keys import KeyPair

    text = read_secret(arguments.file, "agentbus identity new makes one")
    if not text.lstrip().startswith("{"):
        tell(arguments, {"key": KeyPair.load(arguments.file).public, "enrolled": ""})
        return 0
    tell(arguments, described(Credentials.load(arguments.file)))
    return 0


def described(held: Credentials) -> dict[str, Any]:
    """Who an identity is, for the user."""
    from datetime import UTC, datetime

    enrolled = held.enrolled
    return {
        "key": held.pair.public,
        "realm": enrolled.realm,
        "node": enrolled.node,
        "role": enrolled.role,
        "agents": list(enrolled.names),
        "jobs": list(enrolled.jobs),
        "until": datetime.fromtimestamp(enrolled.expires_s, UTC).isoformat(),
        "vote": _vote(held),
        "urls": list(held.realm.urls),
    }


def _vote(held: Credentials) -> str:
    """Whether it has a vote, by the epoch set in its file; empty when it is in none yet."""
    from agentbus.errors import Unauthorized
    from agentbus.security.electorate import Electorate

    try:
        known = Electorate(held.realm.realm, lambda: held.realm.keys_of("enroller"), held.epoch_set or None)
    except Unauthorized:
        return ""
    seat = known.seat(held.pair.key)
    return "" if seat is None else "yes" if seat.votes else "no"


def _wanted_words(parser: ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--node", required=required, metavar="NAME", help="of the node")
    parser.add_argument("--role", help="agent, observer, or by hand operator, approver or enroller (default: agent)")
    parser.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="NAME",
        help="an agent that it may host, or by hand '*'; repeatable",
    )
    parser.add_argument(
        "--job", action="append", default=[], metavar="NAME", help="a sharding job that it may work on; repeatable"
    )


def _request_words(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="REQUEST", help="where the application is put, for members")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="its key (identity new)")
    parser.add_argument("--joiner", type=Path, required=True, metavar="FILE", help="the realm's joiner.id")
    _wanted_words(parser, required=True)


def _request(arguments: Namespace) -> int:
    from agentbus.security.credentials import Credentials
    from agentbus.security.keys import KeyPair
    from agentbus.security.realm.tokens import write_application

    pair, realm = KeyPair.load(arguments.key), Credentials.load(arguments.joiner).realm.realm
    wanted = _said(arguments, pair)
    write_application(arguments.file, pair, wanted, realm)
    tell(arguments, {"request": str(arguments.file), **_asked(wanted, realm)})
    return 0


def _asked(wanted: Wanted, realm: str) -> dict[str, Any]:
    from agentbus.security.keys import public_nkey

    return {
        "realm": realm,
        "node": wanted.node,
        "role": wanted.role,
        "agents": list(wanted.names),
        "jobs": list(wanted.jobs),
        "key": public_nkey(wanted.key),
    }


def _vouch_words(parser: ArgumentParser) -> None:
    parser.add_argument("identity", type=Path, metavar="IDENTITY", help="the member's own file")
    parser.add_argument("request", type=Path, metavar="REQUEST", help="the application")
    parser.add_argument("file", type=Path, metavar="VOUCHER", help="where the member's word is put, for the newcomer")
    parser.add_argument("--valid", type=count, default=86400, metavar="SECONDS", help="how long (default: 86400)")


def _vouch(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.admission import vouch
    from agentbus.security.credentials import Credentials
    from agentbus.security.electorate.model import VOTERS
    from agentbus.security.realm.tokens import read_application, write_voucher

    member, asked = Credentials.load(arguments.identity), read_application(arguments.request)
    if asked.realm != member.realm.realm:
        raise UsageError(f"that is an application to realm {asked.realm!r}, and you are in {member.realm.realm!r}")
    if member.enrolled.role not in (*VOTERS, "operator"):
        raise UsageError(f"who is enrolled as {member.enrolled.role!r} vouches for nobody: agents and operators do")
    if asked.wanted.key == member.pair.key:
        raise UsageError("nobody vouches for itself")
    write_voucher(arguments.file, vouch(member.pair, asked.body, time() + arguments.valid))
    tell(arguments, {"vouched": str(arguments.file), "by": member.enrolled.node, **_asked(asked.wanted, asked.realm)})
    return 0


def _enroll_words(parser: ArgumentParser) -> None:
    _file(parser)
    _wanted_words(parser, required=False)
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="its key (identity new); else what AGENTBUS_SEED says, else a new one"
    )
    parser.add_argument("--valid", type=count, default=3600, metavar="SECONDS", help="how long (default: 3600)")
    parser.add_argument("--realm-dir", type=Path, metavar="DIR", help="by hand: the realm's folder")
    parser.add_argument("--joiner", type=Path, metavar="FILE", help="over the bus: the realm's joiner.id")
    parser.add_argument("--join-key", type=Path, metavar="FILE", help="over the bus: a file with the join key")
    parser.add_argument(
        "--request", type=Path, metavar="FILE", help="over the bus: what was asked for, in place of --node and the like"
    )
    parser.add_argument(
        "--voucher",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="over the bus: a member's word; the first is the sponsor's; repeatable",
    )
    parser.add_argument(
        "--token", type=Path, metavar="FILE", help="over the bus: a token, which says --node and the like"
    )


def _enroll(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.keys import KeyPair

    by_hand, over_bus = arguments.realm_dir is not None, arguments.joiner is not None
    if by_hand == over_bus:
        raise UsageError("enroll by hand with --realm-dir, or over the bus with --joiner and what the realm demands")
    if by_hand and (arguments.join_key or arguments.token or arguments.request or arguments.voucher):
        raise UsageError("--join-key, --token, --request and --voucher are for --joiner: by hand nothing is demanded")
    if sum(each is not None for each in (arguments.node, arguments.request, arguments.token)) != 1:
        raise UsageError("say what is asked for: --node, or a --request, or a --token, and one of them only")
    if arguments.node is None and (arguments.role or arguments.agent or arguments.job):
        raise UsageError("a --request or a --token says it all: leave --role, --agent and --job out")
    pair = KeyPair.load(arguments.key) if arguments.key else KeyPair.from_environment() or KeyPair.create()
    wanted = _wanted(arguments, pair)
    if by_hand:
        from agentbus.security.realm.folder import RealmFolder

        made = RealmFolder(arguments.realm_dir).enroll(pair, wanted, int(time()), arguments.valid)
    else:
        made = _joined(arguments, pair, wanted)
    made.save(arguments.file)
    tell(arguments, {**described(made), "file": str(arguments.file)})
    return 0


def _wanted(arguments: Namespace, pair: KeyPair) -> Wanted:
    """What is asked for: as the words say, or an application, or a token."""
    from agentbus.security.realm.issuing import Wanted
    from agentbus.security.realm.tokens import read_application, read_token

    if arguments.token is not None:
        token = read_token(arguments.token)[1]
        return Wanted(key=pair.key, node=token.node, role=token.role, names=token.names, jobs=token.jobs)
    if arguments.request is not None:
        wanted = read_application(arguments.request).wanted
        if wanted.key != pair.key:
            raise UsageError("that is another key's application: give its key with --key")
        return wanted
    return _said(arguments, pair)


def _said(arguments: Namespace, pair: KeyPair) -> Wanted:
    """What is asked for, as the words say."""
    from agentbus.security.realm.issuing import Wanted

    return Wanted(
        key=pair.key,
        node=arguments.node,
        role=arguments.role or "agent",
        names=tuple(arguments.agent),
        jobs=tuple(arguments.job),
    )


def _joined(arguments: Namespace, pair: KeyPair, wanted: Wanted) -> Credentials:
    import asyncio
    from time import time

    from agentbus.node import Node
    from agentbus.observability import logs
    from agentbus.security.admission import Challenge
    from agentbus.security.credentials import Credentials, read_secret
    from agentbus.security.identity import Identity
    from agentbus.security.realm.tokens import read_token, read_voucher
    from agentbus.security.renewing import Showing, join

    joiner = Credentials.load(arguments.joiner)
    key = arguments.join_key
    showing = Showing(
        join_key=read_secret(key, "agentbus realm init makes one").strip() if key else "",
        vouchers=tuple(map(read_voucher, arguments.voucher)),
        token=read_token(arguments.token)[0] if arguments.token else None,
    )

    logs.configure("error")

    def tell_of(puzzle: Challenge) -> None:
        note(f"solving a puzzle of {puzzle.bits} bits, some {1 << puzzle.bits} hashes: a speed bump, no more")

    async def ask() -> Credentials:
        async with Node(identity=Identity(joiner)) as node:
            return await join(node, joiner, pair, wanted, showing, time(), valid_s=arguments.valid, on_puzzle=tell_of)

    return asyncio.run(ask())


def _rotate(arguments: Namespace) -> int:
    import asyncio
    from contextlib import suppress
    from time import time

    from agentbus.errors import DeadlineExceeded
    from agentbus.node import Node
    from agentbus.observability import logs
    from agentbus.security.credentials import Credentials
    from agentbus.security.identity import Identity
    from agentbus.security.keys import KeyPair
    from agentbus.security.renewing import renewed

    held, fresh = Credentials.load(arguments.file), KeyPair.create()
    logs.configure("error")

    async def ask() -> Credentials:
        async with Node(identity=Identity(held)) as node:
            for _ in range(2):
                with suppress(DeadlineExceeded):  # the answer may be lost: the seat is the new key's then
                    return await renewed(node, held, time(), fresh=fresh)
            return await renewed(node, held, time(), fresh=fresh)

    made = asyncio.run(ask())
    made.save(arguments.file)
    tell(arguments, {**described(made), "former_key": held.pair.public})
    return 0


def _revoke_words(parser: ArgumentParser) -> None:
    parser.add_argument(
        "who", metavar="FILE|KEY|NODE", help="the identity's file, its public key (U...), or its node's name"
    )
    parser.add_argument("--realm-dir", type=Path, required=True, metavar="DIR", help="the realm's folder")
    parser.add_argument("--no-push", action="store_true", help="change the files only; agentbus realm push tells later")


def _revoke(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.credentials import Credentials
    from agentbus.security.realm.folder import RealmFolder

    path = Path(arguments.who)
    realm = RealmFolder(arguments.realm_dir)
    user = Credentials.load(path).pair.public if path.is_file() else _key_of(realm, arguments.who)
    now_s = int(time())
    jwt = realm.revoke(user, now_s)
    tell(arguments, {"revoked": user, "told": [] if arguments.no_push else pushed(realm, jwt, now_s)})
    return 0


def _key_of(realm: RealmFolder, who: str) -> str:
    """The public key that was named, or that of the node. Raises `ConfigurationError`."""
    from agentbus.errors import ConfigurationError
    from agentbus.security.keys import Kind, key_of, public_nkey
    from agentbus.security.realm.books import read_books

    found = [each.key for each in read_books(realm.enroller).members if each.node == who]
    if found:
        return public_nkey(found[0], Kind.USER)
    try:
        key_of(who, Kind.USER)
    except ConfigurationError:
        raise ConfigurationError(f"{who!r} is neither a file, nor a public key (U...), nor an enrolled node") from None
    return who
