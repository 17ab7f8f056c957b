"""Requests: ask one agent by name, ask any that answers, or ask all of them; and what can go wrong.

Every request has a deadline (5 s unless `timeout_s` says otherwise), and every failure is a typed error that says
whether trying again can help. An agent that must decline raises `Refused`; any other exception in a handler reaches
the requester as `HandlerFailed`.
"""

from __future__ import annotations

from agentbus import Agent, AgentBusError, Context, Node, Refused, rpc

from .climate import Thermostat
from .climate.v1.climate_pb2 import TargetReply, TargetRequest
from .starting import start


class Frozen(Agent):
    """Answers the same type, by saying no."""

    @rpc(TargetRequest, TargetReply)
    async def tell_target(self, request: TargetRequest, ctx: Context) -> TargetReply:
        """Declines."""
        raise Refused("my dial is frozen")


async def main(url: str | None) -> None:
    """Three thermostats that answer, and one that doesn't."""
    targets = {"hall": 21.0, "cellar": 14.0, "attic": 17.5}
    agents = {"porch": Frozen(), **{name: Thermostat(target) for name, target in targets.items()}}
    async with Node(url, realm="e03", agents=agents), Node(url, realm="e03") as node:
        one = await node.request(Thermostat.tell_target, TargetRequest(), to="hall")
        print(f"hall says {one.celsius:g}")

        everyone = await node.gather(
            TargetRequest(), TargetReply, at_least=3, timeout_s=0.5
        )  # waits for whoever is there
        for reply in sorted(everyone, key=lambda reply: reply.sender):
            print(f"gather: {reply.sender} says {reply.message.celsius:g}")
        for sender, error in everyone.failures.items():
            print(f"gather: {sender} failed: {type(error).__name__}: {error}")

        for name in ("porch", "garage"):
            try:
                await node.request(TargetRequest(), TargetReply, to=name, timeout_s=1.0)
            except AgentBusError as error:
                again = "a retry may help" if error.retryable else "a retry will not help"
                print(f"{name}: {type(error).__name__}, {again}")

        await ask_any(node, set(targets.values()))


async def ask_any(node: Node, targets: set[float]) -> None:
    """Without `to=` one agent of those that answer the type is asked; the broker chooses, here perhaps the porch."""
    while True:
        try:
            anyone = await node.request(TargetRequest(), TargetReply)
        except Refused:
            continue
        print(f"any: somebody answered, and it is one of the targets: {anyone.celsius in targets}")
        return


if __name__ == "__main__":
    start(main)
