"""A bucket is laid out as NATS's own: another client reads, writes, deletes and watches it."""

from __future__ import annotations

from pathlib import Path

import nats
import pytest
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from agentbus.storage import Bucket
from agentbus.transports.nats import NatsTransport

from .conftest import serving


async def test_nats_py_shares_a_bucket(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        transport = NatsTransport(server.url, name="ours")
        await transport.connect()
        bucket = await Bucket.open(transport, "things", realm="city", history=5)
        client = await nats.connect(server.url)
        theirs = await client.jetstream().key_value("city_things")
        revision = await bucket.put("a.b", b"ours")
        entry = await theirs.get("a.b")
        assert (entry.value, entry.revision) == (b"ours", revision)
        status = await theirs.status()
        assert (status.bucket, status.history) == ("city_things", 5)

        revision = await theirs.update("a.b", b"theirs", last=revision)
        found = await bucket.get("a.b")
        assert found is not None
        assert (found.value, found.revision) == (b"theirs", revision)
        await bucket.delete("a.b")
        with pytest.raises(KeyNotFoundError):
            await theirs.get("a.b")
        await bucket.create("a.b", b"again")
        with pytest.raises(KeyWrongLastSequenceError):
            await theirs.create("a.b", b"no")
        async with bucket.watch("a.>") as changes:
            assert (await anext(changes)).value == b"again"
            await theirs.delete("a.b")
            assert (await anext(changes)).deleted
            await theirs.put("a.c", b"x")
            await theirs.purge("a.c")
            assert (await anext(changes)).key == "a.c"
        assert await bucket.keys() == ()
        await client.close()
        await transport.close()
