"""Every loss on the same data within the same budget: the tables of docs/zoo.md. Run by hand, as `make zoo`.

    python tests/zoo/zoo.py [--small] [--jobs 2] [--out runs/zoo] [--mnist data/mnist]
                            [--data grid --data faces] [--row r3gan …] [--seeds 3] [--steps N] [--table]

`data/*.toml` are experiments: data, networks, budget. `losses/*.toml` have one table for each row, whose keys
are laid over those: all of them, then those under `images` (for `mnist` and `faces`), then those under the
data's own name. `only = "images"` keeps a row from the others; `discriminator = false` takes a table away;
and a table with a `name` takes the place of the one before, since another component has other options.

Each experiment is written to `OUT/DATA/ROW/seed-N/experiment.toml`, as `ganlab run` takes it, beside its run.
What was begun is resumed and what is finished is not repeated; an experiment that has changed starts anew.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]

DATA = ("grid", "mnist", "faces")
IMAGES = ("mnist", "faces")

SMALL: Mapping[str, Mapping[str, Any]] = {
    "grid": {"training": {"steps": 1000}},
    **{
        data: {
            "dataset": {"count": 2000} if data == "faces" else {},
            "generator": {"width": 16},
            "training": {"steps": 150, "batch_size": 32},
            "evaluators": [
                {"name": "frechet", "samples": 200},
                {"name": "density-coverage", "samples": 200},
                {"name": "mmd", "permutations": 1, "samples": 200},
            ],
        }
        for data in IMAGES
    },
}
"""What `--small` lays over an experiment, so that all of it takes 20 minutes of one core."""


@dataclass(frozen=True)
class Column:
    """A metric in a table: how it is headed, which it is, and what it is multiplied by."""

    head: str
    evaluator: str
    metric: str
    factor: float = 1
    digits: int = 1


COLUMNS = {
    "grid": (
        Column("modes hit, of 25", "gaussian-modes", "hit"),
        Column("within 3σ, %", "gaussian-modes", "high-quality", 100),
        Column("MMD² · 10³", "mmd", "mmd2", 1000, 2),
    ),
    **{
        data: (
            Column("MMD² · 10³", "mmd", "mmd2", 1000),
            Column("Fréchet", "frechet", "frechet"),
            Column("coverage, %", "density-coverage", "coverage", 100),
        )
        for data in IMAGES
    },
}


@dataclass(frozen=True)
class Row:
    """A loss, or losses that go together.

    Attributes:
        slug: its name in file names.
        title: its name in the table.
        keys: what it lays over an experiment.
        only: the data that it is tried on.
    """

    slug: str
    title: str
    keys: Mapping[str, Any]
    only: tuple[str, ...]

    def over(self, experiment: Mapping[str, Any], data: str) -> dict[str, Any]:
        """Return the experiment with the row's losses."""
        own = {key: value for key, value in self.keys.items() if key not in ("images", *DATA)}
        merged = merge(experiment, own)
        if data in IMAGES:
            merged = merge(merged, self.keys.get("images", {}))
        return merge(merged, self.keys.get(data, {}))


