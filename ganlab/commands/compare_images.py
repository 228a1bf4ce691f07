"""`ganlab compare-images`: measure one bare set of images against another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.commands.common import plugin_options, tell_failures
from ganlab.commands.measurements import (
    keep_picture,
    measurement_options,
    print_measurements,
    records,
)
from ganlab.errors import UsageError

if TYPE_CHECKING:
    from ganlab.components import ImageSpec
    from ganlab.config import EvaluatorSelection
    from ganlab.data.image_set import ImageSet
    from ganlab.data.store import Store
    from ganlab.evaluation.evaluation import Show
    from ganlab.evaluation.measurement import Measurement

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
    from ganlab.components import ImageSpec
    from ganlab.config.evaluators import choose_evaluators
    from ganlab.data.image_set import open_image_set
    from ganlab.registry import load_registry

    registry = load_registry(plugins=plugins, disabled=disabled)
    tell_failures(registry)
    uniform = size is None and channels is None
    sets = (
        open_image_set(real, uniform=uniform, max_pixels=max_pixels),
        open_image_set(fake, uniform=uniform, max_pixels=max_pixels),
    )
    names = evaluators or ("mmd", "frechet")
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"--evaluator {min(repeated)} is given twice")
    tables = {name: {"name": name, "samples": max(2, *map(len, sets))} for name in names}
    choices = choose_evaluators(tables, ImageSpec, registry, overrides)
    spec = _common_spec(real, fake, sets, size, channels)
    stores = [_packed(images, spec, max_pixels) for images in sets]
    show = None if pictures is None else keep_picture(pictures)
    measured = [(None, each) for each in _measure(choices, spec, stores, holdout, device, show)]
    if as_json:
        from ganlab.runs.encoding import to_json

        click.echo(to_json(records(measured), indent=2))
    else:
        print_measurements(measured)


def _common_spec(
    real: Path, fake: Path, sets: tuple[ImageSet, ImageSet], size: int | None, channels: int | None
) -> ImageSpec:
    """Return what every image is to be.

    Raises:
        UsageError: the sets differ, and nobody said what they should become.
    """
    from ganlab.components import ImageSpec
    from ganlab.data.image_set import describe

    one, other = (images.spec for images in sets)
    unlike = (size is None and one.shape[1:] != other.shape[1:]) or (
        channels is None and one.channels != other.channels
    )
    if unlike:
        raise UsageError(
            f"{real} holds {describe(one)} images and {fake} {describe(other)}: say what both should become "
            "with --size and --channels"
        )
    height, width = (one.height, one.width) if size is None else (size, size)
    return ImageSpec(channels or one.channels, height, width)


def _packed(images: ImageSet, spec: ImageSpec, max_pixels: int | None) -> Store:
    from ganlab.data.packing import pack
    from ganlab.data.store import PackedFrom
    from ganlab.paths import path_text

    path = path_text(images.path.resolve())
    origin = PackedFrom("compare-images", {"path": path}, (path,))
    return pack(images, spec, max_pixels=max_pixels, origin=origin)


def _measure(
    choices: tuple[EvaluatorSelection, ...],
    spec: ImageSpec,
    stores: list[Store],
    holdout: float,
    device: str,
    show: Show | None,
) -> list[Measurement]:
    import numpy as np

    from ganlab.data.cache_directory import cache_directory
    from ganlab.data.preparation import Data
    from ganlab.data.split import split
    from ganlab.engine.precision import choose_device
    from ganlab.evaluation.evaluation import Evaluation
    from ganlab.evaluation.reference import PERMUTATION_SEED, ReferenceData
    from ganlab.progress import Display, Phases

    real, fake = stores
    if min(len(real), len(fake)) < 2:
        raise UsageError(f"there must be at least 2 images in each set, not {len(real)} and {len(fake)}")
    order = np.random.RandomState(PERMUTATION_SEED).permutation(len(fake))
    with Display(sys.stderr) as display:
        evaluation = Evaluation(
            choices,
            spec,
            ReferenceData.of(Data(real, split(len(real), holdout, seed=0))),
            device=choose_device(device),
            cache=cache_directory() / "statistics",
            progress=Phases(display, "measuring"),
        )
        return evaluation.run(
            lambda rows: iter([spec.dequantise(fake.gather(order[rows]))]), available=len(fake), show=show
        )
