"""`ganlab run --seeds`: one run for each seed, one after the other or several at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganlab.errors import DivergedError, GanlabError, InterruptedRunError, UsageError
from ganlab.words import counted

if TYPE_CHECKING:
    from ganlab.config import Experiment
    from ganlab.runs.reading import Run

__all__ = ["Request", "parse_seeds", "run_seeds"]

_MOST_SEEDS = 1000
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


@dataclass(frozen=True)
class Request:
    """What the command line asks for.

    Attributes:
        file: the experiment.
        seeds: each once.
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
    jobs: int
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    disabled: tuple[str, ...]
    runs: Path
    resume: bool
    quiet: bool

    def with_seed(self, seed: int) -> tuple[str, ...]:
        """Return the values of `--set` for one of the seeds."""
        return (*self.overrides, f"seed={seed}")


@dataclass(frozen=True)
class _Job:
    """What is to be done for a seed.

    Attributes:
        seed: which.
        experiment: the experiment with that seed.
        run: the run to continue; `None` for a new one.
    """

    seed: int
    experiment: Experiment
    run: Run | None

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
        if span is not None and 0 <= int(span[2]) - int(span[1]) < _MOST_SEEDS:
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


def run_seeds(request: Request) -> int:
    """Run an experiment with each of the seeds; return the exit code.

    A run that diverges does not keep the others from running; anything else that goes wrong would go wrong
    with them, too.

    Raises:
        GanlabError: the experiment cannot be run, or a run ended early.
    """
    from ganlab.processes import Processes

    if Processes.from_environment().world > 1:
        raise UsageError(
            "--seeds trains in one process, or with --jobs in several that share nothing; under torchrun, "
            "give each run its seed by `--set seed=0`"
        )
    if any(override.partition("=")[0].strip() == "seed" for override in request.overrides):
        raise UsageError("--seeds says what the seeds are, and `--set seed=…` says it again")
    diverged, waiting = [], []
    for job in _jobs(request):
        if job.run is not None and job.ended:
            click.echo(f"seed {job.seed} {job.ended}: {job.run.path}")
            diverged += [job.seed] if job.run.state.status == "diverged" else []
        else:
            waiting.append(job)
    train = _train_here if request.jobs == 1 else _train_in_processes
    diverged += train(request, waiting)
    if diverged:
        named = ", ".join(map(str, sorted(diverged)))
        click.echo(f"error: of {counted(len(request.seeds), 'seed')}, these diverged: {named}", err=True)
        return DivergedError.exit_code
    return 0


def _jobs(request: Request) -> list[_Job]:
    from ganlab.commands.common import load
    from ganlab.comparison.run_lookup import run_of_seed
    from ganlab.config import load_experiment
    from ganlab.runs.reading import list_runs

    first, *others = request.seeds
    given = {"plugins": request.plugins, "disabled": request.disabled}
    experiments = {first: load(request.file, request.with_seed(first), **given)}
    for seed in others:  # what there is to warn of has been said
        experiments[seed] = load_experiment(request.file, overrides=request.with_seed(seed), **given)
    title = experiments[first].settings.title
    known = list_runs(request.runs, title=title) if request.resume else []
    return [_Job(seed, each, run_of_seed(each, known)) for seed, each in experiments.items()]


def _train_here(request: Request, jobs: Sequence[_Job]) -> list[int]:
    """Train one after the other in this process; return the seeds that diverged."""
    from ganlab.commands.common import tell_result
    from ganlab.testing.experiment import warn_of_broken_promises
    from ganlab.training.plan import Plan
    from ganlab.training.session import run_experiment

    diverged = []
    for job in jobs:
        click.echo(f"seed {job.seed}: {'a new run' if job.run is None else f'continuing {job.run.path}'}")
        plan = Plan(request.runs, None if job.run is None else str(job.run.path))
        look_over = warn_of_broken_promises if job is jobs[0] else None  # the others have the same components
        try:
            tell_result(run_experiment(job.experiment, plan, quiet=request.quiet, look_over=look_over))
        except DivergedError as error:
            click.echo(f"error: seed {job.seed}: {error}", err=True)
            diverged.append(job.seed)
        except InterruptedRunError as error:
            raise InterruptedRunError(f"{error}\n    {_HOW_TO_GO_ON}") from error
    return diverged


_HOW_TO_GO_ON = "the same command with --resume auto continues what is unfinished, and runs what is left"


def _train_in_processes(request: Request, jobs: Sequence[_Job]) -> list[int]:
    """Train several at once, each in a process of its own; return the seeds that diverged."""
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
                click.echo(f"seed {job.seed}: {line}", err=code != 0)
            if code == DivergedError.exit_code:
                diverged.append(job.seed)
            elif code:
                failed.append((job.seed, code))
                children.start_no_more()
    if failed:
        seed, code = failed[0]
        error = GanlabError(f"seed {seed} ended early; {_HOW_TO_GO_ON}")
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
    """Return the command line that trains one seed."""
    options = [("--set", value) for value in request.with_seed(job.seed)]
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
