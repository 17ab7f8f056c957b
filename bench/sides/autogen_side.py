"""AutoGen's runtime of one process: `SingleThreadedAgentRuntime`, its defaults."""
# AutoGen lives in a virtual environment of its own.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false
# No `from __future__ import annotations`: AutoGen reads the annotations of handlers.

from dataclasses import dataclass
from typing import Any

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

from ..child import Channel
from .counting import at_once
from .samples import REQUEST_BYTES


@dataclass
class Question:
    """A number and some text: AutoGen makes JSON of each message for its log."""

    number: int
    body: str


class Echo(RoutedAgent):
    """Answers with what came."""

    def __init__(self) -> None:
        super().__init__("answers with what came")

    @message_handler
    async def echo(self, message: Question, ctx: MessageContext) -> Question:
        return Question(message.number, message.body)


async def ask(channel: Channel, *, count: int, width: int) -> dict[str, Any]:
    """Asks `count` times, `width` at once."""
    runtime = SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", Echo)
    runtime.start()
    to = AgentId("echo", "default")
    question = Question(123456, "x" * (REQUEST_BYTES - 6))

    async def request() -> None:
        await runtime.send_message(question, to)

    await at_once(request, 64, width)
    channel.tell("ready")
    await channel.told()
    rate = count / await at_once(request, count, width)
    await runtime.stop()
    return {"rate": rate}
