"""A failure that had consequences is told at once, however soon it follows another."""

from __future__ import annotations

from contextlib import suppress

from structlog.testing import capture_logs

from agentbus import Agent, Context, Node, rpc
from agentbus.errors import HandlerFailed
from examples.hello.v1.hello_pb2 import HelloReply, HelloRequest


class Clumsy(Agent):
    @rpc(HelloRequest, HelloReply)
    async def greet(self, request: HelloRequest, ctx: Context) -> HelloReply:
        raise KeyError(request.name)


async def test_every_failure_that_led_to_a_restart_is_logged() -> None:
    with capture_logs() as logs:
        async with Node("memory://reporting", agents=[Clumsy()]) as node:
            for name in ("tea", "coffee"):
                with suppress(HandlerFailed):
                    await node.request(HelloRequest(name=name), HelloReply, to="clumsy")
    failures = [entry["error"] for entry in logs if entry["event"] == "behavior failed"]
    assert failures == ["KeyError: 'tea'", "KeyError: 'coffee'"]
