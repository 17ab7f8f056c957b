"""What comes in: a frame or a foreign message, with where and when it came. Pure but for the shape of headers.

A foreign client speaks plain protobuf, or JSON when the header ``Content-Type: application/json`` says so. Errors
go to it, and come from it, in the headers of NATS's service protocol (ADR-32).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Literal, TypeVar

from .contracts import Engagement
from .errors import AgentBusError, DeadlineExceeded, HandlerFailed, NoResponders, revive
from .messages import Failure, Frame
from .subjects import type_name as name_of_token
from .transport import Headers, Job, Opened

JSON_CONTENT = "application/json"
SERVICE_ERROR = "Nats-Service-Error"
SERVICE_ERROR_CODE = "Nats-Service-Error-Code"
ERROR_KIND = "Agentbus-Error"

V = TypeVar("V")

Foreign = Literal["", "protobuf", "json"]


class Inbound:
    """Messages of one frame as a node received them.

    Attributes:
        frame: the messages, not parsed.
        subject: where they came.
        reply: where answers go; empty when none is wanted.
        received_s: when, by the loop's time.
        foreign: how a foreign client spelled it; empty for a frame of our own.
        job: the durable delivery it came in, if it did.
        engagement: the contract by which it came, if it did.
        opened: what the node's guard knows of it, if it has one.
    """

    __slots__ = ("_inbox", "_read", "engagement", "foreign", "frame", "job", "opened", "received_s", "reply", "subject")

    def __init__(
        self, frame: Frame, subject: str, reply: str, received_s: float, foreign: Foreign = "", job: Job | None = None
    ) -> None:
        self.frame = frame
        self.subject = subject
        self.reply = reply
        self.received_s = received_s
        self.foreign: Foreign = foreign
        self.job = job
        self.engagement: Engagement | None = None
        self.opened: Opened | None = None
        self._inbox = ""
        self._read: list[Any] | None = None

    @classmethod
    def foreign_of(
        cls, subject: str, body: bytes, reply: str, headers: Headers | None, type_name: str, received_s: float
    ) -> Inbound:
        """A foreign message: one payload, whose type the subject or `type_name` says."""
        kind = type_name or name_of_token(subject.rsplit(".", 1)[-1])
        json = headers is not None and header(headers, "Content-Type").partition(";")[0].strip() == JSON_CONTENT
        frame = Frame(kind, "", 0, 0, 0, 0, [body], [], [], [])
        return cls(frame, subject, reply, received_s, "json" if json else "protobuf")

    @property
    def principal(self) -> Hashable:
        """Who has sent it: the key that signed it; where frames are not signed, the name that it claims."""
        return self.opened.key if self.opened is not None else self.frame.source

    @property
    def inbox(self) -> str:
        """Where frames of answers go: the asker's inbox, whatever frame the request came in."""
        if not self._inbox:
            self._inbox = self.reply.rsplit("_", 2)[0]
        return self._inbox

    def read(self, parse: Callable[[bytes], V]) -> list[V]:
        """What the payloads say: values that nobody changes, parsed once for all of this node's listeners. Those who
        share a frame have to give one `parse`, which doesn't raise."""
        if self._read is None:
            self._read = [parse(payload) for payload in self.frame.payloads]
        return self._read


Listener = Callable[[Inbound], None]
"""Takes what came in; called from the event loop; must neither block nor raise."""


def header(headers: Headers, name: str) -> str:
    """A header's value, its name compared without case; empty when it is absent."""
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), "")


def foreign_headers(failure: Failure, error: BaseException) -> dict[str, str]:
    """The headers that tell a foreign client of an error."""
    code = error.code if isinstance(error, AgentBusError) else HandlerFailed.code
    text = " ".join(failure.text.split()) or failure.kind
    if failure.kind == "HandlerFailed" and failure.error_type:
        text = f"{failure.error_type}: {text}"
    return {SERVICE_ERROR: text[:400], SERVICE_ERROR_CODE: str(code), ERROR_KIND: failure.kind}


def foreign_error(headers: Headers | None) -> AgentBusError | None:
    """The error that a foreign agent's headers tell of, if they do."""
    if headers is None:
        return None
    text = header(headers, SERVICE_ERROR)
    if not text:
        return None
    kind = header(headers, ERROR_KIND)
    if kind:
        return revive(kind, text, "")
    code = header(headers, SERVICE_ERROR_CODE)
    known = {"503": NoResponders, "504": DeadlineExceeded}.get(code)
    return known(text) if known else HandlerFailed(text, error_type=f"service error {code}")
