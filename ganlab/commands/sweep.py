"""`ganlab run --seeds` and `--vary`: many runs of one file, one after the other or several at once."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.errors import DivergedError, GanlabError, InterruptedRunError, UsageError
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.config import Experiment
    from ganlab.runs.reading import Run

__all__ = ["Request", "parse_seeds", "parse_varied", "run_sweep"]

_MOST = 1000
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        file: the experiment.
        seeds: each once; empty for the file's own.
        varied: for each key of `--vary`, its values as `--set` takes them.
        jobs: processes at once; 1 trains in this one.
        overrides: of `--set`.
        plugins: of `--plugin`.
        disabled: of `--no-plugin`.
        runs: the directory of all runs.
        resume: continue what is unfinished and leave what is finished.
        quiet: print only where runs are and how they ended.
    """

    file: Path
    seeds: tuple[int, ...]
    varied: tuple[tuple[str, ...], ...]
    jobs: int
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    disabled: tuple[str, ...]
    runs: Path
    resume: bool
    quiet: bool

    @property
    def variants(self) -> list[tuple[str, ...]]:
        """What is set for each run besides `overrides`: every combination, the seeds moving fastest."""
        seeds = tuple(f"seed={seed}" for seed in self.seeds)
        return list(product(*self.varied, *([seeds] if seeds else [])))


