"""Time and peak memory of MMD over growing samples: `python tests/benchmarks/mmd_memory.py`.

Each size runs in a fresh process, so that peaks do not mix. Beside the features themselves
the peak must stay flat: a full kernel matrix of 20,000 × 20,000 would take 1.6 GB.
The p-value's matrix of 2,000 × 2,000 is in it at every size but the first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

SIZES = (500, 2_000, 5_000, 10_000, 20_000)
DIMENSION = 320
MEGABYTE = 1 << 20


def peak() -> float:
    """Return the process's peak resident memory in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(n: int) -> dict[str, float]:
    """Compare n with n samples in this process."""
    import torch

    from ganlab import FeatureBank
    from ganlab_mmd.evaluator import MmdEvaluator

    generator = torch.Generator().manual_seed(0)
    banks = [FeatureBank(torch.randn(n, DIMENSION, generator=generator)) for _ in range(2)]
    evaluator = MmdEvaluator()
    evaluator.prepare(banks[0], None)
    before, start = peak(), time.perf_counter()
    estimate = evaluator.evaluate(*banks)["mmd2"]
    first = time.perf_counter() - start
    start = time.perf_counter()
    evaluator.evaluate(*banks)
    return {
        "seconds": first,
        "again": time.perf_counter() - start,
        "peak": peak(),
        "features": sum(bank.n * DIMENSION * 4 for bank in banks),
        "added": peak() - before,
        "value": estimate.value,
    }


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("n", type=int, nargs="?", help="this size alone, in this process, as JSON")
    chosen = parser.parse_args()
    if chosen.n is not None:
        print(json.dumps(measure(chosen.n)))
        return
    print(f"{DIMENSION} dimensions; `again` remembers the real sample's half")
    print(f"{'n × n':>17} {'time':>8} {'again':>8} {'peak':>9} {'features':>9} {'added by MMD':>13}")
    for n in SIZES:
        command = [sys.executable, __file__, str(n)]
        run = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(
            f"{n:>7,} × {n:>7,} {run['seconds']:7.2f}s {run['again']:7.2f}s {run['peak'] / MEGABYTE:6.0f} MB"
            f" {run['features'] / MEGABYTE:6.0f} MB {run['added'] / MEGABYTE:10.0f} MB"
        )


if __name__ == "__main__":
    main()
