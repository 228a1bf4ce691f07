"""From traits to a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganlab_faces.backdrop import draw_background, draw_body
from ganlab_faces.canvas import Canvas, Frame
from ganlab_faces.extras import draw_glasses, draw_hat
from ganlab_faces.facial_features import draw_brows, draw_eyes, draw_mouth
from ganlab_faces.hair import draw_beard, draw_hair_behind, draw_hair_over
from ganlab_faces.palette import mix
from ganlab_faces.skin import draw_cheeks, draw_ears, draw_head, draw_nose, face_outline
from ganlab_faces.traits import Face

__all__ = ["VERSION", "draw_face"]

VERSION = 1
"""To be raised whenever any pixel or trait changes: caches are keyed by it."""


def draw_face(face: Face, height: int, width: int) -> NDArray[np.uint8]:
    """Return the picture of a face, uint8 RGB `(height, width, 3)`.

    The face fills the shorter side; the longer one shows more of its surroundings.
    """
    pose, hair, hat = face.pose, face.hair, face.hat
    canvas = Canvas(height, width)
    head = Frame(canvas, (pose.x, pose.y), pose.size, pose.roll)
    body = Frame(canvas, (0.6 * pose.x, pose.y), pose.size)
    features = head.turned(pose.turn, pose.nod)
    covered = hat.style in ("beanie", "cap")

    draw_background(canvas, face.scene)
    draw_hair_behind(head, hair, face.head, covered)
    draw_body(body, face.scene, face.head)
    draw_ears(head, face.head, pose.turn)

    skull = head.patch(-1.0, -1.05, 1.0, 1.08)
    outline = face_outline(skull, face.head)
    draw_head(skull, face.head, outline)
    draw_cheeks(features, face.head)
    draw_beard(features, skull, hair, face.head, outline)
    draw_nose(features, face.head)
    draw_eyes(features, face.eyes, face.head.skin)
    draw_mouth(features, face.mouth)
    draw_hair_over(head, features, hair, face.head)
    draw_brows(features, face.brows, face.eyes, mix(hair.color, (48, 34, 32), 0.55))
    draw_hat(head, features, hat, face.head)
    draw_glasses(features, face.glasses, face.eyes, face.head)
    return canvas.to_bytes()
