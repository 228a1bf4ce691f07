"""`ganlab describe KIND NAME`: one component, its options, and a table to paste."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.commands.tables import print_table
from ganlab.components import Component, EvaluatorComponent, LossComponent
from ganlab.kinds import KINDS
from ganlab.registry import Offer
from ganlab.samples import accepted_kinds

__all__ = ["command"]


@click.command("describe", epilog=f"KIND is one of {', '.join(KINDS)}.")
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_options
def command(kind: str, name: str, as_json: bool, plugins: tuple[str, ...], disabled: tuple[str, ...]) -> None:
    """Explain one component and its options."""
    from ganlab.registry import load_registry

    registry = load_registry(plugins=plugins, disabled=disabled)
    offer = registry.get(kind, name)
    if as_json:
        click.echo(json.dumps(_as_json(offer, name), indent=2))
    else:
        _print(offer, name)
    tell_failures(registry)


def _print(offer: Offer, name: str) -> None:
    from ganlab.config.example import example_table

    component = offer.component
    click.secho(f"{component.kind} {component.name}", bold=True)
    click.echo(component.summary)
    for word, text in _facts(offer):
        click.echo(f"{word:<12}{text}")
    click.echo()
    options = _options(component)
    if options:
        rows = [(row["name"], row["type"], row["default_text"], row["description"]) for row in options]
        print_table(("OPTION", "TYPE", "DEFAULT", "MEANING"), rows)
    else:
        click.echo("It has no options.")
    click.echo()
    click.echo(example_table(component, name), nl=False)


def _facts(offer: Offer) -> Iterator[tuple[str, str]]:
    component = offer.component
    yield "from", f"{offer.provenance} ({offer.provenance.plugin})"
    word = "yields" if component.kind == "dataset" else "works on"
    yield word, " and ".join(kind.word for kind in accepted_kinds(component.accepts))
    if isinstance(component, LossComponent) and component.needs:
        yield "needs", ", ".join(KINDS[need].header for need in sorted(component.needs))
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
    if also := _core_keys(component):
        yield "also", ", ".join(also)


def _core_keys(component: Component) -> list[str]:
    """Return the keys that the core itself knows in such a table, each with its default."""
    from ganlab.config.example import default_text

    fields = KINDS[component.kind].settings.model_fields
    own = {"name"}
    if isinstance(component, EvaluatorComponent) and component.features_of is not None:
        own.add("features")  # It is defined on certain ones, and refuses others.
    defaults = {key: default_text(field) for key, field in fields.items() if key not in own}
    return [f"{key} = {default}" if default else key for key, default in defaults.items()]


def _options(component: Component) -> list[dict[str, Any]]:
    from ganlab.config.example import default_text
    from ganlab.config.options import option_descriptions
    from ganlab.config.types import describe_field

    descriptions = option_descriptions(component.options)
    return [
        {
            "name": key,
            "type": describe_field(field).removeprefix("a ").removeprefix("an "),
            "required": field.is_required(),
            "default_text": default_text(field),
            "description": descriptions.get(key, ""),
        }
        for key, field in component.options.model_fields.items()
    ]


def _as_json(offer: Offer, name: str) -> dict[str, Any]:
    from ganlab.config.example import example_table
    from ganlab.config.options import options_schema

    component, provenance = offer
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
        "options": [
            {("default" if key == "default_text" else key): value for key, value in option.items()}
            for option in _options(component)
        ],
        "schema": options_schema(component.options),
        "toml": example_table(component, name),
    }
