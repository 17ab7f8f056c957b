"""What the broker forbids, told to whoever waits for it.

A server says that it refused a message or a subscription, and no more: whoever asked would wait until its deadline.
Here the refusal becomes an answer to the request (the error `Unauthorized`, in the headers in which foreign agents tell
of errors), and a refused subscription an error of the next `flush`.

Invariant: what is remembered is bounded: the newest `REPLIES` requests of the newest `SUBJECTS` subjects.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable

from ..errors import Unauthorized
from ..subjects import matches
from ..transport import Denial
from .nats_interests import Interests
from .nats_wire import Interest

SUBJECTS = 1024
REPLIES = 64
REFUSED = 64
ERROR = "Agentbus-Error"

_SAID = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]*)\"", re.IGNORECASE)


class Denials:
    """Of one transport.

    Args:
        interests: the transport's subscriptions.
        failed: told of a receiver that raised.
    """

    __slots__ = ("_asked", "_failed", "_interests", "_refused")

    def __init__(self, interests: Interests, failed: Callable[[Interest, Exception], None]) -> None:
        self._interests = interests
        self._failed = failed
        self._asked: OrderedDict[str, deque[str]] = OrderedDict()
        self._refused: deque[str] = deque(maxlen=REFUSED)

    def asked(self, subject: str, reply: str) -> None:
        """Something was sent to `subject`, and an answer is wanted at `reply`."""
        replies = self._asked.get(subject)
        if replies is None:
            replies = self._asked[subject] = deque(maxlen=REPLIES)
            if len(self._asked) > SUBJECTS:
                self._asked.popitem(last=False)
        replies.append(reply)

    def said(self, text: str) -> None:
        """The server complained."""
        found = _SAID.search(text)
        if found is None:
            return
        kind, subject = found[1].lower(), found[2]
        if kind == "subscription":
            self._refused.append(subject)
            return
        told = f"this identity may not send to {subject!r}: its role does not allow it"
        headers = Denial(
            {
                "Status": "401",
                ERROR: Unauthorized.__name__,
                "Nats-Service-Error": told,
                "Nats-Service-Error-Code": str(Unauthorized.code),
            }
        )
        for reply in self._asked.pop(subject, ()):
            self._answer(reply, headers)

    def _answer(self, reply: str, headers: Denial) -> None:
        """Hands what stands for an answer to whoever waits for it."""
        for interest in list(self._interests.table.values()):
            if matches(interest.subject, reply):
                try:
                    interest.receiver(reply, b"", "", headers)
                except Exception as error:
                    self._failed(interest, error)

    def check(self) -> None:
        """Raises `Unauthorized` for the subscriptions that were refused since it was last called."""
        if self._refused:
            refused = sorted(set(self._refused))
            self._refused.clear()
            named = ", ".join(map(repr, refused))
            raise Unauthorized(
                f"this identity may not listen to {named}: its role, or the names it may host, do not allow it"
            )
