"""Modules with hooks: what they offer, and the promise of packages that they are light."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType

from ganlab.components import Component
from ganlab.registry.classifier import classify
from ganlab.registry.plugin import FoundPlugin, LoadedPlugin
from ganlab.testing.subject import ConformanceError

__all__ = ["components_of", "heavy_imports"]

_HEAVY = ("torch", "numpy", "PIL")

_PROBE = f"""
import importlib, sys, traceback
for name in {_HEAVY!r}:
    sys.modules[name] = None
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        name = (error.name or "").partition(".")[0]
        frames = traceback.extract_tb(error.__traceback__)[1:]
        own = [frame for frame in frames if "importlib" not in frame.filename]
        if name in {_HEAVY!r}:
            print(f"{{module}}\\t{{own[0].filename}}:{{own[0].lineno}} imports {{name}}")
"""
"""Imports modules where nothing heavy can be imported, and prints the line of each that tries."""


def components_of(module: ModuleType) -> tuple[Component, ...]:
    """Return the components that all hooks of a module yield.

    Raises:
        ConformanceError: it has no hook, or something is wrong with one or with what it yields.
    """
    name = module.__name__
    contribution = classify(LoadedPlugin(FoundPlugin(id=name, distribution=name, name=name), module))
    for failure in contribution.failures:
        raise ConformanceError(str(failure))
    return tuple(offer.component for offer in contribution.offers)


def heavy_imports(modules: Sequence[str]) -> dict[str, str]:
    """Return which hook modules import torch, NumPy or Pillow: module -> where, and what would be right.

    They are imported in a process of their own, since this one may have all of it already.
    """
    process = subprocess.run(
        [sys.executable, "-c", _PROBE, *modules],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    found = (line.split("\t", 1) for line in process.stdout.splitlines() if "\t" in line)
    advice = "which every `ganlab` command would wait for; import it inside `build`"
    return {module: f"{place}, {advice}" for module, place in found}
