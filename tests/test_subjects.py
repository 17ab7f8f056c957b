"""The subject grammar: what is built can be parsed, what is matched is what NATS matches."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbus.errors import SubjectError
from agentbus.subjects import (
    ALL,
    Subjects,
    check_name,
    check_subject,
    check_topic,
    matches,
    type_name,
    type_token,
)

CITY = Subjects("city")
READING = "examples.climate.v1.Reading"
few = st.sampled_from(["a", "b", "hall", "north-2", "x_y"])
subjects = st.lists(few, min_size=1, max_size=5).map(".".join)
patterns = st.builds(
    lambda tokens, tail: ".".join([*tokens, *tail]),
    st.lists(few | st.just("*"), min_size=1, max_size=4),
    st.sampled_from([[], [">"]]),
)


def reference(pattern: str, subject: str) -> bool:
    """The same by a regular expression."""
    tokens = {"*": r"[^.]+", ">": r"[^.]+(\.[^.]+)*"}
    return (
        re.fullmatch(r"\.".join(tokens.get(token, re.escape(token)) for token in pattern.split(".")), subject)
        is not None
    )


@given(pattern=patterns, subject=subjects)
def test_matches_what_a_reference_matches(pattern: str, subject: str) -> None:
    check_subject(pattern, pattern=True)
    assert matches(pattern, subject) is reference(pattern, subject)


@given(subject=subjects)
def test_a_subject_matches_itself_and_everything(subject: str) -> None:
    assert matches(subject, subject)
    assert matches(ALL, subject)


def test_the_closing_wildcard_stands_for_at_least_one_token() -> None:
    assert not matches("a.>", "a")
    assert matches("a.>", "a.b.c")
    assert not matches("a.b", "a")
    assert not matches("a", "a.b")


@given(text=st.text(max_size=20))
def test_whatever_passes_the_check_is_one_to_n_plain_tokens(text: str) -> None:
    with contextlib.suppress(SubjectError):
        check_subject(text)
        assert text.encode().decode() == text
        assert all(token and not re.search(r"[\s*>.\x00-\x20\x7f]", token) for token in text.split("."))


@pytest.mark.parametrize(
    ("subject", "pattern", "says"),
    [
        ("", False, "empty token"),
        ("a..b", False, "empty token"),
        (".a", True, "empty token"),
        ("a.*", False, "wildcards are for those who listen"),
        ("a.>", False, "wildcards are for those who listen"),
        ("a.>.b", True, "'>' may only come last"),
        ("a.b c", False, "'b c' holds a blank"),
        ("a.b\tc", True, "holds a blank"),
        ("a.b\u00a0c", False, "holds a blank"),
        ("a.b\x00", False, "holds a blank"),
        ("a*.b", True, "holds a blank or one of"),
        ("a.\ud800", False, "can't be written in UTF-8"),
    ],
)
def test_a_wrong_subject_is_refused_and_told_why(subject: str, pattern: bool, says: str) -> None:
    with pytest.raises(SubjectError, match=re.escape(says)):
        check_subject(subject, pattern=pattern)


def test_a_subject_longer_than_a_broker_takes_is_refused() -> None:
    with pytest.raises(SubjectError, match="longer than"):
        check_topic("x" * 5000)


def test_other_alphabets_are_welcome_in_topics() -> None:
    assert check_topic("зал.север") == "зал.север"
    assert check_topic("") == ""


@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "a*", "a\n", "٣"])
def test_names_are_of_letters_digits_dash_and_underscore(name: str) -> None:
    with pytest.raises(SubjectError, match="agent name"):
        check_name(name, "agent name")
    assert check_name("Az09_-") == "Az09_-"


def test_a_realm_is_a_name() -> None:
    with pytest.raises(SubjectError, match="realm 'a b'"):
        Subjects("a b")


def test_the_subjects_are_those_of_the_wire_document() -> None:
    token = "examples-climate-v1-Reading"
    assert CITY.event(READING) == f"city.ev.{token}"
    assert CITY.event(READING, "hall.north") == f"city.ev.{token}.hall.north"
    assert CITY.events(READING) == (f"city.ev.{token}", f"city.ev.{token}.>")
    assert CITY.events(READING, "hall.*") == (f"city.ev.{token}.hall.*",)
    assert CITY.events(READING, "") == (f"city.ev.{token}",)
    assert CITY.durable(READING, "x") == f"city.log.{token}.x"
    assert CITY.durables(READING) == (f"city.log.{token}", f"city.log.{token}.>")
    assert CITY.dead(f"city.log.{token}.x") == f"city.dead.{token}.x"
    assert CITY.agent("hall", READING) == f"city.to.hall.{token}"
    assert CITY.to_agent("hall") == "city.to.hall.*"
    assert CITY.any(READING) == f"city.any.{token}"
    assert CITY.all(READING) == f"city.all.{token}"
    assert CITY.inbox("node-1") == "city.in.node-1.*"


@pytest.mark.parametrize("topic", ["a b", "a.*", "a..b", ".", ">"])
def test_a_topic_to_publish_on_is_checked(topic: str) -> None:
    with pytest.raises(SubjectError, match="topic"):
        CITY.event(READING, topic)


def test_agents_are_addressed_by_name_only() -> None:
    for build in (lambda: CITY.agent("a.b", READING), lambda: CITY.to_agent("*")):
        with pytest.raises(SubjectError, match="agent"):
            build()


@given(topic=subjects)
def test_the_topic_can_be_read_from_where_it_was_written(topic: str) -> None:
    assert CITY.topic(CITY.event(READING, topic)) == topic
    assert CITY.topic(CITY.durable(READING, topic)) == topic
    assert CITY.topic(CITY.dead(CITY.durable(READING, topic))) == topic
    assert any(matches(pattern, CITY.event(READING, topic)) for pattern in CITY.events(READING))


def test_what_is_no_event_has_no_topic() -> None:
    assert CITY.topic(CITY.event(READING)) == ""
    assert CITY.topic(CITY.agent("hall", READING)) == ""


@given(name=st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), min_size=1).map(".".join))
def test_a_type_has_one_token_and_comes_back(name: str) -> None:
    assert "." not in type_token(name)
    assert type_name(type_token(name)) == name
