"""NATS URLs, and that secrets stay secret."""

from __future__ import annotations

import pytest

from agentbus.errors import ConfigurationError, UnknownScheme
from agentbus.transports.nats import Endpoint, NatsTransport
from agentbus.transports.nats_endpoint import Server, servers


def one(url: str, **more: str) -> Server:
    (server,) = servers(Endpoint(url=url, **more))  # type: ignore[arg-type]
    return server


def test_forms_of_a_url() -> None:
    assert one("nats://h:1") == Server(host="h", port=1, secure=False)
    assert one("h") == Server(host="h", port=4222, secure=False)
    assert one("h:5") == Server(host="h", port=5, secure=False)
    assert one("tls://h") == Server(host="h", port=4222, secure=True)
    assert one("nats://[::1]:7").where == "[::1]:7"
    assert one("nats://u:p%40%2C%25@h") == Server(host="h", port=4222, secure=False, user="u", password="p@,%")
    assert one("nats://t0ken@h") == Server(host="h", port=4222, secure=False, token="t0ken")


def test_what_is_given_beside_the_url_wins() -> None:
    assert one("nats://u:p@h", user="a", password="b") == Server(
        host="h", port=4222, secure=False, user="a", password="b"
    )
    assert one("nats://u:p@h", token="t") == Server(host="h", port=4222, secure=False, token="t")


def test_several_servers() -> None:
    found = servers(Endpoint(url="tls://a:1, b:2,nats://c"))
    assert [(server.url) for server in found] == ["tls://a:1", "tls://b:2", "nats://c:4222"]


@pytest.mark.parametrize("url", ["", " , ", "nats://", "nats://u:secret@h:port", "nats://:secret@:1", "nats://h:99999"])
def test_what_is_not_a_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        servers(Endpoint(url=url))
    assert "secret" not in str(caught.value)


def test_other_schemes_are_refused() -> None:
    with pytest.raises(UnknownScheme, match="ws"):
        servers(Endpoint(url="ws://h"))


def test_no_secret_is_shown() -> None:
    url = "nats://user:secret1@h:1"
    endpoint = Endpoint(url=url, password="secret2", token="secret3", nkey_seed="secret4")
    transport = NatsTransport(url, name="shy")
    shown = f"{endpoint!r} {servers(endpoint)!r} {servers(Endpoint(url=url))!r} {transport!r} {transport.url}"
    assert "secret" not in shown
    assert transport.url == "nats://h:1"
