"""Peak memory of packing at two sizes: it must not grow with the number of images.

    python tests/benchmarks/packing_memory.py [--sizes 2000 8000]

Each size is packed by a fresh process, so that its peak is its own; the images are drawn
as they are read. Printed are the peaks of the packing process and of its largest worker.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile

_SIDE = 128

_CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from PIL import Image
from ganlab import ImageSource, ImageSpec
from ganlab.data.packing import pack

class Noise(ImageSource):
    def __len__(self):
        return int(sys.argv[1])
    def fingerprint(self):
        return sys.argv[1]
    def read(self, index):
        shape = ({side}, {side}, 3)
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8))

pack(Noise(), ImageSpec(3, {side}, {side}), cache=Path(sys.argv[2]), progress=False)
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
"""


def peaks(count: int) -> tuple[float, float]:
    """Return peak MiB of the process that packs `count` images, and of its largest worker."""
    with tempfile.TemporaryDirectory(prefix="ganlab-benchmark-") as cache:
        command = [sys.executable, "-c", _CHILD.format(side=_SIDE), str(count), cache]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    process, worker = (int(line) / unit for line in output.split())
    return process, worker


def main() -> None:
    """Print the peaks at each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 8000])
    for count in parser.parse_args().sizes:
        process, worker = peaks(count)
        stored = count * _SIDE * _SIDE * 3 / (1 << 20)
        print(f"{count:7,} images ({stored:6.0f} MiB): packer {process:5.0f} MiB, worker {worker:5.0f} MiB")


if __name__ == "__main__":
    main()
