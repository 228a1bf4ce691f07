"""Features and metrics beside those of torch-fidelity, pytorch-fid and clean-fid: run by hand.

`python tests/benchmarks/parity.py --peers PYTHON`, where PYTHON is the interpreter of an environment
with torch-fidelity 0.4.0, pytorch-fid 0.3.0, clean-fid 0.1.35 and what ganlab needs. All load one file of
random weights (`tests/plugins/inception/random_network.py`), since those that are published may be
out of reach, and see the same images. `--golden FILE` writes what the tests compare
with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "inception"))

import numpy as np
import torch
from random_network import faces, others, random_state

from ganlab import FeatureBank, ImageSpec
from ganlab_inception.distances import Fid, SubsetKid
from ganlab_inception.extractor import InceptionFeatures
from ganlab_inception.protocols import Protocol
from ganlab_inception.score import InceptionScore
from ganlab_inception.weights import Weights

SIDES = (32, 64)
SUBSETS, SUBSET_SIZE = 20, 30
DIMENSIONS = 32
"""The peers' distances are compared in so many dimensions: where there are fewer images than dimensions,
roots of what rounding leaves of zero eigenvalues put theirs off by 1e-5 to 1e-4."""
Moments = tuple[np.ndarray, np.ndarray]
Extract = Callable[[torch.Tensor], torch.Tensor]


def saved(state: Mapping[str, torch.Tensor], path: Path) -> Path:
    """Write the weights as they are published: with the counts of training batches, which peers insist on."""
    means = [name for name in state if name.endswith("running_mean")]
    counts = {name.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for name in means}
    torch.save({**state, **counts}, path)
    return path


def torch_fidelity(state: Mapping[str, torch.Tensor], path: Path) -> tuple[Extract, Extract]:
    """Return its features and its logits, of weights that are left at `path`."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    layers = ["2048", "logits_unbiased"]
    # One network for each: what it is asked for decides how far it computes.
    pool, logits = (
        FeatureExtractorInceptionV3("inception-v3-compat", [layer], str(saved(state, path)))
        for layer in layers
    )
    return (lambda images: pool(images)[0]), (lambda images: logits(images)[0])


def pytorch_fid(path: Path) -> Extract:
    """Return its features."""
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *args, **kwargs: torch.load(path, weights_only=True)
    network = inception.InceptionV3().eval()
    return lambda images: network(images.float() / 255)[0].flatten(1)


def clean_fid(path: Path) -> Extract:
    """Return clean-fid's resize before torch-fidelity's layers: its own TorchScript file is not at hand.

    Those layers are the same network's, and what is 299×299 already passes torch-fidelity's resize as it is.
    """
    from cleanfid.resize import build_resizer
    from torch_fidelity import feature_extractor_inceptionv3 as module

    resize = build_resizer("clean")
    network = module.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
    # It asserts uint8, which clean-fid's images are not.
    checked = module.vassert

    def extract(images: torch.Tensor) -> torch.Tensor:
        resized = np.stack([resize(image) for image in images.permute(0, 2, 3, 1).numpy()])
        module.vassert = lambda *args: None
        try:
            return network(torch.from_numpy(resized).permute(0, 3, 1, 2))[0]
        finally:
            module.vassert = checked

    return extract


def collect(extract: Extract, images: torch.Tensor) -> torch.Tensor:
    """Return the features of all images, in batches of 25."""
    with torch.no_grad():
        return torch.cat([extract(batch) for batch in torch.split(images, 25)])


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return how far features are apart, relative to the largest."""
    return float((one.double() - other.double()).abs().max() / other.abs().max())


def report(what: str, ours: float, theirs: float) -> None:
    """Print a line of the table."""
    print(f"| {what} | {ours:.8g} | {theirs:.8g} | {abs(ours - theirs) / abs(theirs):.1e} |", flush=True)


def load_peers(state: Mapping[str, torch.Tensor]) -> tuple[dict[Protocol, Extract], Extract]:
    """Return each protocol's features, and torch-fidelity's logits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        pool, logits = torch_fidelity(state, path)
        return {"fid": pool, "fid-pytorch": pytorch_fid(path), "fid-clean": clean_fid(path)}, logits


