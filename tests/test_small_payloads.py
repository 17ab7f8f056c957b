"""A broker that takes little: an error always finds its way back, its text cut."""

from __future__ import annotations

import pytest

from agentbus import Agent, Context, Node, Supervision, rpc
from agentbus.errors import HandlerFailed, Refused
from agentbus.transport import LinkState
from agentbus.transports.memory import MemoryBroker, MemoryTransport
from examples.hello.v1.hello_pb2 import HelloReply, HelloRequest

from .waiting import until


class Verbose(Agent):
    supervision = Supervision(on_failure="resume")

    @rpc(HelloRequest, HelloReply)
    async def greet(self, request: HelloRequest, ctx: Context) -> HelloReply:
        text = "\N{GRINNING FACE}" * 5000
        raise (Refused if request.name == "refuse" else ValueError)(text)


async def test_an_error_with_a_long_text_is_answered() -> None:
    broker = MemoryBroker(max_payload=1024)
    async with Node(transport=MemoryTransport(broker), agents=[Verbose()]) as node:
        with pytest.raises(Refused):
            await node.request(HelloRequest(name="refuse"), HelloReply, to="verbose", timeout_s=1.0)
        with pytest.raises(HandlerFailed):
            await node.request(HelloRequest(), HelloReply, to="verbose", timeout_s=1.0)


def unwatched(state: LinkState, why: str) -> None:
    """Nobody looks."""


async def test_a_foreign_client_is_answered_too() -> None:
    broker = MemoryBroker(max_payload=1024)
    answers: list[dict[str, str]] = []
    async with Node(transport=MemoryTransport(broker), agents=[Verbose()]):
        client = MemoryTransport(broker)
        await client.connect(timeout_s=1.0, watcher=unwatched)
        client.subscribe("answers", lambda _subject, _body, _reply, headers: answers.append(dict(headers or {})))
        await client.flush()
        subject = "default.to.verbose.examples-hello-v1-HelloRequest"
        client.send(subject, HelloRequest().SerializeToString(), "answers")
        client.send(subject, b"{}", "answers", {"Content-Type": "application/json"})
        await until(lambda: len(answers) == 2)
        assert {answer["Nats-Service-Error-Code"] for answer in answers} == {"500"}
        await client.close()
