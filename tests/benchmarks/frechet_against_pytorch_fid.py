"""The Fréchet distance from features, beside pytorch-fid 0.3.0.

    python tests/benchmarks/frechet_against_pytorch_fid.py --peers PYTHON [--rounds 3]

`beside.py` says what PYTHON needs. Timed is the way from two float32 arrays of features in
memory to the number: for pytorch-fid `np.mean`, `np.cov` and `calculate_frechet_distance`, as
its own script does; for us an evaluator that has seen nothing, and one that remembers the real
half. The second pair of times leaves the moments out on both sides. Turns alternate.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from beside import SERVE, Peer, arguments, machine, median, network_like, serve, shared

DIMENSION = 2048
REQUIRED = {10_000: 3.0, 1_000: 20.0}


def of_pytorch_fid(real: str, fake: str) -> dict[str, Any]:
    """Return seconds and value; the files' reading is not timed."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    samples = np.load(real), np.load(fake)
    start = time.perf_counter()
    moments = [part for x in samples for part in (np.mean(x, axis=0), np.cov(x, rowvar=False))]
    between = time.perf_counter()
    value = calculate_frechet_distance(*moments)
    end = time.perf_counter()
    return {"whole": end - start, "distance": end - between, "value": float(value)}


def main() -> None:
    """Print a table for each number of samples."""
    from ganlab import FeatureBank
    from ganlab_frechet.evaluator import FrechetEvaluator

    chosen = arguments(__doc__ or "", 3)
    peer = Peer(chosen.peers, __file__)
    print(f"{DIMENSION} dimensions, {machine()}, medians of {chosen.rounds} alternating rounds (range)")
    for n, required in REQUIRED.items():
        real, fake = network_like(n, DIMENSION, 0.0, 1), network_like(n, DIMENSION, 0.02, 2)
        theirs: list[dict[str, Any]] = []
        ours: dict[str, list[float]] = {"first": [], "distance": [], "again": []}
        with shared(real, fake) as files:
            for _ in range(chosen.rounds):
                theirs.append(peer.ask(real=files[0], fake=files[1]))
                banks = FeatureBank(real), FeatureBank(fake)
                times = [time.perf_counter()]
                value = FrechetEvaluator().evaluate(*banks)["frechet"].value
                times.append(time.perf_counter())
                # The banks have their moments now.
                evaluator = FrechetEvaluator()
                evaluator.evaluate(*banks)
                times.append(time.perf_counter())
                evaluator.evaluate(banks[0], FeatureBank(fake))
                times.append(time.perf_counter())
                for name, before, after in zip(ours, times, times[1:], strict=False):
                    ours[name].append(after - before)
        print(f"\n{n:,} × {n:,}: relative difference {abs(value / theirs[0]['value'] - 1):.1e}")
        for title, key, name in (
            ("from features", "whole", "first"),
            ("without the moments", "distance", "distance"),
            ("reference remembered", "whole", "again"),
        ):
            other = [each[key] for each in theirs]
            ratio = statistics.median(other) / statistics.median(ours[name])
            demand = f"   (required: ≥ {required:.0f})" if name == "first" else ""
            print(f"{title:>21}   pytorch-fid {median(other)}   ganlab {median(ours[name])}", end="")
            print(f"   {ratio:.1f}×{demand}")
    peer.close()


if __name__ == "__main__":
    if SERVE in sys.argv:
        serve(of_pytorch_fid)
    else:
        main()
