"""Time and peak memory of the neighbour metrics: `python tests/benchmarks/neighbours_memory.py`.

Each size runs in a fresh process, so that peaks do not mix. Beside the features themselves the
peak must stay flat: all distances of 20,000 × 20,000 would take 1.6 GB in float32.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

SIZES = (5_000, 20_000)
DIMENSION = 320
MEGABYTE = 1 << 20
EVALUATORS = ("precision-recall", "density-coverage", "nearest-neighbour-test", "memorisation", "diversity")


def peak() -> float:
    """Return the process's peak resident memory in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(name: str, n: int) -> dict[str, float]:
    """Compare n with n samples in this process."""
    import torch

    import ganlab_neighbours
    from ganlab import FeatureBank, VectorSpec

    (component,) = (each for each in ganlab_neighbours.ganlab_evaluators() if each.name == name)
    generator = torch.Generator().manual_seed(0)
    real, held_out, fake = (
        FeatureBank(torch.randn(n, DIMENSION, generator=generator)) for n in (n, n // 10, n)
    )
    evaluator = component.build(component.options(), VectorSpec(DIMENSION))
    before, start = peak(), time.perf_counter()
    evaluator.prepare(real, held_out)
    prepared = time.perf_counter() - start
    start = time.perf_counter()
    evaluator.evaluate(real, fake)
    first = time.perf_counter() - start
    start = time.perf_counter()
    # Another set of the same size: what is remembered of the real samples counts, and nothing else.
    evaluator.evaluate(real, FeatureBank(fake.features.flip(0)))
    again = time.perf_counter() - start
    return {"prepare": prepared, "first": first, "again": again, "peak": peak(), "added": peak() - before}


def main() -> None:
    """Print a line for each metric and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("metric", nargs="?", choices=EVALUATORS, help="this alone, in this process, as JSON")
    parser.add_argument("n", type=int, nargs="?", help="its number of samples")
    chosen = parser.parse_args()
    if chosen.metric is not None:
        print(json.dumps(measure(chosen.metric, chosen.n)))
        return
    print(f"{DIMENSION} dimensions; `again` remembers what is known of the real samples")
    print(f"{'metric':>24} {'n × n':>17} {'prepare':>8} {'first':>8} {'again':>8} {'peak':>8} {'added':>8}")
    for name in EVALUATORS:
        for n in SIZES:
            command = [sys.executable, __file__, name, str(n)]
            run = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            print(
                f"{name:>24} {n:>7,} × {n:>7,} {run['prepare']:7.2f}s {run['first']:7.2f}s "
                f"{run['again']:7.2f}s {run['peak'] / MEGABYTE:5.0f} MB {run['added'] / MEGABYTE:5.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
