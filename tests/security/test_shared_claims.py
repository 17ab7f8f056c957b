"""Claims of several nodes, one of which may lie: a frame is handled from one place, whatever is said, and in whatever
order what is said is read."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from agentbus.security.claims import Claim, Claims, Shared

NODES = ("a", "b")
NUMBERS = st.sampled_from([1, 1, 2, 4098, 9000])
PLACES = st.integers(1, 2)


@dataclass
class Log:
    """What is kept, as a stream that keeps the last of each node does it."""

    kept: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])
    revision: int = 0

    def write(self, node: str, body: bytes) -> int:
        self.revision += 1
        self.kept[node] = (self.revision, body)
        return self.revision

    def since(self, revision: int) -> list[tuple[int, str, bytes]]:
        """What came after that, in order."""
        return sorted((at, node, body) for node, (at, body) in self.kept.items() if at > revision)


class Node:
    """One honest node, as `Positions` does it."""

    def __init__(self, name: str, log: Log) -> None:
        self.name = name
        self.log = log
        self.shared: Shared | None = None
        self.own = b""
        self.others: dict[str, Claims] = {}
        self.revision = 0
        self.completed: list[tuple[int, int]] = []
        self.handled: set[tuple[int, int]] = set()

    def deliver(self, number: int, place: int, *, lost: bool = False) -> Claim:
        """`lost`: the acknowledgement of a write is."""
        while True:
            if self.shared is None:
                for revision, name, body in self.log.since(self.revision)[: 1 if self.revision else None]:
                    self.revision = revision
                    if name == self.name:
                        self.own = body
                    else:
                        self.others[name] = Claims.from_bytes(body)
                self.shared = Shared(Claims.from_bytes(self.own), self.others.values())
            for done in self.completed:
                self.shared.own.complete(*done)
            found = self.shared.claim(number, place)
            if not self.shared.changed:
                break
            if self.revision != self.log.revision:
                self.shared = None
                continue
            body = self.shared.own.to_bytes()
            revision = self.log.write(self.name, body)
            if not lost:
                self.own, self.revision, self.shared.changed = body, revision, False
                self.completed.clear()
                break
            self.shared, lost = None, False
        if found in (Claim.FIRST, Claim.AGAIN):
            self.handled.add((number, place))
        return found


DEEDS = st.sampled_from(["deliver"] * 5 + ["complete"] * 2 + ["restart", "lie", "unsay"])
ACTS = st.lists(st.tuples(DEEDS, st.sampled_from(NODES), NUMBERS, PLACES, st.booleans()), min_size=15, max_size=50)
Act = tuple[str, str, int, int, bool]


def done(acts: list[Act], *, lies: bool) -> dict[str, Node]:
    log, said = Log(), Claims()
    nodes = {name: Node(name, log) for name in NODES}
    claimed: dict[int, int] = {}
    completed: set[int] = set()
    for act, name, number, place, flag in acts:
        match act:
            case "deliver":
                found = nodes[name].deliver(number, place, lost=flag)
                if found in (Claim.FIRST, Claim.AGAIN):
                    claimed.setdefault(number, place)
                elif not lies and claimed.get(number) == place:
                    assert number in completed, f"{name}: {found} for what nobody has completed"
            case "complete":
                if (number, place) in nodes[name].handled:
                    nodes[name].completed.append((number, place))
                    completed.add(number)
            case "restart":  # what was not written is lost
                handled = nodes[name].handled
                nodes[name] = Node(name, log)
                nodes[name].handled = handled
            case "lie" if lies:
                said.claim(number, place)
                if flag:
                    said.complete(number, place)
                log.write("x", said.to_bytes())
            case "unsay" if lies:
                said = Claims()
                log.write("x", b"")
            case _:
                pass
    return nodes


@settings(max_examples=60)
@given(ACTS, st.booleans())
def test_a_frame_is_handled_from_one_place(acts: list[Act], lies: bool) -> None:
    places: dict[int, set[int]] = {}
    for node in done(acts, lies=lies).values():
        for number, place in node.handled:
            places.setdefault(number, set()).add(place)
    assert all(len(found) == 1 for found in places.values()), places
