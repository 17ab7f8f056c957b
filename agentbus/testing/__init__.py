"""The testing kit: agents without a broker, in virtual time, and the transports' conformance checks. Public.

* `Simulation`: nodes, a network with faults, virtual time; docs/guides/testing.md
* what it finds: `SimulationFailed` and those below it, `NotSimulated`
* what happened: `EventLog`, `Event`
* `Cluster`: real nats-servers that can be killed and started again; `RealmCluster`: those of a realm of identities
* `check_transport`: holds a transport of your own to what `agentbus.transport` promises

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cluster import Cluster
    from .conformance import CHECKS, OUTAGE_CHECKS, BrokerControl, Check, check_transport
    from .event_log import Event, EventLog
    from .failures import (
        BackgroundFailed,
        NotSimulated,
        SimulationDeadlock,
        SimulationFailed,
        SimulationStalled,
        SimulationTimeout,
        TasksLeft,
    )
    from .members import NodeOptions
    from .realm_cluster import RealmCluster
    from .simulation import Simulation
    from .virtual_time import VirtualTimeLoop

__all__ = [
    "BackgroundFailed",
    "BrokerControl",
    "CHECKS",
    "Check",
    "Cluster",
    "Event",
    "EventLog",
    "NodeOptions",
    "NotSimulated",
    "OUTAGE_CHECKS",
    "RealmCluster",
    "Simulation",
    "SimulationDeadlock",
    "SimulationFailed",
    "SimulationStalled",
    "SimulationTimeout",
    "TasksLeft",
    "VirtualTimeLoop",
    "check_transport",
]

_HOMES = {
    "cluster": ("Cluster",),
    "conformance": ("BrokerControl", "CHECKS", "Check", "OUTAGE_CHECKS", "check_transport"),
    "event_log": ("Event", "EventLog"),
    "failures": (
        "BackgroundFailed",
        "NotSimulated",
        "SimulationDeadlock",
        "SimulationFailed",
        "SimulationStalled",
        "SimulationTimeout",
        "TasksLeft",
    ),
    "members": ("NodeOptions",),
    "realm_cluster": ("RealmCluster",),
    "simulation": ("Simulation",),
    "virtual_time": ("VirtualTimeLoop",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
