"""Hair and beards. Hair is drawn in two layers: behind the head, and over it."""

from __future__ import annotations

import numpy as np

from ganlab_faces.canvas import Frame, Patch, Plane
from ganlab_faces.palette import RIBBON, darker, lighter, mix
from ganlab_faces.shapes import band, box, disc, ellipse, glow, parabola, wave
from ganlab_faces.traits import Hair, HairStyle, Head

__all__ = ["draw_beard", "draw_hair_behind", "draw_hair_over"]

_LONG: frozenset[HairStyle] = frozenset({"bob", "long", "wavy", "pigtails", "fringe"})


def draw_hair_behind(frame: Frame, hair: Hair, head: Head, covered: bool) -> None:
    """Draw what is seen past the head; `covered` where a hat hides the crown."""
    if hair.style == "afro" and not covered:
        _draw_cloud(frame, hair, (0.3, head.width + 0.36, 1.02 + hair.volume), 4.2)
    elif hair.style in ("curly", "afro"):
        _draw_cloud(frame, hair, (0.36, head.width + 0.14, 0.72 + hair.volume), 3.4)
    elif hair.style == "bun" and not covered:
        _draw_bun(frame, hair)
    elif hair.style == "pigtails":
        _draw_pigtails(frame, hair, head)
    elif hair.style in ("bob", "long", "wavy"):
        _draw_length(frame, hair, head)


def _draw_cloud(frame: Frame, hair: Hair, shape: tuple[float, float, float], frequency: float) -> None:
    """Draw curls within an ellipse: its height above the middle, half width and half height."""
    lift, width, height = shape
    patch = frame.patch(-width - 0.1, -lift - height - 0.1, width + 0.1, height - lift + 0.1)
    cloud = ellipse(patch.x, patch.y + lift, width, height)
    cloud += _curls(patch, frequency, 0.07)
    patch.fill(cloud, darker(hair.color, 0.16))


def _draw_bun(frame: Frame, hair: Hair) -> None:
    """Draw a bun on top of the head."""
    patch = frame.patch(-0.5, -1.65, 0.5, -0.7)
    patch.fill(disc(patch.x, patch.y + 1.2, 0.32), darker(hair.color, 0.16))
    shine = glow(patch.x + 0.1, patch.y + 1.3, 0.22, 0.2)
    shine *= 0.3
    patch.paint(shine, lighter(hair.color, 0.35))


def _draw_pigtails(frame: Frame, hair: Hair, head: Head) -> None:
    """Draw a pigtail on each side, with its ribbon."""
    patch = frame.patch(-1.55, -0.35, 1.55, 0.95)
    side = np.abs(patch.x)
    patch.fill(ellipse(side - (head.width + 0.26), patch.y - 0.38, 0.27, 0.46), hair.color)
    patch.fill(disc(side - (head.width + 0.13), patch.y, 0.1), RIBBON)


def _draw_length(frame: Frame, hair: Hair, head: Head) -> None:
    """Draw hair that falls to the chin or over the shoulders."""
    end = 0.78 if hair.style == "bob" else 1.55
    patch = frame.patch(-1.4, -1.35, 1.4, end + 0.1)
    x = patch.x
    if hair.style == "wavy":
        sway = wave(patch.y * 1.5 + 0.25)
        sway *= -0.13
        sway += np.abs(x)
        x = sway
    spread = np.maximum(patch.y + 0.2, 0.0)
    spread *= -0.1
    spread += np.abs(x)
    width = head.width + 0.08 + hair.volume
    # A dome that goes on as straight sides, with rounded ends.
    dome = ellipse(spread, np.minimum(patch.y + 0.15, 0.0), width, 0.96 + hair.volume)
    ends = box(spread, patch.y - (end - 1.0), width, 1.0, 0.3)
    inside = patch.cover(np.where(patch.y < -0.15, dome, ends))
    shade = wave(patch.x * 3.5)
    np.subtract(1.0, shade, out=shade)
    patch.paint_between(inside, shade, darker(hair.color, 0.12), darker(hair.color, 0.34))


def _curls(patch: Patch, frequency: float, depth: float) -> Plane:
    """Return the dents between curls, to be added to a distance."""
    dents = wave((patch.x + patch.y) * (0.7 * frequency))
    dents += wave((patch.x - patch.y) * (0.7 * frequency))
    dents -= 1.4
    dents *= -depth
    return dents


