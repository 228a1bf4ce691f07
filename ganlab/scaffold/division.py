"""A plugin of one file as two modules: hooks and options, which import no torch, and what they build."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["divide"]

_LIGHT = {*sys.stdlib_module_names, "annotated_types", "ganlab", "pydantic", "typing_extensions"}
_LIGHT_OF_GANLAB = {"ComponentError", "GanlabError", "Metric", "Options", "hookimpl", "tags"}
"""What `ganlab` has without torch and NumPy, beside the records and specs."""

_FUTURE = ("annotations",)
"""What every module imports again that the file imports from `__future__`."""

_Import = ast.Import | ast.ImportFrom


def divide(source: str, module: str, code: str) -> tuple[str, str] | None:
    """Divide a plugin of one file so that its hooks can be imported without torch.

    The hooks keep what they name: options, `build`, constants. Everything else becomes code. What a function
    that is only called later needs of the code, or of torch, it then imports itself.

    Args:
        source: content of the file.
        module: what the module with the hooks will be called.
        code: what the module with the rest will be called.

    Returns:
        The sources of both, of which the second is empty where the first can have everything; `None`
        where the hooks need something heavy at once, or the file does more than import and define.
    """
    parts = _read(source)
    if parts is None:
        return None
    heavy = {name for name in parts.imported if _is_heavy(parts.imports, name)}
    if not heavy:
        return source, ""
    names = _named_by_hooks(parts)
    kept = [part for part in parts.definitions if part.name in names]
    rest = [part for part in parts.definitions if part.name not in names]
    called = _called(kept)
    if not kept or any(part.at_once(called) & heavy or part.on_one_line for part in kept):
        return None
    return _hooks(parts, kept, heavy, _From(code, rest)), _code(parts, rest, _From(module, kept))


class _From(NamedTuple):
    """What the other module has."""

    module: str
    definitions: Sequence[_Definition]

    def line(self, names: Collection[str]) -> list[str]:
        """Return the line that imports what it has of some names; none where that is nothing."""
        wanted = [part.name for part in self.definitions if part.name in names]
        return [f"from {self.module} import {', '.join(wanted)}"] if wanted else []


def _hooks(parts: _Parts, kept: Sequence[_Definition], heavy: Collection[str], code: _From) -> str:
    """Return the source of the module with the hooks."""
    called = _called(kept)
    sources, light = [], {*_FUTURE}
    for part in kept:
        later = part.later(called)
        lazy = _import_lines(parts.imports, later & set(heavy)) + code.line(later)
        sources.append(part.importing(lazy))
        light |= part.names - set(heavy)
    return _joined(parts, _import_lines(parts.imports, light), sources)


def _code(parts: _Parts, rest: Sequence[_Definition], hooks: _From) -> str:
    """Return the source of the module with the rest."""
    if not rest:
        return ""
    used = set(_FUTURE).union(*(part.names for part in rest))
    lines, shared = _import_lines(parts.imports, used), hooks.line(used)
    return _joined(
        parts, [*lines, *([""] if lines and shared else []), *shared], [part.source for part in rest]
    )


@dataclass(frozen=True)
class _Definition:
    """A function, class or constant of the file.

    Attributes:
        name: what it defines.
        node: as Python reads it.
        source: its lines, and the comments above them.
        first_line: of its source, in the file.
        quoted: whether annotations are read by nobody.
    """

    name: str
    node: ast.stmt
    source: str
    first_line: int
    quoted: bool

    @property
    def names(self) -> set[str]:
        """All names that it uses."""
        return _names([self.node])

    @property
    def is_hook(self) -> bool:
        """Whether pluggy calls it."""
        decorators = self.node.decorator_list if isinstance(self.node, ast.FunctionDef) else []
        return any("hookimpl" in ast.unparse(decorator) for decorator in decorators)

    @property
    def on_one_line(self) -> bool:
        """Whether it is a function with no line to write an import above."""
        return isinstance(self.node, ast.FunctionDef) and self.node.body[0].lineno == self.node.lineno

    def at_once(self, called: Collection[str]) -> set[str]:
        """Return the names that it uses before anything is built, where some functions are called by then."""
        return self.names if self.acts_at_once(called) else _names(self._head)

    def later(self, called: Collection[str]) -> set[str]:
        """Return the names that it uses only once it is called."""
        if self.acts_at_once(called):
            return set()
        assert isinstance(self.node, ast.FunctionDef)
        own = {each.arg for each in _arguments(self.node)} | _bound(self.node.body)
        return _names(self.node.body) - own - _names(self._head)

    def acts_at_once(self, called: Collection[str]) -> bool:
        """Return whether all of it is needed before anything is built."""
        return not isinstance(self.node, ast.FunctionDef) or self.is_hook or self.name in called

    @property
    def _head(self) -> list[ast.expr]:
        """What Python reads of a function as it is defined."""
        assert isinstance(self.node, ast.FunctionDef)
        arguments = self.node.args
        found = [*self.node.decorator_list, *arguments.defaults, *arguments.kw_defaults]
        if not self.quoted:
            found += [self.node.returns, *(each.annotation for each in _arguments(self.node))]
        return [each for each in found if each is not None]

    def importing(self, imports: Sequence[str]) -> str:
        """Return its source with imports at the beginning of its body, behind the docstring."""
        if not imports:
            return self.source
        assert isinstance(self.node, ast.FunctionDef)
        first, *others = self.node.body
        docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and bool(others)
        begin = min([first.lineno, *(each.lineno for each in getattr(first, "decorator_list", ()))])
        at = (first.end_lineno or 0) + 1 if docstring else begin
        lines = self.source.split("\n")
        lines[at - self.first_line : at - self.first_line] = [
            *(" " * first.col_offset + line.strip() for line in imports),
            *([] if docstring and not lines[at - self.first_line].strip() else [""]),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Parts:
    """What a file consists of.

    Attributes:
        docstring: of the file, with the comments above it; empty without one.
        imports: its import statements.
        definitions: everything else, in order.
    """

    docstring: str
    imports: Sequence[_Import]
    definitions: Sequence[_Definition]

    @property
    def imported(self) -> set[str]:
        """Names that the imports bind."""
        return {_bound_name(alias) for statement in self.imports for alias in statement.names}


def _read(source: str) -> _Parts | None:
    """Return the parts of a file; `None` where it has others than these."""
    body, lines = ast.parse(source).body, source.split("\n")
    docstring, imports, definitions, end = "", list[_Import](), list[_Definition](), 0
    quoted = False
    for index, node in enumerate(body):
        first = min(end + 1, node.lineno)
        end = len(lines) if index == len(body) - 1 else node.end_lineno or node.lineno
        text = "\n".join(lines[first - 1 : end]).strip("\n")
        leading = next(number for number in range(first, node.lineno + 1) if lines[number - 1].strip())
        if isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"):
                return None
            quoted |= isinstance(node, ast.ImportFrom) and node.module == "__future__"
            imports.append(node)
        elif index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstring = text
        elif (name := _defined(node)) is None:
            return None
        elif name != "__all__":
            definitions.append(_Definition(name, node, text, leading, quoted))
    return _Parts(docstring, imports, definitions)


def _defined(node: ast.stmt) -> str | None:
    """Return what a statement defines; `None` where it is no definition of one name."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else None


