"""What any transport must keep for live messages. One check a promise; no check reads a clock.

That nothing comes is proved by order: when the sender and then the receiver have flushed, what was to come has come.
Reference: the docstring of `agentbus.transport`, and the NATS client protocol for subjects and queue groups.
"""

from __future__ import annotations

from collections import Counter

from ..errors import Closed, PayloadTooLarge, SubjectError
from ..transport import NO_RESPONDERS, Headers, Transport
from .conformance_ground import Check, Ground, Inbox, promise, refused, refused_async, require, send_paced

SUBJECTS = ("a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.b.c.d", "a.x.c", "ab.b", "A.b", "a.bb")
WILDCARDS = {
    "a": ("a",),
    "a.b": ("a.b",),
    "*": ("a", "b"),
    "a.*": ("a.b", "a.c", "a.bb"),
    "*.b": ("a.b", "b.b", "ab.b", "A.b"),
    "*.*": ("a.b", "a.c", "b.b", "ab.b", "A.b", "a.bb"),
    "a.*.c": ("a.b.c", "a.x.c"),
    "a.>": ("a.b", "a.c", "a.b.c", "a.b.c.d", "a.x.c", "a.bb"),
    "*.b.>": ("a.b.c", "a.b.c.d"),
    "a.*.>": ("a.b.c", "a.b.c.d", "a.x.c"),
    "*.*.*": ("a.b.c", "a.x.c"),
    ">": SUBJECTS,
}
"""Pattern -> which of `SUBJECTS` it hears. Written out, so that it depends on no matcher."""

BAD_PATTERNS = ("", ".", "a..b", ".a", "a.", "a b", "a.\tb", ">.a", "a.>.b", "a*.b", "a.b>", "a\r\nPUB b 0")


def header_bytes(headers: Headers) -> int:
    """Bytes that headers take on a NATS wire: a version line, a line for each, an empty line."""
    return 12 + sum(len(name.encode()) + len(value.encode()) + 4 for name, value in headers.items())