@dataclass(frozen=True)
class _Job:
    """One of the runs.

    Attributes:
        variant: what is set for it, as `--set` takes it.
        experiment: the experiment with that.
        run: the run to continue; `None` for a new one.
    """

    variant: tuple[str, ...]
    experiment: Experiment
    run: Run | None

    @property
    def name(self) -> str:
        """What it is called among the others: `seed 0`, or `generator.width = 16, seed 0`."""
        return ", ".join(_in_words(override) for override in self.variant)

    @property
    def ended(self) -> str:
        """How it ended, where there is nothing left to do; empty where there is."""
        if self.run is None:
            return ""
        state = self.run.state
        if state.status == "completed" and state.step >= self.experiment.settings.training.steps:
            return "is completed"
        # It would diverge again: the same seed gives the same bytes.
        return "has diverged" if state.status == "diverged" else ""


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds of `0,1,2`, of `0..4` (0, 1, 2, 3 and 4), or of several such parts.

    Raises:
        UsageError: it is neither, or names a seed twice.
    """
    seeds: list[int] = []
    for part in (piece.strip() for piece in text.split(",")):
        span = _RANGE.fullmatch(part)
        if span is not None and 0 <= int(span[2]) - int(span[1]) < _MOST:
            seeds += range(int(span[1]), int(span[2]) + 1)
        elif part.isdecimal():
            seeds.append(int(part))
        else:
            raise UsageError(
                f"--seeds is {text!r}; it takes seeds as in 0,1,2 or, from the first to the last, 0..4"
            )
    twice = next((seed for seed in seeds if seeds.count(seed) > 1), None)
    if twice is not None:
        raise UsageError(
            f"--seeds is {text!r}, which names {twice} twice; a seed repeated is the same run again"
        )
    return tuple(seeds)


def parse_varied(text: str) -> tuple[str, ...]:
    """Return the values of `KEY=[VALUE, …]`, each as `--set` takes it.

    Raises:
        UsageError: it is no key with a list of values, or has a value twice.
    """
    from ganlab.config.toml import NotTomlError, parse_toml
    from ganlab.config.toml_writer import toml_value

    key, _, listed = text.partition("=")
    key = key.strip()
    try:
        parsed = parse_toml(f"values = {listed}")
    except NotTomlError:
        parsed = {}
    values = parsed.get("values") if len(parsed) == 1 else None
    if not key or not isinstance(values, list) or not values:
        raise UsageError(
            f"--vary is {text!r}; it takes a key and a list of its values in TOML, as in "
            """'generator.width=[16, 32]' or 'losses.0.name=["hinge", "wasserstein"]'"""
        )
    if key == "seed":
        raise UsageError("seeds are not varied by --vary, but as in `--seeds 0..2`")
    if key == "title":
        raise UsageError("another title makes no other experiment: --vary takes what is to be compared")
    written = [toml_value(value) for value in values]
    twice = next((value for value in written if written.count(value) > 1), None)
    if twice is not None:
        raise UsageError(f"--vary is {text!r}, which has {twice} twice; that is the same run again")
    return tuple(f"{key}={value}" for value in written)


def _key(override: str) -> str:
    return override.partition("=")[0].strip()


def _in_words(override: str) -> str:
    key, _, value = override.partition("=")
    return f"seed {value}" if key == "seed" else f"{key} = {value}"


def run_sweep(request: Request) -> int:
    """Run an experiment with each of the seeds and values; return the exit code.

    A run that diverges does not keep the others from running; anything else that goes wrong would go wrong
    with them, too.

    Raises:
        GanlabError: an experiment cannot be run, or a run ended early.
    """
    from ganlab.processes import Processes

    if Processes.from_environment().world > 1:
        raise UsageError(
            "--seeds and --vary train in one process, or with --jobs in several that share nothing; under "
            "torchrun, give each run its seed by `--set seed=0`"
        )
    _require_sense(request)
    jobs = _jobs(request)
    diverged, waiting = [], []
    for job in jobs:
        if job.run is not None and job.ended:
            click.echo(f"{job.name} {job.ended}: {job.run.path}")
            diverged += [job] if job.run.state.status == "diverged" else []
        else:
            waiting.append(job)
    train = _train_here if request.jobs == 1 else _train_in_processes
    diverged += train(request, waiting)
    if diverged:
        named = "; ".join(job.name for job in jobs if job in diverged)
        click.echo(f"error: of {counted(len(jobs), 'run')}, these diverged: {named}", err=True)
        return DivergedError.exit_code
    if not request.quiet and len(jobs) > 1:
        title = jobs[0].experiment.settings.title
        command = shlex.join(["ganlab", "compare", title, "--runs", str(request.runs)])
        click.echo(f"side by side: {command}")
    return 0


def _require_sense(request: Request) -> None:
    """Make sure that nothing is said twice, and not too much.

    Raises:
        UsageError: it is.
    """
    already = {_key(override) for override in request.overrides}
    if request.seeds and "seed" in already:
        raise UsageError("--seeds says what the seeds are, and `--set seed=…` says it again")
    for values in request.varied:
        key = _key(values[0])
        if key in already:
            raise UsageError(f"--vary says what `{key}` is, and another --vary or --set says it again")
        already.add(key)
    count = len(request.variants)
    if count > _MOST:
        raise UsageError(f"these are {count:,} runs; one command takes at most {_MOST:,}")


def _jobs(request: Request) -> list[_Job]:
    from ganlab.commands.common import load
    from ganlab.comparison.run_lookup import run_of_seed
    from ganlab.config import load_experiment
    from ganlab.runs.reading import list_runs

    first, *others = request.variants
    given = {"plugins": request.plugins, "disabled": request.disabled}
    experiments = {first: load(request.file, (*request.overrides, *first), **given)}
    for variant in others:  # what there is to warn of has been said
        experiments[variant] = load_experiment(
            request.file, overrides=(*request.overrides, *variant), **given
        )
    title = experiments[first].settings.title
    known = list_runs(request.runs, title=title) if request.resume else []
    return [_Job(variant, each, run_of_seed(each, known)) for variant, each in experiments.items()]


def _train_here(request: Request, jobs: Sequence[_Job]) -> list[_Job]:
    """Train one after the other in this process; return those that diverged."""
    from ganlab.commands.common import tell_result
    from ganlab.testing.experiment import warn_of_broken_promises
    from ganlab.training.plan import Plan
    from ganlab.training.session import run_experiment

    diverged = []
    for job in jobs:
        click.echo(f"{job.name}: {'a new run' if job.run is None else f'continuing {job.run.path}'}")
        plan = Plan(request.runs, None if job.run is None else str(job.run.path))
        look_over = warn_of_broken_promises if job is jobs[0] else None  # the others have the same components
        try:
            tell_result(run_experiment(job.experiment, plan, quiet=request.quiet, look_over=look_over))
        except DivergedError as error:
            click.echo(f"error: {job.name}: {error}", err=True)
            diverged.append(job)
        except InterruptedRunError as error:
            raise InterruptedRunError(f"{error}\n    {_HOW_TO_GO_ON}") from error
    return diverged


_HOW_TO_GO_ON = "the same command with --resume auto continues what is unfinished, and runs what is left"


def _train_in_processes(request: Request, jobs: Sequence[_Job]) -> list[_Job]:
    """Train several at once, each in a process of its own; return those that diverged."""
    children = _Children()
    diverged, failed = [], []
    with (
        _interruption_explained(),
        ThreadPoolExecutor(request.jobs) as pool,
        children.stopped_on_exit(),
    ):
        pending = {pool.submit(children.run, _command(request, job), request.jobs): job for job in jobs}
        for future in as_completed(pending):
            job = pending[future]
            code, output = future.result()
            for line in output.splitlines():
                click.echo(f"{job.name}: {line}", err=code != 0)
            if code == DivergedError.exit_code:
                diverged.append(job)
            elif code:
                failed.append((job, code))
                children.start_no_more()
    if failed:
        job, code = failed[0]
        error = GanlabError(f"{job.name} ended early; {_HOW_TO_GO_ON}")
        error.exit_code = code
        raise error
    return diverged


@contextmanager
def _interruption_explained() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(f"stopped; every run was asked to save\n    {_HOW_TO_GO_ON}") from error


def _command(request: Request, job: _Job) -> list[str]:
    """Return the command line of one of the runs."""
    options = [("--set", value) for value in (*request.overrides, *job.variant)]
    options += [("--plugin", value) for value in request.plugins]
    options += [("--no-plugin", value) for value in request.disabled]
    options += [] if job.run is None else [("--resume", str(job.run.path))]
    words = ["run", str(request.file), "--quiet", "--runs", str(request.runs)]
    return [sys.executable, "-m", "ganlab", *words, *(word for pair in options for word in pair)]


class _Children:
    """Processes that train, asked to save and end when this one is."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._ending = False

    def run(self, command: Sequence[str], beside: int) -> tuple[int, str]:
        """Run a command; return its exit code and what it printed. Nothing is started any more at the end.

        Args:
            command: words.
            beside: how many processes share the machine.
        """
        if self._ending:
            return 0, ""
        threads = str(max(1, (os.cpu_count() or 1) // beside))
        child = subprocess.Popen(
            command,
            env={"OMP_NUM_THREADS": threads, **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C in a terminal reaches a whole group: twice, with what is passed on from here.
            start_new_session=True,
        )
        self._running.add(child)
        try:
            output, _ = child.communicate()
        finally:
            self._running.discard(child)
        return child.returncode, output

    def start_no_more(self) -> None:
        """Let those that run come to their end, and start no others."""
        self._ending = True

    @contextmanager
    def stopped_on_exit(self) -> Iterator[None]:
        """Ask all to save and end where the block is left by an exception, such as Ctrl-C."""
        try:
            yield
        except BaseException:
            self._ending = True
            for child in list(self._running):
                child.terminate()
            raise