def compare(count: int) -> None:
    """Print the table."""
    from cleanfid import fid as cleanfid_metrics
    from pytorch_fid import fid_score
    from torch_fidelity import metric_fid, metric_isc, metric_kid

    distances: dict[str, Callable[[Moments, Moments], float]] = {
        "fid": lambda one, other: metric_fid.fid_statistics_to_metric(
            dict(zip(("mu", "sigma"), one, strict=True)),
            dict(zip(("mu", "sigma"), other, strict=True)),
            False,
        )["frechet_inception_distance"],
        "fid-pytorch": lambda one, other: fid_score.calculate_frechet_distance(*one, *other),
        "fid-clean": lambda one, other: cleanfid_metrics.frechet_distance(*one, *other),
    }
    state = random_state()
    peers, logits = load_peers(state)
    names = {"fid": "torch-fidelity", "fid-pytorch": "pytorch-fid", "fid-clean": "clean-fid"}
    print(f"{count} faces against {count} cut ones; features: largest difference over the largest feature\n")
    print("| what | ganlab | peer | relative difference |\n| --- | --- | --- | --- |")
    for side in SIDES:
        real, fake = faces(count, side, seed=0), others(count, side)
        for protocol, peer in peers.items():
            ours = InceptionFeatures(ImageSpec(3, side, side), protocol, "pool", Weights(state, ""))
            x, y = collect(ours.extract, real), collect(ours.extract, fake)
            their_x, their_y = collect(peer, real), collect(peer, fake)
            at = f"{side}×{side}, {protocol}"
            apart = max(distance(x, their_x), distance(y, their_y))
            norms = float(x.norm()), float(their_x.norm())
            print(
                f"| {at}: features ({names[protocol]}) | ‖·‖ {norms[0]:.8g} | {norms[1]:.8g} | {apart:.1e} |"
            )
            banks = FeatureBank(x), FeatureBank(y)
            report(f"{at}: FID (the formula in numpy)", _fid(protocol, x, y), _exact(their_x, their_y))
            few = [features[:, :DIMENSIONS] for features in (x, y, their_x, their_y)]
            theirs = distances[protocol](*map(_moments, few[2:]))
            what = f"{at}: FID of the first {DIMENSIONS} features ({names[protocol]})"
            report(what, _fid(protocol, *few[:2]), theirs)
            if protocol == "fid" and side == SIDES[0]:
                theirs = distances[protocol](_moments(their_x), _moments(their_y))
                report(f"{at}: FID, singular covariances ({names[protocol]})", _fid(protocol, x, y), theirs)
            kid = SubsetKid(SUBSETS, SUBSET_SIZE).evaluate(*banks)["kid"].value
            theirs = metric_kid.kid_features_to_metric(
                their_y.double(),
                their_x.double(),
                kid_subsets=SUBSETS,
                kid_subset_size=SUBSET_SIZE,
                verbose=False,
            )["kernel_inception_distance_mean"]
            report(f"{at}: KID, {SUBSETS} subsets × {SUBSET_SIZE} (torch-fidelity)", kid, theirs)
            if protocol == "fid":
                scores = InceptionFeatures(ImageSpec(3, side, side), protocol, "logits", Weights(state, ""))
                values = collect(scores.extract, fake)
                value = (
                    InceptionScore()
                    .evaluate(FeatureBank(values), FeatureBank(values))["inception-score"]
                    .value
                )
                theirs = metric_isc.isc_features_to_metric(collect(logits, fake))["inception_score_mean"]
                report(f"{at}: Inception Score (torch-fidelity)", value, theirs)


def write_golden(file: Path) -> None:
    """Write what the peers make of four faces and four others, for the tests to compare with."""
    peers, logits = load_peers(random_state())
    kept: dict[str, Any] = {}
    for side in SIDES:
        real, fake = faces(4, side, seed=0), others(4, side)
        kept[f"logits {side}"] = collect(logits, real)[:, ::126].tolist()
        for protocol, peer in peers.items():
            x, y = collect(peer, real), collect(peer, fake)
            kept[f"{protocol} {side}"] = {
                "norms": x.double().norm(dim=1).tolist(),
                "features": x[:, ::256].tolist(),
                "fid": _exact(x, y),
            }
    file.write_text(json.dumps(kept, indent=1) + "\n")


def _fid(protocol: Protocol, x: torch.Tensor, y: torch.Tensor) -> float:
    return Fid(protocol).evaluate(FeatureBank(x), FeatureBank(y))[protocol].value


def _moments(features: torch.Tensor) -> Moments:
    return features.double().numpy().mean(0), np.cov(features.double().numpy(), rowvar=False)


def _exact(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the distance through the samples' Gram matrix, exact for any number of samples."""
    one, other = (each.double().numpy() for each in (x, y))
    shift = one.mean(0) - other.mean(0)
    a, b = ((each - each.mean(0)) / np.sqrt(len(each) - 1) for each in (one, other))
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * root)


def main() -> None:
    """Compare, in the peers' environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="the interpreter of an environment with the peers")
    parser.add_argument("--count", type=int, default=300, help="images of each set")
    parser.add_argument("--golden", type=Path, help="write the tests' golden numbers here instead")
    arguments = parser.parse_args()
    if arguments.peers and Path(arguments.peers).absolute() != Path(sys.executable).absolute():
        passed = [argument for argument in sys.argv[1:] if argument not in ("--peers", arguments.peers)]
        os.environ["PYTHONWARNINGS"] = "ignore"
        raise SystemExit(subprocess.call([arguments.peers, __file__, *passed]))
    if arguments.golden:
        write_golden(arguments.golden)
    else:
        compare(arguments.count)


if __name__ == "__main__":
    main()
