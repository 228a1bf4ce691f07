"""Weights & Biases: a run's scalars, pictures, texts and settings, on its server or in files for it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from ganlab import ComponentError, Options, TrackerComponent, hookimpl

if TYPE_CHECKING:
    from ganlab import RunInfo, Tracker

__all__ = ["WandbOptions"]


class WandbOptions(Options):
    """Where the record goes."""

    project: str = "ganlab"
    """The project that the runs stand in; runs of one title are a group of it."""
    entity: str = ""
    """The user or team that the project is of; your own where it is empty."""
    mode: Literal["online", "offline"] = "online"
    """To the server as it happens, or into the run's directory, for `wandb sync`."""
    images: bool = True
    """Pictures too."""


def _build(options: WandbOptions, run: RunInfo) -> Tracker:
    if find_spec("wandb") is None:
        raise ComponentError("needs the package wandb: pip install 'ganlab[wandb]'")

    from ganlab_wandb.tracker import WandbTracker

    return WandbTracker(
        run, project=options.project, entity=options.entity, mode=options.mode, images=options.images
    )


@hookimpl
def ganlab_trackers() -> Iterator[TrackerComponent]:
    """Offer `wandb`."""
    yield TrackerComponent(
        name="wandb",
        summary="Weights & Biases: a run of its own there, continued where a run is resumed",
        options=WandbOptions,
        build=_build,
    )