def _named_by_hooks(parts: _Parts) -> set[str]:
    """Return the hooks, and all that they name before anything is built."""
    known = {part.name: part for part in parts.definitions}
    kept = {part.name for part in parts.definitions if part.is_hook}
    while True:
        called = _called([known[name] for name in kept])
        more = {name for each in kept for name in known[each].at_once(called) if name in known} - kept
        if not more:
            return kept
        kept |= more


def _called(kept: Sequence[_Definition]) -> set[str]:
    """Return the functions that are called before anything is built."""
    called: set[str] = set()
    while True:
        at_once = [part for part in kept if part.acts_at_once(called)]
        more = {
            call.func.id
            for part in at_once
            for call in ast.walk(part.node)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        } - called
        if not more:
            return called
        called |= more


def _arguments(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    return {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}


def _bound(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names that statements give a meaning of their own."""
    inside = [each for node in nodes for each in ast.walk(node)]
    assigned = {each.id for each in inside if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    imports = [each for each in inside if isinstance(each, ast.Import | ast.ImportFrom)]
    return assigned | {_bound_name(alias) for statement in imports for alias in statement.names}


def _bound_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _is_heavy(imports: Sequence[_Import], name: str) -> bool:
    """Return whether what binds a name imports torch, or may."""
    for statement in imports:
        for alias in statement.names:
            if _bound_name(alias) != name:
                continue
            module = statement.module if isinstance(statement, ast.ImportFrom) else alias.name
            top = (module or "").partition(".")[0]
            if top not in _LIGHT:
                return True
            if top == "ganlab" and not (
                alias.name in _LIGHT_OF_GANLAB or alias.name.endswith(("Component", "Spec"))
            ):
                return True
    return False


def _import_lines(imports: Sequence[_Import], names: Collection[str]) -> list[str]:
    """Return the imports of some names, with a blank line wherever the file has one."""
    lines: list[str] = []
    end, apart = 0, False
    for statement in imports:
        apart |= statement.lineno > end + 1
        end = statement.end_lineno or 0
        used = [alias for alias in statement.names if _bound_name(alias) in names]
        if not used:
            continue
        shown = (
            ast.Import(used)
            if isinstance(statement, ast.Import)
            else ast.ImportFrom(statement.module, used, statement.level)
        )
        lines.append(("\n" if apart and lines else "") + ast.unparse(shown))
        apart = False
    return lines


def _joined(parts: _Parts, imports: Sequence[str], definitions: Sequence[str]) -> str:
    head = "\n\n".join(filter(None, (parts.docstring, "\n".join(imports))))
    return "\n\n\n".join(filter(None, (head, *definitions))) + "\n"
