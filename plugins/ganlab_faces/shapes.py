"""Signed distances, negative inside, and the curves that shapes are cut along.

Distances are to first order: right near the edge, which is all that antialiasing looks at.
Every function returns a new plane.
"""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Plane

__all__ = ["band", "blob", "box", "disc", "ellipse", "glow", "parabola", "radius", "wave"]


def radius(x: Plane, y: Plane) -> Plane:
    """Return √(x² + y²)."""
    square = x * x
    square += y * y
    np.sqrt(square, out=square)
    return square


def disc(x: Plane, y: Plane, size: float) -> Plane:
    """Return the distance to a disc of radius `size` around the origin."""
    distance = radius(x, y)
    distance -= size
    return distance


def ellipse(x: Plane, y: Plane, width: float, height: float) -> Plane:
    """Return the distance to an ellipse with these half axes."""
    mean = 0.5 * (width + height)
    distance = radius(x * (mean / width), y * (mean / height))
    distance -= mean
    return distance


def blob(x: Plane, y: Plane, width: float, height: float, square: float) -> Plane:
    """Return the distance to an ellipse pulled towards its box by `square` in [0, 1)."""
    across = x * (1.0 / width)
    across *= across
    along = y * (1.0 / height)
    along *= along
    distance = across * along
    distance *= -square
    distance += across
    distance += along
    np.maximum(distance, 0.0, out=distance)
    np.sqrt(distance, out=distance)
    distance -= 1.0
    distance *= 0.5 * (width + height)
    return distance


def box(x: Plane, y: Plane, width: float, height: float, corner: float) -> Plane:
    """Return the distance to a box with these half sides and rounded corners."""
    across = np.abs(x)
    across -= width - corner
    along = np.abs(y)
    along -= height - corner
    inside = np.maximum(across, along)
    np.minimum(inside, 0.0, out=inside)
    np.maximum(across, 0.0, out=across)
    np.maximum(along, 0.0, out=along)
    distance = radius(across, along)
    distance += inside
    distance -= corner
    return distance


def parabola(x: Plane, bend: float) -> Plane:
    """Return `bend`·x², the curve of lips, brows and hairlines."""
    curve = x * x
    curve *= bend
    return curve


def band(x: Plane, height: Plane, half_length: float, thickness: float) -> Plane:
    """Return the distance to a stroke that is thickest in its middle.

    Args:
        x: position along the stroke, 0 in its middle.
        height: height above the stroke's middle line.
        half_length: where the stroke ends.
        thickness: half thickness in the middle.
    """
    taper = x * x
    taper *= thickness / (half_length * half_length)
    distance = np.abs(height)
    distance += taper
    distance -= thickness
    return distance


def glow(x: Plane, y: Plane, width: float, height: float) -> Plane:
    """Return a soft spot: 1 in the middle, falling smoothly to 0 at the ellipse."""
    fall = x * (1.0 / width)
    fall *= fall
    along = y * (1.0 / height)
    along *= along
    fall += along
    np.minimum(fall, 1.0, out=fall)
    np.subtract(1.0, fall, out=fall)
    fall *= fall
    return fall


def wave(t: Plane) -> Plane:
    """Return a smooth wave of period 1 between 0 and 1, made of parabolas."""
    phase = t - np.floor(t)
    hump = phase * phase
    phase -= hump
    phase *= 4.0
    return phase
