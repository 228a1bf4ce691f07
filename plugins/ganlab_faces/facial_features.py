"""What makes a face a face: eyes, brows and mouth."""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Frame, Patch
from ganlab_faces.palette import WHITE, Color, darker, mix
from ganlab_faces.shapes import band, disc, ellipse, parabola, radius
from ganlab_faces.traits import Brows, Eyes, Mouth

__all__ = ["EYE_LEVEL", "draw_brows", "draw_eyes", "draw_mouth"]

EYE_LEVEL = 0.02
"""Height of the eyes in head units."""
_MOUTH_LEVEL = 0.58
_LASHES: Color = (44, 32, 34)
_PUPIL: Color = (22, 18, 22)
_INSIDE: Color = (110, 30, 40)
_TONGUE: Color = (226, 112, 116)


def draw_eyes(frame: Frame, eyes: Eyes, skin: Color) -> None:
    """Draw both eyes: lashes, white, iris, pupil and the light in it."""
    reach = eyes.spacing + eyes.width + 0.08
    patch = frame.patch(-reach, EYE_LEVEL - eyes.height - 0.12, reach, EYE_LEVEL + eyes.height + 0.1)
    x = patch.x - np.copysign(np.float32(eyes.spacing), patch.x)
    y = patch.y - EYE_LEVEL
    eye = ellipse(x, y, eyes.width, eyes.height)
    # Lashes are a rim that grows upwards.
    lid = y * (0.8 * eyes.lashes / eyes.height)
    lid += eye
    lid -= 0.5 * eyes.lashes
    patch.fill(lid, _LASHES)
    white = patch.cover(eye)
    patch.paint(white, mix(WHITE, skin, 0.08))
    x -= eyes.gaze_x
    y -= eyes.gaze_y
    size = eyes.iris * eyes.height
    middle = radius(x, y)
    for reach, color in ((size, eyes.color), (0.56 * size, _PUPIL)):
        inside = patch.cover(middle - reach)
        inside *= white
        patch.paint(inside, color)
    patch.fill(disc(x + 0.34 * size, y + 0.38 * size, 0.27 * size), WHITE)


def draw_brows(frame: Frame, brows: Brows, eyes: Eyes, color: Color) -> None:
    """Draw the eyebrows, mirrored."""
    level = EYE_LEVEL - eyes.height - brows.lift + 0.13
    length = eyes.width + 0.06
    reach = eyes.spacing + length + 0.05
    patch = frame.patch(-reach, level - 0.16, reach, level + 0.24)
    x = np.abs(patch.x)
    x -= eyes.spacing + 0.02
    height = parabola(x, -brows.arch)
    height += patch.y
    height -= brows.tilt * x
    height -= level
    patch.fill(band(x, height, length, brows.thickness), color)


def draw_mouth(frame: Frame, mouth: Mouth) -> None:
    """Draw the mouth."""
    width = mouth.width
    patch = frame.patch(-width - 0.12, _MOUTH_LEVEL - 0.26, width + 0.12, _MOUTH_LEVEL + 0.42)
    y = patch.y - _MOUTH_LEVEL
    if mouth.style == "surprised":
        _draw_ring(patch, mouth)
        return
    if mouth.style == "neutral":
        curve = parabola(patch.x, 0.25)
        curve += y
        line = band(patch.x, curve, 0.85 * width, mouth.lips)
        below = band(patch.x, y - 0.075, 0.5 * width, 0.75 * mouth.lips)
        patch.fill(below, mouth.color, 0.5)
        patch.fill(line, darker(mouth.color, 0.2))
        return
    # The corners of a smile are up: y falls as x² grows.
    smile = parabola(patch.x, mouth.curve / (width * width))
    smile += y
    if mouth.style == "smile":
        smile -= 0.45 * mouth.curve
        patch.fill(band(patch.x, smile - 0.05, 0.7 * width, 0.8 * mouth.lips), mouth.color, 0.5)
        patch.fill(band(patch.x, smile, width, 1.1 * mouth.lips), darker(mouth.color, 0.25))
        return
    _draw_open(patch, mouth)


def _draw_ring(patch: Patch, mouth: Mouth) -> None:
    """Draw the round mouth of surprise."""
    y = patch.y - (_MOUTH_LEVEL + 0.05)
    size = 0.4 * mouth.width
    patch.fill(ellipse(patch.x, y, size + mouth.lips, 1.2 * size + mouth.lips), mouth.color)
    patch.fill(ellipse(patch.x, y, size, 1.2 * size), _INSIDE)


def _draw_open(patch: Patch, mouth: Mouth) -> None:
    """Draw an open smile: lips, then the inside, teeth and tongue."""
    width = mouth.width
    laugh = mouth.style == "laugh"
    depth = mouth.open * (1.25 if laugh else 0.75)
    y = patch.y - (_MOUTH_LEVEL - 0.06)
    # Both lips are parabolas through the corners, which lie at y = 0.
    hang = 1.0 - parabola(patch.x, 1.0 / (width * width))
    upper = 0.28 * depth * hang
    lower = depth * hang
    gap = np.maximum(upper - y, y - lower)
    gap *= 0.8
    patch.fill(gap - mouth.lips, mouth.color)
    inside = patch.cover(gap)
    patch.paint(inside, _INSIDE)
    if laugh:
        tongue = patch.cover(ellipse(patch.x, y - depth, 0.55 * width, 0.38 * depth))
        tongue *= inside
        patch.paint(tongue, _TONGUE)
    share = 0.55 if laugh else 0.85
    teeth = patch.cover(y - ((1.0 - share) * upper + share * lower))
    teeth *= inside
    patch.paint(teeth, (250, 248, 244))
