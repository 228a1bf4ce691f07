"""What is read off the project's code to see whether the walls between its parts stand."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]


def python_files(*folders: str, project: Path = PROJECT) -> list[Path]:
    return [path for folder in folders for path in sorted((project / folder).rglob("*.py"))]


def broken_contracts(project: Path) -> list[str]:
    """Return the import walls that do not stand."""
    code = "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={"PYTHONPATH": f"{project}:{project / 'plugins'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    assert bool(broken) == bool(result.returncode), result.stdout + result.stderr
    return broken


def template(node: ast.AST) -> str | None:
    """Return the text of a string, an f-string's with `{}` for each part that it fills in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def strings(tree: ast.AST) -> list[tuple[ast.AST, str]]:
    """Return the strings of a module that are no documentation, each with its text."""
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    apart |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = ((node, template(node)) for node in ast.walk(tree) if id(node) not in apart)
    return [(node, text) for node, text in found if text]


def tag_families(project: Path) -> set[str]:
    texts = [text for _, text in strings(ast.parse((project / "ganlab" / "tags.py").read_text()))]
    return {match[0] for text in texts if (match := re.match(r"[a-z-]+/", text))}


def spelled_tags(project: Path) -> list[str]:
    """Return where a tag is spelled outside the module that knows them all."""
    families = tuple(tag_families(project))
    found = []
    for path in python_files("ganlab", "plugins", project=project):
        if path == project / "ganlab" / "tags.py":
            continue
        found += [
            f"{path}:{line}: {text}" for line, text in texts(path.read_text()) if text.startswith(families)
        ]
    return found


@cache
def texts(source: str) -> list[tuple[int, str]]:
    """Return the strings of a module, each with its line, but for names of streams of random numbers.

    Those are called as tags are.
    """
    tree = ast.parse(source)
    streams = {
        id(node.slice)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("streams")
    }
    return [
        (node.lineno, text)  # type: ignore[attr-defined]
        for node, text in strings(tree)
        if id(node) not in streams
    ]


PATH_CALLS = {"Path", "PurePath", "glob", "joinpath", "open", "path.join", "rglob", "with_name"}


def path_operands(tree: ast.AST) -> set[int]:
    """Return (by `id`) what paths are put together from: operands of `/`, arguments of what takes paths."""
    named = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found += [node.left, node.right]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if any(called == name or called.endswith(f".{name}") for name in PATH_CALLS):
                found += node.args
    for node in found:  # it grows on the way
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found += [node.left, node.right]
        elif isinstance(node, ast.Name) and node.id in named:
            found.append(named.pop(node.id))
    return {id(node) for node in found}


@cache
def path_parts(source: str) -> list[tuple[int, str]]:
    """Return the parts of all paths that a module spells, each with its line.

    A name with a suffix is a path wherever it stands, and so is what goes on from something else with
    a slash; other words mean many things, and count where paths are put together alone.
    """
    tree = ast.parse(source)
    operands = path_operands(tree)
    return [
        (node.lineno, part)  # type: ignore[attr-defined]
        for node, text in strings(tree)
        for part in text.split("/")
        if re.search(r"[\w}]\.\w", part) or id(node) in operands or text.startswith("{}/")
    ]


FILLED_IN = re.compile(r"{}|[*]")


def run_names(project: Path) -> tuple[set[str], set[str]]:
    """Return the names of files and directories in a run, and the beginnings of those that are filled in."""
    layout = (project / "ganlab" / "runs" / "layout.py").read_text()
    parts = {part for _, part in path_parts(layout)}
    heads = {FILLED_IN.split(part)[0] for part in parts if FILLED_IN.search(part) or part.endswith("-")}
    return {part for part in parts if not FILLED_IN.search(part)}, heads - {""}


def spelled_run_names(project: Path) -> list[str]:
    """Return where a file or directory of a run is named outside the module that knows them all."""
    names, heads = run_names(project)
    return [
        f"{path}:{line}: {part}"
        for path in python_files("ganlab", "plugins", project=project)
        if path != project / "ganlab" / "runs" / "layout.py"
        for line, part in path_parts(path.read_text())
        if part in names or part.startswith(tuple(heads))
    ]


