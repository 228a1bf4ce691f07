"""`ganlab plugins`: what is installed, and what is wrong with the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.commands.tables import print_table
from ganlab.errors import GanlabError
from ganlab.registry import Registry, load_registry

__all__ = ["command"]


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--errors", is_flag=True, help="Print the traceback of every failure.")
@plugin_options
def command(as_json: bool, errors: bool, plugins: tuple[str, ...], disabled: tuple[str, ...]) -> None:
    """List plugins, their components and their failures; one asked for by name must not fail."""
    registry = load_registry(plugins=plugins, disabled=disabled, relative_to=Path.cwd())
    if as_json:
        click.echo(json.dumps(_as_json(registry), indent=2))
    elif errors:
        _print_errors(registry)
    else:
        rows = [
            (offer.component.kind, offer.component.name, str(offer.provenance), offer.component.summary)
            for offer in registry.offers
        ]
        print_table(("KIND", "NAME", "FROM", "SUMMARY"), rows)
        tell_failures(registry)
    if any(failure.requested in plugins for failure in registry.failures):
        click.get_current_context().exit(GanlabError.exit_code)


def _print_errors(registry: Registry) -> None:
    if not registry.failures:
        click.echo("no plugin failed")
    for failure in registry.failures:
        click.echo(str(failure))
        for line in failure.traceback.splitlines():
            click.echo(f"    {line}")


def _as_json(registry: Registry) -> dict[str, Any]:
    return {
        "plugins": [
            {
                "id": plugin.found.id,
                "distribution": plugin.found.distribution,
                "version": plugin.found.version,
                "module": plugin.module.__name__,
                "files": [{"path": str(file.path), "sha256": file.sha256} for file in plugin.files],
            }
            for plugin in registry.plugins
        ],
        "components": [
            {
                "kind": offer.component.kind,
                "name": offer.component.name,
                "qualified_name": offer.qualified_name,
                "summary": offer.component.summary,
                "plugin": offer.provenance.plugin,
            }
            for offer in registry.offers
        ],
        "failures": [
            {
                "plugin": failure.plugin,
                "stage": failure.stage,
                "message": failure.message,
                "traceback": failure.traceback,
            }
            for failure in registry.failures
        ],
    }
