"""`ganlab new`: a plugin to begin with, or an experiment for data that is there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.errors import UsageError
from ganlab.kinds import KINDS
from ganlab.registry import Registry, load_registry

if TYPE_CHECKING:
    from ganlab.scaffold.given_file import GivenFile
    from ganlab.scaffold.plugin import Plugin

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
    "--from",
    "given",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Make the package of this plugin file, which offers NAME.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="What to call the experiment for DATA."
)
@click.option("--gpu", is_flag=True, help="Size the experiment for DATA, if that is images, for a GPU.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@plugin_options
def command(
    what: str,
    name: str,
    package: Path | None,
    given: Path | None,
    out: Path | None,
    gpu: bool,
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
        if package is not None or given is not None:
            option = "--from" if package is None else "--package"
            raise UsageError(f"{option} goes with a kind of component, not with an experiment")
        _new_experiment(registry, name, out, gpu=gpu, force=force)
    else:
        for option, given_with in (("--out", out is not None), ("--gpu", gpu)):
            if given_with:
                raise UsageError(f"{option} goes with `ganlab new experiment DATA`")
        if given is not None and package is None:
            raise UsageError("--from goes with --package: it says what the package is made of")
        _new_plugin(registry, what, name, package, given, force)
    tell_failures(registry)


def _new_plugin(
    registry: Registry, kind: str, name: str, package: Path | None, given: Path | None, force: bool
) -> None:
    from ganlab.scaffold.files import write_all
    from ganlab.scaffold.given_file import GivenFile
    from ganlab.scaffold.plugin import Plugin

    plugin = Plugin.named(kind, name, registry)
    source = None if given is None else GivenFile.offering(kind, name, given)
    heavy = source is not None and _imports_torch(source)
    whole = source is not None and not (heavy and _can_be_parted(plugin, source))
    files = plugin.file(Path()) if package is None else plugin.package(package, source, whole=whole)
    write_all(files, force=force)
    first, *_ = files
    if package is None:
        experiment, check = Path(f"{name}.toml"), f"./{first}"
    else:
        experiment, check = package / "experiments" / f"{name}.toml", plugin.distribution
    _say_written(files)
    if heavy and whole:
        click.echo(
            f"{given} is the package's one module as it is: its hooks could not be parted from what "
            "imports torch, for which every ganlab command would wait; `ganlab check` says where"
        )
    if source is not None and len(source.offers) > 1:
        click.echo(f"it offers {' and '.join(f'{each} `{called}`' for each, called in source.offers)}")
    if source is not None and source.asks_where_it_lies:
        click.echo(
            f"{given} asks where it lies (`__file__`): what it reads beside itself has to be copied into "
            f"{first.parent}"
        )
    if experiment not in files:
        click.echo(f"no experiment was written, since none fits `{name}` as it is; {experiment} is its place")
    click.echo("next:")
    if package is not None:
        click.echo(f"  pip install -e '{package}[test]'")
    verbs = [f"validate {experiment}", f"run {experiment}"] if experiment in files else []
    for line in (f"check {check}", *verbs):
        click.echo(f"  ganlab {line}")


def _imports_torch(given: GivenFile) -> bool:
    """Return whether torch is imported, or something as heavy, where a file is."""
    from ganlab.testing.hook_modules import heavy_imports

    return bool(heavy_imports([given.path.stem]))


def _can_be_parted(plugin: Plugin, given: GivenFile) -> bool:
    """Return whether a file keeps its promises with its hooks in a module of their own: it is tried."""
    from ganlab.scaffold.files import write_all

    modules = plugin.modules(given.source)
    if modules is None or given.asks_where_it_lies:  # what it reads beside itself is elsewhere as yet
        return modules is not None
    with TemporaryDirectory() as directory:
        write_all({Path(directory, path): text for path, text in modules.items()}, force=False)
        return _kept(given.path) <= _kept(Path(directory, plugin.module))


def _kept(path: Path) -> set[tuple[str, str, str]]:
    """Return kind and name of each component of a local plugin, with every promise that it keeps."""
    from ganlab.testing import examine

    offers = load_registry(plugins=[str(path)]).offers
    own = [offer.component for offer in offers if offer.provenance.plugin == path.name]
    return {
        (each.kind, each.name, finding.promise)
        for each in own
        for finding in examine(each)
        if finding.broken is None
    }


def _new_experiment(registry: Registry, data: str, out: Path | None, *, gpu: bool, force: bool) -> None:
    from ganlab.scaffold.experiment import propose
    from ganlab.scaffold.files import write_all

    proposal = propose(registry, data, out, gpu=gpu)
    write_all({proposal.file: proposal.text}, force=force)
    for line in proposal.seen:
        click.echo(line)
    _say_written([proposal.file])
    click.echo(f"next:\n  ganlab validate {proposal.file}   # and about how long it takes to train here")
    click.echo(f"  ganlab run {proposal.file}")


def _say_written(files: Iterable[Path]) -> None:
    for file in files:
        click.echo(f"wrote {file}")
