"""The tree of errors: what is drawn is what is, and what travels comes back as itself."""

from __future__ import annotations

import inspect
import re

import pytest

from agentbus import errors
from agentbus.errors import (
    TRAVELLING,
    AgentBusError,
    Busy,
    DeadlineExceeded,
    DefinitionError,
    HandlerFailed,
    PayloadTooLarge,
    Refused,
    SubjectError,
    TooFewReplies,
    revive,
)
from agentbus.messages import as_error, to_failure

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, AgentBusError) and kind.__module__ == errors.__name__
}


def drawn() -> dict[str, tuple[str, bool]]:
    """Name -> (parent, marked retry), as the module's docstring draws the tree."""
    found: dict[str, tuple[str, bool]] = {}
    path: list[str] = ["AgentBusError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"    ((?:\|   |    )*)[|`]-- (\w+)(.*)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + 1
        del path[depth:]
        found[match[2]] = (path[-1], match[3].rstrip().endswith(" retry"))
        path.append(match[2])
    return found


def test_the_docstring_draws_every_error_below_its_parent() -> None:
    tree = drawn()
    assert set(tree) == set(CLASSES) - {"AgentBusError"}
    for name, (parent, _) in tree.items():
        assert CLASSES[name].__bases__[0].__name__ == parent


def test_what_the_docstring_marks_with_retry_is_retryable() -> None:
    undrawn = {"TooFewReplies"}  # its line tells of its attributes
    for name, (_, retry) in drawn().items():
        if name not in undrawn:
            assert CLASSES[name].retryable is retry, name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_says_what_it_is_and_has_a_code(name: str) -> None:
    kind = CLASSES[name]
    assert kind.__doc__
    assert 400 <= kind.code < 600


def test_errors_are_also_what_python_calls_them() -> None:
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert issubclass(DefinitionError, TypeError)
    assert issubclass(SubjectError, ValueError)
    assert issubclass(PayloadTooLarge, ValueError)
    assert issubclass(errors.AgentNotFound, LookupError)


@pytest.mark.parametrize("kind", TRAVELLING.values(), ids=lambda kind: kind.__name__)
def test_an_error_that_may_travel_comes_back_as_its_own_type(kind: type[AgentBusError]) -> None:
    back = as_error(to_failure(kind("why not")).SerializeToString())
    assert type(back) is kind
    assert str(back) == "why not"


def test_a_subclass_of_ours_comes_back_as_the_nearest_type_that_travels() -> None:
    class TooDear(Refused):
        """An agent's own kind of no."""

    back = as_error(to_failure(TooDear("12 is too much")).SerializeToString())
    assert type(back) is Refused
    assert "12 is too much" in str(back)


def test_any_other_exception_comes_back_as_a_failed_handler() -> None:
    back = as_error(to_failure(KeyError("room")).SerializeToString())
    assert isinstance(back, HandlerFailed)
    assert (back.error_type, back.text) == ("KeyError", "'room'")
    assert str(back) == "KeyError: 'room'"


def test_a_failed_handler_is_passed_on_unchanged() -> None:
    back = as_error(to_failure(HandlerFailed("boom", error_type="ValueError")).SerializeToString())
    assert isinstance(back, HandlerFailed)
    assert (back.error_type, back.text) == ("ValueError", "boom")


def test_an_error_of_an_unknown_kind_is_a_failed_handler() -> None:
    back = revive("Exhausted", "no more", "")
    assert isinstance(back, HandlerFailed)
    assert back.error_type == "Exhausted"


def test_errors_that_are_nobody_elses_business_do_not_come_back_as_themselves() -> None:
    assert isinstance(revive("AgentExists", "x", "AgentExists"), HandlerFailed)
    assert isinstance(revive("Closed", "x", "Closed"), HandlerFailed)


def test_an_error_that_cannot_say_what_it_is_still_travels() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    back = as_error(to_failure(Mute()).SerializeToString())
    assert isinstance(back, HandlerFailed)
    assert back.error_type == "Mute"


def test_too_few_replies_keeps_what_came() -> None:
    failure = Busy("full")
    error = TooFewReplies("1 of 3", replies=["one"], failures={"b": failure})
    assert (list(error.replies), error.failures) == (["one"], {"b": failure})
    assert TooFewReplies("0 of 1").failures == {}
