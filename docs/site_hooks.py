"""What the site has beside the pages in this folder: the README as its first page, and a reference.

The reference is made of what the program itself reads (the settings' models, the components' records, the
commands), each time that the site is built, so that it cannot differ from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ganlab.commands.cli import cli
from ganlab.components import Component
from ganlab.config.sections import Key, core_keys, keys_of, loose_keys, meaning, sections
from ganlab.kinds import KINDS
from ganlab.registry import load_registry
from ganlab.samples import accepted_kinds

PROJECT = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file has."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    pages = {
        "index.md": readme.replace("[docs/experiments/](docs/experiments)", "`docs/experiments/`").replace(
            "](docs/", "]("
        ),
        "reference/experiment.md": experiment_reference(),
        "reference/components.md": components_reference(),
        "reference/commands.md": commands_reference(),
        "reference/hooks.md": hooks_reference(),
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead links to the README to the first page, and leave links to source files as words."""
    markdown = markdown.replace("](../README.md", "](index.md")
    return re.sub(
        r"\[([^]]+)\]\((?:\.\./)*(?:ganlab/|plugins/|tests/|CONTRIBUTING|CHANGELOG)[^)]*\)", r"\1", markdown
    )


def experiment_reference() -> str:
    """Return every key of an experiment file that is not a component's own option."""
    parts = [
        "# The experiment file",
        "Every key that ganlab itself reads. What a component takes beside them is among "
        "[the components](components.md). `ganlab describe` shows the same on a terminal.",
        "## At the top",
        _keys(loose_keys()),
    ]
    for section in sections().values():
        parts += [f"## `{section.header}`", section.text, _keys(keys_of(section.model))]
    for kind in KINDS.values():
        if keys := core_keys(kind):
            parts += [
                f"## `{kind.header}`",
                f"{meaning(kind)} Beside the options of the component that it names:",
                _keys(keys),
            ]
    return "\n\n".join(parts) + "\n"


def components_reference() -> str:
    """Return every built-in component with its options."""
    parts = [
        "# Components",
        "What comes with ganlab, by kind. `ganlab plugins` lists what you have installed.",
    ]
    offers = [offer for offer in load_registry().offers if offer.provenance.distribution == "ganlab"]
    for kind in KINDS.values():
        parts.append(f"## {kind.plural.capitalize()}")
        for offer in sorted(offers, key=lambda offer: offer.component.name):
            if offer.component.kind == kind.name:
                parts += _component(offer.component)
    return "\n\n".join(parts) + "\n"


def commands_reference() -> str:
    """Return every command with its arguments and options."""
    parts = ["# Commands"]
    context = click.Context(cli, info_name="ganlab")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
        # What positional arguments are is told by the command's own words.
        options = [each for each in command.get_params(inner) if isinstance(each, click.Option)]
        rows = [record for each in options if (record := each.get_help_record(inner))]
        parts += [f"## {name}", f"```text\n{usage}\n```", _paragraphs(command.help or "")]
        parts += [_table(("option", "meaning"), [(f"`{option}`", meaning) for option, meaning in rows])]
    return "\n\n".join(parts) + "\n"


def hooks_reference() -> str:
    """Return each hook, what it yields, and the record's own words."""
    rows = [
        (kind.name, f"`{kind.hook}`", f"`{kind.record.__name__}`", ", ".join(("options", *kind.build_gets)))
        for kind in KINDS.values()
    ]
    parts = [
        "# The hooks",
        "A plugin is a module with one or more of these; [how to write one](../plugins.md).",
    ]
    parts.append(_table(("kind", "hook", "yields", "`build` is given"), rows))
    for kind in KINDS.values():
        parts += [f"## {kind.record.__name__}", f"```text\n{_dedented(kind.record.__doc__ or '')}\n```"]
    return "\n\n".join(parts) + "\n"


def _component(component: Component) -> Iterable[str]:
    yield f"### `{component.name}` {{ #{component.kind}-{component.name} }}"
    yield component.summary
    yield f"Works on {' and '.join(kind.word for kind in accepted_kinds(component.accepts))}."
    if keys := keys_of(component.options):
        yield _keys(keys)


def _keys(keys: Iterable[Key]) -> str:
    rows = [
        (
            f"`{key.name}`",
            key.type,
            "required" if key.required else f"`{key.default}`" * bool(key.default),
            key.description,
        )
        for key in keys
    ]
    return _table(("key", "takes", "default", "meaning"), rows)


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Return a text without what would end its cell; in code a bar ends none, and a backslash would show."""
    spans = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(span if span.startswith("`") else span.replace("|", "\\|") for span in spans)


def _paragraphs(text: str) -> str:
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.replace("\b", ""))
    )


def _dedented(text: str) -> str:
    first, _, rest = text.partition("\n")
    return "\n".join([first, *(line.removeprefix("    ") for line in rest.splitlines())]).rstrip()
