"""The words of who makes a realm: what there is in it, and who is let in.

`agentbus realm init` and `agentbus server --secure` share them.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .arguments import count
from .failures import UsageError

if TYPE_CHECKING:
    from agentbus.security.realm.demands import Demands
    from agentbus.security.realm.folder import RealmFolder
    from agentbus.security.realm.permissions import Layout

WORDS = ("bucket", "job", "escrow", "admit", "quota", "probation")


def add_founding(add: Callable[..., Any], *, name: str = "--name") -> None:
    """The words. `add`: a parser's `add_argument`, or a group's; `name`: the word for the realm's name."""
    add(name, dest="realm_name", default="default", metavar="NAME", help="of the realm that is made (default: default)")
    add(
        "--bucket",
        action="append",
        default=[],
        metavar="NAME[=KEYS]",
        help="a bucket, and which keys agents may write; {agent} is their name (default: {agent}.>); repeatable",
    )
    add("--job", action="append", default=[], metavar="NAME", help="a sharding job; repeatable")
    add("--escrow", action="append", default=[], metavar="NAME", help="an escrow ledger; repeatable")
    add(
        "--admit",
        action="append",
        default=[],
        metavar="FORM",
        help="what newcomers show: join-key, quorum:K (K members sign), puzzle:BITS (a speed bump); "
        "repeatable, all are demanded (join-key)",
    )
    add(
        "--quota",
        default="",
        metavar="N/SECONDS[:no-vote]",
        help="newcomers a sponsor and period; the others are declined, or have no vote",
    )
    add("--probation", type=count, default=0, metavar="SECONDS", help="how long a newcomer has no vote")


def layout_of(arguments: Namespace) -> Layout:
    """The `Layout` that the words say."""
    from agentbus.security.realm.permissions import Layout

    buckets: dict[str, list[str]] = {"checkpoints": ["{agent}.>"]}
    for word in arguments.bucket:
        name, _, keys = word.partition("=")
        buckets.setdefault(name, []).append(keys or "{agent}.>")
    return Layout(
        realm=arguments.realm_name, buckets=buckets, jobs=tuple(arguments.job), escrows=tuple(arguments.escrow)
    )


def demands_of(arguments: Namespace) -> Demands:
    """The `Demands` that the words say."""
    from agentbus.security.realm.demands import JOIN_KEY, Demands

    return Demands(admit=tuple(arguments.admit) or (JOIN_KEY,), quota=arguments.quota, probation_s=arguments.probation)


def given(arguments: Namespace) -> list[str]:
    """Those words that were given, as they are written; without the realm's name."""
    return [f"--{word}" for word in WORDS if getattr(arguments, word)]


def check_founded(arguments: Namespace, realm: RealmFolder) -> None:
    """Raises `UsageError` for words that a realm which is there already does not follow: they make none anew."""
    from agentbus.security.realm.demands import read_demands

    wished, made = layout_of(arguments), realm.state.layout
    asked, demanded = demands_of(arguments), read_demands(realm.enroller)
    same = {
        "bucket": {name: set(keys) for name, keys in wished.buckets.items()}
        == {name: set(keys) for name, keys in made.buckets.items()},
        "job": set(wished.jobs) == set(made.jobs),
        "escrow": set(wished.escrows) == set(made.escrows),
        "admit": set(asked.admit) == set(demanded.admit),
        "quota": asked.quota == demanded.quota,
        "probation": asked.probation_s == demanded.probation_s,
    }
    if other := [f"--{word}" for word, equal in same.items() if getattr(arguments, word) and not equal]:
        raise UsageError(
            f"the realm in {realm.folder} was made otherwise than {', '.join(other)} says: leave the word out "
            "(see agentbus realm show), or make another realm with --data; who is admitted stands in "
            "enroller/admission.json"
        )
