"""An agent: its arguments, its behaviors, how it is supervised. No I/O: a node hosts it.

The class and the arguments it was first made with are kept, so that a restart builds it anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from .behaviors import specs_of
from .errors import AgentNotFound
from .policies import PolicyState
from .specs import Behaviors, PolicySpec
from .supervision import Supervision

if TYPE_CHECKING:
    from typing import Self

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Agent:
    """The base of all agents. Has no ``__init__``: there is no ``super().__init__()`` to forget.

    Attributes:
        behaviors: what the class does, collected from its decorators.
        supervision: what happens when a behavior fails; override it in the class.
        version: semantic version, told to whoever asks who is there.
        description: told likewise; the first line of the class's docstring unless set.
    """

    behaviors: ClassVar[Behaviors] = Behaviors()
    supervision: ClassVar[Supervision] = Supervision()
    version: ClassVar[str] = "0.1.0"
    description: ClassVar[str] = ""

    if not TYPE_CHECKING:

        def __new__(cls, *args: object, **kwargs: object) -> Self:
            self = object.__new__(cls)
            object.__setattr__(self, "__made_of__", (args, kwargs))  # also for frozen dataclasses
            return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.behaviors = specs_of(cls)
        if "description" not in vars(cls):
            cls.description = (cls.__doc__ or "").strip().partition("\n")[0]

    def policy(self, name: str) -> PolicyState:
        """A policy of this agent at work, by the method's name: its weight may be changed while the agent runs.

        Raises:
            AgentNotFound: no method of that name has a policy.
        """
        return policy_of(self, name)


def default_name(kind: type[Agent]) -> str:
    """The name an agent gets unless it is given one: its class's in kebab case, ``http-probe`` for ``HTTPProbe``."""
    return _WORD.sub("-", kind.__name__).replace("_", "-").strip("-").lower()


def policy_of(agent: Agent, name: str) -> PolicyState:
    """A policy of the agent at work. Raises `AgentNotFound`."""
    states: dict[str, PolicyState] = vars(agent).setdefault("__policies__", {})
    state = states.get(name)
    if state is None:
        spec = next((spec for spec in agent.behaviors.rpc if spec.name == name), None)
        if not isinstance(spec, PolicySpec):
            raise AgentNotFound(f"{type(agent).__name__} has no policy {name!r}: mark the method @cooperative, say")
        state = states[name] = PolicyState(spec)
    return state


def again(agent: Agent) -> Agent:
    """A fresh instance of the agent's class, made of the arguments it was first made of."""
    args, kwargs = vars(agent)["__made_of__"]
    fresh = type(agent)(*args, **kwargs)
    vars(fresh)["__policies__"] = vars(agent).setdefault("__policies__", {})  # what was set while it ran stays set
    vars(agent)["__followed_by__"] = fresh
    return fresh


def present(agent: Agent) -> Agent:
    """The instance that stands for this one now: itself, or what it was built again as."""
    now = agent
    while (fresh := vars(now).get("__followed_by__")) is not None:
        now = fresh
    if now is not agent:
        vars(agent)["__followed_by__"] = now  # those between are kept by nobody
    return now


def is_hosted(agent: Agent) -> bool:
    """Whether a node hosts this very instance."""
    return bool(vars(agent).get("__hosted__"))


def mark_hosted(agent: Agent, hosted: bool) -> None:
    """Says whether a node hosts this very instance."""
    vars(agent)["__hosted__"] = hosted
