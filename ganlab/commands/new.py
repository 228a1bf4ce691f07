"""`ganlab new`: a plugin to begin with, or an experiment for data that is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.errors import UsageError
from ganlab.kinds import KINDS
from ganlab.registry import Registry, load_registry

__all__ = ["command"]


@click.command("new", epilog=f"KIND is one of {', '.join(KINDS)}.")
@click.argument("what", metavar="KIND|experiment")
@click.argument("name", metavar="NAME|DATA")
@click.option(
    "--package",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a package that can be published, with tests, into DIR.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="What to call the experiment for DATA."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@plugin_options
def command(
    what: str,
    name: str,
    package: Path | None,
    out: Path | None,
    force: bool,
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
) -> None:
    """Write a component of KIND called NAME, which works as it is, and an experiment that uses it.

    `ganlab new experiment DATA` looks at a folder or zip of images (or names a dataset), and writes an
    experiment for it.
    """
    registry = load_registry(plugins=plugins, disabled=disabled)
    if what == "experiment":
        if package is not None:
            raise UsageError("--package goes with a kind of component, not with an experiment")
        _new_experiment(registry, name, out, force)
    else:
        if out is not None:
            raise UsageError("--out goes with `ganlab new experiment DATA`")
        _new_plugin(registry, what, name, package, force)
    tell_failures(registry)


def _new_plugin(registry: Registry, kind: str, name: str, package: Path | None, force: bool) -> None:
    from ganlab.scaffold.files import write_all
    from ganlab.scaffold.plugin import Plugin

    plugin = Plugin.named(kind, name, registry)
    files = plugin.file(Path()) if package is None else plugin.package(package)
    write_all(files, force=force)
    first, *_ = files
    if package is None:
        experiment, check = f"{name}.toml", f"./{first}"
    else:
        experiment, check = f"{package / 'experiments' / name}.toml", plugin.distribution
    _say_written(files)
    click.echo("next:")
    if package is not None:
        click.echo(f"  pip install -e '{package}[test]'")
    for line in (f"check {check}", f"validate {experiment}", f"run {experiment}"):
        click.echo(f"  ganlab {line}")


def _new_experiment(registry: Registry, data: str, out: Path | None, force: bool) -> None:
    from ganlab.scaffold.experiment import propose
    from ganlab.scaffold.files import write_all

    proposal = propose(registry, data, out)
    write_all({proposal.file: proposal.text}, force=force)
    for line in proposal.seen:
        click.echo(line)
    _say_written([proposal.file])
    click.echo(f"next:\n  ganlab validate {proposal.file}   # and about how long it takes to train here")
    click.echo(f"  ganlab run {proposal.file}")


def _say_written(files: Iterable[Path]) -> None:
    for file in files:
        click.echo(f"wrote {file}")
