"""A plugin of one file as two modules: hooks and options, which import no torch, and what they build."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ganlab.scaffold.plugin_source import FUTURE, Definition, Parts, import_lines, read_parts

__all__ = ["divide"]


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
        where the hooks need something heavy at once, the file does more than import and define, or its hooks
        call something as the second module is called, which would take its place.
    """
    parts = read_parts(source)
    if parts is None:
        return None
    names = _named_by_hooks(parts)
    if code.rpartition(".")[2] in names | {name for each in parts.imports for name in each.names}:
        return None
    kept = [part for part in parts.definitions if part.name in names]
    rest = [part for part in parts.definitions if part.name not in names]
    called = _called(kept)
    if not kept or any(part.at_once(called) & parts.heavy or part.on_one_line for part in kept):
        return None
    return _hooks(parts, kept, _From(code, rest)), _code(parts, rest, _From(module, kept))


def _named_by_hooks(parts: Parts) -> set[str]:
    """Return the hooks, and all that they name before anything is built."""
    known = {part.name for part in parts.definitions}
    kept = {part.name for part in parts.definitions if part.is_hook}
    while True:
        there = [part for part in parts.definitions if part.name in kept]
        called = _called(there)
        more = {name for part in there for name in part.at_once(called)} & known - kept
        if not more:
            return kept
        kept |= more


def _called(kept: Sequence[Definition]) -> set[str]:
    """Return the functions that are called before anything is built."""
    called: set[str] = set()
    while True:
        at_once = [part.node for part in kept if part.acts_at_once(called)]
        inside = [each for node in at_once for each in ast.walk(node)]
        calls = [each.func for each in inside if isinstance(each, ast.Call)]
        decorators = [each for part in kept for each in getattr(part.node, "decorator_list", ())]
        more = {each.id for each in (*calls, *decorators) if isinstance(each, ast.Name)} - called
        if not more:
            return called
        called |= more


class _From(NamedTuple):
    """What the other module has."""

    module: str
    definitions: Sequence[Definition]

    def lines(self, names: Collection[str]) -> list[str]:
        """Return the line that imports what it has of some names; none where that is nothing."""
        wanted = dict.fromkeys(part.name for part in self.definitions if part.name in names)
        return [f"from {self.module} import {', '.join(wanted)}"] if wanted else []


def _hooks(parts: Parts, kept: Sequence[Definition], code: _From) -> str:
    """Return the source of the module with the hooks."""
    called, sources = _called(kept), []
    for part in kept:
        later = part.later(called)
        sources.append(
            part.importing([*import_lines(parts.imports, later & parts.heavy), *code.lines(later)])
        )
    names = {name for part in kept for name in part.names}
    annotations = {name for part in kept for name in part.annotations}
    types = [
        *import_lines(parts.imports_for_types, names),
        *import_lines(parts.imports, annotations & parts.heavy),
        *code.lines(annotations),
    ]
    return _module([parts.header, FUTURE], import_lines(parts.imports, names - parts.heavy), types, sources)


def _code(parts: Parts, rest: Sequence[Definition], hooks: _From) -> str:
    """Return the source of the module with the rest."""
    if not rest:
        return ""
    names = {name for part in rest for name in part.names}
    imports, shared = import_lines(parts.imports, names), hooks.lines(names)
    return _module(
        [parts.header, parts.future],
        [*imports, *([""] if imports and shared else []), *shared],
        import_lines(parts.imports_for_types, names),
        [part.source for part in rest],
    )


def _module(
    head: Sequence[str], imports: Sequence[str], types: Sequence[str], definitions: Sequence[str]
) -> str:
    """Return the source of a module; `types` are imports for type checkers alone."""
    if types:
        types = ["if TYPE_CHECKING:", *(f"    {line}" for line in types if line)]
        head = [*head, "from typing import TYPE_CHECKING"]
    above = "\n\n".join(filter(None, (*head, "\n".join(imports), "\n".join(types))))
    return "\n\n\n".join(filter(None, (above, *definitions))) + "\n"
