"""Colours of the drawn world, and how they are mixed.

A colour is sRGB with components in [0, 255].
"""

from __future__ import annotations

from typing import TypeAlias

__all__ = [
    "ACCENTS",
    "BACKDROPS",
    "BLACK",
    "EYE_COLORS",
    "HAIR_COLORS",
    "LIP_COLORS",
    "RIBBON",
    "SKIN_TONES",
    "WHITE",
    "Color",
    "darker",
    "lighter",
    "mix",
]

Color: TypeAlias = tuple[float, float, float]

WHITE: Color = (255.0, 255.0, 255.0)
BLACK: Color = (24.0, 20.0, 24.0)

SKIN_TONES: dict[str, Color] = {
    "porcelain": (253, 226, 207),
    "light": (249, 208, 178),
    "warm": (238, 185, 145),
    "olive": (215, 164, 117),
    "tan": (194, 136, 92),
    "brown": (156, 101, 66),
    "dark": (118, 73, 49),
    "deep": (86, 54, 41),
}
"""From the lightest to the darkest."""

HAIR_COLORS: dict[str, Color] = {
    "black": (38, 31, 36),
    "brown": (82, 52, 36),
    "chestnut": (126, 72, 42),
    "blond": (226, 183, 105),
    "red": (190, 86, 40),
    "grey": (168, 168, 174),
    "white": (232, 229, 224),
    "pink": (231, 122, 161),
    "blue": (72, 112, 182),
}

EYE_COLORS: dict[str, Color] = {
    "brown": (96, 58, 34),
    "hazel": (142, 104, 52),
    "green": (72, 138, 92),
    "blue": (66, 132, 196),
    "grey": (112, 128, 142),
}

LIP_COLORS: tuple[Color, ...] = ((196, 60, 70), (214, 88, 100), (168, 44, 66), (206, 98, 78))

BACKDROPS: tuple[Color, ...] = (
    (173, 216, 230),
    (255, 214, 165),
    (202, 231, 193),
    (226, 207, 244),
    (255, 200, 200),
    (252, 236, 178),
    (158, 200, 188),
    (186, 198, 238),
    (94, 134, 172),
    (112, 156, 130),
    (226, 152, 118),
    (146, 118, 164),
    (232, 232, 228),
    (78, 92, 116),
)

ACCENTS: tuple[Color, ...] = (
    (214, 72, 66),
    (238, 150, 62),
    (244, 204, 84),
    (88, 164, 104),
    (58, 140, 148),
    (64, 104, 178),
    (124, 92, 166),
    (222, 120, 150),
    (62, 68, 84),
    (238, 236, 228),
    (118, 84, 64),
    (150, 190, 220),
)
"""Clothes, hats and frames."""

RIBBON: Color = (222.0, 96.0, 120.0)


def mix(first: Color, second: Color, share: float) -> Color:
    """Return `first` with a share in [0, 1] of `second`."""
    return (
        first[0] + (second[0] - first[0]) * share,
        first[1] + (second[1] - first[1]) * share,
        first[2] + (second[2] - first[2]) * share,
    )


def lighter(color: Color, share: float) -> Color:
    """Return the colour with a share in [0, 1] of white."""
    return mix(color, WHITE, share)


def darker(color: Color, share: float) -> Color:
    """Return the colour with a share in [0, 1] of near black."""
    return mix(color, BLACK, share)
