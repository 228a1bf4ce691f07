"""The pictures of faces: the same bytes everywhere, and what the traits say."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganlab_faces.attributes import ATTRIBUTES
from ganlab_faces.canvas import Canvas, Frame
from ganlab_faces.drawing import draw_face
from ganlab_faces.sampling import sample_face
from ganlab_faces.shapes import blob, box, disc, ellipse
from ganlab_faces.traits import Face

# Everything can be added to this face.
_SAMPLED = sample_face(0, 0)
PLAIN = replace(
    _SAMPLED,
    hair=replace(_SAMPLED.hair, style="short", beard="none"),
    mouth=replace(_SAMPLED.mouth, style="neutral"),
    glasses=replace(_SAMPLED.glasses, style="none"),
    hat=replace(_SAMPLED.hat, style="none"),
)


def _digest(seed: int, index: int, height: int, width: int) -> str:
    return sha256(draw_face(sample_face(seed, index), height, width).tobytes()).hexdigest()[:16]


GOLDEN = {
    (0, 0, 64, 64): "6e001ad0f1a3f67d",
    (0, 12, 64, 64): "e6afc501e9d63765",
    (0, 21, 32, 32): "5852f7dc4b9b29f3",
    (1, 5, 48, 80): "2f33ae42f6dbd658",
    (123456789, 1000000000, 128, 128): "8c869cb979c70c51",
}


@pytest.mark.parametrize(("where", "digest"), GOLDEN.items())
def test_pixels_are_the_same_on_every_platform(where: tuple[int, int, int, int], digest: str) -> None:
    assert _digest(*where) == digest, "raise ganlab_faces.drawing.VERSION where this is meant"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 80))
def test_any_size_can_be_drawn(index: int, height: int, width: int) -> None:
    pixels = draw_face(sample_face(0, index), height, width)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (height, width, 3)


@pytest.mark.parametrize("index", range(12))
def test_a_size_shows_the_same_face_as_another(index: int) -> None:
    face = sample_face(2, index)
    large = draw_face(face, 128, 128).astype(float).reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    small = draw_face(face, 32, 32).astype(float)
    assert np.abs(large - small).mean() < 3.5


def test_a_longer_side_only_shows_more_surroundings() -> None:
    face = sample_face(0, 14)
    square = draw_face(face, 64, 64).astype(int)
    wide = draw_face(face, 64, 128).astype(int)
    # The face itself; the background's gradient stretches with the picture.
    inner = np.abs(square[20:48, 26:38] - wide[20:48, 58:70])
    assert inner.max() <= 1


def test_everything_stays_in_single_precision() -> None:
    canvas = Canvas(8, 8)
    frame = Frame(canvas, (0.1, 0.0), 0.6, 0.05).turned(0.1, 0.02)
    patch = frame.patch(-0.5, -0.5, 0.5, 0.5)
    assert {frame.x.dtype, frame.y.dtype, canvas.pixels.dtype} == {np.dtype(np.float32)}
    assert patch.cover(blob(patch.x, patch.y, 0.4, 0.4, 0.2)).dtype == np.float32
    assert patch.cover(box(patch.x, patch.y, 0.4, 0.4, 0.2)).dtype == np.float32


@pytest.mark.parametrize("half_tangent", [0.0, 0.3])
def test_coverage_adds_up_to_the_area(half_tangent: float) -> None:
    canvas = Canvas(200, 200)
    frame = Frame(canvas, (0.03, -0.02), 1.0, half_tangent)
    patch = frame.patch(-0.9, -0.9, 0.9, 0.9)
    pixel = 1.0 / frame.scale**2
    for distance, area in (
        (disc(patch.x, patch.y, 0.5), np.pi * 0.25),
        (ellipse(patch.x, patch.y, 0.6, 0.4), np.pi * 0.24),
        (box(patch.x, patch.y, 0.5, 0.3, 0.1), 0.6 - (4 - np.pi) * 0.01),
    ):
        assert patch.cover(distance).sum() * pixel == pytest.approx(area, rel=2e-3)


def test_edges_are_antialiased() -> None:
    canvas = Canvas(32, 32)
    canvas.pixels[:] = 0.0
    patch = Frame(canvas, (0.0, 0.0), 1.0).patch(-1, -1, 1, 1)
    patch.fill(disc(patch.x, patch.y, 0.7), (255.0, 255.0, 255.0))
    levels = np.unique(canvas.to_bytes())
    assert levels[0] == 0
    assert levels[-1] == 255
    assert len(levels) > 6


def _changed(first: Face, second: Face) -> NDArray[np.bool_]:
    before = draw_face(first, 64, 64).astype(int)
    after = draw_face(second, 64, 64).astype(int)
    changed: NDArray[np.bool_] = np.abs(before - after).max(axis=2) > 8
    return changed


def _with(name: str, value: str) -> Face:
    """Return the plain face with one attribute changed."""
    match name:
        case "glasses":
            return replace(PLAIN, glasses=replace(PLAIN.glasses, style=value))
        case "hat":
            return replace(PLAIN, hat=replace(PLAIN.hat, style=value))
        case "mouth":
            return replace(PLAIN, mouth=replace(PLAIN.mouth, style=value))
        case "beard":
            return replace(PLAIN, hair=replace(PLAIN.hair, beard=value))
        case "hair":
            return replace(PLAIN, hair=replace(PLAIN.hair, style=value))
    raise AssertionError(name)


@pytest.mark.parametrize("name", ["glasses", "hat", "mouth", "beard", "hair"])
def test_every_value_of_a_label_looks_different(name: str) -> None:
    attribute = ATTRIBUTES[name]
    faces = [_with(name, value) for value in attribute.names]
    for value, face in zip(attribute.names, faces, strict=True):
        assert attribute.of(face) == value
    pictures = {draw_face(face, 64, 64).tobytes() for face in faces}
    assert len(pictures) == len(faces)
    for one in range(len(faces)):
        for other in range(one):
            assert _changed(faces[one], faces[other]).sum() >= 8, (name, one, other)


def test_glasses_change_the_region_of_the_eyes_and_nothing_else() -> None:
    changed = _changed(PLAIN, _with("glasses", "round"))
    rows = np.flatnonzero(changed.any(axis=1))
    assert changed.sum() > 60
    assert 20 <= rows.min() < rows.max() <= 44


def test_a_smile_changes_the_lower_half_and_nothing_else() -> None:
    changed = _changed(_with("mouth", "neutral"), _with("mouth", "laugh"))
    rows = np.flatnonzero(changed.any(axis=1))
    assert 32 < rows.min() < rows.max() < 60
