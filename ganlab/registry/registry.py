"""The components of all plugins, by kind and name."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlab.errors import printable
from ganlab.kinds import KINDS
from ganlab.registry.classifier import classify
from ganlab.registry.finder import find_installed, find_local, without_disabled
from ganlab.registry.loader import load
from ganlab.registry.plugin import (
    FoundPlugin,
    LoadedPlugin,
    Offer,
    PluginError,
    PluginFailure,
    UnknownComponentError,
)
from ganlab.registry.suggest import did_you_mean, listing

__all__ = ["STRICT_VARIABLE", "Registry", "load_registry"]

STRICT_VARIABLE = "GANLAB_STRICT_PLUGINS"
"""Environment variable: `1` makes the first failure of a plugin an error."""


@dataclass(frozen=True)
class Registry:
    """What the plugins offer, and what went wrong with them.

    Attributes:
        offers: every component with its origin, in order of kind, name and distribution.
        plugins: the plugins that were imported, in order of discovery.
        failures: whatever kept a plugin, or part of one, from being used.
    """

    offers: tuple[Offer, ...]
    plugins: tuple[LoadedPlugin, ...] = ()
    failures: tuple[PluginFailure, ...] = ()

    def components(self, kind: str) -> tuple[Offer, ...]:
        """Return the components of one kind, in order of name."""
        return tuple(offer for offer in self.offers if offer.component.kind == kind)

    def get(self, kind: str, name: str, *, prefer: str = "") -> Offer:
        """Return a component and where it comes from.

        Args:
            kind: a key of `ganlab.kinds.KINDS`.
            name: its name, `distribution/name`, or `distribution:entry-point/name`.
            prefer: the distribution that a bare name means where several offer it.

        Raises:
            UnknownComponentError: nothing is named so, or more than one thing.
        """
        if kind not in KINDS:
            hint = "\n".join(
                part for part in (did_you_mean(kind, KINDS), f"kinds: {', '.join(KINDS)}") if part
            )
            raise UnknownComponentError(f"there is no kind of component `{kind}`", hint)
        qualifier, _, bare = name.rpartition("/")
        named = [offer for offer in self.components(kind) if offer.component.name == bare]
        matches = [offer for offer in named if not qualifier or qualifier in _qualifiers(offer)]
        if len(matches) > 1 and prefer:
            matches = [offer for offer in matches if offer.provenance.distribution == prefer] or matches
        if len(matches) == 1:
            return matches[0]
        raise self._ambiguous(kind, name, matches) if matches else self._unknown(kind, name)

    def _ambiguous(self, kind: str, name: str, matches: Sequence[Offer]) -> UnknownComponentError:
        forms = listing(_unique_forms(matches))
        return UnknownComponentError(
            f"more than one plugin offers the {kind} `{printable(name)}`", f"say which: {forms}"
        )

    def _unknown(self, kind: str, name: str) -> UnknownComponentError:
        offers = self.components(kind)
        known = {offer.component.name for offer in offers}
        if "/" in name:
            known = {offer.qualified_name for offer in offers}
        lines = [did_you_mean(name, known), f"installed: {listing(known)}"]
        lines += [f"not loaded: {failure}" for failure in self.failures]
        return UnknownComponentError(
            f"there is no {KINDS[kind].singular} `{printable(name)}`",
            "\n".join(line for line in lines if line),
        )


def _qualifiers(offer: Offer) -> tuple[str, str]:
    return offer.provenance.distribution, offer.provenance.plugin


def _unique_forms(offers: Sequence[Offer]) -> Iterable[str]:
    short = [offer.qualified_name for offer in offers]
    for offer, form in zip(offers, short, strict=True):
        yield form if short.count(form) == 1 else f"{offer.provenance.plugin}/{offer.component.name}"


def load_registry(
    *, plugins: Sequence[str] = (), disabled: Collection[str] = (), relative_to: Path | None = None
) -> Registry:
    """Find, import and read all plugins.

    Args:
        plugins: local plugins beside the installed ones: paths, or module names.
        disabled: plugins that are not to be imported; `GANLAB_DISABLE_PLUGINS` adds to them.
        relative_to: directory that relative paths in `plugins` start from; the working directory
            if left out.

    Raises:
        UsageError: `disabled` names a plugin that is not there.
        PluginError: a plugin failed and `GANLAB_STRICT_PLUGINS=1`.
    """
    local, failures = find_local(plugins, relative_to or Path.cwd())
    found = without_disabled((*find_installed(), *local), disabled)
    registry = _Assembly(strict=os.environ.get(STRICT_VARIABLE, "") not in ("", "0"))
    registry.fail(failures)
    for plugin in found:
        registry.add(plugin)
    return registry.finish()


class _Assembly:
    """A registry in the making."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._offers: list[Offer] = []
        self._plugins: list[LoadedPlugin] = []
        self._failures: list[PluginFailure] = []

    def fail(self, failures: Iterable[PluginFailure]) -> None:
        """Keep failures, or raise the first where the environment is strict."""
        for failure in failures:
            if self._strict:
                raise PluginError(failure)
            self._failures.append(failure)

    def add(self, found: FoundPlugin) -> None:
        """Import a plugin and take what it offers."""
        taken = {file.name: file.path for plugin in self._plugins for file in plugin.files}
        plugin = load(found, taken)
        if isinstance(plugin, PluginFailure):
            return self.fail([plugin])
        contribution = classify(plugin)
        self._plugins.append(plugin)
        self._offers += contribution.offers
        return self.fail(contribution.failures)

    def finish(self) -> Registry:
        """Return what was gathered, in an order that does not depend on the plugins' own."""
        kinds = list(KINDS)
        offers = sorted(
            self._offers,
            key=lambda offer: (
                kinds.index(offer.component.kind),
                offer.component.name,
                offer.provenance.distribution,
                offer.provenance.plugin,
            ),
        )
        return Registry(tuple(offers), tuple(self._plugins), tuple(self._failures))
