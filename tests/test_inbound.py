"""What comes in from foreign clients, and how errors go to them and come from them."""

from __future__ import annotations

import pytest

from agentbus.errors import (
    TRAVELLING,
    AgentBusError,
    Busy,
    DeadlineExceeded,
    HandlerFailed,
    NoResponders,
    SchemaMismatch,
)
from agentbus.inbound import (
    ERROR_KIND,
    SERVICE_ERROR,
    SERVICE_ERROR_CODE,
    Inbound,
    foreign_error,
    foreign_headers,
    header,
)
from agentbus.messages import to_failure

SUBJECT = "city.to.hall.examples-climate-v1-Reading"


def test_a_foreign_message_is_one_payload_of_the_type_its_subject_says() -> None:
    inbound = Inbound.foreign_of(SUBJECT, b"abc", "answer", None, "", 1.5)
    assert inbound.foreign == "protobuf"
    assert inbound.frame.type == "examples.climate.v1.Reading"
    assert inbound.frame.payloads == [b"abc"]
    assert (inbound.frame.source, inbound.reply, inbound.received_s) == ("", "answer", 1.5)


def test_the_type_that_is_expected_there_goes_before_the_subjects() -> None:
    inbound = Inbound.foreign_of("city.ev.a-B.topic", b"", "", None, "a.B", 0.0)
    assert inbound.frame.type == "a.B"


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
@pytest.mark.parametrize("value", ["application/json", "application/json; charset=utf-8"])
def test_json_is_told_by_its_header(name: str, value: str) -> None:
    assert Inbound.foreign_of(SUBJECT, b"{}", "", {name: value}, "", 0.0).foreign == "json"


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, {"X": "application/json"}])
def test_all_else_is_protobuf(headers: dict[str, str]) -> None:
    assert Inbound.foreign_of(SUBJECT, b"{}", "", headers, "", 0.0).foreign == "protobuf"


def test_answers_in_frames_go_to_the_askers_inbox() -> None:
    inbound = Inbound.foreign_of(SUBJECT, b"", "city.in.node_1.18f_40_3", None, "", 0.0)
    assert inbound.inbox == "city.in.node_1.18f"


def test_a_header_is_found_whatever_its_case() -> None:
    assert header({"A-b": "1"}, "a-B") == "1"
    assert header({"A-b": "1"}, "c") == ""


@pytest.mark.parametrize("kind", TRAVELLING.values(), ids=lambda kind: kind.__name__)
def test_an_error_comes_back_from_its_headers_as_its_own_type(kind: type[AgentBusError]) -> None:
    error = kind("why\r\nnot")
    headers = foreign_headers(to_failure(error), error)
    assert headers[SERVICE_ERROR_CODE] == str(kind.code)
    assert all("\n" not in value and "\r" not in value for value in headers.values())
    back = foreign_error(headers)
    assert type(back) is kind
    assert str(back) == "why not"


def test_a_failed_handlers_headers_say_what_was_raised() -> None:
    error = ValueError("no such room")
    headers = foreign_headers(to_failure(error), error)
    assert headers == {
        SERVICE_ERROR: "ValueError: no such room",
        SERVICE_ERROR_CODE: "500",
        ERROR_KIND: "HandlerFailed",
    }
    back = foreign_error(headers)
    assert isinstance(back, HandlerFailed)
    assert str(back) == "ValueError: no such room"


def test_an_error_without_words_still_shows_in_the_headers() -> None:
    headers = foreign_headers(to_failure(Busy()), Busy())
    assert headers[SERVICE_ERROR] == "Busy"
    assert isinstance(foreign_error(headers), Busy)


def test_a_long_error_is_cut() -> None:
    error = SchemaMismatch("x" * 5000)
    assert len(foreign_headers(to_failure(error), error)[SERVICE_ERROR]) <= 400


@pytest.mark.parametrize(
    ("code", "kind"),
    [("503", NoResponders), ("504", DeadlineExceeded), ("500", HandlerFailed), ("", HandlerFailed)],
)
def test_the_errors_of_other_frameworks_services_are_told_by_their_code(code: str, kind: type[AgentBusError]) -> None:
    back = foreign_error({"nats-service-error": "nope", "nats-service-error-code": code})
    assert type(back) is kind
    assert "nope" in str(back)


@pytest.mark.parametrize("headers", [None, {}, {"X": "y"}])
def test_without_the_header_there_is_no_error(headers: dict[str, str] | None) -> None:
    assert foreign_error(headers) is None
