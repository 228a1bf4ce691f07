"""`ganlab schema`: a JSON Schema for editors."""

from __future__ import annotations

import json

import click

from ganlab.commands.common import plugin_options, tell_failures

__all__ = ["command"]


@click.command("schema")
@plugin_options
def command(plugins: tuple[str, ...], disabled: tuple[str, ...]) -> None:
    """Print a JSON Schema of experiment files, from the installed components.

    Editors that know TOML complete and check experiments by it: save it as
    ganlab.schema.json and begin the experiment with `#:schema ganlab.schema.json`.
    """
    from ganlab.config.schema import experiment_schema
    from ganlab.registry import load_registry

    registry = load_registry(plugins=plugins, disabled=disabled)
    click.echo(json.dumps(experiment_schema(registry), indent=2))
    tell_failures(registry)
