"""Machines without a loop or a clock: a network that loses, repeats and reorders, as one seed says."""

from __future__ import annotations

from random import Random

from agentbus.blackboard import BlackboardConfig, Gossip, Value
from agentbus.blackboard.codec import decode, encode
from agentbus.blackboard.model import Add, Changed, Effect, Packet, PacketKind, Peers, Put, Send
from agentbus.wire.v1.blackboard_pb2 import BoardGossip

WALL = 1_000_000.0
"""What the wall shows at the time 0."""
SHELL = 128
"""Bytes of a packet beside its items."""


class World:
    """Nodes of one team. Each packet goes through the codec, and is checked against the limit."""

    def __init__(
        self, *names: str, seed: int = 0, config: BlackboardConfig | None = None, loss: float = 0.0, twice: float = 0.0
    ) -> None:
        self.config = config or BlackboardConfig(period_s=1.0)
        self.rng = Random(seed)
        self.loss = loss
        self.twice = twice
        self.now = 0.0
        self.machines: dict[str, Gossip] = {}
        self.skew: dict[str, float] = {}
        self.cut: set[str] = set()
        self.sent: list[BoardGossip] = []
        self.kinds: list[PacketKind] = []
        self.changed: list[tuple[str, str]] = []
        self._life = 0
        for name in names:
            self.start(name)

    def start(self, name: str) -> Gossip:
        self._life += 1
        machine = Gossip(name, self._life, self.config, Random(self.rng.random()), self.now)
        self.machines[name] = machine
        for other in self.machines.values():
            other.handle(Peers(sorted(self.machines)), self.now, self.wall(other.node))
        return machine

    def wall(self, name: str) -> float:
        return WALL + self.now + self.skew.get(name, 0.0)

    def put(self, name: str, key: str, value: Value | None) -> None:
        self._note(name, self.machines[name].handle(Put(key, value), self.now, self.wall(name)))

    def add(self, name: str, counter: str, amount: int = 1) -> None:
        self.machines[name].handle(Add(counter, amount), self.now, self.wall(name))

    def hear(self, name: str, packet: Packet) -> list[Effect]:
        return self.machines[name].handle(packet, self.now, self.wall(name))

    def run(self, rounds: float = 1) -> None:
        """So many periods; packets arrive at once, in any order."""
        until = self.now + rounds * self.config.period_s
        while True:
            name = min(self.machines, key=lambda name: self.machines[name].next_deadline())
            due = self.machines[name].next_deadline()
            if due > until:
                break
            self.now = due
            self._deliver(name, self.machines[name].tick(self.now, self.wall(name)))
        self.now = until

    def rounds_until_same(self, most: int = 100) -> int:
        for number in range(most):
            if self.same():
                return number
            self.run()
        raise AssertionError(f"not the same after {most} rounds")

    def same(self) -> bool:
        return len({machine.board.spelled for machine in self.machines.values()}) == 1

    def _deliver(self, sender: str, effects: list[Effect]) -> None:
        waiting = [(sender, effect) for effect in effects]
        while waiting:
            source, effect = waiting.pop(self.rng.randrange(len(waiting)) if self.twice else 0)
            if not isinstance(effect, Send):
                self._note(source, [effect])
                continue
            message = encode(effect.packet)
            assert message.ByteSize() <= self.config.message_bytes + SHELL
            self.sent.append(message)
            self.kinds.append(effect.packet.kind)
            if self.rng.random() < self.loss or (source in self.cut) != (effect.to in self.cut):
                continue
            packet = decode(BoardGossip.FromString(message.SerializeToString()))
            assert packet is not None
            for _ in range(2 if self.rng.random() < self.twice else 1):
                waiting += [(effect.to, answer) for answer in self.hear(effect.to, packet)]

    def _note(self, name: str, effects: list[Effect]) -> None:
        self.changed += [(name, effect.key) for effect in effects if isinstance(effect, Changed)]