def _hairline(hair: Hair, face: Patch) -> Plane:
    """Return the lower edge of the hair on the forehead, as a height for each pixel."""
    x = face.x
    style = hair.style
    if style == "fringe" or (style in ("bob", "wavy") and hair.part < 0.0):
        line = wave(x * 3.1 + hair.part)
        line *= 0.09
        side = np.abs(x)
        side -= 0.5
        np.maximum(side, 0.0, out=side)
        side *= 2.6
        line += side
        line -= 0.42 + 0.5 * hair.line
    elif style in ("bob", "long", "wavy", "pigtails"):
        line = x - 0.6 * hair.part
        line *= line
        line += 0.02
        np.sqrt(line, out=line)
        line *= 1.15
        side = np.abs(x)
        side -= 0.6
        np.maximum(side, 0.0, out=side)
        side *= 3.2
        line += side
        line -= 0.92 + hair.line
    elif style == "parted":
        line = parabola(x - hair.part, 0.62)
        line += parabola(x, 0.35)
        line -= 0.64 + hair.line
    elif style == "short":
        line = wave(x * 4.0 + hair.part)
        line *= -0.07
        line += parabola(x, 0.95)
        line -= 0.5 + hair.line
    elif style in ("curly", "afro"):
        line = _curls(face, 3.4, 0.05)
        line += parabola(x, 0.9)
        line -= 0.52 + hair.line
    else:
        line = parabola(x, 0.8)
        line -= 0.62 + hair.line
    return line


def draw_hair_over(frame: Frame, features: Frame, hair: Hair, head: Head) -> None:
    """Draw the hair on the head.

    Args:
        frame: the head's frame.
        features: the frame of the face's features, which the hairline goes along.
        hair: what to draw.
        head: what to draw it on.
    """
    if hair.style == "bald":
        patch = frame.patch(-0.65, -0.9, 0.1, -0.4)
        shine = glow(patch.x + 0.28, patch.y + 0.66, 0.34, 0.2)
        shine *= 0.5
        patch.paint(shine, lighter(head.skin, 0.6))
        return
    side = head.width + 0.14
    skull = frame.patch(-side, -1.34, side, 0.95 if hair.style in _LONG else 0.42)
    face = features.at(skull.rectangle)
    crown = _crown(skull, hair, head)
    below = face.y - _hairline(hair, face)
    inside = skull.cover(np.maximum(crown, below, out=crown))
    # From shade between the strands, through the hair's colour, to the light on top.
    curls = hair.style in ("curly", "afro")
    tone = _curls(skull, 3.4, -0.3) if curls else wave((face.x - hair.part) * 3.6)
    tone *= 0.2
    shine = glow(skull.x + 0.3, skull.y + 0.82, 0.62, 0.3)
    shine *= 0.7
    tone += shine
    if hair.style == "buzz":
        inside *= 0.8
        tone *= 0.5
    skull.paint_between(inside, tone, darker(hair.color, 0.14), lighter(hair.color, 0.38))


def _crown(skull: Patch, hair: Hair, head: Head) -> Plane:
    """Return the distance to the outer outline of the hair on the head."""
    if hair.style == "buzz":
        return ellipse(skull.x, skull.y + 0.04, head.width + 0.02, 1.0)
    if hair.style in ("curly", "afro"):
        crown = ellipse(skull.x, skull.y + 0.2, head.width + 0.08, 0.9 + hair.volume)
        crown += _curls(skull, 3.4, 0.05)
        return crown
    shift = 0.06 * hair.part if hair.style in ("parted", "short") else 0.0
    return ellipse(skull.x + shift, skull.y + 0.12, head.width + 0.07, 0.94 + hair.volume)


def draw_beard(frame: Frame, skull: Patch, hair: Hair, head: Head, outline: Plane) -> None:
    """Draw the beard, below the mouth that is drawn later."""
    if hair.beard == "none":
        return
    face = frame.at(skull.rectangle)
    color = mix(darker(hair.color, 0.12), head.skin, 0.1)
    if hair.beard in ("full", "stubble"):
        top = parabola(face.x, -0.6)
        top -= face.y
        top += 0.5
        # Cheeks stay free: the beard climbs towards the ears.
        climb = np.abs(face.x)
        climb -= 0.58
        climb *= -1.6
        np.minimum(climb, 0.62 - face.y, out=climb)
        np.minimum(top, climb, out=top)
        full = hair.beard == "full"
        np.maximum(top, outline - (0.06 if full else 0.0), out=top)
        np.maximum(top, 0.06 - face.y, out=top)
        skull.fill(top, color, 0.95 if full else 0.34)
    if hair.beard == "goatee":
        patch = frame.patch(-0.35, 0.6, 0.35, 1.12)
        patch.fill(box(patch.x, patch.y - 0.88, 0.22, 0.2, 0.15), color)
    if hair.beard in ("moustache", "goatee", "full"):
        patch = frame.patch(-0.42, 0.3, 0.42, 0.62)
        droop = parabola(patch.x, -0.9)
        droop += patch.y
        droop -= 0.43
        patch.fill(band(patch.x, droop, 0.36, 0.085), color)
