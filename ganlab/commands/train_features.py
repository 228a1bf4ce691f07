"""`ganlab train-features`: a classifier of the data's own labels, for metrics to look through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.commands.common import experiment_options
from ganlab.components import FeaturesComponent
from ganlab.errors import UsageError
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.registry import Registry

__all__ = ["command"]


@click.command("train-features")
@click.argument("experiment", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write them to."
)
@click.option("--epochs", type=click.IntRange(1), default=5, show_default=True, help="Passes over the data.")
@click.option(
    "--features", "name", metavar="NAME", help="Which component.  [default: the one that can be trained]"
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@experiment_options
def command(
    experiment: Path,
    out: Path,
    epochs: int,
    name: str | None,
    force: bool,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
) -> None:
    """Train a classifier on the labels of EXPERIMENT's dataset, and write it as features.

    Of EXPERIMENT only [dataset], [image], seed and the device are used; its held-out samples
    tell the accuracy.
    """
    if out.exists() and not force:
        raise UsageError(f"{out} exists; choose another --out, or --force to replace it")
    from ganlab.commands.common import load
    from ganlab.files import require_writable

    require_writable(out)
    described = load(experiment, overrides, plugins, disabled)
    component = _trainable(described.registry, name)

    from ganlab.after_training.feature_training import train_features
    from ganlab.config.toml_writer import toml_value
    from ganlab.data.preparation import prepare
    from ganlab.engine.precision import choose_device
    from ganlab.paths import path_text

    device = choose_device(described.settings.training.device)
    data = prepare(described)
    trained = train_features(component, described, data, epochs=epochs, device=device)
    trained.save(out)
    click.echo(
        f"accuracy on {counted(trained.held_out, 'held-out sample')}: {trained.accuracy:.2%} "
        f"(always naming the commonest class: {trained.guessing:.2%})"
    )
    click.echo(f"{out} holds it; below an entry of [[evaluators]], write\n")
    click.echo(f"[evaluators.features]\nname = {toml_value(component.name)}")
    click.echo(f"weights = {toml_value(path_text(out.resolve()))}")


def _trainable(registry: Registry, name: str | None) -> FeaturesComponent:
    """Return the component that is to be trained.

    Raises:
        UsageError: it cannot be trained, or none is named and there is not just one.
    """
    if name is not None:
        component = registry.get("features", name).component
        assert isinstance(component, FeaturesComponent)
        if component.network is None:
            raise UsageError(f"the features {name!r} are fixed: there is nothing to train")
        return component
    found = [offer.component for offer in registry.components("features")]
    trainable = [each for each in found if isinstance(each, FeaturesComponent) and each.network]
    if len(trainable) != 1:
        names = ", ".join(each.name for each in trainable) or "none is installed"
        raise UsageError(f"--features must say which features to train ({names})")
    return trainable[0]
