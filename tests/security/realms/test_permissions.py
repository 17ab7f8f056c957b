"""What each role may publish and subscribe, as rules that hold for every realm."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.errors import ConfigurationError, SubjectError
from agentbus.security.realm.permissions import AGENT, JOB, NODE, ROLES, Layout, Permissions, permissions
from agentbus.subjects import check_subject, matches

NAMES = st.text("abcXYZ019-_", min_size=1, max_size=8)
KEYS = st.lists(st.sampled_from(["{agent}", "{agent}.>", "{agent}.*", "shared.>", "a.{agent}.b"]), max_size=3).map(
    tuple
)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    return Layout(
        realm=draw(NAMES),
        buckets=draw(st.dictionaries(NAMES, KEYS, max_size=3)),
        jobs=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
        escrows=tuple(draw(st.lists(NAMES, max_size=2, unique=True))),
    )


@cache
def filled(pattern: str, node: str = "hall", agent: str = "door", job: str = "press") -> str:
    """As a server fills the template in for a node that hosts one agent and works on one job."""
    return pattern.replace(NODE, node).replace(AGENT, agent).replace(JOB, job)


def may(patterns: tuple[str, ...], subject: str) -> bool:
    return any(matches(filled(pattern), subject) for pattern in patterns)


def covers(pattern: str, other: str) -> bool:
    """Whether all that `other` matches is matched by `pattern`."""
    wanted, tokens = pattern.split("."), other.split(".")
    for index, want in enumerate(wanted):
        if want == ">":
            return len(tokens) > index
        if index >= len(tokens) or tokens[index] == ">" or (want != "*" and want != tokens[index]):
            return False
    return len(tokens) == len(wanted)


@given(layouts())
def test_every_pattern_is_one_and_none_opens_the_whole_api(layout: Layout) -> None:
    allowed = permissions(layout)
    assert set(allowed) == set(ROLES)
    for each in allowed.values():
        for pattern in each.publish + each.subscribe:
            check_subject(filled(pattern), pattern=True)
            tokens = pattern.split(".")
            assert tokens[0] not in (">", "*")
            if tokens[:2] == ["$JS", "API"]:
                assert ">" not in tokens
                assert not {"DIRECT", "LIST", "NAMES", "SNAPSHOT", "RESTORE"} & set(tokens)
                *verb, stream = [token for token in tokens if token != "*"]
                for job in layout.jobs if JOB in stream else ("",):
                    assert filled(stream, job=job) in layout.streams, "an API call names a stream of the realm"
                assert verb


@given(layouts(), NAMES, NAMES)
def test_nobody_publishes_where_the_broker_answers_or_listens_in_anothers(
    layout: Layout, node: str, token: str
) -> None:
    realm = layout.realm
    for each in permissions(layout).values():
        for own in (f"{realm}.in.{node}.own.{token}.c1", f"{realm}.in.{node}.own.{token}.r.1"):
            assert not may(each.publish, own)
        assert may(each.subscribe, f"{realm}.in.{node}.{token}") == (node == "hall")


@settings(deadline=None)
@given(layouts())
def test_only_operator_and_enroller_change_streams(layout: Layout) -> None:
    allowed = permissions(layout)
    for role, each in allowed.items():
        for stream in layout.streams:
            for verb in ("CREATE", "UPDATE"):
                assert may(each.publish, f"$JS.API.STREAM.{verb}.{stream}") == (role in ("operator", "enroller"))
            for verb in ("PURGE", "DELETE"):
                assert may(each.publish, f"$JS.API.STREAM.{verb}.{stream}") == (role == "operator")
            if role in ("observer", "joiner"):
                assert not any(stream in pattern for pattern in each.publish + each.subscribe)
            assert not may(each.subscribe, f"$KV.{layout.realm}_x.door")
            assert not may(each.subscribe, f"{layout.realm}.log.x") or role == "operator"


@given(layouts(), NAMES, NAMES)
def test_nobody_gets_at_another_realm(layout: Layout, other: str, token: str) -> None:
    if other == layout.realm:
        return
    for each in permissions(layout).values():
        for subject in (f"{other}.ev.{token}", f"{other}.in.hall.{token}", f"{other}.log.{token}", f"{other}.why"):
            assert not may(each.publish, subject)
            assert not may(each.subscribe, subject)


@given(layouts())
def test_an_agent_writes_its_own_keys_only(layout: Layout) -> None:
    layout = Layout(realm=layout.realm, buckets={"leases": ("{agent}.>", "{agent}")}, jobs=())
    agent = permissions(layout)["agent"]
    prefix = f"$KV.{layout.realm}_leases"
    assert may(agent.publish, f"{prefix}.door")
    assert may(agent.publish, f"{prefix}.door.1")
    assert not may(agent.publish, f"{prefix}.gate")
    assert not may(agent.publish, f"{prefix}.gate.door")


@given(NAMES, NAMES)
def test_a_jobs_streams_are_for_who_was_enrolled_for_it(job: str, other: str) -> None:
    layout = Layout(realm="plant", jobs=tuple(dict.fromkeys((job, other))))
    streams = [stream for stream in layout.streams if "shard" in stream and JOB not in stream]
    assert len(streams) == 3 * len(layout.jobs)
    for role, each in permissions(layout).items():
        mine = [filled(pattern, job=job) for pattern in each.publish]
        for name in layout.jobs:
            may_work = role == "agent" and name == job
            for key in (f"plant.shard.{name}.in.0", f"plant.shard.{name}.out.0", f"plant.shard.{name}.ok.0.door"):
                assert any(matches(pattern, key) for pattern in mine) == may_work
            assert any(matches(pattern, f"$KV.plant_shard-{name}-leases.shard.0") for pattern in mine) == may_work
            assert not any(matches(pattern, f"plant.shard.{name}.ok.0.gate") for pattern in mine)
            reads = f"$JS.API.CONSUMER.CREATE.agentbus_plant_shard_{name}_out.x"
            assert any(matches(pattern, reads) for pattern in mine) == (may_work or role == "operator")


@given(NAMES)
def test_a_ledger_is_written_by_who_hosts_an_agent_of_its_name(escrow: str) -> None:
    agent = permissions(Layout(realm="plant", escrows=tuple(dict.fromkeys(("door", escrow)))))["agent"]
    for key in ("account.alice", "tx.1", "lease", "writer"):
        assert may(agent.publish, f"$KV.plant_escrow-door.{key}")
        assert may(agent.publish, f"$KV.plant_escrow-{escrow}.{key}") == (escrow == "door")
    assert may(agent.publish, f"$JS.API.STREAM.MSG.GET.KV_plant_escrow-{escrow}"), "everybody looks"


@given(NAMES)
def test_what_was_seen_is_written_under_the_nodes_name(node: str) -> None:
    for each in permissions(Layout(realm="plant")).values():
        if may(each.publish, f"plant.seen.{node}.c.s"):
            assert node == "hall"


@settings(deadline=None)
@given(layouts())
def test_the_enroller_alone_stores_epoch_sets_and_members_read_them(layout: Layout) -> None:
    stream, subject = f"agentbus_{layout.realm}_epochs", f"{layout.realm}.epochs.set"
    for role, each in permissions(layout).items():
        assert may(each.publish, subject) == (role == "enroller")
        reads = may(each.publish, f"$JS.API.CONSUMER.CREATE.{stream}.x")
        assert reads == (role in ("agent", "operator"))
        assert may(each.publish, f"$JS.API.STREAM.MSG.GET.{stream}") == (reads or role == "enroller")


def test_what_each_role_is_for() -> None:
    allowed = permissions(Layout(realm="plant"))
    enrol = "plant.any.agentbus-wire-v1-EnrolmentRequest"
    assert allowed["joiner"].publish == (enrol,)
    assert all(may(allowed[role].publish, enrol) for role in ("agent", "observer", "operator", "joiner"))
    assert may(allowed["enroller"].subscribe, enrol)
    assert may(allowed["observer"].subscribe, "plant.ev.x.y")
    assert not may(allowed["observer"].publish, "plant.ev.x")
    assert not may(allowed["observer"].publish, "plant.call.x")
    assert may(allowed["agent"].subscribe, "plant.to.door.x")
    assert not may(allowed["agent"].subscribe, "plant.to.gate.x")
    assert not may(allowed["agent"].publish, "$JS.API.STREAM.INFO.agentbus_plant_dead")


@given(layouts())
def test_no_subscription_covers_more_than_its_kind(layout: Layout) -> None:
    """A pattern with wildcards is taken only where one that is allowed covers it."""
    realm = layout.realm
    for role, each in permissions(layout).items():
        for spying in (">", f"{realm}.>", f"{realm}.*.>", f"{realm}.in.>", f"{realm}.to.>", "$JS.>", "$KV.>", "*.>"):
            allowed = any(covers(filled(pattern), spying) for pattern in each.subscribe)
            assert not allowed, f"{role}: {spying}"


@pytest.mark.parametrize("wrong", [{"buckets": {"a b": ()}}, {"buckets": {"a": ("x y",)}}, {"jobs": ("a.b",)}])
def test_names_that_are_none(wrong: dict[str, object]) -> None:
    with pytest.raises(SubjectError):
        Layout(realm="plant", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "twice",
    [
        {"buckets": {"shard-a-leases": ()}, "jobs": ("a",)},
        {"buckets": {"escrow-a": (">",)}, "escrows": ("a",)},
        {"jobs": ("a", "a")},
    ],
)
def test_a_bucket_that_is_another_is_refused(twice: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="two have one name"):
        Layout(realm="plant", **twice)  # type: ignore[arg-type]


def test_permissions_are_values() -> None:
    assert Permissions(publish=("a",), subscribe=()) == Permissions(publish=("a",), subscribe=())
