"""`ganlab describe`: the experiment file, a section of it, a kind of component, or one component."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.commands.tables import print_facts, print_table, print_terms, print_text
from ganlab.components import (
    Component,
    DiscriminatorComponent,
    EvaluatorComponent,
    FeaturesComponent,
    GeneratorComponent,
    LossComponent,
)
from ganlab.errors import UsageError, printable
from ganlab.kinds import KINDS, Kind
from ganlab.registry import Offer, Registry
from ganlab.samples import accepted_kinds

if TYPE_CHECKING:
    from ganlab.config.sections import Key, Section

__all__ = ["command"]


@click.command("describe", epilog=f"KIND is one of {', '.join(KINDS)}; without anything, all is listed.")
@click.argument("what", metavar="[SECTION|KIND]", required=False)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def command(
    what: str | None, name: str | None, as_json: bool, plugins: tuple[str, ...], disabled: tuple[str, ...]
) -> None:
    """Explain a section of the experiment file, a KIND of component, or one component and its options."""
    from ganlab.config.sections import sections
    from ganlab.registry import load_registry

    registry = load_registry(plugins=plugins, disabled=disabled)
    word = (what or "").strip("[]")
    if name is not None:
        offer = registry.get(word, name)
        page: Any = (
            _component_as_json(offer, name) if as_json else lambda: _print_component(offer, name, registry)
        )
    elif not word:
        page = _overview_as_json() if as_json else _print_overview
    elif kind := _kind_called(word):
        page = _kind_as_json(kind, registry) if as_json else lambda: _print_kind(kind, registry)
    elif section := sections().get(word):
        page = _section_as_json(section) if as_json else lambda: _print_section(section)
    else:
        raise _unknown(word, registry)
    if as_json:
        click.echo(json.dumps(page, indent=2))
    else:
        page()
    tell_failures(registry)


def _kind_called(word: str) -> Kind | None:
    """Return the kind that is meant by its word, its plural, or the section that chooses it."""
    if word in KINDS:
        return KINDS[word]
    return next((kind for kind in KINDS.values() if word in (kind.plural, kind.section)), None)


def _unknown(word: str, registry: Registry) -> UsageError:
    """Return the error that says where else the word occurs, or what it may have been meant to be."""
    from ganlab.config.sections import keys_of, loose_keys, sections
    from ganlab.registry.suggest import did_you_mean

    places = {
        section.header: f"ganlab describe {section.name}"
        for section in sections().values()
        if word in {key.name for key in keys_of(section.model)}
    }
    places |= {
        kind.header: f"ganlab describe {kind.name}" for kind in KINDS.values() if word in kind.core_keys
    }
    lines = [f"it is a key of {place}: `{command}`" for place, command in places.items()]
    lines += [
        f"it is a key of the file itself, {key.type}: {key.description}"
        for key in loose_keys()
        if key.name == word
    ]
    lines += [
        f"it is one of the {KINDS[offer.component.kind].plural}: "
        f"`ganlab describe {offer.component.kind} {word}`"
        for offer in registry.offers
        if offer.component.name == word
    ]
    if not lines:
        known = [*KINDS, *sections()]
        lines = [did_you_mean(word, known) or f"there are {', '.join(known)}"]
    hints = "\n    ".join(lines)
    return UsageError(f"there is no section and no kind of component `{printable(word)}`\n    {hints}")


def _print_overview() -> None:
    from ganlab.config.sections import loose_keys, meaning, sections

    click.secho("What an experiment file may say", bold=True)
    click.echo("\nKeys at its top:\n")
    print_terms([_term(key) for key in loose_keys()])
    click.echo("\nTables that choose a component:\n")
    print_table(
        ("KIND", "TABLE", "WHAT IT IS FOR"),
        [(kind.name, kind.header, meaning(kind)) for kind in KINDS.values()],
    )
    click.echo("\nTables of ganlab's own:\n")
    print_table(
        ("SECTION", "WHAT IT IS FOR"),
        [(section.header, section.description) for section in sections().values()],
    )
    click.echo("\nGo on with:\n")
    print_facts(
        [
            ("ganlab describe training", "a section: its keys, their types and defaults"),
            ("ganlab describe loss", "a kind: what is installed, and the keys that all have"),
            ("ganlab describe loss r1", "one component: its options, and a table to paste"),
            ("ganlab new loss my-loss", "one of your own, to begin with"),
        ]
    )


def _print_section(section: Section) -> None:
    from ganlab.config.example import section_table
    from ganlab.config.sections import keys_of

    click.secho(section.header, bold=True)
    print_text(section.text)
    click.echo()
    print_terms([_term(key) for key in keys_of(section.model)])
    click.echo(f"\n{section_table(section.header, section.model)}", nl=False)


def _print_kind(kind: Kind, registry: Registry) -> None:
    from ganlab.config.sections import core_keys, meaning

    click.secho(kind.name, bold=True)
    print_text(meaning(kind))
    click.echo()
    print_facts([("chosen in", ", ".join(kind.headers)), ("hook", f"{kind.hook}()")])
    offers = registry.components(kind.name)
    takers = any(_labels(offer.component) for offer in offers)
    rows = [
        (offer.component.name, *([_labels(offer.component)] if takers else ()), offer.component.summary)
        for offer in offers
    ]
    click.echo()
    if rows:
        print_table(("NAME", *(["LABELS"] if takers else ()), "SUMMARY"), rows)
    else:
        click.echo("None is installed.")
    _print_core_keys(core_keys(kind), kind)
    click.echo("\nGo on with:\n")
    example = offers[0].component.name if offers else "NAME"
    print_facts(
        [
            (f"ganlab describe {kind.name} {example}", "its options, and a table to paste"),
            (f"ganlab new {kind.name} my-{kind.name}", "one of your own, to begin with"),
        ]
    )


def _print_component(offer: Offer, name: str, registry: Registry) -> None:
    from ganlab.config.example import example_table
    from ganlab.config.sections import keys_of

    component = offer.component
    click.secho(f"{component.kind} {component.name}", bold=True)
    print_text(component.summary)
    click.echo()
    print_facts(list(_facts(offer, registry)))
    click.echo()
    options = keys_of(component.options)
    if options:
        click.echo("Options:\n")
        print_terms([_term(key) for key in options])
    else:
        click.echo("It has no options.")
    _print_core_keys(_core_keys(component), KINDS[component.kind])
    click.echo(f"\n{example_table(component, name)}", nl=False)


def _print_core_keys(keys: Sequence[Key], kind: Kind) -> None:
    if keys:
        click.echo(f"\nKeys that every {kind.singular} has:\n")
        print_terms([_term(key) for key in keys])


def _term(key: Key) -> tuple[str, str, str]:
    """Return a key as it is printed: with its default, what it takes, what it does."""
    name = f"{key.name} = {key.default}" if key.default else key.name
    return name, f"{key.type}, required" if key.required else key.type, key.description


def _facts(offer: Offer, registry: Registry) -> Iterator[tuple[str, str]]:
    from ganlab.config.checks import showing
    from ganlab.registry.suggest import listing

    component = offer.component
    yield "from", f"{offer.provenance} ({offer.provenance.plugin})"
    word = "yields" if component.kind == "dataset" else "works on"
    yield word, " and ".join(kind.word for kind in accepted_kinds(component.accepts))
    if labels := _labels(component):
        yield "labels", "are given to it where the data has classes" if labels == "yes" else "it takes none"
    if isinstance(component, DiscriminatorComponent) and component.outputs:
        yield "shows", ", ".join(sorted(component.outputs))
    if isinstance(component, LossComponent) and component.needs:
        yield "needs", ", ".join(KINDS[need].header for need in sorted(component.needs))
    if isinstance(component, LossComponent):
        for output in sorted(component.needs_outputs):
            yield "", f"a discriminator that shows `{output}`: {listing(showing(output, registry))}"
    if isinstance(component, FeaturesComponent):
        passing = "pass, so that losses can learn by it"
        yield "gradients", passing if component.differentiable else "do not pass"
    if isinstance(component, EvaluatorComponent):
        yield (
            "metrics",
            ", ".join(
                f"{metric.name} ({metric.better} is better)" if metric.better else metric.name
                for metric in component.metrics
            ),
        )
        if component.features_of is None:
            yield "features", f"{', '.join(component.features)} (the first that fits the dataset)"


def _labels(component: Component) -> str:
    """Return whether a network takes labels, `yes` or `no`; nothing where that is no question."""
    if isinstance(component, GeneratorComponent | DiscriminatorComponent):
        return "yes" if component.takes_labels else "no"
    return ""


def _core_keys(component: Component) -> list[Key]:
    """Return the keys that the core itself knows in such a table."""
    from ganlab.config.sections import core_keys

    # An evaluator that is defined on certain features refuses others, and most losses look through none.
    fixed = isinstance(component, EvaluatorComponent) and component.features_of is not None
    blind = isinstance(component, LossComponent) and not component.takes_features
    return core_keys(KINDS[component.kind], {"features"} if fixed or blind else ())


def _overview_as_json() -> dict[str, Any]:
    from ganlab.config.sections import loose_keys, meaning, sections

    return {
        "keys": _keys_as_json(loose_keys()),
        "kinds": [
            {"kind": kind.name, "table": kind.header, "description": meaning(kind)} for kind in KINDS.values()
        ],
        "sections": [_section_as_json(section) for section in sections().values()],
    }


def _section_as_json(section: Section) -> dict[str, Any]:
    from ganlab.config.sections import keys_of

    return {
        "section": section.name,
        "description": section.text,
        "keys": _keys_as_json(keys_of(section.model)),
    }


def _kind_as_json(kind: Kind, registry: Registry) -> dict[str, Any]:
    from ganlab.config.sections import core_keys, meaning

    return {
        "kind": kind.name,
        "table": kind.header,
        "description": meaning(kind),
        "components": [
            {"name": offer.component.name, "summary": offer.component.summary}
            for offer in registry.components(kind.name)
        ],
        "keys": _keys_as_json(core_keys(kind)),
    }


def _component_as_json(offer: Offer, name: str) -> dict[str, Any]:
    from ganlab.config.example import example_table
    from ganlab.config.options import options_schema
    from ganlab.config.sections import keys_of

    component, provenance = offer
    labels = {"takes_labels": _labels(component) == "yes"} if _labels(component) else {}
    return {
        "kind": component.kind,
        "name": component.name,
        "qualified_name": offer.qualified_name,
        "summary": component.summary,
        "distribution": provenance.distribution,
        "version": provenance.version,
        "plugin": provenance.plugin,
        "files": [str(file.path) for file in provenance.files],
        "accepts": [kind.word for kind in accepted_kinds(component.accepts)],
        **labels,
        "options": _keys_as_json(keys_of(component.options)),
        "keys": _keys_as_json(_core_keys(component)),
        "schema": options_schema(component.options),
        "toml": example_table(component, name),
    }


def _keys_as_json(keys: Sequence[Key]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(key) for key in keys]
