"""Names say what a feature is: an image that differs in one thing differs in the feature so named."""

from __future__ import annotations

import pytest
import torch

import ganlab_features
from ganlab import FeatureExtractor, ImageSpec, SampleSpec, VectorSpec

COMPONENTS = {component.name: component for component in ganlab_features.ganlab_features()}


def build(name: str, spec: SampleSpec) -> FeatureExtractor:
    extractor = COMPONENTS[name].build(COMPONENTS[name].options(), spec)
    assert isinstance(extractor, FeatureExtractor)
    return extractor


@pytest.mark.parametrize("name", ["wavelet", "pixels", "random-conv"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (2, 16, 16), (3, 32, 17), (4, 96, 64)])
def test_each_feature_has_a_name_of_its_own(name: str, shape: tuple[int, int, int]) -> None:
    extractor = build(name, ImageSpec(*shape))
    names = extractor.names()
    assert len(set(names)) == len(names)
    features = extractor.extract(torch.zeros(1, *shape, dtype=torch.uint8))
    assert features.shape == (1, len(names))


def test_a_patch_of_colour_is_called_by_colour_and_place() -> None:
    assert changed_by_a_blue_patch("pixels", slice(4, 8), slice(12, 16)) == {"blue, row 1, column 3"}


def test_a_patch_of_colour_is_called_by_the_opponents_that_it_moves() -> None:
    changed = changed_by_a_blue_patch("wavelet", slice(8, 16), slice(24, 32))
    assert {name for name in changed if not name.startswith(("texture", "unevenness"))} == {
        "brightness, row 1, column 3",
        "yellow against blue, row 1, column 3",
        "root of yellow against blue, row 1, column 3",
    }


def changed_by_a_blue_patch(name: str, rows: slice, columns: slice) -> set[str]:
    extractor = build(name, ImageSpec(3, 32, 32))
    images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    images[1, 2, rows, columns] = 255
    black, patched = extractor.extract(images)
    return {each for each, moved in zip(extractor.names(), black != patched, strict=True) if moved}


@pytest.mark.parametrize(("angle", "axis"), [(0, 3), (90, 2)])
def test_stripes_are_called_by_angle_and_place(angle: int, axis: int) -> None:
    extractor = build("wavelet", ImageSpec(1, 32, 32))
    stripes = (torch.arange(32) % 2 * 255).to(torch.uint8)
    image = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    striped = (stripes[None, :] if axis == 3 else stripes[:, None]).expand(32, 32)
    image[0, 0, 16:24, :8] = striped[16:24, :8]
    features = extractor.extract(image)[0]
    names = extractor.names()
    placed = [index for index, each in enumerate(names) if each.startswith("texture") and "scale 0" in each]
    loudest = max(placed, key=lambda index: features[index])
    assert names[loudest] == f"texture {angle}°, scale 0, row 2, column 0"


def test_coordinates_are_numbered() -> None:
    assert build("coordinates", VectorSpec(2)).names() == ["coordinate 0", "coordinate 1"]
