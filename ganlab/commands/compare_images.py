"""`ganlab compare-images`: measure one bare set of images against another."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.commands.measurements import (
    keep_picture,
    measurement_options,
    print_measurements,
    records,
)
from ganlab.errors import UsageError

__all__ = ["command"]


@click.command("compare-images")
@click.argument("real", type=click.Path(path_type=Path))
@click.argument("fake", type=click.Path(path_type=Path))
@click.option(
    "--evaluator",
    "evaluators",
    multiple=True,
    metavar="NAME",
    help="What to measure: `ganlab plugins` lists them. Repeatable.  [default: mmd, frechet]",
)
@click.option("--size", type=click.IntRange(1), help="Resize every image to this height and width.")
@click.option("--channels", type=click.IntRange(1, 4), help="1 grayscale, 3 RGB, 2 and 4 with alpha.")
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of REAL that is set apart and measured like FAKE: the floor of every metric.",
)
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for what the evaluators have to show.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    help="Largest image that is decoded, against decompression bombs.  [default: 89,478,485]",
)
@measurement_options
@plugin_options
def command(
    real: Path,
    fake: Path,
    evaluators: tuple[str, ...],
    size: int | None,
    channels: int | None,
    holdout: float,
    pictures: Path | None,
    max_pixels: int | None,
    overrides: tuple[str, ...],
    device: str,
    as_json: bool,
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
) -> None:
    """Measure the images in FAKE against those in REAL, each a folder, a .zip or a .npy.

    Nothing is trained, and all images are used; `--set NAME.samples=5000` takes fewer, always the same.
    """
    from ganlab.config.evaluators import choose_evaluators
    from ganlab.engine.precision import choose_device
    from ganlab.evaluation.bare_sets import BareSets
    from ganlab.progress import Display, Phases
    from ganlab.registry import load_registry

    registry = load_registry(plugins=plugins, disabled=disabled)
    tell_failures(registry)
    sets = BareSets.open(real, fake, size=size, channels=channels, max_pixels=max_pixels)
    names = evaluators or ("mmd", "frechet")
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"--evaluator {min(repeated)} is given twice")
    tables = {name: {"name": name, "samples": sets.larger} for name in names}
    choices = choose_evaluators(tables, type(sets.spec), registry, overrides)
    with Display(sys.stderr) as display:
        found = sets.measure(
            choices,
            holdout=holdout,
            device=choose_device(device),
            progress=Phases(display, "measuring"),
            show=None if pictures is None else keep_picture(pictures),
        )
    measured = [(None, each) for each in found]
    if as_json:
        from ganlab.runs.encoding import to_json

        click.echo(to_json(records(measured), indent=2))
    else:
        print_measurements(measured)
