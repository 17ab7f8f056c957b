"""A process that uses an embedded server, ordered by lines on its standard input; it answers each with a JSON line.

Run as ``python server_user.py HOME``. Orders: acquire, ensure, release, fork, quit.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from agentbus.errors import ServerFailed
from agentbus.transports.server import EmbeddedServer, ServerAddress, acquire


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def tell_address(address: ServerAddress) -> None:
    tell(**{name: getattr(address, name) for name in ServerAddress.__slots__})


def fork_a_sleeper(server: EmbeddedServer) -> None:
    """A child that is forked but executes nothing, as multiprocessing makes them; says whether it still has a share."""
    if child := os.fork():
        tell(child=child)
        return
    try:
        asyncio.new_event_loop().run_until_complete(server.ensure())
        os.write(1, b'{"has_share": true}\n')
    except (ServerFailed, RuntimeError) as error:
        os.write(1, json.dumps({"has_share": False, "error": str(error)}).encode() + b"\n")
    time.sleep(60)
    os._exit(0)


async def main(home: Path) -> None:
    server: EmbeddedServer | None = None
    tell(pid=os.getpid())
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if order == "acquire":
            server = await acquire(home=home)
            tell_address(server.address)
        elif order == "quit":
            return
        else:
            assert server is not None
            if order == "ensure":
                tell_address(await server.ensure())
            elif order == "release":
                server.release()
                tell(released=True)
            elif order == "fork":
                fork_a_sleeper(server)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
