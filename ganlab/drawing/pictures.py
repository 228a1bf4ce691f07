"""Pictures of samples: grids of images, and scatters of vectors over the density of the real ones."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganlab.files import explained, write_atomically

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

__all__ = ["encode_png", "field", "grid", "scatter", "to_pillow", "view", "write_png"]

Array: TypeAlias = "NDArray[Any] | torch.Tensor"

_PAPER = 255

# Night sky to pale sand: the real density stays in the background, generated points glow on it.
_DENSITY_COLOURS = np.array(
    [
        [0.000, 16, 18, 32],
        [0.150, 24, 40, 72],
        [0.400, 32, 92, 128],
        [0.700, 92, 160, 164],
        [1.000, 214, 222, 190],
    ]
)
_POINT_COLOUR = np.array([255.0, 122.0, 66.0])

_REAL_COLOUR = np.array([72.0, 168.0, 120.0])
_FAKE_COLOUR = np.array([150.0, 112.0, 196.0])
_DOT_COLOUR = (226, 88, 24)
_LONGEST_ARROW = 0.18
"""Of half the picture's side."""


def grid(images: Array, columns: int | Sequence[int] | None = None, padding: int = 2) -> NDArray[np.uint8]:
    """Lay out images row by row; pixels stay as they are.

    Args:
        images: uint8 `(N, C, H, W)` with 1 (grayscale), 2 (with alpha), 3 (RGB) or 4
            (RGBA) channels; alpha is shown over white.
        columns: images in a row, or in each row; about as many as make the grid square if left out.
        padding: white pixels between and around images.

    Returns:
        uint8 `(H, W, 1)` for one or two channels, `(H, W, 3)` for three or four.
    """
    tiles = _over_white(_numpy(images).transpose(0, 2, 3, 1))
    count, height, width, channels = tiles.shape
    if not isinstance(columns, Sequence):
        length = min(count, columns or math.ceil(math.sqrt(count * height / width)))
        columns = [length] * math.ceil(count / length)
    sheet = np.full(
        (len(columns) * (height + padding) + padding, max(columns) * (width + padding) + padding, channels),
        _PAPER,
        np.uint8,
    )
    places = ((row, column) for row, length in enumerate(columns) for column in range(length))
    for (row, column), tile in zip(places, tiles, strict=False):
        top, left = padding + row * (height + padding), padding + column * (width + padding)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def scatter(points: Array, reference: Array, size: int = 512) -> NDArray[np.uint8]:
    """Draw generated vectors as dots over the density of real ones.

    The view is fixed by the reference alone, so that the pictures of a run can be
    compared; points outside it sit on its edge. Vectors of more than two dimensions
    are seen along the first two principal axes of the reference.

    Args:
        points: generated vectors, `(N, dimension)`.
        reference: real vectors, `(M, dimension)`.
        size: pixels of a side.

    Returns:
        uint8 `(size, size, 3)`, the second axis pointing up.
    """
    from scipy.ndimage import gaussian_filter

    real, drawn = _project(_numpy(reference).astype(np.float64), _numpy(points).astype(np.float64))
    centre, half = view(real)

    density = gaussian_filter(_splat(real, centre, half, size), size / 64)
    level = np.sqrt(density / density.max())
    picture = np.stack(
        [np.interp(level, _DENSITY_COLOURS[:, 0], _DENSITY_COLOURS[:, channel]) for channel in (1, 2, 3)], -1
    )
    # A Gaussian dot whose peak covers most of what is under it; overlapping dots saturate.
    radius = size / 360
    coverage = gaussian_filter(_splat(drawn, centre, half, size), radius) * 2 * math.pi * radius**2
    alpha = 1 - np.exp(-1.6 * coverage)[..., None]
    blended: NDArray[np.uint8] = np.rint(picture * (1 - alpha) + _POINT_COLOUR * alpha).astype(np.uint8)
    return blended


def view(reference: Array) -> tuple[NDArray[np.float64], float]:
    """Return the centre `(2,)` of the square that a picture of the plane shows, and half of its side.

    Args:
        reference: real points, `(M, 2)`, that lie well inside it.
    """
    real = _numpy(reference).astype(np.float64)
    lowest, highest = real.min(0), real.max(0)
    return (highest + lowest) / 2, max(float((highest - lowest).max()) / 2 * 1.2, 1e-6)


