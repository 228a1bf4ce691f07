"""How images are brought to a network of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ganlab import Options

__all__ = ["NetworkOptions"]

Means: TypeAlias = Annotated[list[float], Field(min_length=1, max_length=3)]
Deviations: TypeAlias = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=3)]


class NetworkOptions(Options):
    """A network in a file, and the preprocessing that it was trained with."""

    program: Path
    """File of the network."""
    size: int = Field(ge=1, le=4096)
    """Height and width in pixels that the network reads."""
    mean: Means
    """What is taken out of each channel, of values in [0, 1]; as many as channels that the network reads."""
    std: Deviations
    """What each channel is divided by then."""
    resample: Literal["box", "bilinear", "bicubic", "lanczos"] = "bicubic"
    """Pillow's filter, antialiased."""
    fit: Literal["stretch", "crop", "resize"] = "stretch"
    """`stretch` both sides; `crop` the middle square, then resize; `resize` the shorter side, then crop."""
    finish: Literal["round", "clamp", "none"] = "round"
    """`round` to 8 bits, as most published code; `clamp` floats to what 8 bits hold; `none`: overshoot."""
