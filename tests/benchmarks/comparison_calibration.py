"""How often `ganlab compare` tells an experiment from itself: it should be one time in twenty, at most.

Runs are made once, as `ganlab run` would have; each draw writes them other measurements and compares.
Prints the table of docs/comparing.md.

    python tests/benchmarks/comparison_calibration.py --draws 300
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "comparison"))
from simulated import measurement, simulate

from ganlab.comparison.comparing import compare
from ganlab.comparison.experiments import group_runs
from ganlab.runs.directory import RunDirectory
from ganlab.runs.reading import Run, list_runs

STEP = 100
SETTINGS = [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
"""Spread over seeds, and the estimator's standard error."""


def remeasure(run: Run, value: float, error: float) -> None:
    """Replace all that was measured of a run."""
    with RunDirectory.open(run.path) as directory:
        directory.evaluations.rewind(0)
        directory.evaluations.write(STEP, measurement("mmd.mmd2", value, error))


def share_told_apart(
    pairs: Sequence[tuple[Run, Run]], spread: float, error: float, *, paired: bool, draws: int
) -> float:
    """Return how often p < 0.05 where nothing differs."""
    rng = np.random.default_rng(0)
    found = 0
    groups = group_runs([run for pair in pairs for run in pair])
    for _ in range(draws):
        for first, second in pairs:
            common = rng.normal() * spread * math.sqrt(0.5)
            for run in (first, second):
                own = rng.normal() * spread
                of_seed = common + own * math.sqrt(0.5) if paired else own
                remeasure(run, of_seed + rng.normal() * error, error)
        (metric,) = compare(groups).metrics
        (pair,) = metric.pairs
        found += pair.test.p is not None and pair.test.p < 0.05
    return found / draws


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 5, 10])
    options = parser.parse_args()
    print("| test | spread | error | " + " | ".join(f"{count} seeds" for count in options.seeds) + " |")
    print("| --- | --- | --- |" + " --- |" * len(options.seeds))
    with tempfile.TemporaryDirectory() as directory:
        most = max(options.seeds)
        for seed in range(most):
            simulate(Path(directory), seed, 0.0)
            simulate(Path(directory), seed, 0.0, loss="hinge")
            simulate(Path(directory), most + seed, 0.0, loss="hinge")
        seeds: dict[tuple[str, int], Run] = {}
        for run in list_runs(Path(directory) / "runs"):
            tables = run.experiment()
            seeds[tables["losses"][0]["name"], tables["seed"]] = run
        for paired in (True, False):
            for spread, error in SETTINGS:
                cells = []
                for count in options.seeds:
                    start = 0 if paired else most
                    pairs = [
                        (seeds["non-saturating", seed], seeds["hinge", start + seed]) for seed in range(count)
                    ]
                    share = share_told_apart(pairs, spread, error, paired=paired, draws=options.draws)
                    cells.append(f"{share:.3f}")
                test = "paired" if paired else "Welch"
                print(f"| {test} | {spread:g} | {error:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
