"""The tree of errors: one root, each leaf says what failed and whether trying again can help.

::

    AgentBusError
    |-- ConfigurationError        yours, before anything ran: fix the code or the settings
    |   |-- DefinitionError         a decorator or an agent class is wrong
    |   |-- SubjectError            a subject, topic or name that the grammar does not allow
    |   |-- UnknownScheme           a URL that no transport understands
    |   |-- AgentExists             two agents of one name on one node
    |   `-- AgentNotFound           no such agent, module or type
    |-- ConnectionFailed          between this node and its broker
    |   |-- NotConnected            no link now; publishing and asking fail at once        retry
    |   |-- Unauthorized            credentials, a permission or a signature was refused
    |   |-- ServerFailed            the embedded server could not be started
    |   `-- StorageFailed           a durable message was not stored, or nobody knows      retry
    |       `-- Conflict              compare and set: another write came first
    |-- RequestFailed             an exchange with another agent
    |   |-- NoResponders            nobody listens on that subject                         retry
    |   |-- DeadlineExceeded        no answer in time (also a TimeoutError)                retry
    |   |-- Busy                    the mailbox is full, or the agent is going away        retry
    |   |-- Refused                 the agent understood and said no
    |   |   `-- EscrowRefused         the escrow ledger said no: `reason`
    |   |-- HandlerFailed           the handler raised: `error_type`, `text`
    |   |-- SchemaMismatch          a type unknown to the receiver, or bytes it can't parse
    |   |-- HopLimitExceeded        messages caused one another for too long
    |   |-- TooFewReplies           a gather below `at_least`: `replies`, `failures`
    |   |-- InvalidBid              a cost, bid, weight or score that is no number to go by
    |   |-- NoBids                  a job that nobody, or too few, bid for: `refusals`       retry
    |   `-- AllFailed               a job at which each who bid has failed: `failures`       retry
    |-- PayloadTooLarge           more than the broker takes
    |-- NotSharing                a team's board, asked by a policy that does not share what it knows
    |-- BoardFull                 a team's board, which holds as much as it may
    |-- CheckpointInvalid         a saved state is truncated, altered or of another version: `reasons`
    |-- LedgerInvalid             a log, note or proof is not what it claims: `index`, `path`
    |-- AgentStopped              supervision gave an agent up
    `-- Closed                    the node, or the transport, has been closed

An error that an agent raises on purpose (``raise Refused("not today")``) reaches the requester as that type. Any
other exception reaches it as `HandlerFailed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class AgentBusError(Exception):
    """The root. `retryable`: the same call may succeed later. `code`: the number a foreign client sees (ADR-32)."""

    retryable: ClassVar[bool] = False
    code: ClassVar[int] = 500


class ConfigurationError(AgentBusError):
    """Something written down is wrong; nothing was sent."""


class DefinitionError(ConfigurationError, TypeError):
    """A decorator or an agent class is used wrongly."""


class SubjectError(ConfigurationError, ValueError):
    """A subject, topic or name that the subject grammar does not allow."""


class UnknownScheme(ConfigurationError, ValueError):
    """A URL whose scheme no transport understands."""


class AgentExists(ConfigurationError):
    """A second agent of one name on one node."""


class AgentNotFound(ConfigurationError, LookupError):
    """No such agent, module or message type."""


class ConnectionFailed(AgentBusError):
    """The link to the broker."""

    code = 503


class NotConnected(ConnectionFailed):
    """There is no link to the broker at this moment. Nothing was buffered: it is for the caller to try again."""

    retryable = True


class Unauthorized(ConnectionFailed):
    """The broker refused the credentials or a permission; or a node's guard refused what is not signed, not in time,
    not new, or in a name that its signer may not use."""

    code = 401


class ServerFailed(ConnectionFailed):
    """The embedded nats-server could not be found, started or reached."""


class StorageFailed(ConnectionFailed):
    """A durable message was not acknowledged by the stream: it may or may not be stored. Publishing it again may store
    it twice, as two messages."""

    retryable = True


class Conflict(StorageFailed):
    """Compare and set found another revision than the expected one: somebody else's write came first. Nothing was
    stored, and the same write will never be: read again, and decide anew."""

    retryable = False
    code = 409


class RequestFailed(AgentBusError):
    """An exchange with another agent did not end with its answer."""


class NoResponders(RequestFailed):
    """Nobody listens on the subject of the request."""

    retryable = True
    code = 503


class DeadlineExceeded(RequestFailed, TimeoutError):
    """No answer came in time. The work may have been done."""

    retryable = True
    code = 504


class Busy(RequestFailed):
    """The receiver's mailbox is full, or the receiver is going away. The work was not begun."""

    retryable = True
    code = 429


