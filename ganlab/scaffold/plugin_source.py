"""What the file of a plugin consists of: imports and definitions, and the names that each of them uses."""

from __future__ import annotations

import ast
import symtable
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

__all__ = ["FUTURE", "Definition", "Import", "Parts", "import_lines", "read_parts"]

_LIGHT = {*sys.stdlib_module_names, "annotated_types", "ganlab", "pydantic", "typing_extensions"}
_LIGHT_OF_GANLAB = {"ComponentError", "GanlabError", "Metric", "Options", "hookimpl", "tags"}
"""What `ganlab` has without torch and NumPy, beside the records and specs."""

FUTURE = "from __future__ import annotations"
"""With it, Python reads no annotation of a function; those of a class are pydantic's to read."""


@dataclass(frozen=True)
class Definition:
    """A function, class or constant of the file, or what it does as a program.

    Attributes:
        name: what it defines; empty for a program.
        node: as Python reads it.
        source: its lines, and the comments above them.
        first_line: of its source, in the file.
    """

    name: str
    node: ast.stmt
    source: str
    first_line: int

    @property
    def is_hook(self) -> bool:
        """Whether pluggy calls it."""
        decorators = self.node.decorator_list if isinstance(self.node, ast.FunctionDef) else []
        return any("hookimpl" in ast.unparse(decorator) for decorator in decorators)

    @property
    def on_one_line(self) -> bool:
        """Whether it is a function with no line to write an import above."""
        if not isinstance(self.node, ast.FunctionDef):
            return False
        first = self.node.body[0]
        line = self.source.split("\n")[_first_line(first) - self.first_line]
        return bool(line[: first.col_offset].strip())

    @property
    def names(self) -> set[str]:
        """All names of the file that it uses."""
        defining, running = self._uses
        return defining | running | self.annotations

    @cached_property
    def annotations(self) -> set[str]:
        """Names in its annotations, quoted or not."""
        found = [
            getattr(each, part, None) for each in ast.walk(self.node) for part in ("annotation", "returns")
        ]
        return set().union(*(_spelled(each) for each in found if each is not None))

    def at_once(self, called: Collection[str]) -> set[str]:
        """Return the names that it uses before anything is built, where some functions are called by then."""
        defining, running = self._uses
        if isinstance(self.node, ast.ClassDef):
            return self.names
        return defining | running if self.acts_at_once(called) else defining

    def later(self, called: Collection[str]) -> set[str]:
        """Return the names that it uses only once it is called."""
        return set() if self.acts_at_once(called) else self._uses[1]

    def acts_at_once(self, called: Collection[str]) -> bool:
        """Return whether all of it is needed before anything is built."""
        return not isinstance(self.node, ast.FunctionDef) or self.is_hook or self.name in called

    @cached_property
    def _uses(self) -> tuple[set[str], set[str]]:
        """The file's names that it uses as it is defined, and in its body if it is a function."""
        top = symtable.symtable(f"{FUTURE}\n{ast.unparse(self.node)}", self.name, "exec")
        bodies = [each for each in top.get_children() if each.get_name() == self.name]
        return _looked_up(top, but=bodies), set[str]().union(*map(_looked_up, bodies))

    def importing(self, imports: Sequence[str]) -> str:
        """Return its source with imports at the beginning of its body, behind the docstring."""
        if not imports:
            return self.source
        assert isinstance(self.node, ast.FunctionDef)
        first, *others = self.node.body
        docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and bool(others)
        at = (first.end_lineno or 0) + 1 if docstring else _first_line(first)
        lines = self.source.split("\n")
        margin = lines[_first_line(first) - self.first_line][: first.col_offset]
        lines[at - self.first_line : at - self.first_line] = [
            *(margin + line for line in imports if line),
            *([] if docstring and not lines[at - self.first_line].strip() else [""]),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Import:
    """An import of the file.

    Attributes:
        node: as Python reads it.
        comment: behind it.
        apart: whether a blank line is above it.
    """

    node: ast.Import | ast.ImportFrom
    comment: str
    apart: bool

    @property
    def names(self) -> set[str]:
        """Names that it binds."""
        return {_bound_name(alias) for alias in self.node.names}

    @property
    def heavy(self) -> set[str]:
        """Those that it binds to what imports torch, or may."""
        return {_bound_name(alias) for alias in self.node.names if self._is_heavy(alias.name)}

    def _is_heavy(self, name: str) -> bool:
        module = self.node.module if isinstance(self.node, ast.ImportFrom) else name
        top = (module or "").partition(".")[0]
        light = name in _LIGHT_OF_GANLAB or name.endswith(("Component", "Spec"))
        return top not in _LIGHT or (top == "ganlab" and not light)

    def line(self, names: Collection[str]) -> str:
        """Return its line with some names alone; empty where it has none of them."""
        used = [alias for alias in self.node.names if _bound_name(alias) in names]
        if not used:
            return ""
        if isinstance(self.node, ast.Import):
            return ast.unparse(ast.Import(used)) + self.comment
        return ast.unparse(ast.ImportFrom(self.node.module, used, self.node.level)) + self.comment


@dataclass(frozen=True)
class Parts:
    """What a file consists of.

    Attributes:
        header: the comments and the docstring at its top.
        future: its import that leaves annotations unread; empty without one.
        imports: its import statements.
        imports_for_types: those that only type checkers see.
        definitions: everything else, in order.
    """

    header: str
    future: str
    imports: Sequence[Import]
    imports_for_types: Sequence[Import]
    definitions: Sequence[Definition]

    @property
    def heavy(self) -> set[str]:
        """Names whose import imports torch, or may."""
        return {name for each in self.imports for name in each.heavy}


def read_parts(source: str) -> Parts | None:
    """Return the parts of a file; `None` where it has others than these."""
    tree, lines = ast.parse(source), source.split("\n")
    # What one module sets anew, the other would not see.
    if any(isinstance(each, ast.Global) or _imports_anything(each) for each in ast.walk(tree)):
        return None
    statements = tree.body[ast.get_docstring(tree) is not None :]
    end = _first_line(statements[0]) - 1 if statements else len(lines)
    header, future = "\n".join(lines[:end]).strip("\n"), ""
    imports, imports_for_types, definitions = list[Import](), list[Import](), list[Definition]()
    for node in statements:
        first, apart = min(end + 1, node.lineno), node.lineno > end + 1
        end = len(lines) if node is statements[-1] else node.end_lineno or node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            future = FUTURE
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(Import(node, _comment(lines, node), apart))
        elif for_types := _for_types(node):
            imports_for_types += [Import(each, _comment(lines, each), False) for each in for_types]
        elif (name := _defined(node)) is None:
            return None
        elif name != "__all__":
            first = next(number for number in range(first, node.lineno + 1) if lines[number - 1].strip())
            definitions.append(Definition(name, node, "\n".join(lines[first - 1 : end]).rstrip(), first))
    return Parts(header, future, imports, imports_for_types, definitions)


def import_lines(imports: Sequence[Import], names: Collection[str]) -> list[str]:
    """Return the imports of some names, with a blank line wherever the file has one."""
    lines: list[str] = []
    apart = False
    for each in imports:
        apart |= each.apart
        if line := each.line(names):
            lines += ["", line] if apart and lines else [line]
            apart = False
    return lines


def _imports_anything(node: ast.AST) -> bool:
    """Return whether it is an import of names that it does not tell, or from a package that there is not."""
    return isinstance(node, ast.ImportFrom) and (node.level > 0 or node.names[0].name == "*")


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _comment(lines: Sequence[str], node: ast.stmt) -> str:
    """Return the comment behind a statement."""
    behind = lines[(node.end_lineno or 0) - 1].encode()[node.end_col_offset or 0 :].decode().strip()
    return f"  {behind}" if behind.startswith("#") else ""


def _for_types(node: ast.stmt) -> list[ast.Import | ast.ImportFrom]:
    """Return the imports below `if TYPE_CHECKING:`; none where it is something else, or has more."""
    if not isinstance(node, ast.If) or node.orelse:
        return []
    imports = [each for each in node.body if isinstance(each, ast.Import | ast.ImportFrom)]
    own = ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING" and len(imports) == len(node.body)
    return imports if own else []


def _defined(node: ast.stmt) -> str | None:
    """Return what a statement defines, nothing if it is the program; `None` where it does something else."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
        return ""
    if isinstance(node, ast.Assign) and len(node.targets) > 1:
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) and not isinstance(node, ast.For) else None


def _looked_up(scope: symtable.SymbolTable, but: Collection[symtable.SymbolTable] = ()) -> set[str]:
    """Return the names that a scope and those in it, but some, look up in the file, or may."""
    local = scope.get_type() == "function"
    names = {
        each.get_name()
        for each in scope.get_symbols()
        if each.is_referenced() and (each.is_global() or not local)
    }
    return names.union(*(_looked_up(inner) for inner in scope.get_children() if inner not in but))


def _spelled(annotation: ast.AST) -> set[str]:
    """Return the names in an annotation, also where it is quoted."""
    names: set[str] = set()
    for each in ast.walk(annotation):
        if isinstance(each, ast.Name):
            names.add(each.id)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            with suppress(SyntaxError, ValueError):  # it is some other string
                names |= _spelled(ast.parse(each.value, mode="eval"))
    return names


def _bound_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]
