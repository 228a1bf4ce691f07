"""Attributes of a face that may serve as labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ganlab_faces.palette import EYE_COLORS, HAIR_COLORS, SKIN_TONES
from ganlab_faces.traits import (
    BeardStyle,
    Face,
    GlassesStyle,
    HairStyle,
    HatStyle,
    MouthStyle,
    words,
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


ATTRIBUTES: dict[str, Attribute] = {
    "smile": Attribute(
        ("not smiling", "smiling"), lambda face: "smiling" if face.mouth.smiling else "not smiling"
    ),
    "mouth": Attribute(words(MouthStyle), lambda face: face.mouth.style),
    "glasses": Attribute(words(GlassesStyle), lambda face: face.glasses.style),
    "hair": Attribute(words(HairStyle), lambda face: face.hair.style),
    "hair-color": Attribute(tuple(HAIR_COLORS), lambda face: face.hair.shade),
    "skin": Attribute(tuple(SKIN_TONES), lambda face: face.head.tone),
    "eyes": Attribute(tuple(EYE_COLORS), lambda face: face.eyes.shade),
    "beard": Attribute(words(BeardStyle), lambda face: face.hair.beard),
    "hat": Attribute(words(HatStyle), lambda face: face.hat.style),
}
"""By the word that the option `labels` takes."""
