"""What each role may publish and subscribe: role -> subject patterns. Pure.

A pattern may hold nats-server's template variables: ``{{name()}}`` is the node's name, ``{{tag(agent)}}`` the name of
each agent that it may host. JetStream's API is allowed per stream and verb, never ``$JS.API.>``: whoever has that reads
every stream by a consumer of its own, and purges it.

Invariants: nobody may listen in another's inbox, or publish where a node hears the broker itself (subjects of six
tokens and more, below ``{realm}.in.NODE.own``); answers go to four or five tokens, and are believed for who signed
them. Never ``allow_responses``: it lets whoever hears a request publish to its reply subject, whatever that is, so that
a node which asks itself, or another, with ``$JS.API.STREAM.PURGE.X`` for a reply subject purges a stream;
nobody but `operator` and `enroller` may make, change, purge or delete a stream, as a stream's settings can copy another
stream's messages to where they may be heard.

Reference: NATS documentation, "Authorization", "Scoped signing keys"; docs/wire.md for the subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...subjects import check_name

NODE = "{{name()}}"
AGENT = "{{tag(agent)}}"
ENROL_TYPE = "agentbus-wire-v1-EnrolmentRequest"
"""The type, as it stands in a subject, of a request to be enrolled."""
APPROVING = ("agentbus-wire-v1-WaitingRequest", "agentbus-wire-v1-AnswerRequest")
"""The types of what people who approve ask and say."""
ROLES = ("agent", "approver", "enroller", "joiner", "observer", "operator")

_READ = ("STREAM.INFO.{s}", "STREAM.MSG.GET.{s}")
_CONSUME = ("CONSUMER.CREATE.{s}.*", "CONSUMER.INFO.{s}.*", "CONSUMER.MSG.NEXT.{s}.*")
_MAKE = ("STREAM.CREATE.{s}", "STREAM.UPDATE.{s}")
_RULE = ("STREAM.PURGE.{s}", "STREAM.DELETE.{s}", "CONSUMER.DELETE.{s}.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """What the users of one role may do.

    Attributes:
        publish, subscribe: patterns. No queue groups: beside a template variable nats-server drops them.
        deaf: what of `subscribe` is not heard all the same.
        subscriptions: how many a connection may have; -1 for no limit.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deaf: tuple[str, ...] = ()
    subscriptions: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What there is in a realm: its name, and the streams beside those of durable events.

    Attributes:
        realm: its name.
        buckets: each bucket's name, to the keys that agents may write: patterns, in which ``{agent}`` is the name of
            each agent that the node hosts. All agents may read all of them. A lease is such a key.
        jobs: of sharding (`ShardJob`): all agents work on all of them.

    Raises:
        SubjectError, ConfigurationError: a name or a pattern that is none.
    """

    realm: str
    buckets: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"checkpoints": ("{agent}.>",)})
    jobs: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_name(self.realm, "realm")
        for name in (*self.buckets, *self.jobs):
            check_name(name, "bucket or job")
        for pattern in (pattern for keys in self.buckets.values() for pattern in keys):
            for token in pattern.split("."):
                if token not in ("*", ">", "{agent}"):
                    check_name(token, "token of a key")

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        """Every stream of the realm, to what agents may store in it: durable events, dead letters, what of signed
        durable events was seen, epoch sets, sharding jobs, buckets."""
        realm = self.realm
        found: dict[str, tuple[str, ...]] = {
            f"agentbus_{realm}_{kind}": (f"{realm}.{kind}.>",) for kind in ("log", "dead", "seen")
        }
        found[f"agentbus_{realm}_epochs"] = ()  # the enroller's alone
        for job in self.jobs:
            root = f"{realm}.shard.{job}"
            found[f"agentbus_{realm}_shard_{job}_in"] = (f"{root}.in.*",)
            found[f"agentbus_{realm}_shard_{job}_out"] = (f"{root}.out.*", f"{root}.ok.*.*")
            found[f"KV_{realm}_shard-{job}-leases"] = (f"$KV.{realm}_shard-{job}-leases.>",)
        for bucket, keys in self.buckets.items():
            prefix = f"$KV.{realm}_{bucket}."
            found[f"KV_{realm}_{bucket}"] = tuple(prefix + key.replace("{agent}", AGENT) for key in keys)
        return found


def permissions(layout: Layout) -> dict[str, Permissions]:
    """Of every role."""
    realm = layout.realm
    inbox = f"{realm}.in.{NODE}.>"
    enrol = f"{realm}.any.{ENROL_TYPE}"
    present = ("$SRV.>", f"{realm}.why")
    heard = (f"{realm}.ev.>",)
    asked = (f"{realm}.to.*.*", f"{realm}.any.*", f"{realm}.all.*", f"{realm}.call.*")
    answers = (f"{realm}.in.*.*", f"{realm}.in.*.*.*")
    dead, seen, epochs = (f"agentbus_{realm}_{kind}" for kind in ("dead", "seen", "epochs"))
    stored = [subject for subjects in layout.streams.values() for subject in subjects]
    used = [stream for stream in layout.streams if stream not in (dead, seen)]
    every = [*layout.streams]
    return {
        "agent": Permissions(
            publish=(
                *heard,
                *asked,
                *answers,
                f"{realm}.why",
                *stored,
                *_streams(used, _READ, _CONSUME),
                *_streams([seen], _READ),
                *_settled(used),
            ),
            subscribe=(
                inbox,
                *present,
                *heard,
                f"{realm}.to.{AGENT}.*",
                f"{realm}.any.*",
                f"{realm}.all.*",
                f"{realm}.call.*",
            ),
            deaf=(enrol, f"{realm}.all.{ENROL_TYPE}"),
        ),
        "approver": Permissions(
            publish=(enrol, *(f"{realm}.all.{kind}" for kind in APPROVING)), subscribe=(inbox,), subscriptions=64
        ),
        "observer": Permissions(publish=(enrol, *present, *answers), subscribe=(inbox, *present, *heard)),
        "joiner": Permissions(publish=(enrol,), subscribe=(inbox, *present), subscriptions=64),
        "enroller": Permissions(
            publish=(
                *heard,
                *answers,
                f"{realm}.epochs.set",
                *_streams(every, ("STREAM.INFO.{s}",), _MAKE),
                *_streams([epochs], _READ[1:]),
            ),
            subscribe=(inbox, *present, f"{realm}.to.{AGENT}.*", enrol, f"{realm}.all.{ENROL_TYPE}"),
        ),
        "operator": Permissions(
            publish=(
                *heard,
                *asked,
                *answers,
                *present,
                f"{realm}.log.>",
                f"{realm}.dead.>",
                *_streams(every, _READ, _CONSUME, _MAKE, _RULE),
                *_settled(every),
            ),
            subscribe=(inbox, *present, *heard, *asked, f"{realm}.log.>", f"{realm}.dead.>"),
        ),
    }


def _streams(streams: Sequence[str], *verbs: Sequence[str]) -> tuple[str, ...]:
    """JetStream's API, per stream and verb."""
    return tuple(f"$JS.API.{verb.format(s=stream)}" for stream in streams for group in verbs for verb in group)


def _settled(streams: Sequence[str]) -> tuple[str, ...]:
    """Acknowledgements, and flow control's answers."""
    return tuple(f"$JS.{kind}.{stream}.>" for stream in streams for kind in ("ACK", "FC"))
