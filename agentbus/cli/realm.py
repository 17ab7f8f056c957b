"""Make a realm, where a broker knows who is who; change its keys. These are the operator's acts.

`agentbus realm init DIR` makes keys, certificates and the configuration of nats-servers: start one in DIR/servers/1
with `nats-server -c server.conf`, or let `agentbus server --secure` do so.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .acts import Act, add_acts, tell
from .arguments import count, port
from .failures import UsageError
from .founding import add_founding, demands_of, layout_of

if TYPE_CHECKING:
    from agentbus.security.realm.folder import RealmFolder


def configure(parser: ArgumentParser) -> None:
    """The command's words."""
    add_acts(
        parser,
        {
            "init": Act(summary="make a realm in a folder", configure=_init_words, execute=_init),
            "show": Act(summary="show what a realm is", configure=_folder, execute=_show),
            "push": Act(summary="tell the servers how the realm stands", configure=_folder, execute=_push),
            "renew": Act(summary="give its servers a new certificate", configure=_renew_words, execute=_renew),
            "rotate": Act(summary="give a role a new signing key", configure=_rotate_words, execute=_rotate),
            "token": Act(summary="let one node in, once", configure=_token_words, execute=_token),
        },
    )


def execute(arguments: Namespace) -> int:
    """Runs the act."""
    run = {
        "init": _init,
        "show": _show,
        "push": _push,
        "renew": _renew,
        "rotate": _rotate,
        "token": _token,
    }[arguments.act]
    return run(arguments)


def _folder(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the realm's folder")


def _init_words(parser: ArgumentParser) -> None:
    _folder(parser)
    add_founding(parser.add_argument)
    parser.add_argument(
        "--cluster", type=count, default=1, metavar="N", help="as many servers, one cluster (default: 1)"
    )
    parser.add_argument(
        "--host", action="append", default=[], help="how a server is reached; one for all, or one each (127.0.0.1)"
    )
    parser.add_argument("--port", type=port, default=4222, help="of the first server (default: 4222)")
    parser.add_argument("--listen", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")


def _init(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.realm.folder import create

    realm = create(
        arguments.folder,
        layout_of(arguments),
        now_s=int(time()),
        hosts=arguments.host or ["127.0.0.1"],
        port=arguments.port,
        servers=arguments.cluster,
        listen=arguments.listen,
        admission=demands_of(arguments),
    )
    tell(arguments, files_of(realm))
    return 0


def files_of(realm: RealmFolder) -> dict[str, Any]:
    """What there is in a realm's folder, for the user."""
    return {
        "realm": realm.public.realm,
        "urls": list(realm.public.urls),
        "servers": [str(realm.server(number + 1)) for number in range(realm.state.servers)],
        "enroller": str(realm.enroller),
        "joiner": str(realm.joiner),
        "join_key": str(realm.enroller / "join.key"),
        "offline": str(realm.folder / "offline"),
    }


def _show(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.realm.books import read_books
    from agentbus.security.realm.certificates import end_of
    from agentbus.security.realm.demands import read_demands
    from agentbus.security.realm.folder import RealmFolder

    realm = RealmFolder(arguments.folder)
    public, demands = realm.public, read_demands(realm.enroller)
    members = [member for member in read_books(realm.enroller).members if member.until_s > time()]
    tell(
        arguments,
        {
            **files_of(realm),
            "operator": public.operator,
            "account": public.account,
            **{f"role_{role}": list(keys) for role, keys in public.roles.items()},
            "buckets": [f"{name}={','.join(keys)}" for name, keys in realm.state.layout.buckets.items()],
            "jobs": list(realm.state.layout.jobs),
            "escrows": list(realm.state.layout.escrows),
            "revoked": list(realm.state.revoked),
            "admit": list(demands.admit),
            "quota": demands.quota,
            "probation_s": demands.probation_s or "",
            "enrolled": sorted(member.node for member in members),
            "voting": sorted(member.node for member in members if member.votes(time())),
            "certificate_until": end_of(realm.certificate).isoformat(),
        },
    )
    return 0


def _push(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.realm.folder import RealmFolder

    realm = RealmFolder(arguments.folder)
    now_s = int(time())
    tell(arguments, {"told": pushed(realm, realm.write(realm.state, now_s), now_s)})
    return 0


def pushed(realm: RealmFolder, jwt: str, now_s: int) -> list[str]:
    """Tells the servers; returns their names."""
    import asyncio

    from agentbus.observability import logs
    from agentbus.security.realm.pushing import push

    logs.configure("error")
    return asyncio.run(push(realm, jwt, now_s))


def _renew_words(parser: ArgumentParser) -> None:
    _folder(parser)
    parser.add_argument("--no-push", action="store_true", help="change the files only: servers read them when started")


def _renew(arguments: Namespace) -> int:
    import asyncio
    from time import time

    from agentbus.observability import logs
    from agentbus.security.realm.folder import RealmFolder
    from agentbus.security.realm.pushing import reload

    logs.configure("error")
    realm = RealmFolder(arguments.folder)
    now_s = int(time())
    until = realm.renew(now_s)
    told = [] if arguments.no_push else asyncio.run(reload(realm, now_s))
    tell(arguments, {"certificate_until": until.isoformat(), "told": told})
    return 0


def _rotate_words(parser: ArgumentParser) -> None:
    _folder(parser)
    parser.add_argument("role", help="agent, observer, operator, enroller, joiner or approver")
    parser.add_argument("--cut", action="store_true", help="what the former key signed is void at once")
    parser.add_argument("--no-push", action="store_true", help="change the files only; agentbus realm push tells later")


def _rotate(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.realm.folder import RealmFolder

    realm = RealmFolder(arguments.folder)
    if arguments.role not in realm.public.roles:
        raise UsageError(f"no role {arguments.role!r}: there is {', '.join(realm.public.roles)}")
    now_s = int(time())
    jwt = realm.rotate(arguments.role, now_s, keep=not arguments.cut)
    told = [] if arguments.no_push else pushed(realm, jwt, now_s)
    tell(arguments, {"role": arguments.role, "key": realm.public.roles[arguments.role][0], "told": told})
    return 0


def _token_words(parser: ArgumentParser) -> None:
    _folder(parser)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="where the token is put, mode 0600: it is shown nowhere"
    )
    parser.add_argument("--node", required=True, metavar="NAME", help="of the node that it admits")
    parser.add_argument("--role", default="agent", help="as what (default: agent)")
    parser.add_argument(
        "--agent", action="append", default=[], metavar="NAME", help="an agent that it may host, or '*'; repeatable"
    )
    parser.add_argument(
        "--job", action="append", default=[], metavar="NAME", help="a sharding job that it may work on; repeatable"
    )
    parser.add_argument("--valid", type=count, default=86400, metavar="SECONDS", help="how long (default: 86400)")


def _token(arguments: Namespace) -> int:
    from time import time

    from agentbus.security.realm.folder import RealmFolder
    from agentbus.security.realm.tokens import make_token

    realm = RealmFolder(arguments.folder)
    token = make_token(
        realm,
        arguments.file,
        node=arguments.node,
        role=arguments.role,
        names=tuple(arguments.agent),
        jobs=tuple(arguments.job),
        until_s=time() + arguments.valid,
    )
    tell(arguments, {"token": str(arguments.file), "node": token.node, "role": token.role, "agents": list(token.names)})
    return 0
