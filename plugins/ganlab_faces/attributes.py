"""Attributes of a face that may serve as labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from ganlab_faces.palette import EYE_COLORS, HAIR_COLORS, SKIN_TONES
from ganlab_faces.traits import (
    BeardStyle,
    Face,
    GlassesStyle,
    HairStyle,
    HatStyle,
    MouthStyle,
)

__all__ = ["ATTRIBUTES", "Attribute"]


@dataclass(frozen=True)
class Attribute:
    """Something that can be told about every face.

    Attributes:
        names: its values, in the order of the labels.
        of: reads the value off a face.
    """

    names: tuple[str, ...]
    of: Callable[[Face], str]


def _words(literal: object) -> tuple[str, ...]:
    """Return the words of a `Literal`, in order."""
    return tuple(str(word) for word in get_args(literal))


ATTRIBUTES: dict[str, Attribute] = {
    "smile": Attribute(
        ("not smiling", "smiling"), lambda face: "smiling" if face.mouth.smiling else "not smiling"
    ),
    "mouth": Attribute(_words(MouthStyle), lambda face: face.mouth.style),
    "glasses": Attribute(_words(GlassesStyle), lambda face: face.glasses.style),
    "hair": Attribute(_words(HairStyle), lambda face: face.hair.style),
    "hair-color": Attribute(tuple(HAIR_COLORS), lambda face: face.hair.shade),
    "skin": Attribute(tuple(SKIN_TONES), lambda face: face.head.tone),
    "eyes": Attribute(tuple(EYE_COLORS), lambda face: face.eyes.shade),
    "beard": Attribute(_words(BeardStyle), lambda face: face.hair.beard),
    "hat": Attribute(_words(HatStyle), lambda face: face.hat.style),
}
"""By the word that the option `labels` takes."""