@promise("a pattern hears the subjects that it matches, each once, and no others")
async def wildcards(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    inboxes = {pattern: ground.inbox() for pattern in WILDCARDS}
    for pattern, inbox in inboxes.items():
        listener.subscribe(ground.subject(*pattern.split(".")), inbox)
    await listener.flush()
    for subject in SUBJECTS:
        sender.send(ground.subject(*subject.split(".")), subject.encode())
    await ground.settle(sender, listener)
    for pattern, expected in WILDCARDS.items():
        heard = [body.decode() for body in inboxes[pattern].bodies]
        require(heard == list(expected), f"{pattern!r} heard {heard}, not {list(expected)}")


@promise("each plain subscription gets each message once, also the sender's own and two of one connection")
async def fan_out(ground: Ground) -> None:
    sender, other = await ground.link(), await ground.link()
    inboxes = [ground.inbox() for _ in range(4)]
    subject = ground.subject("news")
    for link, inbox in zip((sender, other, other, other), inboxes, strict=True):
        await ground.listen(link, subject, inbox)
    for number in range(20):
        sender.send(subject, b"%d" % number)
    await ground.settle(sender, other)
    for inbox in inboxes:
        require(inbox.bodies == [b"%d" % number for number in range(20)], f"one of four heard {inbox.bodies}")


@promise("a queue group gets each message exactly once, whoever of its members gets it, and each member some")
async def queue_group(ground: Ground) -> None:
    sender = await ground.link()
    links = [await ground.link() for _ in range(3)]
    crew, guild = [ground.inbox() for _ in links], [ground.inbox() for _ in links]
    plain = ground.inbox()
    subject = ground.subject("jobs")
    for link, first, second in zip(links, crew, guild, strict=True):
        link.subscribe(subject, first, "crew")
        await ground.listen(link, subject, second, "guild")
    await ground.listen(links[0], subject, plain)
    bodies = [b"%d" % number for number in range(300)]
    await send_paced(sender, subject, bodies, patience_s=ground.patience_s)
    await ground.settle(sender, *links)
    require(plain.bodies == bodies, "a plain subscription beside the groups did not get each message once")
    for name, group in (("crew", crew), ("guild", guild)):
        require_each_once(group, bodies, f"group {name}")
        require(all(member.items for member in group), f"a member of group {name} got none of 300 messages")


@promise("a queue group is one group over all patterns that its members listen on")
async def queue_group_of_patterns(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    members = [ground.inbox(), ground.inbox()]
    await ground.listen(listener, ground.subject("jobs", "*"), members[0], "crew")
    await ground.listen(listener, ground.subject("jobs", ">"), members[1], "crew")
    bodies = [b"%d" % number for number in range(100)]
    await send_paced(sender, ground.subject("jobs", "one"), bodies, patience_s=ground.patience_s)
    await ground.settle(sender, listener)
    require_each_once(members, bodies, "a group of two patterns")


@promise("a queue group goes on without a member that unsubscribed or closed")
async def queue_group_without_a_member(ground: Ground) -> None:
    sender, staying, leaving = await ground.link(), await ground.link(), await ground.link()
    subject = ground.subject("jobs")
    kept, gone, closed = ground.inbox(), ground.inbox(), ground.inbox()
    await ground.listen(staying, subject, kept, "crew")
    ended = await ground.listen(staying, subject, gone, "crew")
    await ground.listen(leaving, subject, closed, "crew")
    ended.unsubscribe()
    await staying.flush()
    await leaving.close()
    bodies = [b"%d" % number for number in range(50)]
    await send_paced(sender, subject, bodies, patience_s=ground.patience_s)
    await ground.settle(sender, staying)
    require(kept.bodies == bodies, f"the member that stayed got {len(kept.items)} of 50")


@promise("a member that drains gets what the broker had given it, the others the rest: nothing is lost between")
async def drain(ground: Ground) -> None:
    sender, staying, leaving = await ground.link(), await ground.link(), await ground.link()
    subject = ground.subject("jobs")
    kept, gone = ground.inbox(), ground.inbox()

    def drains(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        gone(subject, body, reply, headers)
        subscription.drain()

    await ground.listen(staying, subject, kept, "crew")
    subscription = await ground.listen(leaving, subject, drains, "crew")
    bodies = [b"%d" % number for number in range(1000)]
    await send_paced(sender, subject, bodies, patience_s=ground.patience_s)
    await ground.settle(sender, staying, leaving)
    require(bool(gone.items), "the member that drains got nothing of 1,000")
    require_each_once([kept, gone], bodies, "a group of which one drains")
    before = len(gone.items)
    subscription.drain()
    for number in range(50):
        sender.send(subject, b"after %d" % number)
    await ground.settle(sender, staying, leaving)
    require(len(gone.items) == before, "a receiver was called after drain and flush")


def require_each_once(group: list[Inbox], bodies: list[bytes], what: str) -> None:
    counts = Counter(body for member in group for body in member.bodies)
    require(counts == Counter(bodies), f"{what}: {sum(counts.values())} deliveries of {len(bodies)} messages")


@promise("a send with a reply to a subject without subscribers is answered once: empty body, Status: 503")
async def no_responders(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    inbox, replies = ground.inbox(), ground.subject("replies")
    await ground.listen(link, f"{replies}.*", inbox)
    await ground.listen(other, ground.subject("elsewhere"), ground.inbox())
    link.send(ground.subject("nobody"), b"anyone?", f"{replies}.1")
    await inbox.wait(1, "no answer to a send that nobody hears")
    await ground.settle(link, other)
    require(len(inbox.items) == 1, f"{len(inbox.items)} answers in place of one")
    told = inbox.items[0]
    require(told.subject == f"{replies}.1" and told.body == b"", f"the answer was {told}")
    status = (told.headers or {}).get("Status")
    require(status == NO_RESPONDERS["Status"], f"the answer's headers were {told.headers}")


@promise("nobody is told of no responders when there is a subscriber, even one that never answers, or no reply")
async def no_false_no_responders(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    inbox, heard = ground.inbox(), ground.inbox()
    await ground.listen(link, ground.subject("replies", ">"), inbox)
    await ground.listen(other, ground.subject("mute", "*"), heard)
    queued = await ground.listen(other, ground.subject("queued"), heard, "crew")
    link.send(ground.subject("mute", "1"), b"", ground.subject("replies", "1"))
    link.send(ground.subject("queued"), b"", ground.subject("replies", "2"))
    link.send(ground.subject("nobody"), b"")
    await ground.settle(link, other)
    require(len(heard.items) == 2, f"two messages to mute subscribers, {len(heard.items)} heard")
    require(not inbox.items, f"told of no responders: {inbox.items}")
    queued.unsubscribe()
    await other.flush()
    link.send(ground.subject("queued"), b"", ground.subject("replies", "3"))
    await inbox.wait(1, "the last subscriber left, and nobody was told")


@promise("a reply subject travels with the message, and the answer comes back")
async def request_and_reply(ground: Ground) -> None:
    asking, answering = await ground.link(), await ground.link()

    def answer(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        answering.send(reply, body.upper())

    inbox = ground.inbox()
    await ground.listen(asking, ground.subject("replies", "*"), inbox)
    await ground.listen(answering, ground.subject("shout"), answer)
    for number in range(20):
        asking.send(ground.subject("shout"), b"call %d" % number, ground.subject("replies", str(number)))
    await inbox.wait(20, "answers")
    expected = [(ground.subject("replies", str(number)), b"CALL %d" % number) for number in range(20)]
    require([(got.subject, got.body) for got in inbox.items] == expected, "the answers are not those to the requests")
    require(all(got.reply == "" for got in inbox.items), "a message without reply must come with an empty one")


@promise("messages of one sender to one subject are received in order, each once: 10,000 from each of two senders")
async def order(ground: Ground) -> None:
    listener, senders = await ground.link(), [await ground.link(), await ground.link()]
    exact, wide = ground.inbox(), ground.inbox()
    subject = ground.subject("ordered", "all")
    listener.subscribe(subject, exact)
    await ground.listen(listener, ground.subject("ordered", "*"), wide)
    for start in range(0, 10_000, 500):
        for name, sender in zip((b"x", b"y"), senders, strict=True):
            bodies = [b"%s %d" % (name, number) for number in range(start, start + 500)]
            await send_paced(sender, subject, bodies, patience_s=ground.patience_s)
    await exact.wait(20_000, "messages from two senders")
    await ground.settle(*senders, listener)
    for inbox in (exact, wide):
        for name in (b"x", b"y"):
            numbers = [int(body.split()[1]) for body in inbox.bodies if body.startswith(name)]
            require(numbers == list(range(10_000)), f"{first_fault(numbers)} of sender {name.decode()}")


def first_fault(numbers: list[int]) -> str:
    """Where a sequence of numbers stops being 0, 1, 2..."""
    for index, number in enumerate(numbers):
        if number != index:
            return f"message {number} came where {index} was due"
    return f"only {len(numbers)} messages"


@promise("a receiver is called after send returned, one message at a time, also when it sends to itself")
async def not_reentrant(ground: Ground) -> None:
    link = await ground.link()
    subject, heard, depths, inside = ground.subject("echo"), ground.inbox(), list[int](), list[str]()

    def receiver(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        inside.append(subject)
        depths.append(len(inside))
        if int(body) < 50:
            link.send(subject, b"%d" % (int(body) + 1))
        heard(subject, body, reply, headers)
        inside.pop()

    await ground.listen(link, subject, receiver)
    link.send(subject, b"1")
    require(not heard.items, "a receiver was called from within send")
    await heard.wait(50, "messages that a receiver sent to itself")
    require(max(depths) == 1, f"a receiver was called within a receiver, {max(depths)} deep")


@promise("a receiver that raises harms neither the link, nor other receivers, nor its own later messages")
async def receiver_that_raises(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    subject, broken, sound = ground.subject("trap"), ground.inbox(), ground.inbox()

    def raises(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        broken(subject, body, reply, headers)
        raise RuntimeError("a receiver that fails, on purpose")

    await ground.listen(listener, subject, raises)
    await ground.listen(listener, subject, sound)
    for number in range(10):
        sender.send(subject, b"%d" % number)
    await ground.settle(sender, listener)
    expected = [b"%d" % number for number in range(10)]
    require(sound.bodies == expected, f"the other receiver heard {sound.bodies}")
    require(broken.bodies == expected, f"the one that raises was called for {broken.bodies}")
    require(listener.connected and sender.connected, "the link was lost")


@promise("after unsubscribe no receiver call follows, not even of messages under way; a second call does nothing")
async def unsubscribe_stops(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    subject, ended, kept = ground.subject("feed"), ground.inbox(), ground.inbox()

    def stops(subject: str, body: bytes, reply: str, headers: Headers | None) -> None:
        ended(subject, body, reply, headers)
        if body == b"2":
            subscription.unsubscribe()

    subscription = await ground.listen(listener, subject, stops)
    await ground.listen(listener, subject, kept)
    for number in range(10):
        sender.send(subject, b"%d" % number)
    await ground.settle(sender, listener)
    subscription.unsubscribe()
    sender.send(subject, b"10")
    await ground.settle(sender, listener)
    require(ended.bodies == [b"0", b"1", b"2"], f"unsubscribed at message 2, called for {ended.bodies}")
    require(kept.bodies == [b"%d" % number for number in range(11)], f"its neighbour heard {kept.bodies}")


@promise("flush returns when all sent before was seen by the broker, and all delivered by then was received")
async def flush(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    inbox, own = ground.inbox(), ground.inbox()
    subject = ground.subject("flushed")
    listener.subscribe(subject, inbox)
    await listener.flush()
    sender.subscribe(subject, own)
    for number in range(500):
        sender.send(subject, b"%d" % number)
    await sender.flush()
    require(len(own.items) == 500, f"after one flush, {len(own.items)} of 500 own messages were received")
    await listener.flush()
    require(len(inbox.items) == 500, f"after sender's and receiver's flush, {len(inbox.items)} of 500 were received")


@promise("a body of exactly max_payload is delivered; one byte more is PayloadTooLarge, and the link is untouched")
async def payload_limit(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    await limit_holds(ground, sender, listener, None)


@promise("headers count: body plus encoded headers of exactly max_payload is delivered, one byte more is refused")
async def payload_limit_with_headers(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    await limit_holds(ground, sender, listener, {"Trace-Id": "7" * 300, "K": "v"})


async def limit_holds(ground: Ground, sender: Transport, listener: Transport, headers: Headers | None) -> None:
    inbox, subject = ground.inbox(), ground.subject("big")
    await ground.listen(listener, subject, inbox)
    room = sender.max_payload - (header_bytes(headers) if headers else 0)
    require(room > 0, f"max_payload is {sender.max_payload}")
    body = b"x" * room
    sender.send(subject, body, "", headers)
    refused(lambda: sender.send(subject, body + b"x", "", headers), PayloadTooLarge, f"{room + 1} bytes of body")
    require(sender.connected, "the link was lost over a message that is too large")
    sender.send(subject, b"after")
    await inbox.wait(2, "the largest message and one after it")
    await ground.settle(sender, listener)
    require([len(got) for got in inbox.bodies] == [room, 5], f"received sizes {[len(got) for got in inbox.bodies]}")
    require(inbox.bodies[0] == body, "the largest body came changed")


@promise("headers arrive as they were sent; None when there were none")
async def headers_round_trip(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    inbox, subject = ground.inbox(), ground.subject("headed")
    await ground.listen(listener, subject, inbox)
    headers = {"Content-Type": "application/json", "x-lower-case": "two words: yes, and more", "UPPER": "1"}
    sender.send(subject, b"body", "", headers)
    sender.send(subject, b"", ground.subject("reply"), {"Only": "header"})
    sender.send(subject, b"bare")
    await inbox.wait(3, "messages with and without headers")
    got = [(message.body, message.headers and dict(message.headers)) for message in inbox.items]
    require(got == [(b"body", headers), (b"", {"Only": "header"}), (b"bare", None)], f"received {got}")
    require(inbox.items[1].reply == ground.subject("reply"), "the reply subject was lost beside headers")


@promise("any bytes are a body: none at all, line ends, zeros, all values, and text that looks like the protocol")
async def bodies(ground: Ground) -> None:
    sender, listener = await ground.link(), await ground.link()
    inbox, subject = ground.inbox(), ground.subject("bytes")
    await ground.listen(listener, subject, inbox)
    samples = [b"", b"\x00", b"\r\n", bytes(range(256)) * 4, b"PUB a 1\r\nx\r\n", b"\r\nPING\r\n", b"-ERR 'x'\r\n"]
    for sample in samples:
        sender.send(subject, sample)
    await inbox.wait(len(samples), "bodies")
    require(inbox.bodies == samples, f"received {inbox.bodies}")
    require(all(type(body) is bytes for body in inbox.bodies), "a body must be bytes")


@promise("a pattern that the grammar does not allow is a SubjectError, and the link is untouched")
async def bad_patterns(ground: Ground) -> None:
    link = await ground.link()
    for pattern in BAD_PATTERNS:
        refused(
            lambda pattern=pattern: link.subscribe(pattern, ground.inbox()), SubjectError, f"subscribe({pattern!r})"
        )
    await link.flush()
    require(link.connected, "the link was lost over a bad pattern")


@promise("close writes what is pending; a second close does nothing; then send, subscribe and store raise Closed")
async def closed(ground: Ground) -> None:
    link, other = await ground.link(), await ground.link()
    heard, own, subject = ground.inbox(), ground.inbox(), ground.subject("last")
    await ground.listen(other, subject, heard)
    await ground.listen(link, subject, own)
    for number in range(20):
        link.send(subject, b"%d" % number)
    await link.close()
    await link.close(timeout_s=0.1)
    require(not link.connected, "connected is true after close")
    refused(lambda: link.send(subject, b"late"), Closed, "send after close")
    refused(lambda: link.subscribe(subject, own), Closed, "subscribe after close")
    await refused_async(link.store(subject, b"", message_id="1", timeout_s=1.0), Closed, "store after close")
    await heard.wait(20, "messages sent just before close")
    before = len(own.items)
    other.send(subject, b"after")
    await ground.settle(other)
    require(heard.bodies == [*(b"%d" % number for number in range(20)), b"after"], f"heard {heard.bodies}")
    require(len(own.items) == before, "a receiver was called after close")


LIVE: tuple[Check, ...] = (
    wildcards,
    fan_out,
    queue_group,
    queue_group_of_patterns,
    queue_group_without_a_member,
    drain,
    no_responders,
    no_false_no_responders,
    request_and_reply,
    order,
    not_reentrant,
    receiver_that_raises,
    unsubscribe_stops,
    flush,
    payload_limit,
    payload_limit_with_headers,
    headers_round_trip,
    bodies,
    bad_patterns,
    closed,
)
