"""Who is there, as ``agentbus ps`` shows it: samples of what agents say of themselves, and rates between two."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from .arguments import REALM
from .link import Link, linked
from .output import note
from .screen import Screen
from .services import Service, read_services

WATCH_S = 2.0
"""Seconds between two samples unless it is said."""
COLUMNS = ("NAME", "NODE", "REALM", "STATE", "BEHAVIORS", "HANDLED", "RATE/S", "FAILED", "RESTARTS", "QUEUED", "UPTIME")
NUMBERS = ("HANDLED", "RATE/S", "FAILED", "RESTARTS", "QUEUED", "UPTIME")


class Sample:
    """Who answered, and when: `at_s` by the loop's time."""

    def __init__(self, services: list[Service], at_s: float) -> None:
        self.services = services
        self.at_s = at_s
        self._handled = {service.id: service.handled for service in services}

    def rate(self, service: Service, before: Sample | None) -> float | None:
        """Messages a second since the sample before; None where there is none of this life of the agent."""
        if before is None or service.id not in before._handled:
            return None
        return max(0, service.handled - before._handled[service.id]) / max(self.at_s - before.at_s, 1e-9)


async def show(arguments: Namespace) -> None:
    """Asks who is there and shows it: once, or until it is cancelled."""
    interval_s = arguments.interval or (WATCH_S if arguments.watch else None)
    async with linked(arguments.url, arguments.realm or REALM, arguments.identity) as link:
        before: Sample | None = None
        if interval_s and not arguments.watch:
            before = await _sample(link, arguments)
            await asyncio.sleep(interval_s)
        with Screen(COLUMNS, NUMBERS, live=arguments.watch) as screen:
            while True:
                sample = await _sample(link, arguments)
                if arguments.json:
                    screen.records([_as_json(service, sample.rate(service, before)) for service in sample.services])
                else:
                    screen.rows([_row(service, sample.rate(service, before)) for service in sample.services])
                if not arguments.watch:
                    break
                before = sample
                await asyncio.sleep(interval_s or WATCH_S)
        if not sample.services:
            where = f" of realm {arguments.realm!r}" if arguments.realm else ""
            note(f"no agent{where} answered within {arguments.timeout:g} s")


async def _sample(link: Link, arguments: Namespace) -> Sample:
    infos, statistics = await asyncio.gather(
        link.collect("$SRV.INFO", timeout_s=arguments.timeout), link.collect("$SRV.STATS", timeout_s=arguments.timeout)
    )
    services = read_services(infos, statistics)
    shown = [service for service in services if arguments.realm in (None, service.realm)]
    return Sample(shown, asyncio.get_running_loop().time())


def _row(service: Service, rate: float | None) -> list[str]:
    return [
        service.name,
        service.node,
        service.realm,
        service.state or service.framework or "other",
        ",".join(_with_policy(name, service) for name in service.behaviors),
        str(service.handled),
        "" if rate is None else f"{rate:.1f}",
        str(service.failed),
        str(service.restarts),
        str(service.queued),
        duration(service.uptime_s(datetime.now(UTC))),
    ]


def _with_policy(name: str, service: Service) -> str:
    policy = service.policies.get(name)
    return f"{name} ({policy})" if policy else name


def _as_json(service: Service, rate: float | None) -> dict[str, Any]:
    uptime = service.uptime_s(datetime.now(UTC))
    return {
        "name": service.name,
        "id": service.id,
        "node": service.node,
        "realm": service.realm,
        "framework": service.framework,
        "version": service.version,
        "description": service.description,
        "state": service.state,
        "behaviors": dict(service.behaviors),
        "policies": dict(service.policies),
        "subjects": {endpoint.name: endpoint.subject for endpoint in service.endpoints},
        "handled": service.handled,
        "rate_per_s": None if rate is None else round(rate, 3),
        "failed": service.failed,
        "dropped": service.dropped,
        "restarts": service.restarts,
        "queued": service.queued,
        "uptime_s": None if uptime is None else round(uptime, 3),
    }


def duration(value_s: float | None) -> str:
    """Seconds for a person's eye, in the two largest units: ``3d04h``, ``2m05s``."""
    if value_s is None:
        return ""
    whole = int(value_s)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02}h"
    if hours:
        return f"{hours}h{minute:02}m"
    return f"{minutes}m{second:02}s" if minutes else f"{second}s"
