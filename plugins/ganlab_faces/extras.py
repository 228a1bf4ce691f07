"""What is worn: glasses and hats."""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Frame, Patch, Plane
from ganlab_faces.facial_features import EYE_LEVEL
from ganlab_faces.palette import WHITE, Color, darker, lighter
from ganlab_faces.shapes import box, ellipse, glow, parabola, wave
from ganlab_faces.traits import Eyes, Glasses, Hat, Head

__all__ = ["draw_glasses", "draw_hat"]


def draw_glasses(frame: Frame, glasses: Glasses, eyes: Eyes, head: Head) -> None:
    """Draw the glasses, if there are some."""
    if glasses.style == "none":
        return
    reach = head.width + 0.1
    patch = frame.patch(-reach, EYE_LEVEL - 0.36, reach, EYE_LEVEL + 0.4)
    side = np.abs(patch.x)
    x = side - eyes.spacing
    y = patch.y - (EYE_LEVEL + 0.03)
    lens_width = min(eyes.spacing - 0.055, 0.29)
    if glasses.style == "round":
        lens = ellipse(x, y, lens_width, 0.27)
    else:
        lens = box(x, y, lens_width + 0.01, 0.235, 0.1)
    dark = glasses.style == "sunglasses"
    patch.fill(lens.copy(), (30, 30, 38) if dark else WHITE, 0.94 if dark else 0.12)
    if dark:
        shine = glow(x + 0.08, y + 0.1, 0.16, 0.1)
        shine *= 0.5
        patch.paint(shine, (150, 160, 180))
    rim = np.abs(lens)
    rim -= 0.034
    # Bridge and temples are one bar, cut where the lenses are.
    bar = np.abs(y + 0.07)
    bar -= 0.03
    np.maximum(bar, -lens, out=bar)
    np.maximum(bar, side - (head.width + 0.02), out=bar)
    np.minimum(rim, bar, out=rim)
    patch.fill(rim, glasses.color)


def draw_hat(frame: Frame, features: Frame, hat: Hat, head: Head) -> None:
    """Draw the hat, if there is one.

    Args:
        frame: the head's frame.
        features: the frame of the face's features, which the hat's edge goes along.
        hat: what to draw.
        head: what to draw it on.
    """
    if hat.style == "none":
        return
    skull = frame.patch(-1.1, -1.52, 1.1, 0.0)
    face = features.at(skull.rectangle)
    crown = ellipse(skull.x, skull.y + 0.2, head.width + 0.13, 1.08)
    if hat.style == "headband":
        _draw_strip(face, skull, crown, (-0.72, -0.5), hat.color)
        return
    edge = -0.5 if hat.style == "beanie" else -0.52
    dome = np.maximum(crown, _above(face, edge))
    inside = skull.cover(dome)
    skull.paint(inside, hat.color)
    shade = skull.x * 0.3
    shade += 0.2
    np.maximum(shade, 0.0, out=shade)
    shade *= inside
    skull.paint(shade, darker(hat.color, 0.5))
    if hat.style == "beanie":
        ribs = _draw_strip(face, skull, crown - 0.04, (-0.74, -0.42), hat.band)
        ribs *= wave(face.x * 5.0)
        ribs *= 0.3
        skull.paint(ribs, darker(hat.band, 0.5))
        _draw_bobble(skull, hat.band)
        return
    brim = ellipse(face.x, face.y + 0.5, head.width + 0.02, 0.15)
    skull.fill(brim, darker(hat.band, 0.12))
    shadow = ellipse(face.x, face.y + 0.36, head.width - 0.1, 0.1)
    skull.fill(shadow, darker(head.skin, 0.5), 0.25)


def _above(face: Patch, level: float) -> Plane:
    """Return the distance to what lies above a level, which bends down at the sides."""
    height = parabola(face.x, -0.12)
    height += face.y
    height -= level
    return height


def _draw_strip(face: Patch, skull: Patch, crown: Plane, levels: tuple[float, float], color: Color) -> Plane:
    """Draw a strip around the head between two levels; return its coverage."""
    top, bottom = levels
    strip = _above(face, 0.5 * (top + bottom))
    np.abs(strip, out=strip)
    strip -= 0.5 * (bottom - top)
    inside = skull.cover(np.maximum(strip, crown))
    skull.paint(inside, color)
    return inside


def _draw_bobble(skull: Patch, color: Color) -> None:
    """Draw the bobble of a beanie."""
    skull.fill(ellipse(skull.x, skull.y + 1.3, 0.2, 0.18), lighter(color, 0.3))
