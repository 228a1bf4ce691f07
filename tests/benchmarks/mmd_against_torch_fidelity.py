"""The full unbiased polynomial MMD beside the 100 subsets of torch-fidelity 0.4.0.

    python tests/benchmarks/mmd_against_torch_fidelity.py --peers PYTHON [--rounds 3]

`beside.py` says what PYTHON needs. Timed is the way from two float32 arrays of 10,000 × 2048
features in memory to the number: for torch-fidelity `kid_features_to_metric` with its 100
subsets of 1,000, for us the sums over all pairs and the standard error. Turns alternate. Then
both estimate the same fresh samples again and again, of smaller size: the spread of the
estimates is what a reader of either number is uncertain by.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
import torch
from beside import SERVE, Peer, arguments, machine, median, network_like, serve, shared

COUNT, DIMENSION = 10_000, 2048
SUBSETS, SUBSET = 100, 1_000
DRAWS, SMALL_COUNT, SMALL_DIMENSION = 40, 1_000, 64


def of_torch_fidelity(real: str, fake: str, subsets: int, size: int) -> dict[str, Any]:
    """Return seconds and value; the files' reading is not timed."""
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    x, y = (torch.from_numpy(np.load(path)) for path in (real, fake))
    start = time.perf_counter()
    found = kid_features_to_metric(x, y, kid_subsets=subsets, kid_subset_size=size, verbose=False)
    return {"seconds": time.perf_counter() - start, "value": found[KEY_METRIC_KID_MEAN]}


def full(x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return the unbiased estimate over all pairs, and its standard error."""
    from ganlab_mmd.kernels import PolynomialKernel
    from ganlab_mmd.statistic import cross_sums, mmd2, within_sums

    kernel = PolynomialKernel()
    return mmd2(within_sums(kernel, x), within_sums(kernel, y), cross_sums(kernel, x, y))


def main() -> None:
    """Print times, and spreads over repeated draws."""
    chosen = arguments(__doc__ or "", 3)
    peer = Peer(chosen.peers, __file__)
    print(f"{machine()}, medians of {chosen.rounds} alternating rounds (range)")
    x, y = network_like(COUNT, DIMENSION, 0.0, 1), network_like(COUNT, DIMENSION, 0.02, 2)
    theirs, ours, value, error = [], [], 0.0, 0.0
    with shared(x, y) as (real, fake):
        for _ in range(chosen.rounds):
            answer = peer.ask(real=real, fake=fake, subsets=SUBSETS, size=SUBSET)
            theirs.append(answer["seconds"])
            start = time.perf_counter()
            value, error = full(x, y)
            ours.append(time.perf_counter() - start)
    print(f"{COUNT:,} × {COUNT:,} × {DIMENSION}")
    print(f"  torch-fidelity, {SUBSETS} × {SUBSET:,}  {median(theirs)}   {answer['value']:.6g}")
    print(f"  ganlab, all pairs            {median(ours)}   {value:.6g} ± {error:.2g}")
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"  ratio                        {ratio:7.2f}×  (required: ≥ 1)")
    spreads(peer)
    peer.close()


def spreads(peer: Peer) -> None:
    """Print the standard deviations of both over fresh draws of the same distributions."""
    values: dict[str, list[float]] = {"theirs": [], "ours": [], "error": []}
    for draw in range(DRAWS):
        x, y = (
            network_like(SMALL_COUNT, SMALL_DIMENSION, shift, 2 * draw + 10 + which)
            for which, shift in enumerate((0.0, 0.02))
        )
        with shared(x, y) as (real, fake):
            answer = peer.ask(real=real, fake=fake, subsets=SUBSETS, size=SMALL_COUNT // 10)
        value, error = full(x, y)
        for name, number in (("theirs", answer["value"]), ("ours", value), ("error", error)):
            values[name].append(number)
    theirs, ours = (statistics.stdev(values[name]) for name in ("theirs", "ours"))
    print(f"{DRAWS} draws of {SMALL_COUNT:,} × {SMALL_COUNT:,} × {SMALL_DIMENSION}, subsets of a tenth")
    print(f"  torch-fidelity  mean {statistics.mean(values['theirs']):.4g}, standard deviation {theirs:.3g}")
    print(f"  ganlab          mean {statistics.mean(values['ours']):.4g}, standard deviation {ours:.3g}")
    print(f"                  its own standard error, mean {statistics.mean(values['error']):.3g}")
    print(f"  variances       {(theirs / ours) ** 2:.2f}×   (required: > 1)")


if __name__ == "__main__":
    if SERVE in sys.argv:
        serve(of_torch_fidelity)
    else:
        main()
