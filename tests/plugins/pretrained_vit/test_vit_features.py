"""The extractors against numbers of the official DINOv2 code and of transformers' CLIP.

`golden.json` was written by them in float64 (`tests/benchmarks/vit_parity.py --golden`), from the weights
and images that `random_vit.py` makes again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from random_vit import State, as_hugging_face, faces, tiny_clip, tiny_dinov2

import ganlab_pretrained_vit
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab.testing import check_component

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden.json").read_text())
COMPONENTS = {component.name: component for component in ganlab_pretrained_vit.ganlab_features()}
TINY: dict[str, Callable[[], State]] = {"dinov2": tiny_dinov2, "clip": tiny_clip}
SQUARE = ImageSpec(3, 32, 32)
Saved = Callable[..., dict[str, object]]


def build(name: str, image: ImageSpec, options: dict[str, object]) -> FeatureExtractor:
    component = COMPONENTS[name]
    extractor = component.build(component.options(**options), image)
    assert isinstance(extractor, FeatureExtractor)
    return extractor


def test_features_in_every_protocol_are_those_of_the_peers(saved: Saved) -> None:
    files = {name: saved(tiny(), f"{name}.pth") for name, tiny in TINY.items()}
    assert len(GOLDEN) == 2 * 5
    for key, golden in GOLDEN.items():
        protocol, size = key.split(" ")
        height, width = map(int, size.split("×"))
        name = "clip" if protocol in ("cmmd", "openai") else "dinov2"
        image = ImageSpec(3, height, width)
        features = build(name, image, {**files[name], "protocol": protocol}).extract(faces(4, height, width))
        expected = torch.tensor(golden)
        assert features.dtype == torch.float32 and features.shape == (4, 128 if name == "dinov2" else 96)
        difference = (features[:, ::16] - expected).abs().max()
        assert difference <= 1e-5 * expected.abs().max(), key


def test_layouts_and_formats_hold_the_same_network(saved: Saved) -> None:
    state = tiny_clip()
    half = {name: tensor.half() for name, tensor in state.items()}
    text = {"transformer.resblocks.0.ln_1.weight": torch.ones(3), "logit_scale": torch.ones(())}
    hugging_face = {**as_hugging_face(state), "text_model.final_layer_norm.weight": torch.ones(3)}
    images = faces(2, 32, 32)

    def features(state: State, name: str) -> torch.Tensor:
        return build("clip", SQUARE, saved(state, name)).extract(images)

    openai = features({**state, **text}, "openai.pth")
    assert torch.equal(features(hugging_face, "model.safetensors"), openai)
    assert torch.equal(features(hugging_face, "pytorch_model.bin"), openai)
    assert torch.equal(features(half, "half.pth"), features({k: v.float() for k, v in half.items()}, "a.pth"))
    assert torch.allclose(openai.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("name", ["dinov2", "clip"])
def test_it_keeps_what_features_promise(name: str, saved: Saved) -> None:
    check_component(COMPONENTS[name], options=saved(TINY[name]()), spec=ImageSpec(3, 16, 24))


def test_gray_is_seen_as_rgb_of_equal_channels(saved: Saved) -> None:
    options, gray = saved(tiny_dinov2()), faces(2, 32, 32)[:, :1]
    seen = build("dinov2", ImageSpec(1, 32, 32), options).extract(gray)
    assert torch.equal(seen, build("dinov2", SQUARE, options).extract(gray.expand(-1, 3, -1, -1)))


def test_what_is_not_seen(saved: Saved) -> None:
    options = saved(tiny_clip())
    with pytest.raises(ComponentError, match="alpha depends on its background"):
        build("clip", ImageSpec(4, 32, 32), options)
    with pytest.raises(TypeError, match="uint8"):
        build("clip", SQUARE, options).extract(torch.rand(1, 3, 32, 32))


def test_protocols_have_names_and_fingerprints_of_their_own(saved: Saved) -> None:
    options = saved(tiny_dinov2())
    every = [
        build("dinov2", SQUARE, {**options, "protocol": each})
        for each in ("dgm-eval", "dgm-eval-clean", "edm2")
    ]
    assert [each.protocol for each in every] == ["vit-l14-dgm-eval", "vit-l14-dgm-eval-clean", "vit-l14-edm2"]
    assert len({each.fingerprint() for each in every}) == 3
    other = {**tiny_dinov2(), "norm.bias": torch.ones(128)}
    assert build("dinov2", SQUARE, saved(other, "other.pth")).fingerprint() != every[0].fingerprint()
    assert "not on the published file of dinov2 vit-l14" in every[0].warnings[0]
