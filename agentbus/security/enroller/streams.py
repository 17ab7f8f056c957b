"""The realm's streams, as its enroller makes them. Pure."""

from __future__ import annotations

from ...transport import StreamLimits, StreamSpec
from ..electorate.following import epochs_stream
from ..realm.permissions import bucket_of, leases_of
from ..realm.state import RealmState

SEEN_BYTES, SEEN_S = 64 << 20, 30 * 86400.0
"""What is kept of the durable events that were seen, and for how long: as long as these are good."""
EPOCHS_BYTES = 16 << 20
"""Room for the newest epoch set, of a mebibyte at most, and the one that replaces it."""


def stream_specs(state: RealmState, limits: StreamLimits) -> list[StreamSpec]:
    """The realm's streams: those of durable events, of epoch sets, the buckets, and those of the sharding jobs."""
    layout, realm = state.layout, state.public.realm
    made = [
        StreamSpec(name=f"agentbus_{realm}_{kind}", subjects=(f"{realm}.{kind}.>",), limits=limits)
        for kind in ("log", "dead")
    ]
    made.append(
        StreamSpec(
            name=f"agentbus_{realm}_seen",
            subjects=(f"{realm}.seen.>",),
            limits=StreamLimits(max_bytes=SEEN_BYTES, max_age_s=SEEN_S, replicas=limits.replicas),
            per_subject=1,
            refuse_when_full=True,
        )
    )
    made.append(
        StreamSpec(
            name=epochs_stream(realm),
            subjects=(f"{realm}.epochs.>",),
            limits=StreamLimits(max_bytes=EPOCHS_BYTES, max_age_s=0.0, replicas=limits.replicas),
            per_subject=1,
        )
    )
    for job in layout.jobs:
        root = f"{realm}.shard.{job}"
        kept = StreamLimits(max_age_s=0.0, replicas=limits.replicas)
        for name, subjects in (("in", (f"{root}.in.*",)), ("out", (f"{root}.out.*", f"{root}.ok.*.*"))):
            made.append(
                StreamSpec(
                    name=f"agentbus_{realm}_shard_{job}_{name}", subjects=subjects, limits=kept, refuse_when_full=True
                )
            )
    for bucket in (*layout.buckets, *map(leases_of, layout.jobs), *map(bucket_of, layout.escrows)):
        made.append(
            StreamSpec(
                name=f"KV_{realm}_{bucket}",
                subjects=(f"$KV.{realm}_{bucket}.>",),
                limits=StreamLimits(max_bytes=256 << 20, max_age_s=0.0, replicas=limits.replicas),
                per_subject=1,
                batches=True,
                message_ttl=True,
                refuse_when_full=True,
            )
        )
    return made