def field(
    logits: Array, points: Array, directions: Array, reference: Array, size: int = 512
) -> NDArray[np.uint8]:
    """Draw what a discriminator thinks of the plane, and where it sends generated points.

    Green is taken for real, violet for generated, white is undecided: the colour is tanh(logit / 2),
    made full where it is strongest. Real points are dark dots; generated ones are orange, each with a
    line along the gradient of the logit: the way it has to go to be taken for real.

    Args:
        logits: `(g, g)` on a grid over the `view` of the reference, rows downwards; 0 is undecided.
        points: generated points, `(N, 2)`.
        directions: gradient of the logit at each, `(N, 2)`.
        reference: real points, `(M, 2)`.
        size: pixels of a side.

    Returns:
        uint8 `(size, size, 3)`, the second axis pointing up.
    """
    from PIL import Image, ImageDraw

    height = _numpy(logits).astype(np.float64)
    height = np.tanh(np.nan_to_num(height) / 2)
    height = height / max(float(np.abs(height).max()), 1e-12)
    share = np.abs(height)[..., None]
    colours = np.where(height[..., None] > 0, _REAL_COLOUR, _FAKE_COLOUR)
    ground = np.rint(_PAPER * (1 - share) + colours * share).astype(np.uint8)
    # Drawn at twice the size: lines have no antialiasing of their own.
    large = 2 * size
    picture = Image.fromarray(ground).resize((large, large), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    centre, half = view(reference)

    def place(given: Array) -> NDArray[np.float64]:
        found = (_numpy(given).astype(np.float64) - centre) / half * [1, -1]
        return (found + 1) / 2 * (large - 1)

    for x, y in place(reference):
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(70, 74, 92))
    moved = _numpy(directions).astype(np.float64)
    longest = max(float(np.linalg.norm(moved, axis=1).max(initial=0.0)), 1e-12)
    ends = place(_numpy(points) + moved * (_LONGEST_ARROW * half / longest))
    for (x, y), (end_x, end_y) in zip(place(points), ends, strict=True):
        if np.isfinite((x, y, end_x, end_y)).all():
            draw.line((x, y, end_x, end_y), fill=_DOT_COLOUR, width=2)
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=_DOT_COLOUR)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write `(H, W)` or `(H, W, 1 to 4)` uint8 as a PNG that is either whole or not there.

    Raises:
        GanlabError: it cannot be written.
    """
    content = encode_png(image)
    with explained(f"cannot write {path}"):
        write_atomically(path, content, durable=False)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return `(H, W)` or `(H, W, 1 to 4)` uint8 as the content of a PNG file."""
    content = io.BytesIO()
    to_pillow(image).save(content, format="PNG")
    return content.getvalue()


def to_pillow(image: NDArray[np.uint8]) -> Image:
    """Return `(H, W)` or `(H, W, 1 to 4)` uint8 as an image of Pillow."""
    from PIL.Image import fromarray

    single = image.ndim == 3 and image.shape[2] == 1
    return fromarray(image[..., 0] if single else image)


def _numpy(array: Array) -> NDArray[Any]:
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def _over_white(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend `(N, H, W, 2 or 4)` over white; leave 1 and 3 channels as they are."""
    if tiles.shape[3] in (1, 3):
        return tiles
    colour, alpha = tiles[..., :-1].astype(np.float32), tiles[..., -1:].astype(np.float32) / 255
    blended: NDArray[np.uint8] = np.rint(colour * alpha + _PAPER * (1 - alpha)).astype(np.uint8)
    return blended


def _project(
    real: NDArray[np.float64], drawn: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring vectors of any dimension onto a plane that only the real ones decide."""
    dimension = real.shape[1]
    if dimension == 2:
        return real, drawn
    if dimension == 1:
        return np.pad(real, ((0, 0), (0, 1))), np.pad(drawn, ((0, 0), (0, 1)))
    mean = real.mean(0)
    axes = np.linalg.eigh(np.cov(real.T))[1][:, ::-1][:, :2]
    # An axis has no sign of its own: its largest element is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    return (real - mean) @ axes, (drawn - mean) @ axes


def _splat(
    points: NDArray[np.float64], centre: NDArray[np.float64], half: float, size: int
) -> NDArray[np.float64]:
    """Share each point among the four pixels around it; `(size, size)`, rows downwards."""
    points = points[np.isfinite(points).all(1)]
    place = np.clip((points - centre) / half, -1, 1) * [1, -1]
    place = (place + 1) / 2 * (size - 1)
    corner = np.minimum(place.astype(np.int64), size - 2)
    share = place - corner
    image = np.zeros((size, size))
    for right in (0, 1):
        for down in (0, 1):
            weight = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            np.add.at(image, (corner[:, 1] + down, corner[:, 0] + right), weight)
    return image
