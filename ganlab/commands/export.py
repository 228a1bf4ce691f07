"""`ganlab export`: a trained generator as a directory of its own."""

from __future__ import annotations

from pathlib import Path

import click

from ganlab.commands.common import local_plugins_option, parse_checkpoint, runs_option
from ganlab.errors import UsageError

__all__ = ["command"]


@click.command("export")
@click.argument("run")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The directory to make.",
)
@click.option(
    "--checkpoint",
    metavar="best|last|STEP",
    help="Which one.  [default: best, or last where nothing was measured]",
)
@click.option("--raw", is_flag=True, help="Use the generator's own weights instead of their average.")
@click.option(
    "--no-programs", is_flag=True, help="Write no torch.export and no ONNX program: the weights alone."
)
@click.option("--force", is_flag=True, help="Replace what an earlier export wrote there.")
@local_plugins_option
@runs_option
def command(
    run: str,
    out: Path,
    checkpoint: str | None,
    raw: bool,
    no_programs: bool,
    force: bool,
    plugins: tuple[str, ...],
    runs: Path,
) -> None:
    """Write the generator of RUN into a directory of its own.

    RUN is a path, an id or its beginning, a title, or `latest`.

    `ganlab.load` and `ganlab sample` read it without the run; torch alone runs generator.pt2, and ONNX
    generator.onnx. Its README says how.
    """
    which = parse_checkpoint(checkpoint)

    from ganlab.after_training.export import export_generator
    from ganlab.after_training.exported import is_exported
    from ganlab.after_training.restoring import find_generator
    from ganlab.files import explained, new_directory, require_writable

    replaceable = force and is_exported(out)
    if out.exists() and not replaceable and (not out.is_dir() or any(out.iterdir())):
        hint = (
            "; --force replaces an earlier export alone"
            if force
            else ", or --force if it is an earlier export"
        )
        raise UsageError(f"{out} is there already; choose another --out{hint}")
    require_writable(out)
    trained = find_generator(run, runs, which, ema=False if raw else None, plugins=plugins)
    with explained(f"cannot write {out}"), new_directory(out) as directory:
        left_out = export_generator(trained, directory, programs=not no_programs, place=out.name)
    weights = "averaged weights" if trained.averaged else "raw weights"
    click.echo(f"step {trained.step:,} ({weights}) in {out}:")
    for file in sorted(out.iterdir()):
        click.echo(f"    {file.name}{'/' if file.is_dir() else ''}")
    for name, reason in left_out.items():
        click.echo(f"no {name}: {reason}")
    click.echo(f"use it: ganlab.load({str(out)!r}) in Python; its README says what else")
