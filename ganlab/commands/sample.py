"""`ganlab sample`: images, or vectors, out of a run's generator."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ganlab.commands.common import parse_checkpoint, runs_option
from ganlab.errors import UsageError

if TYPE_CHECKING:
    import torch

    from ganlab.components import SampleSpec

__all__ = ["command"]

_NUMBERED = re.compile(r"[0-9]{6,}\.png")


@click.command("sample")
@click.argument("run")
@click.option("--count", type=click.IntRange(1), default=64, show_default=True, help="How many.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory to make them in.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the latents."
)
@click.option(
    "--checkpoint",
    metavar="best|last|STEP",
    help="Which one.  [default: best, or last where nothing was measured]",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["png", "npy", "grid"]),
    help="A PNG each, all in one samples.npy (N, H, W, C), or all in one grid.png.  "
    "[default: png; npy for vectors]",
)
@click.option(
    "--label",
    type=click.IntRange(0),
    help="The label of all, for a generator that takes labels; else the classes take turns.",
)
@click.option("--raw", is_flag=True, help="Use the generator's own weights instead of their average.")
@click.option("--force", is_flag=True, help="Write into a directory that is not empty.")
@runs_option
def command(
    run: str,
    count: int,
    out: Path,
    seed: int,
    checkpoint: str | None,
    file_format: Literal["png", "npy", "grid"] | None,
    label: int | None,
    raw: bool,
    force: bool,
    runs: Path,
) -> None:
    """Make samples with the generator of RUN (a path, an id or its beginning, or `latest`)."""
    which = parse_checkpoint(checkpoint)
    if not force and out.is_dir() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; choose another --out, or --force to write into it")

    from ganlab.runs.reading import find_run
    from ganlab.training.restore import restore_generator

    trained = restore_generator(find_run(run, runs), which, ema=False if raw else None)
    file_format = _choose_format(file_format, trained.spec)
    batches = trained.generate(count, seed=seed, label=label)
    with _arriving_whole(out) as directory, _progress(batches, count) as shown:
        if file_format == "npy":
            _write_array(directory / "samples.npy", shown, count, trained.spec)
        elif file_format == "grid":
            _write_grid(directory / "grid.png", shown)
        else:
            _write_images(directory, shown)
    weights = "averaged weights" if trained.averaged else "raw weights"
    click.echo(f"{count:,} samples of step {trained.step:,} ({weights}) in {out}")


def _choose_format(
    given: Literal["png", "npy", "grid"] | None, spec: SampleSpec
) -> Literal["png", "npy", "grid"]:
    images = len(spec.shape) == 3
    if not images and given in ("png", "grid"):
        raise UsageError(f"this run makes {spec}, which are no pictures: use --format npy")
    return given or ("png" if images else "npy")


def _write_images(directory: Path, batches: Iterable[torch.Tensor]) -> None:
    from ganlab.tracking.pictures import write_png

    number = 0
    for batch in batches:
        for image in batch.permute(0, 2, 3, 1).numpy():
            write_png(directory / f"{number:06d}.png", image)
            number += 1


def _write_array(path: Path, batches: Iterable[torch.Tensor], count: int, spec: SampleSpec) -> None:
    import numpy as np

    images = len(spec.shape) == 3
    shape = (*spec.shape[1:], spec.shape[0]) if images else spec.shape
    # Written batch by batch, so that memory does not grow with the count.
    array = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.uint8 if images else np.float32, shape=(count, *shape)
    )
    start = 0
    for batch in batches:
        array[start : start + len(batch)] = (batch.permute(0, 2, 3, 1) if images else batch).numpy()
        start += len(batch)
    array.flush()


def _write_grid(path: Path, batches: Iterable[torch.Tensor]) -> None:
    import torch

    from ganlab.tracking.pictures import grid, write_png

    write_png(path, grid(torch.cat(list(batches))))


@contextmanager
def _arriving_whole(out: Path) -> Iterator[Path]:
    """Yield a directory whose files are moved to `out` when the block has ended well."""
    from ganlab.files import explained

    temporary = out.with_name(f".{out.resolve().name}.writing")
    with explained(f"cannot write {out}"):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            if out.is_dir() and any(out.iterdir()):
                _remove_earlier_pictures(out)
                for file in sorted(temporary.iterdir()):
                    file.replace(out / file.name)
            else:
                temporary.replace(out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove_earlier_pictures(directory: Path) -> None:
    """Remove what an earlier call numbered, so that pictures of two calls never mix."""
    for file in directory.iterdir():
        if _NUMBERED.fullmatch(file.name) and not file.is_dir():
            file.unlink()


@contextmanager
def _progress(batches: Iterator[torch.Tensor], count: int) -> Iterator[Iterator[torch.Tensor]]:
    """Yield the batches, with a progress bar on standard error if it is a terminal."""
    if not sys.stderr.isatty():
        yield batches
        return
    with click.progressbar(length=count, label="sampling", file=sys.stderr) as bar:

        def shown() -> Iterator[torch.Tensor]:
            for batch in batches:
                yield batch
                bar.update(len(batch))

        yield shown()
