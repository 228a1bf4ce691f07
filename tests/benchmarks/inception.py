"""Images a second beside torch-fidelity's extractor: `python tests/benchmarks/inception.py --peers PYTHON`.

PYTHON is the interpreter of an environment with torch-fidelity 0.4.0 and what ganlab needs. Both load the
same random weights and see the same images, in short rounds by turns, since what else the machine
does would otherwise fall on one of them; medians are compared, and so are the features.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "inception"))

import torch
from parity import torch_fidelity
from random_network import faces, random_state

from ganlab import ImageSpec
from ganlab_inception.extractor import InceptionFeatures
from ganlab_inception.weights import Weights

SIDE, BATCH = 64, 32


def timed(extract: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor) -> float:
    """Return images a second."""
    started = time.perf_counter()
    extract(images)
    return len(images) / (time.perf_counter() - started)


def main() -> None:
    """Measure, in the peers' environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="the interpreter of an environment with torch-fidelity")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    if arguments.peers and Path(arguments.peers).absolute() != Path(sys.executable).absolute():
        passed = [argument for argument in sys.argv[1:] if argument not in ("--peers", arguments.peers)]
        os.environ["PYTHONWARNINGS"] = "ignore"
        raise SystemExit(subprocess.call([arguments.peers, __file__, *passed]))
    torch.set_num_threads(arguments.threads)
    state = random_state()
    with tempfile.TemporaryDirectory() as directory:
        theirs, _ = torch_fidelity(state, Path(directory) / "random.pth")
    ours = InceptionFeatures(ImageSpec(3, SIDE, SIDE), "fid", "pool", Weights(state, "")).extract
    images = faces(BATCH, SIDE, seed=0)
    with torch.no_grad():
        one, other = ours(images), theirs(images)
        rounds = [(timed(ours, images), timed(theirs, images)) for _ in range(arguments.rounds)]
    mine, peer = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    apart = float((one - other).abs().max() / other.abs().max())
    print(f"{arguments.threads} threads, {BATCH} images of {SIDE}×{SIDE}, {arguments.rounds} rounds by turns")
    for name, column in zip(("ganlab", "torch-fidelity"), zip(*rounds, strict=True), strict=True):
        print(f"{name:<16}{statistics.median(column):6.2f} images/s ({min(column):.2f} to {max(column):.2f})")
    print(f"ratio of medians {mine / peer:.2f}, median of each round's ratio {ratio:.2f}")
    print(f"features: largest difference over the largest feature {apart:.1e}")


if __name__ == "__main__":
    main()
