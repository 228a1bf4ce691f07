"""Plugins that are a file beside the experiment: really imported, and fingerprinted.

A file is imported under its own stem with its directory at the end of `sys.path`: helper
modules beside it are found, and worker processes, which inherit `sys.path` however they are
started, can unpickle its classes. It is the end because Python knows one module of a name:
a `profile.py` that came first would be everybody's, torch's too.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ganlab.errors import GanlabError
from ganlab.paths import is_text
from ganlab.registry.plugin import LocalFile

__all__ = ["import_file", "local_sources"]

_directories: list[str] = []
"""What this module has put on `sys.path`, the newest first."""


def local_sources(plugin: Path) -> tuple[LocalFile, ...]:
    """Return a plugin's source file and those beside it that it imports, even inside functions.

    Args:
        plugin: a `.py` file, or a package directory (all its `.py` files are sources).

    Raises:
        GanlabError: the name of one of them is not UTF-8.
        SyntaxError: one of them is not Python.
        OSError: one of them cannot be read.
    """
    root = plugin.parent
    found: dict[Path, LocalFile] = {}
    waiting = [*_files_of(plugin)]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        content = path.read_bytes()
        name = path.relative_to(root).as_posix()
        if not is_text(name):
            raise GanlabError(f"{path}: a plugin's file name must be UTF-8; rename it")
        found[path] = LocalFile(name, path, hashlib.sha256(content).hexdigest())
        for module in _imported_names(ast.parse(content, filename=str(path))):
            beside = [*_files_of(root / f"{module}.py"), *_files_of(root / module)]
            if beside and not _elsewhere(module, root):
                waiting += beside
    return tuple(found.values())


def _elsewhere(name: str, root: Path) -> str:
    """Return whose a module of this name is, if Python finds one before it looks into `root`."""
    if name in sys.stdlib_module_names:
        return "the standard library's"
    path = [entry for entry in sys.path if entry not in _directories and not _is_working_directory(entry)]
    own = next((index for index, entry in enumerate(path) if Path(entry).resolve() == root), None)
    path = path[:own]
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        places = path if finder is importlib.machinery.PathFinder else None
        spec = find(name, places) if find else None
        if spec is not None and spec.origin is not None:  # a directory that is no package has none
            return f"the installed {spec.origin}"
    return ""


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    init = path / "__init__.py"
    return [init, *sorted(set(path.rglob("*.py")) - {init})] if init.is_file() else []


def _imported_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def import_file(plugin: Path, sources: tuple[LocalFile, ...]) -> ModuleType:
    """Import a plugin file or package, or return it if its sources are already imported.

    Another file of the same name that was imported before (a copy of this one in an
    older run, say) gives way.

    Raises:
        GanlabError: the file's name cannot be imported, or belongs to another module.
        Exception: whatever the file raises.
    """
    name = plugin.stem
    if "." in name:
        raise GanlabError(f"{plugin}: a plugin's file name must have no dot before `.py`; rename it")
    digests = {str(source.path): source.sha256 for source in sources}
    current = sys.modules.get(name)
    if current is not None and getattr(current, "__ganlab_sources__", None) == digests:
        return current
    if _elsewhere(name, plugin.parent) or (current is not None and not _is_ours(current)):
        raise GanlabError(f"{plugin}: another module is named `{name}` already; rename the file")
    _forget(name, sources)
    _make_importable(str(plugin.parent))
    try:
        return _execute(name, sources[0].path, digests)
    except ImportError as error:
        raise _named_alike(error, plugin.parent) or error from error


def _named_alike(error: ImportError, root: Path) -> GanlabError | None:
    """Return what to tell where a module beside a plugin was meant, and another of its name was found."""
    name = (error.name or "").partition(".")[0]
    file = next((file for file in (root / f"{name}.py", root / name / "__init__.py") if file.is_file()), None)
    owner = _elsewhere(name, root) if file else ""
    return GanlabError(f"{error}: `{name}` is {owner}, not {file}; rename that file") if owner else None


def _is_ours(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return hasattr(module, "__ganlab_sources__") or (file is not None and _directory_of(file) in _directories)


def _directory_of(file: str) -> str:
    path = Path(file)
    return str(path.parent.parent if path.name == "__init__.py" else path.parent)


def _forget(name: str, sources: tuple[LocalFile, ...]) -> None:
    """Drop modules of these names that an older directory, or older content, has left behind."""
    stems = {name} | {source.name.partition("/")[0].removesuffix(".py") for source in sources}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] in stems and _is_ours(module):
            del sys.modules[module_name]


def _make_importable(directory: str) -> None:
    """Put a directory on `sys.path`: after what is installed, before older ones and the working directory."""
    others = [entry for entry in sys.path if entry not in _directories]
    installed = [entry for entry in others if not _is_working_directory(entry)]
    if directory not in installed:
        _directories[:] = [directory, *(entry for entry in _directories if entry != directory)]
    sys.path[:] = [*installed, *_directories, *(entry for entry in others if entry not in installed)]
    importlib.invalidate_caches()


def _is_working_directory(entry: str) -> bool:
    """Return whether an entry of `sys.path` is there for where the command was called, not installed."""
    try:
        return not entry or Path(entry).resolve() == Path.cwd()
    except OSError:  # it has been removed
        return False


def _execute(name: str, file: Path, digests: dict[str, str]) -> ModuleType:
    package = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=package)
    if spec is None or spec.loader is None:
        raise GanlabError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    module.__ganlab_sources__ = digests  # type: ignore[attr-defined]
    sys.modules[name] = module
    # A run that is read, or refused, stays as it is, and its plugins lie in it.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    finally:
        sys.dont_write_bytecode = before
    return module
