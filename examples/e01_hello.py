"""Hello: an agent is a class, and a method becomes something that others can ask.

`@rpc(HelloRequest, HelloReply)` says: I answer a `HelloRequest` with a `HelloReply`. Both are protobuf messages, from
protos/examples/hello/v1/hello.proto. A `Node` is a connection that hosts agents; it can ask as well.

Host the agent on its own and ask it from another shell::

    agentbus run examples.e01_hello:Greeter
    agentbus call greeter HelloRequest '{"name": "world"}' --import examples.hello.v1.hello_pb2
"""

from __future__ import annotations

from agentbus import Agent, Context, Node, rpc

from .hello.v1.hello_pb2 import HelloReply, HelloRequest
from .starting import start


class Greeter(Agent):
    """Greets whoever asks."""

    @rpc(HelloRequest, HelloReply)
    async def greet(self, request: HelloRequest, ctx: Context) -> HelloReply:
        """Returns the greeting; what is returned is the reply."""
        return HelloReply(text=f"Hello, {request.name}! I am {ctx.me}, you are {ctx.sender}.")


async def main(url: str | None) -> None:
    """Two nodes on one broker: one hosts the greeter, the other asks it. They could be on two machines."""
    async with Node(url, realm="e01", agents=[Greeter()]), Node(url, realm="e01", name="visitor") as visitor:
        # Whom: the agent's name, by default its class's. What: the pair of types that Greeter.greet is.
        reply = await visitor.request(Greeter.greet, HelloRequest(name="world"), to="greeter")
        print(reply.text)


if __name__ == "__main__":
    start(main)
