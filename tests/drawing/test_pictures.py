"""Pictures, pixel by pixel where it can be said what a pixel must be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganlab.drawing.class_rows import class_rows
from ganlab.drawing.pictures import field, grid, scatter, view, write_png
from ganlab.errors import GanlabError


def test_a_grid_keeps_every_pixel() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 3, 4, 7), dtype=np.uint8)
    sheet = grid(torch.from_numpy(images), columns=3, padding=2)
    assert sheet.shape == (2 * (4 + 2) + 2, 3 * (7 + 2) + 2, 3)
    for index, image in enumerate(images):
        top, left = 2 + index // 3 * 6, 2 + index % 3 * 9
        assert np.array_equal(sheet[top : top + 4, left : left + 7], image.transpose(1, 2, 0))
    assert (sheet[:2] == 255).all()
    assert (sheet[8:12, 2 + 2 * 9 :] == 255).all()


@pytest.mark.parametrize(
    ("count", "height", "width", "expected"), [(64, 8, 8, (64, 64)), (1, 8, 8, (8, 8)), (8, 8, 16, (32, 32))]
)
def test_a_grid_is_about_square(count: int, height: int, width: int, expected: tuple[int, int]) -> None:
    assert grid(np.zeros((count, 1, height, width), np.uint8), padding=0).shape == (*expected, 1)


def test_alpha_is_shown_over_white() -> None:
    colour = np.array([[10, 20, 30, 0], [10, 20, 30, 255], [0, 100, 200, 51]], np.uint8)
    sheet = grid(colour.reshape(3, 4, 1, 1), columns=3, padding=0)
    assert sheet[0].tolist() == [[255, 255, 255], [10, 20, 30], [204, 224, 244]]
    gray = grid(np.array([[0, 255], [0, 0]], np.uint8).reshape(2, 2, 1, 1), columns=2, padding=0)
    assert gray[0].tolist() == [[0], [255]]


RING = np.stack([np.cos(np.arange(0, 6.28, 0.01)), np.sin(np.arange(0, 6.28, 0.01))], 1)


def glow(picture: np.ndarray) -> tuple[int, int]:
    """Return (row, column) of the pixel that is most like a generated point."""
    redness = picture[..., 0].astype(int) - picture[..., 2]
    return tuple(int(place) for place in np.unravel_index(redness.argmax(), redness.shape))


def test_a_point_is_where_it_belongs_and_up_is_up() -> None:
    picture = scatter(np.array([[0.6, 0.6]]), RING, size=241)
    # The view spans 1.2 times the ring's radius: 0.6 is half way from the centre to the edge.
    assert glow(picture) == (60, 180)


def test_a_field_is_green_for_real_violet_for_generated_and_its_lines_point_along_the_gradient() -> None:
    columns = np.linspace(-1, 1, 32)
    logits = np.broadcast_to(4 * columns, (32, 32))
    none = np.empty((0, 2))
    ground = field(logits, none, none, RING, size=240).astype(int)
    left, middle, right = ground[120, 60], ground[120, 120], ground[120, 180]
    assert left[2] > left[1] + 40 and right[1] > right[2] + 30 and middle.min() > 200
    point, direction = np.array([[0.0, 0.3]]), np.array([[0.0, 5.0]])
    drawn = field(logits, point, direction, RING, size=240).astype(int)
    changed = np.argwhere(np.abs(drawn - ground).max(2) > 40)
    # From the point a quarter of the half side above the middle, up by the longest line and no further.
    assert np.abs(changed[:, 1] - 119.5).max() < 4
    assert changed[:, 0].max() == pytest.approx(90, abs=4)
    assert changed[:, 0].min() == pytest.approx(90 - 0.18 * 120, abs=4)


def test_the_view_holds_the_reference_with_a_margin() -> None:
    centre, half = view(np.array([[1.0, 2.0], [3.0, 3.0]]))
    assert centre.tolist() == [2.0, 2.5] and half == pytest.approx(1.2)


def test_what_lies_outside_sits_on_the_edge_and_nan_is_left_out() -> None:
    points = torch.tensor([[50.0, 0.0], [float("nan"), 0.0]])
    assert glow(scatter(points, torch.from_numpy(RING), size=241)) == (120, 240)


def test_the_view_is_the_references_alone() -> None:
    nowhere, elsewhere = np.full((1, 2), 100.0), np.full((1, 2), -100.0)
    one, other = scatter(nowhere, RING, 128), scatter(elsewhere, RING, 128)
    assert np.array_equal(one[10:-10, 10:-10], other[10:-10, 10:-10])


def test_more_dimensions_are_seen_along_the_references_principal_axes() -> None:
    rng = np.random.default_rng(1)
    plane = rng.normal(size=(500, 2)) * [3.0, 1.0]
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    lifted = np.pad(plane, ((0, 0), (0, 3))) @ rotation.T
    picture = scatter(lifted[:1] * 0, lifted, size=128)
    again = scatter(lifted[:1] * 0, lifted.copy(), size=128)
    assert np.array_equal(picture, again)
    bright = np.argwhere(picture[..., 2] > 100).astype(float)
    assert bright[:, 1].std() > 2 * bright[:, 0].std()


def test_one_dimension_and_one_point_are_drawn_too() -> None:
    assert scatter(np.zeros((3, 1)), np.linspace(-1, 1, 50)[:, None], 64).shape == (64, 64, 3)
    assert scatter(np.zeros((1, 2)), np.zeros((1, 2)), 64).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [((4, 6, 3), "RGB"), ((4, 6, 1), "L"), ((4, 6), "L"), ((4, 6, 2), "LA"), ((4, 6, 4), "RGBA")],
)
def test_a_png_comes_back(tmp_path: Path, shape: tuple[int, ...], mode: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_png(tmp_path / "x.png", image)
    with Image.open(tmp_path / "x.png") as read:
        assert read.mode == mode
        assert np.array_equal(np.asarray(read).reshape(shape), image)
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


def test_a_png_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(GanlabError, match=r"cannot write .*x\.png"):
        write_png(tmp_path / "nowhere" / "x.png", np.zeros((2, 2, 3), np.uint8))


@given(classes=st.integers(1, 300), count=st.integers(1, 200), whole=st.booleans())
def test_rows_of_classes_are_in_order_and_as_long_as_one_another(
    classes: int, count: int, whole: bool
) -> None:
    rows = class_rows(range(100, 100 + classes), count, whole=whole)
    side = math.ceil(math.sqrt(count))
    assert sorted(set(rows.classes)) == list(range(100, 100 + min(classes, 2 * side, count)))
    assert list(rows.classes) == sorted(rows.classes) and len(rows.classes) <= 2 * side
    assert len({rows.classes.count(label) for label in rows.classes}) == 1
    assert max(rows.lengths) - min(rows.lengths) <= (not whole) and min(rows.lengths) >= 1
    assert count - len(rows.classes) < sum(rows.lengths) <= count
    assert whole or sum(rows.lengths) == count
    assert rows.labels == sorted(rows.labels) and len(rows.labels) == sum(rows.lengths)


def test_a_grid_has_rows_as_long_as_they_are_to_be() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert grid(images, [3, 2], padding=0)[..., 0].tolist() == [[0, 1, 2], [3, 4, 255]]
