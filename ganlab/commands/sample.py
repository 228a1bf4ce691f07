"""`ganlab sample`: images, or vectors, out of a run's generator."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import click

from ganlab.commands.common import FILMS, film_options, local_plugins_option, parse_checkpoint, runs_option
from ganlab.errors import UsageError, printable
from ganlab.words import counted

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ganlab.after_training.trained_generator import Labels, TrainedGenerator
    from ganlab.components import SampleSpec
    from ganlab.progress import Work

__all__ = ["command"]

_NUMBERED = re.compile(r"[0-9]{6,}\.png")

_Format: TypeAlias = Literal["png", "npy", "grid", "zip", "gif", "webp", "mp4"]

_OF_SUFFIX: dict[str, _Format] = {
    ".npy": "npy",
    ".png": "grid",
    ".zip": "zip",
    ".gif": "gif",
    ".webp": "webp",
    ".mp4": "mp4",
}
"""Suffix of --out -> what is written into that one file."""

_NAME_IN_DIRECTORY = {
    "npy": "samples.npy",
    "grid": "grid.png",
    "zip": "samples.zip",
    "gif": "interpolation.gif",
    "webp": "interpolation.webp",
    "mp4": "interpolation.mp4",
}
"""Format -> the one file that a directory gets."""

_FPS = 12
_COUNT = 64
_FRAMES_OF_A_LEG = 24
_PICTURES_OF_A_LEG = 8
"""From one latent of a walk to the next."""


@click.command("sample")
@click.argument("run")
@click.option(
    "--count",
    type=click.IntRange(1),
    help=f"How many.  [default: {_COUNT}, in a grid as many of them as fill the rows of classes; for "
    f"--interpolate, {_PICTURES_OF_A_LEG} from each latent to the next, in a film {_FRAMES_OF_A_LEG}]",
)
@click.option(
    "--out",
    required=True,
    metavar="PATH",
    help="A directory to make them in, or a file whose suffix is the format: .npy is an array, .png a grid, "
    ".zip holds a PNG each; .webp, .gif and .mp4 are films of a walk through the latents.",
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
    type=click.Choice(["png", *_NAME_IN_DIRECTORY]),
    help="What to make in a directory: a PNG each, or one samples.npy (N, H, W, C), grid.png, …  "
    "[default: png; npy for what is not a picture]",
)
@click.option(
    "--label",
    metavar="CLASS",
    help="The class of all, for a generator that takes labels: its name, or its number from 0; an unknown "
    "one lists them.  [default: the classes take turns; in a grid, each has a row]",
)
@click.option(
    "--truncation",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Draw samples towards the typical one, for a generator that can: better ones and fewer kinds. 1 "
    "leaves them alone, 0 makes them all alike.",
)
@click.option(
    "--interpolate",
    "keys",
    type=click.IntRange(2),
    metavar="LATENTS",
    help="Walk around so many latents, and from the last back to the first; a grid has a row from each to "
    "the next. A film does so by itself, from one to the next within 8 samples.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="cpu",
    show_default=True,
    help="Where to make them; the CPU makes the same bytes of a seed everywhere.",
)
@film_options(fps=_FPS)
@click.option("--raw", is_flag=True, help="Use the generator's own weights instead of their average.")
@click.option(
    "--force", is_flag=True, help="Write into a directory that is not empty, or over a file that is there."
)
@local_plugins_option
@runs_option
def command(
    run: str,
    count: int | None,
    out: str,
    seed: int,
    checkpoint: str | None,
    file_format: _Format | None,
    label: str | None,
    truncation: float | None,
    keys: int | None,
    device: str,
    fps: float | None,
    size: int | None,
    raw: bool,
    force: bool,
    runs: Path,
    plugins: tuple[str, ...],
) -> None:
    """Make samples with the generator of RUN (a path, an id or its beginning, a title, or `latest`).

    RUN may also be a directory that `ganlab export` wrote.
    """
    which = parse_checkpoint(checkpoint)
    target = _understand(out, file_format)
    target.refuse_what_is_there(force=force)

    from ganlab.files import require_writable

    require_writable(target.path)

    from ganlab.after_training.restoring import find_generator
    from ganlab.drawing.films import require_writer
    from ganlab.engine.precision import choose_device
    from ganlab.progress import Display

    trained = find_generator(run, runs, which, ema=False if raw else None, plugins=plugins)
    trained.generator.to(choose_device(device))
    chosen = _choose_format(target, trained.spec)
    if (fps is not None or size is not None) and f".{chosen}" not in FILMS:
        raise UsageError(f"--fps and --size are for films, {', '.join(FILMS)}")
    require_writer(f".{chosen}")
    number = None if label is None else trained.label_of(label)
    wanted = _understand_count(chosen, count, keys)
    labels: Labels = number
    if chosen == "grid" and number is None and not wanted.keys:
        rows = trained.class_rows(wanted.count, whole=count is None)
        if rows is not None:
            labels, wanted = rows.labels, _Wanted(len(rows.labels), columns=rows.lengths)
    batches = trained.batches(wanted.count, seed=seed, labels=labels, truncation=truncation, keys=wanted.keys)
    with (
        _arriving_whole(target.path, is_file=target.is_file) as directory,
        Display(sys.stderr) as display,
    ):
        work = display.begin("sampling", wanted.count)
        shown = _shown(batches, work)
        if chosen == "png":
            _write_images(directory, shown)
        else:
            file = directory / (target.path.name if target.is_file else _NAME_IN_DIRECTORY[chosen])
            _write_file(file, chosen, shown, wanted, trained, fps or _FPS, size)
    weights = "averaged weights" if trained.averaged else "raw weights"
    of_class = "" if number is None else f", class '{printable(trained.class_names[number])}'"
    samples = counted(wanted.count, "sample")
    around = f" around {wanted.keys} latents" if keys else ""
    of_step = f"of step {trained.step:,} ({weights}{of_class})"
    click.echo(f"{samples}{around} {of_step} in {target.path}")


@dataclass(frozen=True)
class _Target:
    """What `--out` and `--format` mean.

    Attributes:
        path: a directory to make, or the one file.
        is_file: which of the two.
        file_format: what is asked for, if anything is.
    """

    path: Path
    is_file: bool
    file_format: _Format | None

    def refuse_what_is_there(self, *, force: bool) -> None:
        """Refuse a path of the other kind, and what only `--force` writes over.

        Raises:
            UsageError: it is of the other kind, or is there and may not be replaced.
        """
        if self.is_file and self.path.is_dir():
            raise UsageError(
                f"{self.path} is a directory, and {self.path.suffix} means a file; choose another --out, or "
                f"{self.path}/ with --format to write into it"
            )
        if not self.is_file and self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path} is a file, and without a suffix --out is a directory")
        if force or not self.path.exists():
            return
        if self.is_file:
            raise UsageError(f"{self.path} exists; choose another --out, or --force to write over it")
        if any(self.path.iterdir()):
            raise UsageError(f"{self.path} is not empty; choose another --out, or --force to write into it")


def _understand(out: str, file_format: _Format | None) -> _Target:
    """Return what `--out` means: a suffix says the format; without one, or with a `/` behind, a directory.

    Raises:
        UsageError: the suffix is not known, or says something else than `--format`.
    """
    path = Path(out)
    suffix = path.suffix.lower()
    known = _OF_SUFFIX.get(suffix)
    if not suffix or out.endswith(("/", os.sep)) or (known is None and path.is_dir()):
        return _Target(path, is_file=False, file_format=file_format)
    if known is None:
        raise UsageError(
            f"{path} has the suffix {path.suffix}; a file is one of {', '.join(_OF_SUFFIX)}, and a directory "
            f"has no suffix or is written {out}/"
        )
    if file_format not in (None, known):
        raise UsageError(
            f"{path} says {known}, and --format {file_format}: leave out --format, or name a directory"
        )
    return _Target(path, is_file=True, file_format=known)


@dataclass(frozen=True)
class _Wanted:
    """How many samples are made, and of what.

    Attributes:
        count: how many samples.
        keys: latents that they walk around; 0 where each has one of its own.
        columns: images of a row, or of each row, of a grid; `None` where it is to be about square.
    """

    count: int
    keys: int = 0
    columns: int | Sequence[int] | None = None


def _understand_count(chosen: _Format, count: int | None, keys: int | None) -> _Wanted:
    """Return what `--count` and `--interpolate` mean together.

    Raises:
        UsageError: the samples are too few, or do not fill a grid.
    """
    film = f".{chosen}" in FILMS
    if keys is None:
        count = count or _COUNT
        return _Wanted(count, max(1, count // _PICTURES_OF_A_LEG) if film else 0)
    count = count or keys * (_FRAMES_OF_A_LEG if film else _PICTURES_OF_A_LEG)
    if count < keys:
        raise UsageError(f"--count {count} is too few to walk around {keys} latents")
    if chosen == "grid" and count % keys:
        raise UsageError(
            f"a grid has a row from each of the {keys} latents to the next, and --count {count} does not "
            f"fill them: it is {count - count % keys} or {count - count % keys + keys}"
        )
    return _Wanted(count, keys, columns=count // keys)


def _choose_format(target: _Target, spec: SampleSpec) -> _Format:
    if not spec.is_picture and target.file_format not in (None, "npy"):
        raise UsageError(f"this run makes {spec}, which are not images: use --format npy")
    return target.file_format or ("png" if spec.is_picture else "npy")


def _write_file(
    path: Path,
    file_format: _Format,
    batches: Iterable[torch.Tensor],
    wanted: _Wanted,
    trained: TrainedGenerator,
    fps: float,
    size: int | None,
) -> None:
    if file_format == "npy":
        _write_array(path, batches, wanted.count, trained.spec)
    elif file_format == "grid":
        _write_grid(path, batches, trained, wanted.columns)
    elif file_format == "zip":
        _write_archive(path, batches)
    else:
        _write_film(path, batches, fps, size)


def _write_images(directory: Path, batches: Iterable[torch.Tensor]) -> None:
    from ganlab.drawing.pictures import write_png

    for number, image in enumerate(_each(batches)):
        write_png(directory / _numbered(number), image)


def _write_archive(path: Path, batches: Iterable[torch.Tensor]) -> None:
    from zipfile import ZipFile, ZipInfo

    from ganlab.drawing.pictures import encode_png

    with ZipFile(path, "w") as archive:
        for number, image in enumerate(_each(batches)):
            # Without a time of its own, so that the same samples are the same bytes.
            archive.writestr(ZipInfo(_numbered(number)), encode_png(image))


def _each(batches: Iterable[torch.Tensor]) -> Iterator[NDArray[np.uint8]]:
    """Yield images one by one, `(H, W, C)`."""
    for batch in batches:
        yield from batch.permute(0, 2, 3, 1).numpy()


def _numbered(number: int) -> str:
    return f"{number:06d}.png"


def _write_array(path: Path, batches: Iterable[torch.Tensor], count: int, spec: SampleSpec) -> None:
    import numpy as np

    # Written batch by batch, so that memory does not grow with the count.
    array = np.lib.format.open_memmap(path, mode="w+", dtype=spec.row_dtype, shape=(count, *spec.row_shape))
    start = 0
    for batch in batches:
        array[start : start + len(batch)] = spec.to_rows(batch).numpy()
        start += len(batch)
    array.flush()


def _write_grid(
    path: Path,
    batches: Iterable[torch.Tensor],
    trained: TrainedGenerator,
    columns: int | Sequence[int] | None,
) -> None:
    import torch

    trained.save_grid(path, torch.cat(list(batches)), columns=columns)


def _write_film(path: Path, batches: Iterable[torch.Tensor], fps: float, size: int | None) -> None:
    from ganlab.drawing.films import enlargement, scaled, write_film
    from ganlab.drawing.pictures import grid

    frames = (grid(image[None], padding=0) for batch in batches for image in batch)
    write_film(path, (scaled(frame, enlargement(frame, size)) for frame in frames), fps=fps)


@contextmanager
def _arriving_whole(out: Path, *, is_file: bool = False) -> Iterator[Path]:
    """Yield a directory whose files are moved to `out` when the block has ended well.

    Where `out` is a file, it is the one of that name in the directory.
    """
    from ganlab.files import explained

    whole = out.resolve()
    temporary = whole.with_name(f".{whole.name}.writing")
    with explained(f"cannot write {out}"):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            if is_file:
                (temporary / out.name).replace(out)
            elif out.is_dir() and any(out.iterdir()):
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


def _shown(batches: Iterator[torch.Tensor], work: Work) -> Iterator[torch.Tensor]:
    """Yield the batches, and show how many samples are made."""
    for batch in batches:
        yield batch
        work.advance(len(batch))
