"""A plugin of one component, as a file or as a package."""

from __future__ import annotations

import ast
import datetime
import importlib.util
import keyword
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlab.errors import UsageError, printable
from ganlab.kinds import KINDS
from ganlab.registry import Registry
from ganlab.registry.classifier import is_component_name
from ganlab.registry.suggest import did_you_mean
from ganlab.scaffold.files import filled, template

__all__ = ["Plugin"]


@dataclass(frozen=True)
class Plugin:
    """A component that is to be written.

    Attributes:
        kind: a key of `ganlab.kinds.KINDS`.
        name: as a record has it.
    """

    kind: str
    name: str

    @classmethod
    def named(cls, kind: str, name: str, registry: Registry) -> Plugin:
        """Return a plugin whose kind there is, and whose name may be and is free.

        Raises:
            UsageError: not so.
        """
        if kind not in KINDS:
            hint = did_you_mean(kind, [*KINDS, "experiment"])
            raise UsageError(
                f"there is no kind of component `{printable(kind)}`" + (f"; {hint}" if hint else "")
                + f"\n    kinds: {', '.join(KINDS)}; or `ganlab new experiment DATA`"
            )  # fmt: skip
        if not is_component_name(name):
            raise UsageError(
                f"the name {name!r} must be lower-case words joined by hyphens, as in `patch-gan`"
            )
        for offer in registry.components(kind):
            if offer.component.name == name:
                raise UsageError(
                    f"`{name}` is the {KINDS[kind].singular} of {offer.provenance} already; take another name"
                )
        return cls(kind, name)

    @property
    def distribution(self) -> str:
        """What the package is called."""
        return f"ganlab-{self.name}"

    def file(self, directory: Path) -> dict[Path, str]:
        """Return a plugin of one file and an experiment that uses it, by their paths."""
        module = _importable(self.kind, self.name)
        words = self._words(module)
        return {
            directory / f"{module}.py": filled(template(f"{self.kind}.py"), words),
            directory / f"{self.name}.toml": filled(template(f"{self.kind}.toml"), words),
        }

    def package(self, directory: Path) -> dict[Path, str]:
        """Return the files of a package that can be published, by their paths."""
        module = self.distribution.replace("-", "_")
        words = self._words(module)
        hooks, code = _split(template(f"{self.kind}.py"), f"scaffold_module.{self.kind}")
        experiment = template(f"{self.kind}.toml").replace('plugins = ["./scaffold_module.py"]\n', "")
        experiment = experiment.replace("./scaffold_module.py", self.distribution)
        files = {
            f"src/{module}/__init__.py": hooks,
            f"src/{module}/{self.kind}.py": code,
            f"experiments/{self.name}.toml": experiment,
            f"tests/test_{module}.py": template("package/test_plugin.py"),
            "pyproject.toml": template("package/pyproject.toml"),
            "README.md": template("package/README.md"),
            "LICENSE": template("package/LICENSE"),
            ".gitignore": template("package/gitignore"),
            ".github/workflows/tests.yml": template("package/tests.yml"),
        }
        return {directory / path: filled(text, words) for path, text in files.items()}

    def _words(self, module: str) -> dict[str, str]:
        """Return what stands in the places of the templates' own names."""
        words = "".join(word.capitalize() for word in self.name.removesuffix(f"-{self.kind}").split("-"))
        return {
            "Scaffold": words if words[0].isalpha() else f"{self.kind.capitalize()}{words}",
            "scaffold-distribution": self.distribution,
            "scaffold-file": self.name,
            "scaffold-kind": self.kind,
            "scaffold-name": self.name,
            "scaffold-year": str(datetime.date.today().year),
            "scaffold_hook": KINDS[self.kind].hook,
            "scaffold_kind": self.kind,
            "scaffold_module": module,
        }


def _importable(kind: str, name: str) -> str:
    """Return a module's name for a file: the component's, where Python has no other use for it."""
    module = name.replace("-", "_")
    taken = (
        not module.isidentifier()
        or keyword.iskeyword(module)
        or module in sys.stdlib_module_names
        or importlib.util.find_spec(module) is not None
    )
    return f"{kind}_{module}" if taken else module


def _split(source: str, module: str) -> tuple[str, str]:
    """Divide a plugin of one file into its hooks and its code, so that hooks import no torch.

    Options and functions are the first; all other classes are the second, which `build` imports.

    Args:
        source: a template.
        module: what the second will be called.

    Returns:
        The sources of both.
    """
    docstring, *body = ast.parse(source).body
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    code = [node for node in classes if "Options" not in map(ast.unparse, node.bases)]
    hooks = [node for node in body if node not in imports and node not in code]
    names = ", ".join(node.name for node in code)
    sources = []
    for nodes in (hooks, code):
        parts = [_source(source, node) for node in nodes]
        head = [_source(source, docstring), _used(imports, nodes)]
        sources.append("\n\n\n".join(["\n\n".join(head), *parts]) + "\n")
    (build,) = [node for node in hooks if isinstance(node, ast.FunctionDef) and node.name == "build"]
    said = _source(source, build.body[0])
    lazily = f"{said}\n    from {module} import {names}\n"
    return sources[0].replace(said, lazily, 1), sources[1]


def _source(source: str, node: ast.stmt) -> str:
    """Return the lines of a node, with its decorators."""
    decorators = getattr(node, "decorator_list", [])
    first = min(each.lineno for each in (node, *decorators))
    lines = source.splitlines()[first - 1 : node.end_lineno]
    return "\n".join(lines).strip(" ") if isinstance(node, ast.Expr) else "\n".join(lines)


def _used(imports: Sequence[ast.Import | ast.ImportFrom], nodes: Iterable[ast.stmt]) -> str:
    """Return the imports that nodes make use of, parted as they were."""
    used = {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}
    groups: list[list[str]] = []
    end = 0
    for statement in imports:
        if statement.lineno > end + 1:
            groups.append([])
        end = statement.end_lineno or 0
        names = [alias for alias in statement.names if (alias.asname or alias.name).split(".")[0] in used]
        if names and isinstance(statement, ast.Import):
            groups[-1].append(ast.unparse(ast.Import(names)))
        elif names and isinstance(statement, ast.ImportFrom):
            groups[-1].append(ast.unparse(ast.ImportFrom(statement.module, names, statement.level)))
    return "\n\n".join("\n".join(group) for group in groups if group)
