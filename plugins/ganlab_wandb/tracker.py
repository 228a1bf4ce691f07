"""What a run reports, as Weights & Biases wants it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import wandb

from ganlab import ComponentError, RunInfo, Tracker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["WandbTracker"]

_STEP = "step"
"""The axis of all charts. Wandb's own counter cannot go back, and a run that is resumed may have to."""

_ENDED_WELL = ("completed", "interrupted")


class WandbTracker(Tracker):
    """Follows a run as one run of wandb, of the same id in every session.

    Steps that a session repeats, since the one before came to no checkpoint behind them, are recorded
    again: with the same values, since runs are exact.

    Args:
        run: the run it follows.
        project: the project that it stands in.
        entity: the user or team that the project is of; the user's own where it is empty.
        mode: `online` or `offline`.
        images: whether pictures are recorded.

    Raises:
        ComponentError: wandb cannot begin, as where nobody is logged in.
    """

    def __init__(self, run: RunInfo, *, project: str, entity: str, mode: str, images: bool) -> None:
        self._images = images
        run.directory.mkdir(parents=True, exist_ok=True)
        try:
            self._run = wandb.init(
                project=project,
                entity=entity or None,
                id=run.id.replace("/", "-"),  # what `ganlab evaluate` measured has one
                name=f"{run.title} {run.id}",
                group=run.title,
                config=dict(run.experiment),
                dir=run.directory,
                mode=mode,
                resume="allow",
                reinit="create_new",
                settings=wandb.Settings(console="off", silent=mode == "offline"),
            )
        except (wandb.errors.UsageError, wandb.errors.AuthenticationError) as error:
            raise ComponentError(
                f'wandb cannot begin: {error}\n    with mode = "offline" it keeps the record in the run\'s '
                "directory, and `wandb sync` sends it later"
            ) from error
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Record values by tag."""
        self._run.log({_STEP: step, **values})

    def image(self, tag: str, image: NDArray[np.uint8], step: int) -> None:
        """Record one picture, `(H, W, 1 or 3)` uint8."""
        if self._images:
            shown = image[..., 0] if image.shape[2] == 1 else image
            self._run.log({_STEP: step, tag: wandb.Image(shown)})

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Record a text, as a page of HTML that shows it as it is."""
        self._run.log({_STEP: step, tag: wandb.Html(f"<pre>{html.escape(markdown)}</pre>")})

    def close(self, status: str, metrics: Mapping[str, float]) -> None:
        """End: `status` is the run's, `metrics` its last evaluation."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status in _ENDED_WELL else 1)
