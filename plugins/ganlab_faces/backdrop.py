"""What is behind and below the head: background, neck and clothes."""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Canvas, Frame, Patch, Plane, centres
from ganlab_faces.palette import darker, lighter
from ganlab_faces.shapes import ellipse, wave
from ganlab_faces.traits import Head, Scene

__all__ = ["draw_background", "draw_body"]


def draw_background(canvas: Canvas, scene: Scene) -> None:
    """Fill the canvas with a gradient, from `near` in an upper corner to `far` opposite to it."""
    _, height, width = canvas.pixels.shape
    across = centres(width) * (0.5 * scene.slope / width)
    down = centres(height) * (0.5 / height) + (0.25 - 0.25 * scene.slope)
    share = across + down[:, None]
    near = np.array(scene.near, dtype=np.float32).reshape(3, 1, 1)
    far = np.array(scene.far, dtype=np.float32).reshape(3, 1, 1)
    np.multiply(share, far - near, out=canvas.pixels)
    canvas.pixels += near


def draw_body(frame: Frame, scene: Scene, head: Head) -> None:
    """Draw neck and clothes; `frame` is upright, with the head's position and size."""
    # Clothes reach past the lower edge of pictures of any height.
    depth = 1.15
    patch = frame.patch(-scene.shoulders - 0.1, 0.75, scene.shoulders + 0.1, 30.0)
    x, y = patch.x, patch.y
    down = y - (1.22 + depth)
    np.minimum(down, 0.0, out=down)
    fabric = patch.cover(ellipse(x, down, scene.shoulders, depth))
    patch.paint(fabric, scene.fabric)
    if scene.clothes == "striped":
        stripes = wave(y * 2.6)
        stripes -= 0.5
        stripes *= -0.3
        stripes = patch.cover(stripes)
        stripes *= fabric
        patch.paint(stripes, scene.trim)
    neck = frame.patch(-0.62, 0.5, 0.62, 1.75)
    column = np.abs(neck.x)
    column -= 0.36
    if scene.clothes in ("collar", "open"):
        if scene.clothes == "collar":
            neck.fill(_wedge(neck, 0.6, 1.72), lighter(scene.fabric, 0.55))
        cut = _wedge(neck, 0.4, 1.58)
    else:
        cut = ellipse(neck.x, neck.y - 1.2, 0.39, 0.13)
        neck.fill(cut - 0.07, darker(scene.fabric, 0.18))
    np.maximum(column, neck.y - 1.2, out=column)
    throat = neck.cover(np.minimum(column, cut))
    # The chin's shadow falls on the neck.
    shade = 1.3 - neck.y
    shade *= 1.9
    np.maximum(shade, 0.0, out=shade)
    neck.paint_between(throat, shade, head.skin, darker(head.skin, 0.38))


def _wedge(patch: Patch, half_width: float, tip: float) -> Plane:
    """Return the distance to a V from the neck down to `tip`."""
    side = np.abs(patch.x)
    side *= (tip - 1.1) / half_width
    side += patch.y
    side -= tip
    side *= 0.7
    np.maximum(side, 1.1 - patch.y, out=side)
    return side
