"""Make identities, have them enrolled in a realm, show them, change their key, and revoke them.

An identity is one file of mode 0600: `agentbus run --identity FILE` is that node. Enrolling is done by hand, by who has
the realm's folder (--realm-dir), or by an enroller that runs in the realm (--joiner, --join-key).
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .acts import Act, add_acts, tell
from .arguments import count
from .failures import UsageError
from .realm import pushed

if TYPE_CHECKING:
    from agentbus.security.credentials import Credentials
    from agentbus.security.keys import KeyPair
    from agentbus.security.realm.issuing import Wanted


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_acts(
        parser,
        {
            "new": Act(summary="make a key, in a file of mode 0600", configure=_file, execute=_new),
            "show": Act(summary="show who an identity is, and until when", configure=_file, execute=_show),
            "enroll": Act(summary="have an identity enrolled", configure=_enroll_words, execute=_enroll),
            "rotate": Act(summary="give an enrolled identity a new key", configure=_file, execute=_rotate),
            "revoke": Act(summary="cut an identity off (the operator's act)", configure=_revoke_words, execute=_revoke),
        },
    )


def execute(arguments: Namespace) -> int:
    """Runs the act."""
    run = {"new": _new, "show": _show, "enroll": _enroll, "rotate": _rotate, "revoke": _revoke}[arguments.act]
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
        "urls": list(held.realm.urls),
    }


def _enroll_words(parser: ArgumentParser) -> None:
    _file(parser)
    parser.add_argument("--node", required=True, metavar="NAME", help="of the node")
    parser.add_argument("--role", default="agent", help="agent, observer, or by hand operator or enroller (agent)")
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
    parser.add_argument(
        "--key", type=Path, metavar="FILE", help="its key (identity new); else what AGENTBUS_SEED says, else a new one"
    )
    parser.add_argument("--valid", type=count, default=3600, metavar="SECONDS", help="how long (default: 3600)")
    parser.add_argument("--realm-dir", type=Path, metavar="DIR", help="by hand: the realm's folder")
    parser.add_argument("--joiner", type=Path, metavar="FILE", help="over the bus: the realm's joiner.id")
    parser.add_argument("--join-key", type=Path, metavar="FILE", help="over the bus: a file with the join key")


def _enroll(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.keys import KeyPair
    from agentbus.security.realm.issuing import Wanted

    by_hand, over_bus = arguments.realm_dir is not None, arguments.joiner is not None
    if by_hand == over_bus or (over_bus and arguments.join_key is None):
        raise UsageError("enroll by hand with --realm-dir, or over the bus with --joiner and --join-key")
    pair = KeyPair.load(arguments.key) if arguments.key else KeyPair.from_environment() or KeyPair.create()
    wanted = Wanted(
        key=pair.key,
        node=arguments.node,
        role=arguments.role,
        names=tuple(arguments.agent),
        jobs=tuple(arguments.job),
    )
    if by_hand:
        from agentbus.security.realm.folder import RealmFolder

        made = RealmFolder(arguments.realm_dir).enroll(pair, wanted, int(time()), arguments.valid)
    else:
        made = _joined(arguments, pair, wanted)
    made.save(arguments.file)
    tell(arguments, {**described(made), "file": str(arguments.file)})
    return 0


def _joined(arguments: Namespace, pair: KeyPair, wanted: Wanted) -> Credentials:
    import asyncio
    from time import time

    from agentbus.node import Node
    from agentbus.observability import logs
    from agentbus.security.credentials import Credentials, read_secret
    from agentbus.security.identity import Identity
    from agentbus.security.renewing import join

    logs.configure("error")
    joiner = Credentials.load(arguments.joiner)
    secret = read_secret(arguments.join_key, "agentbus realm init makes one").strip()

    async def ask() -> Credentials:
        async with Node(identity=Identity(joiner)) as node:
            return await join(node, joiner, pair, wanted, secret, time(), valid_s=arguments.valid)

    return asyncio.run(ask())


def _rotate(arguments: Namespace) -> int:
    import asyncio
    from time import time

    from agentbus.node import Node
    from agentbus.observability import logs
    from agentbus.security.credentials import Credentials
    from agentbus.security.identity import Identity
    from agentbus.security.keys import KeyPair
    from agentbus.security.renewing import renewed

    logs.configure("error")
    held = Credentials.load(arguments.file)

    async def ask() -> Credentials:
        async with Node(identity=Identity(held)) as node:
            return await renewed(node, held, time(), fresh=KeyPair.create())

    made = asyncio.run(ask())
    made.save(arguments.file)
    tell(arguments, {**described(made), "former_key": held.pair.public})
    return 0


def _revoke_words(parser: ArgumentParser) -> None:
    parser.add_argument("who", metavar="FILE|KEY", help="the identity's file, or its public key (U...)")
    parser.add_argument("--realm-dir", type=Path, required=True, metavar="DIR", help="the realm's folder")
    parser.add_argument("--no-push", action="store_true", help="change the files only; agentbus realm push tells later")


def _revoke(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.credentials import Credentials
    from agentbus.security.realm.folder import RealmFolder

    path = Path(arguments.who)
    user = Credentials.load(path).pair.public if path.exists() else arguments.who
    realm = RealmFolder(arguments.realm_dir)
    now_s = int(time())
    jwt = realm.revoke(user, now_s)
    tell(arguments, {"revoked": user, "told": [] if arguments.no_push else pushed(realm, jwt, now_s)})
    return 0
