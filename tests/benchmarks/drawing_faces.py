"""Speed of drawing faces on one core: `python tests/benchmarks/drawing_faces.py`.

Processor time is what counts (the drawing has one thread), in short rounds of which the
median and the fastest are printed: on a machine that others use too, the fastest is the
nearest to what a core can do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

DEMANDED = 1_500
"""Images per second at 64×64."""
SIZES = (32, 64, 128, 256)
ROUNDS = 24
FACES = 100


def measure(size: int) -> list[float]:
    """Return images per second of each round, read through the dataset component."""
    from ganlab import ImageSpec
    from ganlab_faces import FacesOptions, build

    source = build(FacesOptions(), ImageSpec(channels=3, height=size, width=size))
    speeds = []
    for start in range(0, ROUNDS * FACES, FACES):
        began = time.process_time()
        for index in range(start, start + FACES):
            source.read(index)
        speeds.append(FACES / (time.process_time() - began))
    return speeds


def main() -> None:
    """Print a line for each size."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{'size':>9} {'median':>14} {'fastest':>14}")
    for size in SIZES:
        speeds = measure(size)
        median, fastest = statistics.median(speeds), max(speeds)
        line = f"{size:>4}×{size:<4} {median:>8,.0f} img/s {fastest:>8,.0f} img/s"
        if size == 64:
            line += f"   {median / DEMANDED:.2f}× and {fastest / DEMANDED:.2f}× the {DEMANDED:,} demanded"
        print(line)


if __name__ == "__main__":
    main()
