"""Peers: an identity is a name in one life of its node."""

from __future__ import annotations

from agentbus import Peer, PeerId


def test_a_peer_id_is_ordered_by_name_then_life() -> None:
    ids = [PeerId("b", 1), PeerId("a", 2), PeerId("a", 1)]
    assert [str(one) for one in sorted(ids)] == ["a@1", "a@2", "b@1"]


def test_a_peer_has_nothing_to_say_unless_told() -> None:
    peer = Peer(id=PeerId("a", 1), node="n")
    assert (peer.answers, dict(peer.tags)) == ((), {})
    assert peer == Peer(id=PeerId("a", 1), node="n")
