"""What a realm is, as it stands in ``realm.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ...errors import ConfigurationError
from ..credentials import RealmFile, read_secret
from .permissions import Layout

REALM = "realm.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealmState:
    """What stands in ``realm.json``.

    Attributes:
        public: what members know.
        layout: what there is in it.
        revoked: users, to the second up to which what was issued to them is void.
        servers: how many; 1: alone, without a resolver that is pushed to.
        disk_bytes: of its streams.
        made_s: when it was made, seconds since 1970. Its operator's JWT is of that time for ever: servers that run take
            no other.
    """

    public: RealmFile
    layout: Layout
    revoked: Mapping[str, int] = field(default_factory=dict[str, int])
    servers: int = 1
    disk_bytes: int = 8 << 30
    made_s: int = 0

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        layout = self.layout
        return {
            "realm": self.public.as_json(),
            "buckets": {name: list(keys) for name, keys in layout.buckets.items()},
            "jobs": list(layout.jobs),
            "escrows": list(layout.escrows),
            "revoked": dict(self.revoked),
            "servers": self.servers,
            "disk_bytes": self.disk_bytes,
            "made_s": self.made_s,
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """The state that `as_json` told of. Raises `ConfigurationError`."""
        try:
            public = RealmFile.of_json(told["realm"])
            return cls(
                public=public,
                layout=Layout(
                    realm=public.realm,
                    buckets={str(name): tuple(map(str, keys)) for name, keys in told["buckets"].items()},
                    jobs=tuple(map(str, told["jobs"])),
                    escrows=tuple(map(str, told["escrows"])),
                ),
                revoked={str(user): int(at) for user, at in told["revoked"].items()},
                servers=int(told["servers"]),
                disk_bytes=int(told["disk_bytes"]),
                made_s=int(told.get("made_s", 0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"not a realm: {type(error).__name__}: {error}") from None


def read_state(folder: Path) -> RealmState:
    """What ``realm.json`` in a folder says. Raises `ConfigurationError`."""
    text = read_secret(folder / REALM, "agentbus realm init makes a realm")
    try:
        return RealmState.of_json(json.loads(text))
    except ValueError as error:
        raise ConfigurationError(f"{folder / REALM}: {error}") from None
