"""Copies of local plugin files, so that a run can be repeated when the originals are gone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganlab.config import relocate_plugins

__all__ = ["copy_plugins"]


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
    """
    for name, source in sources.items():
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    # A plugin is a file or a package directory; installed modules are left as they are.
    copied = {name.partition("/")[0] for name in sources}
    given = (Path(plugin) for plugin in resolved.get("plugins", []))
    moved = {path: f"./{destination.name}/{path.name}" for path in given if path.name in copied}
    return relocate_plugins(resolved, moved)
