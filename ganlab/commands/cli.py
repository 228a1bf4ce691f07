"""The `ganlab` command: its verbs, loaded when called, and what an error looks like."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

import ganlab
from ganlab.errors import ExperimentError, GanlabError, UsageError, printable, summarised
from ganlab.files import reason
from ganlab.outlet import Outlet, open_missing_streams

__all__ = ["VERBS", "CallOptions", "cli", "main", "run"]

VERBS: dict[str, tuple[str, str]] = {
    "run": ("ganlab.commands.run", "Train what an experiment file describes."),
    "resume": ("ganlab.commands.resume", "Continue a run, or fork it."),
    "validate": ("ganlab.commands.validate", "Build everything and try one batch; train nothing."),
    "sample": ("ganlab.commands.sample", "Generate samples from a run."),
    "export": ("ganlab.commands.export", "Write a run's generator into a directory of its own."),
    "timelapse": ("ganlab.commands.timelapse", "Make a film of a run's samples through training."),
    "evaluate": ("ganlab.commands.evaluate", "Measure a run's checkpoints after training."),
    "compare": ("ganlab.commands.compare", "Compare experiments by their runs, over seeds."),
    "compare-images": ("ganlab.commands.compare_images", "Measure one set of images against another."),
    "runs": ("ganlab.commands.runs", "List runs and their status."),
    "tensorboard": ("ganlab.commands.tensorboard", "Watch runs in TensorBoard."),
    "train-features": ("ganlab.commands.train_features", "Train a classifier whose features are compared."),
    "slurm": ("ganlab.commands.slurm", "Print a Slurm script that continues when time is up."),
    "plugins": ("ganlab.commands.plugins", "List plugins, their components and their failures."),
    "describe": ("ganlab.commands.describe", "Explain the experiment file, a kind or a component."),
    "new": ("ganlab.commands.new", "Write a plugin, or an experiment for your data."),
    "check": ("ganlab.commands.check", "Hold plugins against the promises of their kinds."),
    "cache": ("ganlab.commands.cache", "List or clear what is kept for later runs."),
    "schema": ("ganlab.commands.schema", "Print a JSON Schema of experiment files."),
}
"""Verb -> (module with a click command named `command`, one line of help).

Help is written here a second time so that `ganlab --help` imports no verb.
"""

_INTERRUPTED = 75
_LONGEST_LINE = 1000


@dataclass
class CallOptions:
    """What options say about the whole call, whether they stand before or after the verb."""

    traceback: bool = False


def _remember_traceback(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(CallOptions).traceback = True


def _traceback_option() -> click.Option:
    return click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_remember_traceback,
        help="Show where in the code an error happened.",
    )


class _LazyGroup(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def invoke(self, ctx: click.Context) -> Any:
        _require_working_directory()
        return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from ganlab.registry.suggest import did_you_mean

            meant = did_you_mean(args[0], VERBS) or f"there are {', '.join(VERBS)}"
            ctx.fail(f"there is no command `{printable(args[0])}`; {meant}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = import_module(VERBS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        if not any(parameter.name == "traceback" for parameter in command.params):
            command.params.append(_traceback_option())
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])


cli = _LazyGroup(
    "ganlab",
    params=[_traceback_option()],
    help="GAN experiments from one TOML file; a new network, loss or metric is one Python file.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli = click.version_option(ganlab.__version__, prog_name="ganlab")(cli)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line (the process's own if none is given) and exit with its code.

    Whatever becomes of standard output and standard error is no error of the command's.
    """
    open_missing_streams()
    errors = Outlet(sys.stderr)
    with redirect_stderr(errors), redirect_stdout(Outlet(sys.stdout, _tell_of_lost_output)):
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
        errors.flush()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors are told on standard error."""
    options = CallOptions()
    try:
        with _terminated_like_interrupted():
            code = cli.main(args=list(arguments), prog_name="ganlab", obj=options, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except Exception as error:
        return _tell(error, options)
    except KeyboardInterrupt:
        return _tell(click.Abort(), options)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, so that work in progress cleans up behind itself.

    A second signal ends the process at once. Training listens by itself while it lasts.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may install handlers.
        return
    heard = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            os._exit(128 + number)
        heard = True
        raise KeyboardInterrupt

    listened = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # A shell has its background jobs ignore Ctrl-C, and `nohup` a hang-up.
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    previous = {number: signal.signal(number, interrupt) for number in listened}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(
            f"the working directory cannot be found ({reason(error)}); change to one that exists"
        ) from error


def _tell_of_lost_output(error: OSError) -> None:
    click.echo(f"warning: standard output is lost from now on: {reason(error)}", err=True)


def _shown(message: str) -> str:
    """Return a message without what would fill or upset a terminal; texts of others may be quoted in it."""
    return "\n".join(printable(line, _LONGEST_LINE) for line in message.split("\n"))


def _tell(error: Exception, options: CallOptions) -> int:
    from ganlab.memory import is_out_of_memory, out_of_memory
    from ganlab.processes import Processes

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if not isinstance(error, click.Abort):
        Processes.let_first_speak()
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if options.traceback and not isinstance(error, click.Abort):
        traceback.print_exception(error)
    if isinstance(error, click.Abort):
        click.echo("interrupted; it can be started again", err=True)
        return _INTERRUPTED
    if is_out_of_memory(error):
        error = out_of_memory(error, "", "ask for less at once, or end other programs that use memory")
    if isinstance(error, GanlabError):
        problems = error.problems if isinstance(error, ExperimentError) else [error]
        for problem in problems:
            click.echo(f"error: {_shown(str(problem))}", err=True)
        return error.exit_code
    refused = isinstance(error, OSError) and error.errno is not None
    if refused:
        click.echo(f"error: the operating system refused: {_shown(str(error))}", err=True)
    else:
        what = _shown(summarised(error))
        click.echo(f"error: this is a bug in ganlab or in a plugin: {what}", err=True)
    if not options.traceback:
        click.echo("    --traceback shows where it happened", err=True)
    return GanlabError.exit_code if refused else 1
