"""A plugin of one component, as a file or as a package."""

from __future__ import annotations

import ast
import datetime
import importlib.util
import keyword
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganlab.errors import UsageError, printable
from ganlab.kinds import KINDS
from ganlab.registry import Registry
from ganlab.registry.classifier import is_component_name
from ganlab.registry.suggest import did_you_mean
from ganlab.scaffold.division import divide
from ganlab.scaffold.files import filled, template
from ganlab.scaffold.given_file import GivenFile

__all__ = ["Plugin"]

_DEPENDENCY = '"ganlab>=0.1"'
_TWO_MODULES = "has the hook and the options, `src/scaffold_code` what they make."


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
        words = self._words(module, ((self.kind, self.name),))
        return {
            directory / f"{module}.py": filled(template(f"{self.kind}.py"), words),
            directory / f"{self.name}.toml": filled(template(f"{self.kind}.toml"), words),
        }

    @property
    def module(self) -> str:
        """What is imported of the package."""
        return self.distribution.replace("-", "_")

    def modules(self, source: str) -> dict[str, str] | None:
        """Return the modules of the package with its hooks parted from what imports torch, by their paths.

        Args:
            source: content of a plugin file; `None` is returned where it cannot be parted.
        """
        for code in (self.kind, f"{self.kind}_code"):  # the first may be what the file calls something else
            divided = divide(source, self.module, f"{self.module}.{code}")
            if divided is not None:
                names = (f"{self.module}/__init__.py", f"{self.module}/{code}.py")
                return {name: text for name, text in zip(names, divided, strict=True) if text}
        return None

    def package(
        self, directory: Path, given: GivenFile | None = None, *, whole: bool = False
    ) -> dict[Path, str]:
        """Return the files of a package that can be published, by their paths.

        Args:
            directory: where it goes.
            given: the file that becomes its code; what `file` writes if `None`.
            whole: whether the file becomes its one module, as it is.
        """
        words = self._words(self.module, ((self.kind, self.name),) if given is None else given.offers)
        source = filled(template(f"{self.kind}.py"), words) if given is None else given.source
        modules = (None if whole else self.modules(source)) or {f"{self.module}/__init__.py": source}
        experiment = self._experiment(given)
        files = {
            f"experiments/{self.name}.toml": experiment,
            f"tests/test_{self.module}.py": template("package/test_plugin.py"),
            "pyproject.toml": template("package/pyproject.toml"),
            "README.md": template("package/README.md"),
            "LICENSE": template("package/LICENSE"),
            ".gitignore": template("package/gitignore"),
            ".github/workflows/tests.yml": template("package/tests.yml"),
        }
        words["scaffold_code"] = [*modules][-1]
        if len(modules) == 1:
            files["README.md"] = files["README.md"].replace(_TWO_MODULES, "has all of it.")
        if given is not None:
            more = "".join(f', "{name}"' for name in given.dependencies)
            files["pyproject.toml"] = files["pyproject.toml"].replace(_DEPENDENCY, _DEPENDENCY + more)
            if not given.can_be_used_by(filled(experiment, words)):
                del files[f"experiments/{self.name}.toml"]
                files = {path: _without_experiment(text) for path, text in files.items()}
        written = {directory / path: filled(text, words) for path, text in files.items()}
        return {**{directory / "src" / path: text for path, text in modules.items()}, **written}

    def _experiment(self, given: GivenFile | None) -> str:
        """Return an experiment that has the component from the package."""
        text = template(f"{self.kind}.toml").replace('plugins = ["./scaffold_module.py"]\n', "")
        text = text.replace("./scaffold_module.py", self.distribution)
        return text if given is None else _without_options(text, template(f"{self.kind}.py"))

    def _words(self, module: str, offers: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Return what stands in the places of the templates' own names.

        Args:
            module: what is imported.
            offers: kind and name of each component.
        """
        words = "".join(word.capitalize() for word in self.name.removesuffix(f"-{self.kind}").split("-"))
        return {
            "Scaffold": words if words[0].isalpha() else f"{self.kind.capitalize()}{words}",
            "scaffold-components": " and the ".join(f"{kind} `{name}`" for kind, name in offers),
            "scaffold-describe": ", ".join(f"`ganlab describe {kind} {name}`" for kind, name in offers),
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


def _without_options(experiment: str, source: str) -> str:
    """Return a template's experiment without the options that only the template's component has."""
    options = {
        field.target.id
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and "Options" in map(ast.unparse, node.bases)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    lines, own = [], False
    for line in experiment.splitlines(keepends=True):
        own = line.strip() != "" and (own or line.startswith('name = "scaffold-name"'))
        if not (own and line.partition("=")[0].strip() in options):
            lines.append(line)
    return "".join(lines)


def _without_experiment(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if "experiments/scaffold-name.toml" not in line)
