"""What a simulation finds wrong.

::

    AgentBusError
    |-- SimulationFailed            also an AssertionError: the run is not what it should be
    |   |-- SimulationDeadlock        nothing can ever happen again, and the scenario waits
    |   |-- SimulationTimeout         the limit of virtual time is reached
    |   |-- SimulationStalled         callbacks for ever, and time stands still
    |   |-- BackgroundFailed          a task or callback raised, and nobody looked
    |   `-- TasksLeft                 tasks that outlive the scenario and its nodes
    `-- NotSimulated                what has no virtual counterpart: threads, sockets, processes
"""

from __future__ import annotations

from ..errors import AgentBusError, ConfigurationError


class SimulationFailed(AgentBusError, AssertionError):
    """The run is not what it should be."""


class SimulationDeadlock(SimulationFailed):
    """No timer, no callback, nothing under way, and the scenario still waits; the text names what waits, and where."""


class SimulationTimeout(SimulationFailed):
    """The limit of virtual time is reached; the text names what waits, and where."""


class SimulationStalled(SimulationFailed):
    """So many turns of the event loop at one instant that time seems to stand still; the text names who runs."""


class BackgroundFailed(SimulationFailed):
    """A task or a callback raised and nobody looked, or an agent's behavior failed an assertion. The first of them is
    the cause."""


class TasksLeft(SimulationFailed):
    """Tasks outlive the scenario and its nodes; the text names them, and where they wait."""


class NotSimulated(ConfigurationError, RuntimeError):
    """Something that would leave virtual time: a thread, a socket, a process, a signal."""