class Refused(RequestFailed):
    """The agent understood the request and declined it."""

    code = 403


class EscrowRefused(Refused):
    """The escrow ledger understood and moved nothing. `reason`: why, a word of `agentbus.market.Reason`; the text names
    the account, hold or transaction, and the remedy."""

    def __init__(self, text: str = "", *, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason


class HandlerFailed(RequestFailed):
    """The handler raised. `error_type` is the name of the exception's class, `text` what it said."""

    def __init__(self, text: str = "", *, error_type: str = "") -> None:
        super().__init__(f"{error_type}: {text}" if error_type else text)
        self.error_type = error_type
        self.text = text


class SchemaMismatch(RequestFailed):
    """A type that the receiver does not know, or bytes that are not of the type they claim."""

    code = 400


class HopLimitExceeded(RequestFailed):
    """A chain of messages that cause messages grew beyond the limit; most likely it is a loop."""

    code = 508


class TooFewReplies(RequestFailed):
    """A gather ended with fewer than `at_least` answers.

    Attributes:
        replies: the answers that did come.
        failures: who answered with an error, by the sender's name.
    """

    retryable = True
    code = 504

    def __init__(
        self, text: str, *, replies: Sequence[object] = (), failures: Mapping[str, AgentBusError] | None = None
    ) -> None:
        super().__init__(text)
        self.replies = replies
        self.failures = dict(failures or {})


class InvalidBid(RequestFailed):
    """A cost, bid, weight or score that is no number to go by: not a number, infinite, negative, or above the value.
    The text says which, and whose."""

    code = 422


class NoBids(RequestFailed):
    """A job was offered and nobody would do it, or fewer than it needs.

    Attributes:
        refusals: who answered without a bid that counts, and why, by name.
    """

    retryable = True
    code = 503

    def __init__(self, text: str = "", *, refusals: Mapping[str, AgentBusError] | None = None) -> None:
        super().__init__(text)
        self.refusals = dict(refusals or {})


class AllFailed(RequestFailed):
    """A job was awarded to one bidder after the other, and each failed or went silent.

    Attributes:
        failures: what became of it at each, by name, in the order of the awards.
    """

    retryable = True

    def __init__(self, text: str = "", *, failures: Mapping[str, AgentBusError] | None = None) -> None:
        super().__init__(text)
        self.failures = dict(failures or {})


class PayloadTooLarge(AgentBusError, ValueError):
    """A message, with its headers and frame, is larger than the broker takes."""

    code = 413


class NotSharing(AgentBusError):
    """A policy that does not share what it knows would read its team's board, or write on it."""

    code = 403


class BoardFull(AgentBusError):
    """A team's board holds as many entries, or bytes, as it may. Nothing was written."""

    code = 507


class CheckpointInvalid(AgentBusError):
    """A state that was saved can't be used: it is not whole, was altered, or is of another version. `reasons`: why,
    for each that was tried, the newest first."""

    def __init__(self, text: str = "", *, reasons: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.reasons = tuple(reasons)


class LedgerInvalid(AgentBusError):
    """A log, a note or a proof is not what it claims to be: altered, cut off, or not signed by who should have.

    Attributes:
        index: the first record that is in doubt; None when it is none of them.
        path: the file, where there is one.
    """

    def __init__(self, text: str = "", *, index: int | None = None, path: str = "") -> None:
        super().__init__(text)
        self.index = index
        self.path = path


class AgentStopped(AgentBusError):
    """Supervision gave an agent up: it failed more often than its restart intensity allows."""


class Closed(AgentBusError):
    """The node or the transport has been closed."""

    code = 503


TRAVELLING: Mapping[str, type[AgentBusError]] = {
    kind.__name__: kind
    for kind in (
        NoResponders,
        DeadlineExceeded,
        Busy,
        Refused,
        HandlerFailed,
        SchemaMismatch,
        HopLimitExceeded,
        InvalidBid,
        NoBids,
        AllFailed,
        PayloadTooLarge,
        NotConnected,
        Unauthorized,
        StorageFailed,
    )
}
"""The errors that can come back from another agent, by name."""


def revive(kind: str, text: str, error_type: str) -> AgentBusError:
    """The error that another agent answered with. An unknown kind becomes `HandlerFailed`."""
    known = TRAVELLING.get(kind, HandlerFailed)
    if known is HandlerFailed:
        return HandlerFailed(text, error_type=error_type or kind.replace("HandlerFailed", ""))
    return known(text)
