"""Rules: what to do about which kind of fault.

A rule is a method of a `Policy`, marked by `@on_fault`: it takes the fault and what is known, and returns actions.
It is plain and quick: no I/O, no clock, no chance; each node runs it for itself, and equal knowledge gives equal plans.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar, cast

from ..errors import DefinitionError
from ..faults import ERRING, FAILED, FALSE_ACCUSER, LYING, OVERLOADED, SILENT, SLOW
from .knowledge import Known
from .model import Action, Probation, Quarantine, Rehost, Restart, Shed, Trouble

_MARK = "__agentbus_on_fault__"
ANY = "*"
"""The kind of a rule for faults that no other rule is for."""
MAX_ACTIONS = 16
"""Actions that one rule may ask for."""

P = TypeVar("P", bound="Policy")
Rule = Callable[[P, Trouble, Known], Iterable[Action]]


def on_fault(*kinds: str) -> Callable[[Rule[P]], Rule[P]]:
    """Marks a rule: ``def name(self, fault, known)``, which returns actions, in their order.

    Args:
        kinds: of faults (`agentbus.faults`, or words of your own); ``"*"`` for those that no other rule is for.

    Raises:
        DefinitionError: anything that cannot work.
    """
    for kind in cast("tuple[object, ...]", kinds):
        if not isinstance(kind, str) or not kind.strip():
            raise DefinitionError(f"@on_fault({kind!r}): not a kind of fault: write @on_fault('lying'), say")
    if not kinds:
        raise DefinitionError("@on_fault() names no kind of fault: write @on_fault('lying'), say")

    def mark(function: Rule[P]) -> Rule[P]:
        _check_rule(function)
        setattr(function, _MARK, kinds)
        return function

    return mark


def _check_rule(function: Any) -> None:
    name = getattr(function, "__qualname__", repr(function))
    write = "write `def name(self, fault, known) -> list[Action]`"
    if not inspect.isfunction(function):
        raise DefinitionError(f"@on_fault at {name}: not a function: {write}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"@on_fault at {name}: a rule only decides, the effector acts: leave async out; {write}")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        raise DefinitionError(
            f"@on_fault at {name}: takes ({', '.join(inspect.signature(function).parameters)}): {write}"
        ) from None
    if hasattr(function, _MARK):
        raise DefinitionError(f"@on_fault at {name}: marked twice: write @on_fault('one', 'other')")


class Policy:
    """What to do about which fault; the default one. Subclass it, and mark methods with `@on_fault`.

    A rule of a subclass takes the place of those of its bases for the same kinds.

    Attributes:
        rules: the name of the method for each kind.
    """

    rules: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.rules = _rules_of(cls)

    def plan(self, fault: Trouble, known: Known) -> list[tuple[str, Action]]:
        """The actions, in their order, each with the name of its rule. Nothing for a kind that no rule is for.

        Raises:
            DefinitionError: the rule returned something else than actions.
        """
        name = self.rules.get(fault.kind) or self.rules.get(ANY)
        if name is None:
            return []
        planned = getattr(self, name)(fault, known)
        rule = f"{type(self).__name__}.{name}"
        if isinstance(planned, str) or not isinstance(planned, Iterable):
            raise DefinitionError(f"{rule} returned {planned!r}: return a list of actions, [Quarantine()] say")
        actions = list(cast("Iterable[object]", planned))
        if len(actions) > MAX_ACTIONS:
            raise DefinitionError(f"{rule} returned {len(actions)} actions: {MAX_ACTIONS} at most")
        for action in actions:
            if not isinstance(action, Action):
                raise DefinitionError(f"{rule} returned {action!r} among its actions: return Quarantine(), say")
        return [(rule, action) for action in cast("list[Action]", actions)]

    # -- the default rules -----------------------------------------------------------------------------------------

    @on_fault(FAILED)
    def failed(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """A node that is dead does no harm: what it did is done elsewhere, at once."""
        return [Rehost()]

    @on_fault(LYING)
    def lying(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """Nothing of this life counts any more: others do its work, and it has to begin a new life."""
        return [Quarantine(), Rehost(), Restart()]

    @on_fault(FALSE_ACCUSER)
    def false_accuser(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """Its votes must not count any more."""
        return [Quarantine(), Restart()]

    @on_fault(SLOW, OVERLOADED)
    def slow(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """It gets less to do; when that does not help it begins a new life."""
        spared = [Shed(), Probation()]
        return [*spared, Restart(reason=_again(fault, known))] if _escalates(fault, known) else spared

    @on_fault(ERRING, SILENT)
    def erring(self, fault: Trouble, known: Known) -> Iterable[Action]:
        """It is trusted less; when it happens again and again it begins a new life."""
        doubted = [Probation()]
        return [*doubted, Restart(reason=_again(fault, known))] if _escalates(fault, known) else doubted


def _escalates(fault: Trouble, known: Known) -> bool:
    return known.count(fault.kind) >= known.config.escalate_after


def _again(fault: Trouble, known: Known) -> str:
    return f"{known.count(fault.kind)} times within {known.config.window_s:g} s"


def _rules_of(cls: type[Policy]) -> dict[str, str]:
    rules: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        here: dict[str, str] = {}
        for name, member in vars(base).items():
            if hasattr(getattr(member, "__func__", member), _MARK) and isinstance(member, staticmethod | classmethod):
                raise DefinitionError(f"{base.__qualname__}.{name}: a rule is a plain method: `def {name}(self, ...)`")
            for kind in getattr(member, _MARK, ()):
                if here.setdefault(kind, name) != name:
                    raise DefinitionError(
                        f"{base.__qualname__}: both {here[kind]!r} and {name!r} are rules for {kind!r}: keep one"
                    )
        rules.update(here)
    return rules


Policy.rules = _rules_of(Policy)
