"""Path length regularisation: equal steps in the styles make equal changes of the samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ganlab import LossComponent, Options, hookimpl

if TYPE_CHECKING:
    from ganlab import Loss


class PathLengthOptions(Options):
    """Options of path length regularisation."""

    decay: float = Field(0.99, ge=0, lt=1)
    """What remains of the mean path length from one time to the next."""
    shrink: int = Field(2, ge=1)
    """Divisor of the batch: a part of it is enough, and costs less."""


def build_path_length(options: PathLengthOptions) -> Loss:
    """Return the loss."""
    from ganlab_path_length.losses import PathLength

    return PathLength(options.decay, options.shrink)


@hookimpl
def ganlab_losses() -> Iterator[LossComponent]:
    """Offer the loss."""
    yield LossComponent(
        name="path-length",
        summary="(‖∇G‖ − mean)² by the styles; weight 2, every = 4 in StyleGAN2 (Karras et al., 2020)",
        options=PathLengthOptions,
        build=build_path_length,
    )
