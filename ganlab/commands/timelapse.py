"""`ganlab timelapse`: a film of a run's samples through training."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import film_options, require_film, runs_option
from ganlab.errors import UsageError
from ganlab.words import counted

__all__ = ["command"]

_FPS = 10


@click.command("timelapse")
@click.argument("run")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; its suffix is the format: .webp, .gif or .mp4.  [default: in the run's directory]",
)
@click.option(
    "--picture",
    metavar="NAME",
    help="Which of the run's pictures, as in `fixed`, `interpolation` or `field`; an unknown one lists "
    "them.  [default: the fixed latents, averaged weights where there are any]",
)
@film_options(fps=_FPS)
@click.option(
    "--hold",
    type=click.FloatRange(0, 60),
    default=2,
    show_default=True,
    metavar="SECONDS",
    help="How much longer the last picture is shown.",
)
@click.option(
    "--frames",
    type=click.IntRange(1, 5000),
    default=200,
    show_default=True,
    help="At the most so many, spread evenly over the run's pictures.",
)
@click.option("--caption/--no-caption", default=True, help="Whether the step is written underneath.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@runs_option
def command(
    run: str,
    out: Path | None,
    picture: str | None,
    fps: float | None,
    size: int | None,
    hold: float,
    frames: int,
    caption: bool,
    force: bool,
    runs: Path,
) -> None:
    """Make a film of what RUN drew while it trained.

    RUN is a path, an id or its beginning, a title, or `latest`.
    """
    from ganlab.after_training.timelapse import choose_pictures, timelapse
    from ganlab.drawing.films import write_film
    from ganlab.files import require_writable
    from ganlab.runs.reading import find_run

    if out is not None:
        require_film(out)
        if out.exists() and not force:
            raise UsageError(f"{out} exists; choose another --out, or --force to write over it")
        require_writable(out)
    found = find_run(run, runs)
    pictures = choose_pictures(found, picture, frames)
    target = out or found.timelapse
    fps = fps or _FPS
    write_film(target, timelapse(pictures, size, caption=caption), fps=fps, hold=hold, lossless=False)
    steps = list(pictures)
    click.echo(
        f"{counted(len(steps), 'picture')} of steps {steps[0]:,} to {steps[-1]:,}, "
        f"{len(steps) / fps + hold:.1f} s, in {target}"
    )
