"""What each kind of sample says of itself: files, levels, layouts, words."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ganlab import ImageSpec, SampleSpec, VectorSpec
from ganlab.samples import UnknownKindError, accepted_kinds

IMAGE = ImageSpec(channels=3, height=5, width=4)
VECTOR = VectorSpec(dimension=2)


def test_all_levels_come_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(IMAGE.quantise(IMAGE.dequantise(levels)), levels)


def test_the_ends_are_exact() -> None:
    unit = IMAGE.dequantise(torch.tensor([0, 255], dtype=torch.uint8))
    assert unit.tolist() == [-1.0, 1.0] and unit.dtype == torch.float32


def test_outside_is_clamped_and_halves_go_to_even() -> None:
    images = torch.tensor([-7.0, 7.0, 0.0, 2 * 128.5 / 255 - 1])
    assert IMAGE.quantise(images).tolist() == [0, 255, 128, 128]
    assert images.tolist()[:3] == [-7.0, 7.0, 0.0]  # Not changed in place.


def test_low_precision_is_quantised_in_float32() -> None:
    images = IMAGE.dequantise(torch.arange(0, 256, 5, dtype=torch.uint8))
    assert torch.equal(IMAGE.quantise(images.to(torch.float64)), IMAGE.quantise(images))
    rounded = images.to(torch.bfloat16)
    assert torch.equal(IMAGE.quantise(rounded), IMAGE.quantise(rounded.float()))


def test_vectors_are_kept_as_they_are() -> None:
    vectors = torch.tensor([[-7.0, 0.1]])
    for form in (VECTOR.quantise, VECTOR.dequantise, VECTOR.to_rows, VECTOR.from_rows):
        assert torch.equal(form(vectors), vectors)
    assert VECTOR.quantise(vectors.double()).dtype == torch.float32


def test_the_memory_format_is_kept() -> None:
    images = IMAGE.from_rows(torch.zeros(2, *IMAGE.row_shape, dtype=torch.uint8))
    assert images.shape == (2, *IMAGE.shape)
    for converted in (images, IMAGE.dequantise(images), IMAGE.quantise(IMAGE.dequantise(images))):
        assert converted.is_contiguous(memory_format=torch.channels_last)


def test_rows_are_the_samples_once_more() -> None:
    rows = torch.arange(2 * 60).view(2, *IMAGE.row_shape)
    assert torch.equal(IMAGE.to_rows(IMAGE.from_rows(rows)), rows)
    assert IMAGE.from_rows(rows)[1, 2, 4, 3] == rows[1, 4, 3, 2]


@pytest.mark.parametrize(
    ("spec", "row_shape", "row_dtype", "row_bytes"),
    [(IMAGE, (5, 4, 3), "|u1", 60), (VECTOR, (2,), "<f4", 8)],
)
def test_rows_are_laid_out_as_packed_data_always_was(
    spec: SampleSpec, row_shape: tuple[int, ...], row_dtype: str, row_bytes: int
) -> None:
    assert (spec.row_shape, spec.row_dtype, spec.row_bytes) == (row_shape, row_dtype, row_bytes)


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        (IMAGE.with_classes(7), {"kind": "image", "channels": 3, "height": 5, "width": 4, "classes": 7}),
        (VECTOR, {"kind": "vector", "dimension": 2, "classes": 0}),
    ],
)
def test_files_hold_kind_and_fields(spec: SampleSpec, values: dict[str, object]) -> None:
    assert list(spec.to_json().items()) == list(values.items())
    assert SampleSpec.from_json(values) == spec


def test_files_of_another_kind_are_told_from_damaged_ones() -> None:
    with pytest.raises(UnknownKindError, match=r"^hologram$"):
        SampleSpec.from_json({"kind": "hologram", "depth": 3})
    with pytest.raises(TypeError):
        SampleSpec.from_json({"kind": "vector", "height": 3})


def test_a_kind_that_files_could_not_name_is_refused() -> None:
    wanted = "must subclass ganlab.SampleSpec directly and define `kind` and `word`"
    with pytest.raises(TypeError, match=f"Wordless {wanted}"):
        type("Wordless", (SampleSpec,), {"kind": "hologram"})
    with pytest.raises(TypeError, match=f"Icon {wanted}"):
        type("Icon", (ImageSpec,), {"kind": "hologram", "word": "icons"})
    with pytest.raises(UnknownKindError):
        SampleSpec.from_json({"kind": "hologram"})


def test_words() -> None:
    assert str(IMAGE) == "3×5×4 images"
    assert str(VECTOR.with_classes(8)) == "2-dimensional vectors, 8 classes"


def test_noise_is_in_the_range_of_samples() -> None:
    torch.manual_seed(0)
    image, vector = IMAGE.noise(100), VECTOR.noise(1000)
    assert image.shape == (100, *IMAGE.shape) and 0.99 < image.abs().max() <= 1
    assert vector.shape == (1000, 2) and vector.abs().max() > 3


def test_the_base_stands_for_every_kind() -> None:
    assert accepted_kinds((VectorSpec,)) == [VectorSpec]
    assert {ImageSpec, VectorSpec} <= {*accepted_kinds((SampleSpec,))}


def test_importing_the_kinds_imports_nothing_heavy() -> None:
    code = "import sys, ganlab.samples\nassert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
