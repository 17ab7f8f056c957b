"""What makes a subject too long is told to whoever says it, not counted as lost."""

from __future__ import annotations

import pytest

from agentbus import Node
from agentbus.errors import SubjectError
from examples.hello.v1.hello_pb2 import HelloRequest


async def test_a_subject_that_is_too_long_is_an_error() -> None:
    async with Node("memory://long-subjects") as node:
        with pytest.raises(SubjectError):
            await node.publish(HelloRequest(), topic="t" * 1000)
        with pytest.raises(SubjectError):
            await node.send(HelloRequest(), to="t" * 1000)
        assert node.statistics().lost == 0
