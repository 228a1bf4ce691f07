"""Step two: import what was found."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ganlab.errors import GanlabError
from ganlab.registry.local import import_file, local_sources
from ganlab.registry.plugin import FoundPlugin, LoadedPlugin, PluginFailure, Stage

__all__ = ["failure_from", "load"]


def load(plugin: FoundPlugin, taken: Mapping[str, Path] | None = None) -> LoadedPlugin | PluginFailure:
    """Import a plugin; whatever its code raises becomes a failure.

    Args:
        plugin: as it was found.
        taken: sources of the local plugins that were loaded before it, by their `LocalFile.name`.
    """
    try:
        return _import(plugin, taken or {})
    except (Exception, SystemExit) as error:  # a plugin's top level may do anything
        return failure_from(plugin, "import", error)


def _import(plugin: FoundPlugin, taken: Mapping[str, Path]) -> LoadedPlugin:
    if plugin.file is not None:
        sources = local_sources(plugin.file)
        modules = {_module(name): path for name, path in taken.items()}
        for source in sources:
            name = _module(source.name)
            other = modules.get(name, source.path)
            if other != source.path:  # Python knows one module of a name
                one = f"{other} and {source.path} would be one module `{name}`"
                raise GanlabError(f"{one}; rename one of them")
        return LoadedPlugin(plugin, import_file(plugin.file, sources), sources)
    module = plugin.entry_point.load() if plugin.entry_point else importlib.import_module(plugin.name)
    if not isinstance(module, ModuleType):
        raise GanlabError(f"its entry point must name a module, not a {type(module).__name__}")
    return LoadedPlugin(plugin, module)


def _module(name: str) -> str:
    """Return the module that a source is, `LocalFile.name`: `nets` for `nets.py` and `nets/__init__.py`."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def failure_from(plugin: FoundPlugin, stage: Stage, error: BaseException, doing: str = "") -> PluginFailure:
    """Return the record of an exception that a plugin's code raised.

    Args:
        plugin: whose code it was.
        stage: when.
        error: what was raised; its message gets the place in the plugin's own code.
        doing: what was going on, as in `ganlab_losses()`.
    """
    explained = str(error) if isinstance(error, GanlabError) else _explain(plugin, error)
    message = f"{doing}: {explained}" if doing else explained
    return plugin.failure(stage, message, "".join(traceback.format_exception(error)))


def _explain(plugin: FoundPlugin, error: BaseException) -> str:
    place = _place(plugin, error)
    text = _text(error.msg if isinstance(error, SyntaxError) else error)
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    first = named.splitlines()[0]
    return f"{place}: {first}" if place else first


def _text(error: object) -> str:
    try:
        return str(error).strip()
    except Exception:  # an exception's own text is the plugin's code too
        return ""


def _place(plugin: FoundPlugin, error: BaseException) -> str:
    """Return `file:line` of the plugin's own code, as deep as it goes."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _belongs(plugin, frame.filename)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""


def _belongs(plugin: FoundPlugin, filename: str) -> bool:
    if plugin.file is not None:
        return Path(filename).is_relative_to(plugin.file.parent)
    module = plugin.entry_point.module if plugin.entry_point else plugin.name
    path = Path(filename)
    package = module.partition(".")[0]
    return path.stem == package or package in path.parts