@dataclass(frozen=True)
class Trial:
    """A row on some data with a seed."""

    data: str
    row: Row
    seed: int
    folder: Path
    experiment: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.data} {self.row.slug} seed {self.seed}"

    @property
    def file(self) -> Path:
        """The experiment."""
        return self.folder / "experiment.toml"

    @property
    def text(self) -> str:
        """What stands in the file."""
        return tomli_w.dumps(self.experiment)

    def run(self) -> Path | None:
        """Return the directory of the newest run of just this experiment."""
        found = [
            copy.parent
            for copy in self.folder.glob("*/*/experiment.toml")
            if copy.read_text() == self.text and (copy.parent / "run.json").is_file()
        ]
        return max(found, default=None)

    def state(self) -> dict[str, Any]:
        """Return that run's `run.json`; empty if there is none."""
        run = self.run()
        return {} if run is None else json.loads((run / "run.json").read_text())

    def is_over(self) -> bool:
        """Whether nothing is left to do: a run that diverged would diverge again."""
        return self.state().get("status") in ("completed", "diverged")

    def values(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the lines of the last step by evaluator and metric; none unless it completed."""
        run = self.run()
        if run is None or self.state()["status"] != "completed":
            return {}
        lines = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
        last = self.experiment["training"]["steps"]
        return {(line["evaluator"], line["metric"]): line for line in lines if line["step"] == last}


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables laid over others: see the head of this file."""
    merged = dict(below)
    for key, value in above.items():
        before = merged.get(key)
        if value is False:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(before, Mapping) and "name" not in value:
            merged[key] = merge(before, value)
        else:
            merged[key] = value
    return merged


def read_rows() -> list[Row]:
    """Return all rows, in the order of the files and of their tables."""
    rows = []
    for file in sorted(HERE.glob("losses/*.toml")):
        for slug, keys in tomllib.loads(file.read_text()).items():
            only = {"images": IMAGES}.get(keys.pop("only", ""), DATA)
            rows.append(Row(slug, keys.pop("title"), keys, only))
    return rows


def make_trial(data: str, row: Row, seed: int, given: argparse.Namespace) -> Trial:
    """Return a trial, measured once: at its end."""
    experiment = tomllib.loads((HERE / "data" / f"{data}.toml").read_text())
    if data == "mnist":
        experiment["dataset"]["root"] = str(given.mnist.resolve())
    if given.small:
        experiment = merge(experiment, SMALL[data])
    experiment = row.over(experiment, data)
    steps = given.steps or experiment["training"]["steps"]
    evaluators = [{**evaluator, "every": steps} for evaluator in experiment["evaluators"]]
    experiment |= {
        "title": f"{experiment['title']} {row.slug}",
        "seed": seed,
        "training": {**experiment["training"], "steps": steps},
        "evaluators": evaluators,
        "samples": {"every": steps},
        "checkpoint": {"every": steps, "keep": 1},
        "trackers": [],
    }
    return Trial(data, row, seed, given.out / data / row.slug / f"seed-{seed}", experiment)


@dataclass(frozen=True)
class Ended:
    """How a trial ended, and the seconds that it took."""

    how: str
    seconds: float


def play(trial: Trial) -> Ended:
    """Run a trial, or go on with it."""
    from ganlab.commands.cli import run

    start = time.monotonic()
    begun = trial.run()
    resume = [] if begun is None else ["--resume", str(begun)]
    trial.folder.mkdir(parents=True, exist_ok=True)
    trial.file.write_text(trial.text)
    log = trial.folder / "log.txt"
    with log.open("w") as file, redirect_stdout(file), redirect_stderr(file):
        run(["run", str(trial.file), "--runs", str(trial.folder), "--quiet", *resume])
    how = str(trial.state()["status"]) if trial.is_over() else f"failed, {log} says why"
    return Ended(how, time.monotonic() - start)


def play_all(trials: Sequence[Trial], jobs: int) -> None:
    """Run what is not over, a process for each job, and say how each ended."""
    waiting = [trial for trial in trials if not trial.is_over()]
    print(f"{len(trials) - len(waiting)} of {len(trials)} are done", flush=True)
    if waiting:
        print(f"{jobs} at a time; a line for each that ends; stop it with Ctrl-C: the same command goes on")
        sys.stdout.flush()
    took: dict[str, list[float]] = {}
    # A process imports torch once, and tiny networks only lose by sharing an operation between threads.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(play, trial): trial for trial in waiting}
        try:
            for number, done in enumerate(as_completed(running), 1):
                trial, ended = running.pop(done), done.result()
                took.setdefault(trial.data, []).append(ended.seconds)
                left = spoken(time_left([each.data for each in running.values()], took, jobs))
                head = f"{number} of {len(waiting)}  {trial.name}: {ended.how}, {ended.seconds:.0f} s"
                print(f"{head}; {left}" if running else head, flush=True)
        except (BrokenProcessPool, KeyboardInterrupt):
            pool.shutdown(cancel_futures=True)
            sys.exit("interrupted, or a process was killed; the same command goes on")


def time_left(waiting: Sequence[str], took: Mapping[str, Sequence[float]], jobs: int) -> float:
    """Return the seconds that trials may still take, by those that have ended.

    Args:
        waiting: the data of each trial that has not ended.
        took: the seconds of those that have, by their data.
        jobs: trials at a time.
    """
    of_all = statistics.fmean(seconds for each in took.values() for seconds in each)
    means = {data: statistics.fmean(each) for data, each in took.items()}
    return sum(means.get(data, of_all) for data in waiting) / jobs


def spoken(seconds: float) -> str:
    """Return a rough time left, in words."""
    minutes = seconds / 60
    if minutes < 1:
        return "less than a minute left"
    return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.1f} h left"


