"""The subject grammar: build, parse and match. Pure.

A subject is tokens joined by dots. A token is any text without blanks, control characters, ``.``, ``*`` and ``>``; in
a pattern ``*`` stands for one token and a closing ``>`` for one or more. Realms, agents and nodes have names of
``[A-Za-z0-9_-]+``. A message type is its full protobuf name with ``.`` written ``-``, which no protobuf name contains.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .errors import SubjectError

ALL = ">"
"""The topic pattern of who hears every topic, and messages with none."""

_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TOKEN = re.compile(r"[^\s.*>\x00-\x1f\x7f\ud800-\udfff]+")

LONGEST = 1024
"""Bytes of a subject or topic: well within what a server takes in one control line, 4,096."""


@lru_cache(maxsize=4096)
def check_name(name: str, what: str = "name") -> str:
    """The name itself. Raises `SubjectError` when it is not of ``[A-Za-z0-9_-]+``."""
    if not _NAME.fullmatch(name):
        raise SubjectError(f"{what} {name!r} is not allowed: use letters, digits, '-' and '_' only")
    return name


def check_length(subject: str, what: str = "subject") -> str:
    """The subject itself. Raises `SubjectError` when it is longer than `LONGEST`."""
    if len(subject.encode("utf-8", "replace")) > LONGEST:
        raise SubjectError(f"{what} {subject[:40]!r}... is longer than {LONGEST} bytes: put it in the message")
    return subject


@lru_cache(maxsize=4096)  # ten thousand agents listen to a few patterns, and each is checked where it enters
def check_subject(subject: str, *, pattern: bool = False, what: str = "subject") -> str:
    """The subject itself. Raises `SubjectError` naming the offending token; wildcards only with `pattern`."""
    check_length(subject, what)
    tokens = subject.split(".")
    last = len(tokens) - 1
    for index, token in enumerate(tokens):
        if _TOKEN.fullmatch(token):
            continue
        if pattern and (token == "*" or (token == ALL and index == last)):
            continue
        if token == "":
            raise SubjectError(f"{what} {subject!r} has an empty token: write tokens joined by single dots")
        if token in ("*", ALL):
            why = "'>' may only come last" if pattern else "wildcards are for those who listen"
            raise SubjectError(f"{what} {subject!r}: {why}")
        if not token.isprintable() and any("\ud800" <= character <= "\udfff" for character in token):
            raise SubjectError(f"{what} {subject!r} can't be written in UTF-8: it holds half a surrogate pair")
        raise SubjectError(
            f"{what} {subject!r}: token {token!r} holds a blank or one of '.*>': replace it, with '-' say"
        )
    return subject


def check_topic(topic: str, *, pattern: bool = False) -> str:
    """The topic itself; the empty one is allowed. Raises `SubjectError`."""
    return topic and check_subject(topic, pattern=pattern, what="topic")


def placed(topic: str, *, node: str, agent: str) -> str:
    """The topic as one agent hears it: its tokens ``{node}`` and ``{agent}`` stand for these names."""
    if "{" not in topic:
        return topic
    names = {"{node}": node, "{agent}": agent}
    return ".".join(names.get(token, token) for token in topic.split("."))


def matches(pattern: str, subject: str) -> bool:
    """Whether `subject` is one that a subscriber to `pattern` hears."""
    wanted = pattern.split(".")
    tokens = subject.split(".")
    for index, want in enumerate(wanted):
        if want == ALL:
            return len(tokens) > index
        if index >= len(tokens) or (want != "*" and want != tokens[index]):
            return False
    return len(tokens) == len(wanted)


def type_token(type_name: str) -> str:
    """``agentbus.wire.v1.Frame`` as it stands in a subject: ``agentbus-wire-v1-Frame``."""
    return type_name.replace(".", "-")


def type_name(token: str) -> str:
    """The inverse of `type_token`."""
    return token.replace("-", ".")


class Subjects:
    """The subjects of one realm.

    Args:
        realm: the network's name; nothing crosses it.

    Raises:
        SubjectError: the realm is not a name.
    """

    __slots__ = ("realm",)

    def __init__(self, realm: str) -> None:
        self.realm = check_name(realm, "realm")

    def event(self, type_name: str, topic: str = "") -> str:
        """Where an event goes."""
        return self._with_topic("ev", type_name, topic)

    def events(self, type_name: str, topic: str = ALL) -> tuple[str, ...]:
        """The patterns that hear events of a topic pattern: for `ALL` also those without a topic."""
        return self._patterns("ev", type_name, topic)

    def durable(self, type_name: str, topic: str = "") -> str:
        """Where a durable event goes."""
        return self._with_topic("log", type_name, topic)

    def durables(self, type_name: str, topic: str = ALL) -> tuple[str, ...]:
        """The patterns that hear durable events of a topic pattern."""
        return self._patterns("log", type_name, topic)

    def dead(self, subject: str) -> str:
        """Where a durable event of `subject` goes when every attempt at it has failed."""
        prefix = f"{self.realm}.log."
        return f"{self.realm}.dead.{subject.removeprefix(prefix)}"

    def agent(self, name: str, type_name: str) -> str:
        """One agent, by name."""
        return check_length(f"{self.realm}.to.{check_name(name, 'agent')}.{type_token(type_name)}")

    def to_agent(self, name: str) -> str:
        """The pattern of all that is sent to one agent."""
        return f"{self.realm}.to.{check_name(name, 'agent')}.*"

    def any(self, type_name: str) -> str:
        """Any one agent that answers this type."""
        return f"{self.realm}.any.{type_token(type_name)}"

    def all(self, type_name: str) -> str:
        """All agents that answer this type."""
        return f"{self.realm}.all.{type_token(type_name)}"

    def call(self, type_name: str) -> str:
        """All agents that bid for jobs of this type."""
        return f"{self.realm}.call.{type_token(type_name)}"

    def closed(self, type_name: str) -> str:
        """The same agents: what became of jobs they have bid for."""
        return f"{self.realm}.closed.{type_token(type_name)}"

    def why(self) -> str:
        """All nodes, asked what their agents decided about a job."""
        return f"{self.realm}.why"

    def inbox(self, node: str) -> str:
        """The pattern of a node's replies."""
        return f"{self.realm}.in.{node}.*"

    def is_inbox(self, subject: str) -> bool:
        """Whether it is in some node's inbox."""
        return subject.startswith(f"{self.realm}.in.")

    def topic(self, subject: str) -> str:
        """The topic in an event's subject, live or durable; empty when there is none."""
        parts = subject.split(".", 3)
        return parts[3] if len(parts) == 4 and parts[1] in ("ev", "log", "dead") else ""

    def _with_topic(self, kind: str, type_name: str, topic: str) -> str:
        root = f"{self.realm}.{kind}.{type_token(type_name)}"
        return check_length(f"{root}.{check_topic(topic)}") if topic else root

    def _patterns(self, kind: str, type_name: str, topic: str) -> tuple[str, ...]:
        root = f"{self.realm}.{kind}.{type_token(type_name)}"
        check_topic(topic, pattern=True)
        if topic == ALL:
            return (root, f"{root}.>")
        return (f"{root}.{topic}" if topic else root,)
