"""A plugin file that somebody has, on its way into a package."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from ganlab.config import load_experiment
from ganlab.config.toml import parse_toml
from ganlab.errors import ExperimentError, UsageError, printable
from ganlab.registry import load_registry

__all__ = ["GivenFile"]


@dataclass(frozen=True)
class GivenFile:
    """A plugin file that becomes a package.

    Attributes:
        path: where it is.
        source: its content.
        offers: kind and name of each component that it offers.
        dependencies: distributions that it imports and ganlab does not.
    """

    path: Path
    source: str
    offers: tuple[tuple[str, str], ...]
    dependencies: tuple[str, ...]

    @classmethod
    def offering(cls, kind: str, name: str, path: Path) -> GivenFile:
        """Return a file that offers a component.

        Args:
            kind: of the component.
            name: of the component.
            path: of the file.

        Raises:
            UsageError: the file fails, offers no such component, or needs files beside it.
        """
        registry = load_registry(plugins=[str(path)])
        for failure in registry.failures:
            if failure.requested == str(path):
                raise UsageError(failure.message)
        offered = [
            (offer.component.kind, offer.component.name)
            for offer in registry.offers
            if any(file.path == path.resolve() for file in offer.provenance.files)
        ]
        if (kind, name) not in offered:
            there = ", ".join(f"{each} `{called}`" for each, called in offered) or "nothing"
            raise UsageError(f"{path} offers no {kind} `{printable(name)}`; it offers {there}")
        source = path.read_text(encoding="utf-8")
        modules = _imported(source)
        beside = [module for module in modules if module != "ganlab" and _lies_beside(path, module)]
        if beside:
            raise UsageError(
                f"{path} imports {', '.join(beside)}, which lies beside it: a package is made of one; put "
                "them together, or copy them into the package and import them as its own"
            )
        return cls(path, source, tuple(offered), tuple(_dependencies(modules)))

    @property
    def asks_where_it_lies(self) -> bool:
        """Whether it has `__file__`, as one does that reads a file beside itself."""
        return any(
            isinstance(each, ast.Name) and each.id == "__file__" for each in ast.walk(ast.parse(self.source))
        )

    def can_be_used_by(self, experiment: str) -> bool:
        """Return whether an experiment that names the component can be loaded."""
        try:
            load_experiment({**parse_toml(experiment), "plugins": [str(self.path.resolve())]})
        except ExperimentError:
            return False
        return True


def _imported(source: str) -> list[str]:
    """Return the top-level modules that a file imports anywhere, but those of Python itself."""
    names: dict[str, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= dict.fromkeys(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names[node.module.partition(".")[0]] = None
    return [name for name in names if name not in sys.stdlib_module_names]


def _lies_beside(path: Path, module: str) -> bool:
    return (path.parent / f"{module}.py").is_file() or (path.parent / module / "__init__.py").is_file()


def _dependencies(modules: list[str]) -> list[str]:
    """Return the distributions of modules that do not come with ganlab."""
    known = {
        _normalised(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
        for requirement in requires("ganlab") or ()
        if "extra ==" not in requirement
    } | {"ganlab"}
    installed = packages_distributions()
    wanted = dict.fromkeys(_normalised(installed[module][0]) for module in modules if module in installed)
    return [name for name in wanted if name not in known]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
