"""What features are called, so that a person can look for them in a picture."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cells", "channel_names", "colour_names"]

CHANNELS = {
    1: ("brightness",),
    2: ("brightness", "opacity"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "opacity"),
}


def channel_names(channels: int) -> Sequence[str]:
    """Return what an image's channels are called."""
    return CHANNELS.get(channels) or tuple(f"channel {index}" for index in range(channels))


def colour_names(channels: int) -> Sequence[str]:
    """Return what brightness, opponent colours, their roots and opacity are called, where there are any."""
    names = channel_names(channels)
    if channels < 3:
        return names
    opponents = ("red against green", "yellow against blue")
    return ("brightness", *opponents, *(f"root of {each}" for each in opponents), *names[3:])


def cells(size: int) -> Sequence[str]:
    """Return what the cells of a square grid are called, row by row from the top left, counted from 0."""
    return [f"row {row}, column {column}" for row in range(size) for column in range(size)]
