"""What stands between the account of a realm's users and that of its streams. Pure.

Whoever may ask JetStream something names where the answer goes, and the broker looks at no permission there: in one
account, a stream keeps an answer that comes to one of its subjects. So the streams are in an account of their own,
which has no users. The users' account imports what they need of it; answers come back into the users' account, where
nothing is stored.

Reference: NATS documentation, "Streams and services across accounts".
"""

from __future__ import annotations

SERVICES = ("$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>")
KINDS = ("log", "dead", "seen", "epochs", "shard")
"""What is stored below the realm's name."""


def exports_of(realm: str) -> list[dict[str, str]]:
    """What the streams' account offers: to take what is stored, to answer what is asked, and what followers hear."""
    services = [*SERVICES, *(f"{realm}.{kind}.>" for kind in KINDS)]
    inboxes = f"{realm}.in.>"
    return [
        *({"name": each, "subject": each, "type": "service", "response_type": "Stream"} for each in services),
        {"name": inboxes, "subject": inboxes, "type": "stream"},
    ]


def imports_of(realm: str, account: str) -> list[dict[str, str]]:
    """The same, as the users' account takes it from `account`, a public key."""
    return [
        {**{key: each[key] for key in ("name", "subject", "type")}, "account": account} for each in exports_of(realm)
    ]
