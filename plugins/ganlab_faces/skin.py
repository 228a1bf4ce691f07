"""The head itself: outline, ears, light and shade, cheeks, freckles and nose."""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Frame, Patch, Plane
from ganlab_faces.palette import ACCENTS, darker, lighter, mix
from ganlab_faces.shapes import band, blob, disc, ellipse, glow, parabola
from ganlab_faces.traits import Head

__all__ = ["draw_cheeks", "draw_ears", "draw_head", "draw_nose", "face_outline"]

_FRECKLES = ((0.36, 0.3), (0.46, 0.38), (0.54, 0.27), (0.3, 0.42))


def face_outline(patch: Patch, head: Head) -> Plane:
    """Return the distance to the outline of the face."""
    taper = np.maximum(patch.y, 0.0)
    taper *= taper
    taper *= head.jaw
    taper += 1.0
    taper *= patch.x
    return blob(taper, patch.y, head.width, 1.0, head.square)


def draw_ears(frame: Frame, head: Head, turn: float) -> None:
    """Draw the ears, which a turning head shows unequally, and their rings."""
    reach = head.width + head.ear
    patch = frame.patch(-reach, -0.25, reach, 0.5)
    side = np.abs(patch.x + 0.5 * turn)
    side -= head.width - 0.01
    height = patch.y - 0.08
    ear = ellipse(side, height, head.ear * 0.8, head.ear * 1.25)
    shade = ear * (-2.2 / head.ear)
    patch.paint_between(patch.cover(ear), shade, head.skin, darker(head.skin, 0.2))
    if head.earrings:
        patch.fill(disc(side, patch.y - 0.34, 0.065), ACCENTS[2])


def draw_head(patch: Patch, head: Head, outline: Plane) -> None:
    """Fill the outline with skin, lit from the upper left."""
    shade = patch.x * (0.3 / head.width)
    shade += 0.22 * patch.y
    shade += outline * 0.4
    # Between 0 and 1 wherever there is skin.
    shade += 0.4
    shadow = mix(darker(head.skin, 0.25), (150, 60, 50), 0.25)
    patch.paint_between(patch.cover(outline.copy()), shade, lighter(head.skin, 0.1), shadow)


def draw_cheeks(frame: Frame, head: Head) -> None:
    """Draw blush and freckles."""
    patch = frame.patch(-0.72, 0.08, 0.72, 0.62)
    side = np.abs(patch.x)
    spot = glow(side - 0.46, patch.y - 0.35, 0.3, 0.25)
    spot *= head.blush
    patch.paint(spot, mix(head.skin, (226, 84, 84), 0.55))
    if head.freckles:
        for x, y in _FRECKLES:
            patch.fill(disc(side - x, patch.y - y, 0.024), darker(head.skin, 0.4), 0.6)


def draw_nose(frame: Frame, head: Head) -> None:
    """Draw the nose, as the shade below it."""
    width = head.nose
    patch = frame.patch(-0.2, 0.2, 0.2, 0.42)
    under = parabola(patch.x, -3.0)
    under += patch.y - 0.31
    patch.fill(band(patch.x, under, width * 1.15, 0.034), darker(head.skin, 0.33))