def imports(path: Path) -> set[str]:
    return imported(path.read_text())


@cache
def imported(source: str) -> set[str]:
    """Return the modules that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def imported_plugins(project: Path) -> list[str]:
    """Return where the core imports a built-in plugin."""
    plugins = {path.name for path in (project / "plugins").iterdir()}
    return [
        f"{path}: {name}"
        for path in python_files("ganlab", project=project)
        for name in imports(path)
        if name.split(".")[0] in plugins
    ]


def kinds_of_sample(project: Path) -> tuple[set[str], set[str], set[str]]:
    """Return the classes of all kinds of sample, what files call the kinds, and the fields they have."""
    classes, words, fields = set(), set(), set()
    for node in ast.walk(ast.parse((project / "ganlab" / "samples.py").read_text())):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "SampleSpec" for base in node.bases):
            classes.add(node.name)
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "kind":
                    words.add(ast.literal_eval(ast.unparse(field.value or field)))
                elif isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field.annotation):
                    fields.add(ast.unparse(field.target))
    return classes, words, fields - {"classes"}


ARRAYS_OF_FILES = ("ganlab/data/bare_set.py", "ganlab/data/image_set.py", "ganlab/drawing/pictures.py")
"""They read and write files of pictures, or what a program has in memory: there is no spec yet to ask, and
the shape of an array says what it holds."""

RANK = re.compile(r"(?<!\bfeatures)\.(ndim|dim\(\))$|^len\(.*(?<!\bfeatures\.)shape\)$")
"""The number of dimensions of something that may be samples."""


def branches_on_samples(project: Path) -> list[str]:
    """Return where the core tells kinds of sample apart by itself, instead of asking the spec.

    A branch on the class of a spec, on the kind that a file gives, on a field that one kind has, on the
    rank or type of an array of samples, or a list of the kinds, which lacks the next one.
    """
    kinds = Kinds(*map(frozenset, kinds_of_sample(project)))
    places = {path: path.relative_to(project).as_posix() for path in python_files("ganlab", project=project)}
    return [
        f"{path}:{line}: {branch}"
        for path, place in places.items()
        if place != "ganlab/samples.py"
        for line, branch in branches(path.read_text(), kinds, place not in ARRAYS_OF_FILES)
    ]


class Kinds(NamedTuple):
    """What the kinds of sample are known by: their classes, their names in files, their fields."""

    classes: frozenset[str]
    words: frozenset[str]
    fields: frozenset[str]


@cache
def branches(source: str, kinds: Kinds, arrays: bool) -> list[tuple[int, str]]:
    """Return the branches of a module on kinds of sample, each with its line; on arrays if asked for."""
    classes, words, fields = kinds

    def named(node: ast.AST) -> set[str]:
        return {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node)} & classes

    def on_class(node: ast.AST) -> bool:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            return bool(named(node.args[1]))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr":
            return ast.unparse(node.args[1])[1:-1] in fields
        if isinstance(node, ast.Compare):
            return any(map(named, sides(node))) or (
                any(isinstance(side, ast.Constant) and side.value in words for side in sides(node))
                and any(re.search(r"\bkind\W*$", ast.unparse(side)) for side in sides(node))
            )
        if isinstance(node, ast.MatchClass):
            return bool(named(node.cls))
        listing = (ast.BinOp, ast.Dict, ast.IfExp, ast.List, ast.Set, ast.Tuple)
        return isinstance(node, listing) and len(named(node)) > 1

    def on_array(node: ast.AST) -> bool:
        if not isinstance(node, ast.Compare):
            return False
        numbers = [side.value for side in sides(node) if isinstance(side, ast.Constant)]
        ranked = any(RANK.search(ast.unparse(side)) for side in sides(node))
        return (ranked and numbers != [0]) or any("uint8" in ast.unparse(side) for side in sides(node))

    found: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if on_class(node) or (arrays and on_array(node)):
            found.setdefault(node.lineno, ast.unparse(node))  # type: ignore[attr-defined]
    return [*found.items()]


def sides(node: ast.Compare) -> list[ast.expr]:
    return [node.left, *node.comparators]
