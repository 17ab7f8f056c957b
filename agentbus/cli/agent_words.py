"""Making agents from a command's words: ``[NAME=]MODULE:AGENT`` and ``[NAME.]KEY=VALUE``.

Invariant: each word is used, or refused with the remedy; nothing is guessed.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentbus.agent import Agent, default_name
from agentbus.errors import AgentBusError, AgentExists, AgentNotFound, ConfigurationError
from agentbus.subjects import check_name

from .failures import UsageError
from .imports import import_here


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One ``--set``. `agent`: for that agent only; empty for all that take `key`."""

    agent: str
    key: str
    value: Any
    word: str


def make_agents(words: Sequence[str], names: Sequence[str], settings: Sequence[str]) -> dict[str, Agent]:
    """The agents by name.

    Args:
        words: ``[NAME=]MODULE:AGENT`` each.
        names: for those without a name of their own, in order.
        settings: ``[NAME.]KEY=VALUE`` each.

    Raises:
        UsageError: a word is malformed, a constructor argument is missing, or nobody takes one that was given.
        AgentNotFound: a module that does not import, or has no such agent.
        AgentExists: two agents of one name.
        SubjectError: a name that can't be one.
        ConfigurationError: a constructor raised.
    """
    found = [_find(word) for word in words]
    named = _named(found, names)
    given = [_setting(word, named) for word in settings]
    used: set[str] = set()
    agents = {name: _make(name, target, given, used) for name, target in named.items()}
    for setting in given:
        if setting.word not in used:
            takes = "; ".join(f"{name} takes {_listed(_parameters(target))}" for name, target in named.items())
            raise UsageError(f"--set {setting.word}: no agent here takes {setting.key!r} ({takes})")
    return agents


def find_agent(target: str) -> type[Agent] | Agent:
    """What ``MODULE:AGENT`` names. Raises `UsageError` and `AgentNotFound`."""
    module_name, colon, attribute = target.partition(":")
    if not colon:
        hint = f"{module_name}:AGENT" if module_name else "MODULE:AGENT"
        raise UsageError(f"{target!r} names no agent: write {hint}, as in examples.climate:Thermostat")
    module = import_here(module_name)
    there = _agents_in(vars(module))
    value: object = module
    for part in attribute.split("."):
        if not part or not hasattr(value, part):
            raise AgentNotFound(f"module {module_name!r} has no {attribute!r}; its agents: {_listed(there)}")
        value = getattr(value, part)
    if isinstance(value, Agent) or (isinstance(value, type) and issubclass(value, Agent) and value is not Agent):
        return value
    what = f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"
    raise AgentNotFound(
        f"{target} is {what}, not an agent: name a subclass of agentbus.Agent or an instance; "
        f"agents in {module_name!r}: {_listed(there)}"
    )


def _find(word: str) -> tuple[str, type[Agent] | Agent]:
    name, _, target = word.rpartition("=")
    return name and check_name(name, "agent"), find_agent(target)


def _named(found: Sequence[tuple[str, type[Agent] | Agent]], names: Sequence[str]) -> dict[str, type[Agent] | Agent]:
    waiting = [check_name(name, "agent") for name in names]
    nameless = sum(not name for name, _ in found)
    if len(waiting) > nameless:
        raise UsageError(f"{len(waiting)} --name for {nameless} agents without a name: give one for each, in order")
    named: dict[str, type[Agent] | Agent] = {}
    for own, target in found:
        kind = target if isinstance(target, type) else type(target)
        name = own or (waiting.pop(0) if waiting else default_name(kind))
        if name in named:
            raise AgentExists(f"two agents are called {name!r}: write NAME=MODULE:AGENT, or give --name for each")
        named[name] = target
    return named


def _setting(word: str, named: Mapping[str, object]) -> Setting:
    key, equals, text = word.partition("=")
    agent, dot, own = key.rpartition(".")
    if not equals or not own.isidentifier() or (dot and not agent):
        raise UsageError(f"--set {word}: write KEY=VALUE or NAME.KEY=VALUE")
    if agent and agent not in named:
        raise UsageError(f"--set {word}: no agent {agent!r} here, but {_listed(named)}")
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return Setting(agent=agent, key=own, value=value, word=word)


def _make(name: str, target: type[Agent] | Agent, given: Sequence[Setting], used: set[str]) -> Agent:
    if isinstance(target, Agent):
        for setting in given:
            if setting.agent == name:
                raise UsageError(f"--set {setting.word}: agent {name!r} is made already: name its class instead")
        return target
    parameters = _parameters(target)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    # First those for all, so that those for this agent win.
    meant = [s for s in given if not s.agent and s.key in parameters] + [s for s in given if s.agent == name]
    for setting in meant:
        if setting.key not in parameters and not takes_any:
            raise UsageError(f"--set {setting.word}: {target.__name__} takes {_listed(parameters)}")
        used.add(setting.word)
    values = {setting.key: setting.value for setting in meant}
    missing = [key for key, p in parameters.items() if _required(p) and key not in values]
    if missing:
        remedy = " ".join(f"--set {key}=VALUE" for key in missing)
        raise UsageError(f"{target.__name__} needs {', '.join(missing)}: give {remedy}")
    try:
        return target(**values)
    except AgentBusError:
        raise
    except Exception as error:
        called = ", ".join(f"{key}={value!r}" for key, value in values.items())
        raise ConfigurationError(f"{target.__name__}({called}) raised {type(error).__name__}: {error}") from error


def _parameters(target: type[Agent] | Agent) -> dict[str, inspect.Parameter]:
    """What the constructor takes by name. `Agent.__new__` takes anything, so ``__init__`` is asked."""
    kind = target if isinstance(target, type) else type(target)
    if kind.__init__ is object.__init__:
        return {}
    listed = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return {p.name: p for p in listed if p.kind is not p.VAR_POSITIONAL}


def _required(parameter: inspect.Parameter) -> bool:
    return parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD


def _agents_in(members: Mapping[str, object]) -> list[str]:
    return sorted(
        name
        for name, value in members.items()
        if isinstance(value, Agent) or (isinstance(value, type) and issubclass(value, Agent) and value is not Agent)
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
