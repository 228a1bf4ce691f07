"""Copies of local plugin files, so that a run can be repeated when the originals are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ganlab.config import relocate_plugins
from ganlab.files import explained
from ganlab.paths import parse_path

__all__ = ["copy_plugins", "point_at_copies", "read_source"]


def read_source(path: Path) -> bytes:
    """Return the content of a file that a run keeps a copy of.

    Raises:
        GanlabError: it cannot be read.
    """
    with explained(f"cannot read {path}"):
        return path.read_bytes()


def copy_plugins(
    resolved: Mapping[str, Any], sources: Mapping[str, Path], destination: Path
) -> dict[str, Any]:
    """Copy local plugins, with the files beside them that they import.

    Args:
        resolved: `Experiment.resolved`.
        sources: `Experiment.plugin_files`: source files by the path they are imported under.
        destination: the run's directory for them; made if there is anything to copy.

    Returns:
        The resolved experiment, its local plugins read from the copies, which it names
        relative to `destination`'s parent (`./plugins/…`).

    Raises:
        GanlabError: a source cannot be read.
        OSError: a copy cannot be written.
    """
    for name, source in sources.items():
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(read_source(source))
    return point_at_copies(resolved, sources, destination.name)


def point_at_copies(resolved: Mapping[str, Any], names: Collection[str], directory: str) -> dict[str, Any]:
    """Return a resolved experiment whose local plugins are read from copies.

    Args:
        resolved: `Experiment.resolved`.
        names: of the copied files, as in `Experiment.plugin_files`.
        directory: where the copies lie, beside the resolved experiment.
    """
    # A plugin is a file or a package directory; installed modules are left as they are.
    copied = {name.partition("/")[0] for name in names}
    plugins = map(parse_path, resolved.get("plugins", []))
    given = (plugin for plugin in plugins if plugin.is_absolute())
    moved = {path: f"./{directory}/{path.name}" for path in given if path.name in copied}
    return relocate_plugins(resolved, moved)
