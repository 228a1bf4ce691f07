"""Step one: which plugins there are. Nothing is imported here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path

from ganlab.errors import UsageError, printable
from ganlab.files import exists
from ganlab.hookspecs import PROJECT
from ganlab.paths import parse_path
from ganlab.registry.plugin import FoundPlugin, PluginFailure
from ganlab.registry.suggest import did_you_mean, file_meant, listing

__all__ = ["DISABLE_VARIABLE", "find_installed", "find_local", "without_disabled"]

DISABLE_VARIABLE = "GANLAB_DISABLE_PLUGINS"
"""Environment variable: comma-separated names of plugins that are not to be imported."""


def find_installed() -> tuple[FoundPlugin, ...]:
    """Return installed plugins in order of (distribution, entry point).

    pluggy's own loader is not used: one plugin that cannot be imported would end it,
    and of two distributions that use one entry-point name it would drop the second.
    """
    name_and_version = cache(_name_and_version)
    found = (_installed(entry_point, name_and_version) for entry_point in entry_points(group=PROJECT))
    return tuple(sorted(found, key=lambda plugin: (plugin.distribution, plugin.name)))


def _installed(
    entry_point: EntryPoint, name_and_version: Callable[[Distribution], tuple[str, str]]
) -> FoundPlugin:
    name, version = name_and_version(entry_point.dist) if entry_point.dist else ("unknown", "")
    return FoundPlugin(
        id=f"{name}:{entry_point.name}",
        distribution=name,
        name=entry_point.name,
        version=version,
        entry_point=entry_point,
    )


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """Return what a distribution's metadata say; they are parsed anew each time that one asks."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def find_local(
    requested: Sequence[str], relative_to: Path
) -> tuple[tuple[FoundPlugin, ...], tuple[PluginFailure, ...]]:
    """Return the plugins named by path or module name, and those that are not there.

    Args:
        requested: paths (anything that ends in `.py`, has a separator or exists) or
            importable module names. A file named twice is one plugin.
        relative_to: directory that relative paths start from.
    """
    found: dict[str, FoundPlugin] = {}
    failures: list[PluginFailure] = []
    for request in requested:
        try:
            path = Path(relative_to, parse_path(request)).resolve()
        except ValueError as error:
            failures.append(PluginFailure(request, "find", str(error), requested=request))
            continue
        if not exists(path):
            if _looks_like_path(request):
                failures.append(_absent(request, path))
            else:
                found.setdefault(request, _module(request))
        elif path.is_file() or exists(path / "__init__.py"):
            found.setdefault(str(path), _file(request, path))
        else:
            failures.append(_absent(request, path))
    return tuple(found.values()), tuple(failures)


def _looks_like_path(request: str) -> bool:
    return request.endswith(".py") or "/" in request or os.sep in request


def _module(name: str) -> FoundPlugin:
    return FoundPlugin(id=name, distribution=name.partition(".")[0], name=name, requested=name)


def _file(request: str, path: Path) -> FoundPlugin:
    return FoundPlugin(id=path.name, distribution=path.stem, name=path.stem, requested=request, file=path)


def _absent(request: str, path: Path) -> PluginFailure:
    message = f"there is no file {path}"
    if not exists(path.parent):
        return PluginFailure(path.name, "find", message, requested=request)
    if exists(path) and path.is_dir():
        message = f"{path} is a directory without `__init__.py`"
    elif hint := file_meant(path, ".py"):
        message += f"; {hint}"
    return PluginFailure(path.name, "find", message, requested=request)


def without_disabled(plugins: Iterable[FoundPlugin], disabled: Collection[str]) -> tuple[FoundPlugin, ...]:
    """Return the plugins that are not turned off, by `disabled` or by the environment.

    A name may be an entry point's, `distribution:entry-point`, or a distribution's,
    which turns off all its plugins; case, `-`, `_` and `.` make no difference.

    Raises:
        UsageError: a name in `disabled` fits no plugin. (The environment may well
            speak of plugins that are not installed here.)
    """
    plugins = tuple(plugins)
    known = {name for plugin in plugins for name in _names(plugin)}
    for name in disabled:
        if _plain(name) not in {_plain(word) for word in known}:
            hint = did_you_mean(name, known)
            raise UsageError(
                f"there is no plugin `{printable(name)}` to turn off"
                + (f"; {hint}" if hint else "")
                + f"\n    installed: {listing(plugin.id for plugin in plugins)}"
            )
    off = {_plain(name) for name in (*disabled, *os.environ.get(DISABLE_VARIABLE, "").split(","))}
    return tuple(plugin for plugin in plugins if not off & {_plain(name) for name in _names(plugin)})


def _names(plugin: FoundPlugin) -> Iterator[str]:
    yield from (plugin.id, plugin.name, plugin.distribution)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
