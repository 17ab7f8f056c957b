"""What each role may publish and subscribe: role -> subject patterns. Pure.

A pattern may hold nats-server's template variables: ``{{name()}}`` is the node's name, ``{{tag(agent)}}`` the name of
each agent that it may host, ``{{tag(job)}}`` each sharding job that it works on. A pattern with several of them stands
for every combination; one with a tag that the node has not got stands for nothing. JetStream's API is allowed per
stream and verb, never ``$JS.API.>``: whoever has that reads every stream by a consumer of its own, and purges it.

Invariants: nobody may listen in another's inbox, or publish where a node hears the broker itself (subjects of six
tokens and more, below ``{realm}.in.NODE.own``); answers go to four or five tokens, and are believed for who signed
them. Never ``allow_responses``: it lets whoever hears a request publish to its reply subject, whatever that is, so that
a node which asks itself, or another, with ``$JS.API.STREAM.PURGE.X`` for a reply subject purges a stream;
nobody but `operator` and `enroller` may make, change, purge or delete a stream, as a stream's settings can copy another
stream's messages to where they may be heard; what a node has seen of durable events it writes under its own name; a
job's streams and leases are for the nodes that were enrolled for the job, an escrow ledger's bucket is written by those
that were enrolled for an agent of the ledger's name.

Reference: NATS documentation, "Authorization", "Scoped signing keys"; docs/wire.md for the subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...errors import ConfigurationError
from ...subjects import check_name

NODE = "{{name()}}"
AGENT = "{{tag(agent)}}"
JOB = "{{tag(job)}}"
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
        jobs: of sharding (`ShardJob`): the nodes that are enrolled for one read and write its streams and leases.
        escrows: names of escrow ledgers: those that are enrolled for an agent of a ledger's name write it, all agents
            read it. No newcomer gets such a name by the join key.

    Raises:
        SubjectError, ConfigurationError: a name or a pattern that is none, or two of one name.
    """

    realm: str
    buckets: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"checkpoints": ("{agent}.>",)})
    jobs: Sequence[str] = ()
    escrows: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_name(self.realm, "realm")
        for name in (*self.buckets, *self.jobs, *self.escrows):
            check_name(name, "bucket, job or ledger")
        all_buckets = [*self.buckets, *map(leases_of, self.jobs), *map(bucket_of, self.escrows)]
        if len(set(all_buckets)) < len(all_buckets):
            raise ConfigurationError(f"realm {self.realm!r}: of {', '.join(sorted(all_buckets))} two have one name")
        for pattern in (pattern for keys in self.buckets.values() for pattern in keys):
            for token in pattern.split("."):
                if token not in ("*", ">", "{agent}"):
                    check_name(token, "token of a key")

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        """Every stream of the realm, to what agents may store in it: durable events, dead letters, what of signed
        durable events was seen, epoch sets, sharding jobs, buckets, escrow ledgers."""
        realm = self.realm
        found: dict[str, tuple[str, ...]] = {
            f"agentbus_{realm}_{kind}": (f"{realm}.{kind}.>",) for kind in ("log", "dead")
        }
        found[f"agentbus_{realm}_epochs"] = ()  # the enroller's alone
        found[f"agentbus_{realm}_seen"] = (f"{realm}.seen.{NODE}.>",)
        for job in self.jobs:
            found |= zip(_job_streams(realm, job), _job_streams(realm, JOB).values(), strict=True)
        for bucket, keys in self.buckets.items():
            prefix = f"$KV.{realm}_{bucket}."
            found[f"KV_{realm}_{bucket}"] = tuple(prefix + key.replace("{agent}", AGENT) for key in keys)
        for escrow in self.escrows:
            found[f"KV_{realm}_{bucket_of(escrow)}"] = (f"$KV.{realm}_{bucket_of(AGENT)}.>",)
        return found


def leases_of(job: str) -> str:
    """The bucket of a sharding job's leases."""
    return f"shard-{job}-leases"


def bucket_of(escrow: str) -> str:
    """The bucket of an escrow ledger."""
    return f"escrow-{escrow}"


def _job_streams(realm: str, job: str) -> dict[str, tuple[str, ...]]:
    """A job's streams, to what who works on it may store in them."""
    root = f"{realm}.shard.{job}"
    return {
        f"agentbus_{realm}_shard_{job}_in": (f"{root}.in.*",),
        f"agentbus_{realm}_shard_{job}_out": (f"{root}.out.*", f"{root}.ok.*.{AGENT}"),
        f"KV_{realm}_{leases_of(job)}": (f"$KV.{realm}_{leases_of(job)}.>",),
    }


def permissions(layout: Layout) -> dict[str, Permissions]:
    """Of every role."""
    realm = layout.realm
    inbox = f"{realm}.in.{NODE}.>"
    enrol = f"{realm}.any.{ENROL_TYPE}"
    present = ("$SRV.>", f"{realm}.why")
    heard = (f"{realm}.ev.>",)
    asked = (f"{realm}.to.*.*", f"{realm}.any.*", f"{realm}.all.*", f"{realm}.call.*", f"{realm}.closed.*")
    answers = (f"{realm}.in.*.*", f"{realm}.in.*.*.*")
    dead, seen, epochs = (f"agentbus_{realm}_{kind}" for kind in ("dead", "seen", "epochs"))
    every = layout.streams
    stored = dict.fromkeys(subject for subjects in every.values() for subject in subjects)
    shards = [stream for job in layout.jobs for stream in _job_streams(realm, job)]
    used = [stream for stream in every if stream not in (dead, seen, *shards)]
    if layout.jobs:
        used += _job_streams(realm, JOB)
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
                f"{realm}.closed.*",
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


def _streams(streams: Iterable[str], *verbs: Sequence[str]) -> tuple[str, ...]:
    """JetStream's API, per stream and verb."""
    return tuple(f"$JS.API.{verb.format(s=stream)}" for stream in streams for group in verbs for verb in group)


def _settled(streams: Iterable[str]) -> tuple[str, ...]:
    """Acknowledgements, and flow control's answers."""
    return tuple(f"$JS.{kind}.{stream}.>" for stream in streams for kind in ("ACK", "FC"))
