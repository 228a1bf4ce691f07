"""The extractor against numbers of torch-fidelity, pytorch-fid and clean-fid.

`golden.json` was written by them (`tests/benchmarks/parity.py --golden`), from the weights and
images that `random_network.py` makes again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from random_network import RandomWeights, faces, others

import ganlab_inception
from ganlab import ComponentError, FeatureBank, FeatureExtractor, ImageSpec
from ganlab.testing import check_component
from ganlab_inception.distances import Fid

pytestmark = pytest.mark.slow

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden.json").read_text())
(COMPONENT,) = ganlab_inception.ganlab_features()
PROTOCOLS = ("fid", "fid-pytorch", "fid-clean")


def build(weights: RandomWeights, side: int = 32, channels: int = 3, **options: object) -> FeatureExtractor:
    spec = ImageSpec(channels, side, side)
    extractor = COMPONENT.build(COMPONENT.options(**weights.options, **options), spec)
    assert isinstance(extractor, FeatureExtractor)
    return extractor


def close(ours: torch.Tensor, theirs: Any) -> bool:
    expected = torch.tensor(theirs)
    return bool((ours - expected).abs().max() <= 1e-5 * expected.abs().max())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_features_and_fid_are_those_of_the_peers(random_weights: RandomWeights, protocol: str) -> None:
    extractor = build(random_weights, protocol=protocol)
    assert extractor.protocol == protocol
    assert "not on the published Inception network" in extractor.warnings[0]
    golden = GOLDEN[f"{protocol} 32"]
    real, fake = extractor.extract(faces(4, 32, seed=0)), extractor.extract(others(4, 32))
    assert real.shape == (4, 2048) and real.dtype == torch.float32
    assert close(real.norm(dim=1), golden["norms"])
    assert close(real[:, ::256], golden["features"])
    (estimate,) = Fid(protocol).evaluate(FeatureBank(real), FeatureBank(fake)).values()  # type: ignore[arg-type]
    assert estimate.value == pytest.approx(golden["fid"], rel=1e-5)
    assert any("singular" in warning for warning in estimate.warnings)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_features_of_larger_images_are_those_of_the_peers(
    random_weights: RandomWeights, protocol: str
) -> None:
    features = build(random_weights, side=64, protocol=protocol).extract(faces(4, 64, seed=0)[:2])
    assert close(features[:, ::256], GOLDEN[f"{protocol} 64"]["features"][:2])


def test_logits_are_those_of_torch_fidelity_without_the_bias(random_weights: RandomWeights) -> None:
    logits = build(random_weights, output="logits").extract(faces(4, 32, seed=0))
    assert logits.shape == (4, 1008)
    assert close(logits[:, ::126], GOLDEN["logits 32"])


def test_the_extractor_keeps_its_promises(random_weights: RandomWeights) -> None:
    check_component(COMPONENT, options=random_weights.options, spec=ImageSpec(3, 16, 24))


def test_an_image_has_the_same_features_in_any_batch(random_weights: RandomWeights) -> None:
    extractor, images = build(random_weights), faces(5, 32, seed=0)
    together = extractor.extract(images)
    alone = torch.cat([extractor.extract(images[:1]), extractor.extract(images[1:])])
    assert (alone - together).abs().max() <= 1e-6 * together.abs().max()


def test_gray_images_are_seen_as_gray_rgb(random_weights: RandomWeights) -> None:
    gray = faces(1, 32, seed=0)[:, :1]
    seen = build(random_weights, channels=1).extract(gray)
    assert torch.equal(seen, build(random_weights).extract(gray.expand(1, 3, 32, 32)))


def test_what_inception_does_not_see(random_weights: RandomWeights) -> None:
    for channels in (2, 4):
        with pytest.raises(ComponentError, match="depends on its background"):
            build(random_weights, channels=channels)
    with pytest.raises(TypeError, match="uint8"):
        build(random_weights).extract(torch.rand(1, 3, 32, 32))


def test_fingerprints_tell_protocols_outputs_and_weights_apart(
    random_weights: RandomWeights, tmp_path: Path
) -> None:
    choices: list[dict[str, object]] = [{"protocol": protocol} for protocol in PROTOCOLS]
    prints = {build(random_weights, **choice).fingerprint() for choice in [*choices, {"output": "logits"}]}
    assert len(prints) == 4
    assert random_weights.sha256 not in prints
