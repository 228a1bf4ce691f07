"""Step three: what an imported plugin offers, and what is wrong with how it does."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import pluggy

from ganlab import hookspecs
from ganlab.components import (
    Component,
    DatasetComponent,
    DiscriminatorComponent,
    LossComponent,
    Options,
    SampleSpec,
)
from ganlab.errors import GanlabError
from ganlab.hookspecs import PROJECT
from ganlab.kinds import KINDS
from ganlab.registry.loader import failure_from
from ganlab.registry.plugin import LoadedPlugin, Offer, PluginFailure, Provenance
from ganlab.registry.suggest import did_you_mean

__all__ = ["Contribution", "classify", "is_component_name", "record_fault"]

_HOOKS = {kind.hook: kind.record for kind in KINDS.values()}
"""Hook -> the record that it yields."""

_NEEDS = frozenset({"augmentation", "discriminator", "encoder"})
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Contribution:
    """What one plugin adds: components by (kind, offer), and failures."""

    offers: tuple[Offer, ...]
    failures: tuple[PluginFailure, ...]


def classify(plugin: LoadedPlugin) -> Contribution:
    """Call a plugin's hooks and check what they yield; sound components outlive bad ones."""
    failures = [plugin.found.failure("hooks", message) for message in _declaration_faults(plugin.module)]
    offers: list[Offer] = []
    hooks = _sound_hooks(plugin)
    if not hooks and not failures:
        failures.append(plugin.found.failure("hooks", "has no hook, and so offers nothing"))
    for name, function in hooks.items():
        try:
            for record in _records(name, function()):
                fault = _record_fault(name, record, offers)
                if fault:
                    failures.append(plugin.found.failure("components", f"{name}(): {fault}"))
                else:
                    offers.append(Offer(record, _provenance(plugin)))
        except (Exception, SystemExit) as error:  # a hook may do anything
            failures.append(failure_from(plugin.found, "components", error, f"{name}()"))
    return Contribution(tuple(offers), tuple(failures))


class _Manager(pluggy.PluginManager):
    """pluggy's manager, which sees the hooks that have no fault."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Return the options of a hook implementation; `None` for a faulty one."""
        if not hasattr(vars(plugin).get(name), f"{PROJECT}_impl"):  # as most; pluggy looks longer
            return None
        options = super().parse_hookimpl_opts(plugin, name)
        return None if options is None or _hook_fault(name, getattr(plugin, name), options) else options


def _sound_hooks(plugin: LoadedPlugin) -> dict[str, Callable[[], Any]]:
    """Return the plugin's hooks by the specification that each implements.

    They are called one by one and not through pluggy's multicall, in which the first
    exception would end the turn of every other plugin, unnamed.
    """
    manager = _manager()
    try:
        manager.register(plugin.module, plugin.found.id)
        callers = manager.get_hookcallers(plugin.module) or []
        return {caller.name: impl.function for caller in callers for impl in caller.get_hookimpls()}
    finally:
        manager.unregister(name=plugin.found.id)


@cache
def _manager() -> _Manager:
    """Return a manager that knows the hooks, which take longer to read than a plugin's."""
    manager = _Manager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _declaration_faults(module: ModuleType) -> Iterable[str]:
    for name, member in list(vars(module).items()):
        options = getattr(member, f"{PROJECT}_impl", None)
        if isinstance(options, dict) and inspect.isroutine(member):
            fault = _hook_fault(name, member, options)
            if fault:
                yield fault
        elif _is_forgotten(name, member, module):
            yield f"{name}() has no @hookimpl, so that nothing calls it; put `@ganlab.hookimpl` above it"


def _is_forgotten(name: str, member: object, module: ModuleType) -> bool:
    return (
        name.startswith(f"{PROJECT}_")
        and inspect.isroutine(member)
        and not hasattr(member, f"{PROJECT}_spec")
        and getattr(member, "__module__", None) == module.__name__
    )


def _hook_fault(name: str, function: Callable[..., Any], options: Any) -> str:
    hook = options.get("specname") or name
    if hook not in _HOOKS:
        hint = did_you_mean(hook, _HOOKS) or f"hooks: {', '.join(_HOOKS)}"
        return f"there is no hook {hook}(); {hint}"
    if options.get("wrapper") or options.get("hookwrapper"):
        return f"{name}() is a wrapper; hooks of {PROJECT} cannot be wrapped"
    if inspect.signature(function).parameters:
        return f"{name}() must take no arguments"
    return ""


