"""Packing CelebA against what Pillow alone decodes and resizes on all cores.

    python tests/benchmarks/packing.py DIRECTORY-OF-CELEBA [--repeats 5]

Both read the same zip, decode, crop 178×178 (scaled to the files) and resize to 64×64
by Lanczos on the same number of forked processes. The bare pool throws the pixels away;
packing keeps them, durably on the disk. Start-up of the processes counts in both, and
opening and fingerprinting the dataset in packing. The two take turns, and the best of
each is compared: other work on the machine only ever slows.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

from PIL import Image

from ganlab import ImageSpec
from ganlab.data.packing import pack
from ganlab.data.workers import available_cores
from ganlab_celeba.source import Celeba

REQUIRED = 0.85
SIDE = 64


def bare(contents: list[bytes]) -> float:
    """Return images/s of a bare pool that decodes files which are in memory already."""
    started = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(available_cores(), _keep, (contents,)) as pool:
        for _ in pool.imap_unordered(_decode, range(len(contents)), chunksize=128):
            pass
    return len(contents) / (time.perf_counter() - started)


def packed(root: Path) -> float:
    """Return images/s of opening the dataset, fingerprinting it and packing it into an empty cache."""
    cache = Path(tempfile.mkdtemp(prefix="ganlab-benchmark-"))
    try:
        started = time.perf_counter()
        source = Celeba(root, label="", split="all", crop=178, missing="fail")
        store = pack(source, ImageSpec(3, SIDE, SIDE), cache=cache, progress=False)
        return len(store) / (time.perf_counter() - started)
    finally:
        shutil.rmtree(cache)


def _keep(contents: list[bytes]) -> None:
    global _contents
    _contents = contents


def _decode(index: int) -> None:
    image = Image.open(io.BytesIO(_contents[index]))
    side = min(image.size)
    top = (image.height - side) // 2
    image.crop((0, top, side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS).tobytes()


def main() -> None:
    """Print images/s of both and the ratio of their best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="folder with img_align_celeba.zip and its lists")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.root / "img_align_celeba.zip") as archive:
        contents = [archive.read(name) for name in archive.namelist() if name.endswith(".jpg")]
    turns = [(bare(contents), packed(arguments.root)) for _ in range(arguments.repeats)]
    pillow, ours = (max(speeds) for speeds in zip(*turns, strict=True))
    print(f"{len(contents):,} JPEG files to {SIDE}×{SIDE}, {available_cores()} of {os.cpu_count()} cores")
    print(f"Pillow alone  {pillow:8,.0f} images/s")
    print(f"pack          {ours:8,.0f} images/s")
    print(f"ratio         {ours / pillow:8.2f}   (required: ≥ {REQUIRED})")


if __name__ == "__main__":
    main()
