"""What a run reports, as TensorBoard wants it."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.text import metadata as text_metadata

from ganlab import RunInfo, Tracker, tags
from ganlab_tensorboard.events import EventFile, mark, rewind
from ganlab_tensorboard.hparams import session_end, session_start
from ganlab_tensorboard.layout import layout_for, layout_summary
from ganlab_tensorboard.lines import constant_rates, divide

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["TensorBoardTracker"]


class TensorBoardTracker(Tracker):
    """Writes an event file per session into the tracker's directory, complete after every call.

    Floors go into a directory inside it: for TensorBoard that is a run of its own, so that a metric and
    its floor are two lines of one chart.

    Beside `balance/accuracy`, a mean over all of the discriminator's turns since the log point
    before, it draws the band in which 95 % of the shares of heads fall in as many coin flips.

    Args:
        run: the run it follows.
        images: whether pictures are written.
        hparams: whether the settings are.
    """

    def __init__(self, run: RunInfo, *, images: bool = True, hparams: bool = True) -> None:
        self._run = run
        self._opened: EventFile | None = None
        self._opened_floor: EventFile | None = None
        self._constant = constant_rates(run.experiment)
        self._images = images
        self._hparams = hparams
        self._tags: set[str] = set()

    @property
    def _file(self) -> EventFile:
        """The session's event file, made when there is something to write."""
        if self._opened is None:
            self._opened = EventFile(self._run.directory, self._start)
            if self._hparams:
                self._opened.add(session_start(self._run), step=0)
        return self._opened

    @property
    def _floor_file(self) -> EventFile:
        if self._opened_floor is None:
            self._opened_floor = EventFile(self._run.directory / tags.FLOOR_RUN, self._start)
        return self._opened_floor

    @property
    def _start(self) -> int:
        return self._run.step + 1 if self._run.step else 0

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Record values by tag, as one event; a new tag gets its place in the layout.

        A learning rate that no schedule moves is left out: the settings have it.
        """
        shown, floors = divide({tag: value for tag, value in values.items() if tag not in self._constant})
        if tags.ACCURACY in shown:
            shown |= self._coin_band(step)
        self._place(shown)
        if shown:
            self._file.add(_scalars(shown), step)
        if floors:
            self._floor_file.add(_scalars(floors), step)

    def image(self, tag: str, image: NDArray[np.uint8], step: int) -> None:
        """Record one picture, `(H, W, 1 or 3)` uint8, as a PNG."""
        if not self._images:
            return
        height, width, channels = image.shape
        picture = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=_png(image)
        )
        self._file.add(Summary(value=[Summary.Value(tag=tag, image=picture)]), step)

    def text(self, tag: str, markdown: str, step: int) -> None:
        """Record a text."""
        content = TensorProto(dtype=DT_STRING, string_val=[markdown.encode()])
        metadata = text_metadata.create_summary_metadata(None, None)
        self._file.add(Summary(value=[Summary.Value(tag=tag, tensor=content, metadata=metadata)]), step)

    def close(self, status: str, metrics: Mapping[str, float]) -> None:
        """Record how the run ended; the HPARAMS page takes metrics from the last scalars."""
        if self._hparams:
            self._file.add(session_end(status), step=0)
        self._file.close()
        if self._opened_floor is not None:
            self._opened_floor.close()

    def mark(self) -> Mapping[str, Any]:
        """Return the sizes of all event files, this session's and earlier ones'."""
        return mark(self._run.directory)

    def rewind(self, mark: Mapping[str, Any] | None, step: int) -> None:
        """Cut event files back; the next one begins by telling a TensorBoard that has read on to forget."""
        rewind(self._run.directory, mark or {})

    def _coin_band(self, step: int) -> dict[str, float]:
        """Return ½ ± 1.96 standard errors of the share of heads in as many flips as there were verdicts."""
        flips = _steps_averaged(self._run, step) * _verdicts_per_step(self._run)
        if flips <= 0:
            return {}
        half = 1.96 * math.sqrt(0.25 / flips)
        return {tags.margin(tags.ACCURACY, "low"): 0.5 - half, tags.margin(tags.ACCURACY, "high"): 0.5 + half}

    def _place(self, shown: Mapping[str, float]) -> None:
        if not self._tags.issuperset(shown):
            self._tags.update(shown)
            self._file.add(layout_summary(layout_for(self._tags, self._run.metrics)), step=0)


def _steps_averaged(run: RunInfo, step: int) -> int:
    """Return how many steps have passed since the log point before this one."""
    every: int = run.experiment.get("training", {}).get("log_every", 0)
    return (step - 1) % every + 1 if every and step else 0


def _verdicts_per_step(run: RunInfo) -> int:
    """Return how many samples, real and fake, the discriminator judges in a training step."""
    training = run.experiment.get("training", {})
    verdicts: int = 2 * training.get("batch_size", 0) * training.get("discriminator_steps", 1)
    return verdicts


def _scalars(values: Mapping[str, float]) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(content, format="PNG")
    return content.getvalue()
