from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import ganlab_features
from ganlab import ComponentError, FeatureExtractor, ImageSpec, SampleSpec, VectorSpec
from ganlab_features.wavelet import ORIENTATIONS, RADIUS, Wavelet, morlet_filters

COMPONENTS = {component.name: component for component in ganlab_features.ganlab_features()}
SHAPES = [(1, 28, 28), (2, 16, 16), (3, 64, 64), (3, 32, 17), (3, 20, 256), (4, 96, 64), (3, 256, 256)]


def build(name: str, spec: SampleSpec, **options: object) -> FeatureExtractor:
    component = COMPONENTS[name]
    assert type(spec) in component.accepts
    extractor = component.build(component.options(**options), spec)
    assert isinstance(extractor, FeatureExtractor)
    return extractor


def noise(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("shape", SHAPES)
def test_wavelet_describes_images_of_any_shape(shape: tuple[int, int, int]) -> None:
    images = noise(3, *shape)
    features = build("wavelet", ImageSpec(*shape)).extract(images)
    scales = int(torch.tensor(min(shape[1:]) / 8).log2()) + 1
    colours = shape[0] if shape[0] < 3 else shape[0] + 2
    assert features.shape == (3, 16 * colours + scales * ORIENTATIONS * 17)
    assert features.dtype == torch.float32 and bool(torch.isfinite(features).all())
    assert features.std(0).min() > 0


@pytest.mark.parametrize("name", ["wavelet", "pixels"])
@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 28, 28)])
def test_features_do_not_depend_on_the_batch(name: str, shape: tuple[int, int, int]) -> None:
    extractor, images = build(name, ImageSpec(*shape)), noise(70, *shape)
    images[:10] = 200
    together = extractor.extract(images)
    for sizes in ([1] * 70, [33, 37], [69, 1]):
        parts = torch.cat([extractor.extract(part) for part in images.split(sizes)])
        torch.testing.assert_close(parts, together, rtol=0, atol=1e-5)
    strided = extractor.extract(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(strided, together, rtol=0, atol=1e-5)


def test_morlet_filters_ignore_constants_and_turn_with_the_image() -> None:
    filters = morlet_filters()
    assert filters.shape == (2 * ORIENTATIONS, 1, 2 * RADIUS + 1, 2 * RADIUS + 1)
    assert filters.sum((1, 2, 3)).abs().max() < 1e-7
    modulus = (filters[:ORIENTATIONS] ** 2 + filters[ORIENTATIONS:] ** 2).sqrt()
    assert modulus.sum((1, 2, 3)).tolist() == pytest.approx([1.0] * ORIENTATIONS)
    turned = torch.rot90(filters[0, 0])
    torch.testing.assert_close(turned, filters[ORIENTATIONS // 2, 0], rtol=0, atol=1e-7)


def test_a_flat_image_has_colour_and_no_texture() -> None:
    flat = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    features = build("wavelet", ImageSpec(3, 32, 32)).extract(flat)[0]
    brightness, opponents = 0.299 + 0.2 * 0.114, (1.0, 0.3)
    roots = [(each + 0.01) ** 0.5 - 0.1 for each in opponents]
    colours = torch.tensor([brightness, *opponents, *roots]).repeat_interleave(16)
    torch.testing.assert_close(features[:80], colours)
    assert features[80:].square().max() < 1e-5


def test_roots_of_opponent_colours_have_their_sign_and_opacity_stands_beside_them() -> None:
    colours = torch.tensor([[80, 100, 90, 51], [100, 80, 90, 51]], dtype=torch.uint8)
    images = colours.view(2, 4, 1, 1).expand(2, 4, 32, 32)
    green, red = build("wavelet", ImageSpec(4, 32, 32)).extract(images)[:, : 6 * 16 : 16]
    torch.testing.assert_close(green[[1, 3]], -red[[1, 3]])
    assert red[3] > 2 * red[1] > 0
    assert red[5] == green[5] == pytest.approx(0.2)


def test_stripes_answer_to_their_orientation_and_cell() -> None:
    image = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    image[..., :8, ::2] = 255
    features = build("wavelet", ImageSpec(1, 32, 32)).extract(image)[0]
    cells = features[16 : 16 + 16 * ORIENTATIONS].square().view(ORIENTATIONS, 4, 4)
    assert cells[0, 0].min() > 5 * cells[2, 0].max()
    assert cells[0, 0].min() > 50 * cells[0, 2:].max()


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(ComponentError, match="from 8×8 up, not 7×20"):
        build("wavelet", ImageSpec(3, 7, 20))


def test_pixels_are_means_of_areas() -> None:
    images = noise(5, 3, 16, 24)
    features = build("pixels", ImageSpec(3, 16, 24)).extract(images)
    expected = images.double().view(5, 3, 8, 2, 8, 3).mean((3, 5)).flatten(1) / 255
    torch.testing.assert_close(features.double(), expected, rtol=0, atol=1e-6)
    assert build("pixels", ImageSpec(3, 16, 24), size=1).extract(images).shape == (5, 3)


def test_a_grid_finer_than_the_image_is_refused() -> None:
    with pytest.raises(ComponentError) as refusal:
        build("pixels", ImageSpec(1, 28, 20), size=21)
    assert refusal.value.option == "size"


def test_coordinates_are_the_vector_itself() -> None:
    vectors = torch.randn(4, 2)
    assert torch.equal(build("coordinates", VectorSpec(2)).extract(vectors), vectors)


def test_fingerprints_tell_extractors_apart() -> None:
    image, other = ImageSpec(3, 32, 32), ImageSpec(3, 32, 64)
    prints = [
        build("wavelet", image).fingerprint(),
        build("wavelet", other).fingerprint(),
        build("pixels", image).fingerprint(),
        build("pixels", image, size=4).fingerprint(),
        build("coordinates", VectorSpec(2)).fingerprint(),
    ]
    assert len(set(prints)) == len(prints)
    assert build("wavelet", image).fingerprint() == prints[0]


def test_fingerprints_of_wavelet_are_those_of_its_definition() -> None:
    """Numbers are compared where they are equal: they change with the definition, and with it alone."""
    prints = {channels: build("wavelet", ImageSpec(channels, 32, 32)).fingerprint() for channels in (1, 3)}
    assert prints[1].startswith("f604a3213a") and prints[3].startswith("b110766dac")


def test_only_wavelet_is_standardised() -> None:
    assert Wavelet.standardise
    assert not build("pixels", ImageSpec(3, 32, 32)).standardise


def test_hook_modules_import_no_torch() -> None:
    code = "import sys, ganlab_features, ganlab_mmd, ganlab_frechet; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