def table(data: str, trials: Iterable[Trial]) -> Iterator[str]:
    """Yield the lines of a Markdown table, a row for each loss that has a finished run."""
    columns = COLUMNS[data]
    by_row: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.is_over():
            by_row.setdefault(trial.row.title, []).append(trial)
    yield f"| loss | {' | '.join(column.head for column in columns)} | runs |"
    yield "| --- |" + " --- |" * (len(columns) + 1)
    floors: dict[Column, str] = {}
    for title, of_row in by_row.items():
        values = [found for trial in of_row if (found := trial.values())]
        cells = []
        for column in columns:
            lines = [found[column.evaluator, column.metric] for found in values]
            cells.append(spread([line["value"] * column.factor for line in lines], column.digits))
            for line in lines:
                floors[column] = f"{line['floor'] * column.factor:.{column.digits}f}"
        yield f"| {title} | {' | '.join(cells)} | {runs(len(values), len(of_row))} |"
    yield f"| *held-out real samples* | {' | '.join(floors.get(column, '') for column in columns)} | |"


def spread(values: Sequence[float], digits: int) -> str:
    """Return mean ± standard deviation."""
    if not values:
        return "–"
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def runs(completed: int, over: int) -> str:
    """Return how many runs the numbers are of, and how many diverged."""
    return f"{completed}" if completed == over else f"{completed}; {over - completed} diverged"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description="Every loss on the same data within the same budget.")
    parser.add_argument("--small", action="store_true", help="a quarter of an hour on two idle cores")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--seeds", type=int, help="how many; 3, or 1 of the small ones")
    parser.add_argument("--steps", type=int, help="of training, on all data")
    parser.add_argument("--out", type=Path, help="where runs and tables go")
    parser.add_argument("--mnist", type=Path, default=PROJECT / "data" / "mnist", help="MNIST's IDX files")
    parser.add_argument("--data", action="append", choices=DATA, help="this data alone; repeatable")
    parser.add_argument("--row", action="append", help="this row alone; repeatable")
    parser.add_argument("--table", action="store_true", help="run nothing, make the tables of what there is")
    given = parser.parse_args(arguments)
    known = [row.slug for row in read_rows()]
    unknown = sorted({*(given.row or [])} - {*known})
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; there are {', '.join(known)}")
    given.seeds = given.seeds or (1 if given.small else 3)
    given.out = given.out or PROJECT / "runs" / ("zoo-small" if given.small else "zoo")
    given.data = [data for data in DATA if data in (given.data or DATA)]
    return given


def make_trials(given: argparse.Namespace) -> list[Trial]:
    """Return all trials that are asked for; seeds come last, so that each row soon has something."""
    return [
        make_trial(data, row, seed, given)
        for seed in range(given.seeds)
        for data in given.data
        for row in read_rows()
        if data in row.only and row.slug in (given.row or [row.slug])
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trials, and write and print the tables."""
    given = parse(arguments)
    if "mnist" in given.data and not given.mnist.is_dir():
        print(f"MNIST is left out: there is no folder {given.mnist} (--mnist names another)", flush=True)
        given.data.remove("mnist")
    trials = make_trials(given)
    if not given.table:
        play_all(trials, given.jobs)
    text = ""
    for data in given.data:
        lines = table(data, [trial for trial in trials if trial.data == data])
        text += f"### {data}\n\n" + "\n".join(lines) + "\n\n"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "tables.md").write_text(text)
    print(text)
    missing = sum(not trial.is_over() for trial in trials)
    if missing and not given.table:
        sys.exit(f"{missing} of {len(trials)} runs are not finished")


if __name__ == "__main__":
    main()
