"""TensorBoard: scalars, pictures, texts, hyper-parameters and a layout of charts for every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ganlab import Options, TrackerComponent, hookimpl

if TYPE_CHECKING:
    from ganlab import RunInfo, Tracker

__all__ = ["TensorBoardOptions"]


class TensorBoardOptions(Options):
    """What goes into the event files."""

    images: bool = True
    """Pictures too. TensorBoard shows ten per tag; the run's `samples/` has them all."""
    hparams: bool = True
    """The settings, for the HPARAMS page that compares runs."""


def _build(options: TensorBoardOptions, run: RunInfo) -> Tracker:
    from ganlab_tensorboard.tracker import TensorBoardTracker

    return TensorBoardTracker(run, images=options.images, hparams=options.hparams)


@hookimpl
def ganlab_trackers() -> Iterator[TrackerComponent]:
    """Offer `tensorboard`."""
    yield TrackerComponent(
        name="tensorboard",
        summary="Event files for TensorBoard, with a layout of charts and hyper-parameters",
        options=TensorBoardOptions,
        build=_build,
    )