def _records(hook: str, result: Any) -> Iterable[Any]:
    if isinstance(result, Component):
        raise GanlabError("returned one record; `yield` it, or return a list")
    if not isinstance(result, Iterable) or isinstance(result, str | bytes):
        expected = _HOOKS[hook].__name__
        raise GanlabError(f"must yield {expected} records, but returned {_what(result)}")
    return result


def _record_fault(hook: str, record: Any, offers: list[Offer]) -> str:
    expected = _HOOKS[hook]
    if not isinstance(record, expected):
        return f"must yield {expected.__name__} records, but yielded {_what(record)}"
    return record_fault(record) or _duplicate_fault(record, offers)


def record_fault(record: Component) -> str:
    """Return what is wrong with a record by itself, in words; empty if nothing is."""
    return _name_fault(record) or _content_fault(record) or _options_fault(record)


def is_component_name(name: str) -> bool:
    """Return whether a component may have a name: lower-case words joined by hyphens."""
    return _NAME.fullmatch(name) is not None


def _name_fault(record: Component) -> str:
    if isinstance(record.name, str) and is_component_name(record.name):
        return ""
    return f"the name {record.name!r} must be lower-case words joined by hyphens, as in `patch-gan`"


def _content_fault(record: Component) -> str:
    if not isinstance(record.summary, str) or not record.summary.strip():
        return f"`{record.name}` needs a `summary` of one line"
    if not callable(record.build):
        return f"`build` of `{record.name}` must be a function, not {_what(record.build)}"
    if not isinstance(record.accepts, tuple) or not record.accepts or not all(map(_is_kind, record.accepts)):
        return f"`accepts` of `{record.name}` must be a tuple of sample specs, as in (ImageSpec,)"
    if isinstance(record, DatasetComponent) and SampleSpec in record.accepts:
        return f"`accepts` of `{record.name}` must be the kind of sample that it yields, as in (ImageSpec,)"
    if isinstance(record, DiscriminatorComponent):
        return _names_fault(record, "outputs", record.outputs)
    if isinstance(record, LossComponent):
        return _needs_fault(record) or _names_fault(record, "needs_outputs", record.needs_outputs)
    return ""


def _is_kind(accepted: object) -> bool:
    return isinstance(accepted, type) and issubclass(accepted, SampleSpec)


def _needs_fault(record: LossComponent) -> str:
    if isinstance(record.needs, Set) and record.needs <= _NEEDS:
        return ""
    given = sorted(map(str, record.needs)) if isinstance(record.needs, Set) else _what(record.needs)
    return (
        f'`needs` of `{record.name}` must be a frozenset of "discriminator", "encoder" and "augmentation", '
        f"or of some of these, not {given}"
    )


def _names_fault(record: Component, attribute: str, names: object) -> str:
    if isinstance(names, Set) and all(isinstance(name, str) for name in names):
        return ""
    return f"`{attribute}` of `{record.name}` must be a frozenset of names, not {_what(names)}"


def _options_fault(record: Component) -> str:
    if not (isinstance(record.options, type) and issubclass(record.options, Options)):
        return (
            f"`options` of `{record.name}` must be a subclass of ganlab.Options, not {_what(record.options)}"
        )
    taken = KINDS[record.kind].core_keys & set(record.options.model_fields)
    if taken:
        return f"`{record.name}` has an option `{min(taken)}`, a key that the core uses itself; rename it"
    return ""


def _duplicate_fault(record: Component, offers: list[Offer]) -> str:
    for offer in offers:
        if (offer.component.kind, offer.component.name) == (record.kind, record.name):
            return f"yields two {type(record).__name__} records named `{record.name}`"
    return ""


def _provenance(plugin: LoadedPlugin) -> Provenance:
    found = plugin.found
    return Provenance(found.distribution, found.version, found.id, plugin.module.__name__, plugin.files)


def _what(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    return f"{type(value).__name__} {value!r}"[:80]
