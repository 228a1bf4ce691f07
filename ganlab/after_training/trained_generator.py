"""A trained generator, with neither its dataset nor its other networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import nn

from ganlab.components import LatentSpec, SampleSpec
from ganlab.config.chosen_generator import ChosenGenerator
from ganlab.drawing.class_rows import ClassRows, class_rows
from ganlab.engine.latents import draw_latents, interpolate, walk_around
from ganlab.engine.sampling import run_generator
from ganlab.errors import UsageError, printable
from ganlab.words import counted

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

__all__ = ["Labels", "TrainedGenerator"]

Labels: TypeAlias = "str | int | Sequence[str | int] | torch.Tensor | None"
"""A class, by its name or its number from 0, for all; or one for each; or `None`: the classes take turns."""

_LISTED = 50
"""Classes that an error names."""

_SHOWN = 16
"""Images that a notebook shows."""

_SHOWN_SIDE = 512
"""Pixels that its picture is enlarged to, at most, by a whole factor: pixels stay sharp."""

_POINTS = 1024
"""Samples that a notebook shows as points."""


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """A generator as a checkpoint has it: what `ganlab.load` returns.

    On a CPU, the same seed makes the same samples as `ganlab sample`. A notebook shows some.

    Attributes:
        generator: `(N, latent.dim) [, labels (N,)] -> (N, *spec.shape)`, float32: an `nn.Module` in
            evaluation mode, whose parameters ask for no gradients.
        latent: the noise that it is fed.
        spec: what it makes: `spec.shape` is `(C, H, W)` of images, whose values are in [-1, 1].
        takes_labels: whether it is called with labels, int64.
        averaged: whether its weights are the averaged ones (EMA).
        step: the step of the checkpoint.
        chosen: the component that built it.
        title: the title of the experiment.
        source: the run's id.
        measurements: what the run measured of this checkpoint, as in its `evaluations.jsonl`: each has
            `evaluator`, `metric`, `value`, `standard_error`, `floor` and more.
        class_names: of the labels, in order; empty where it takes none.
        trained_classes: the labels that it was trained on.
    """

    generator: nn.Module
    latent: LatentSpec
    spec: SampleSpec
    takes_labels: bool
    averaged: bool
    step: int
    chosen: ChosenGenerator
    title: str = ""
    source: str = ""
    measurements: tuple[Mapping[str, Any], ...] = ()
    class_names: tuple[str, ...] = ()
    trained_classes: tuple[int, ...] = ()

    def sample(
        self, count: int = 16, *, seed: int = 0, labels: Labels = None, truncation: float | None = None
    ) -> torch.Tensor:
        """Return new samples, float32 `(count, *spec.shape)` on the CPU; images are in [-1, 1].

        `to_uint8` and `to_pil` turn images into what files hold; `save_grid` writes them.

        Args:
            count: how many.
            seed: of the latents; the same one makes the same samples.
            labels: a class, by name or by number from 0, for all; or one for each sample; the trained
                classes take turns if `None`.
            truncation: share of its distance from the typical sample that each keeps, 0 to 1, where
                the generator can: better ones and fewer kinds.

        Raises:
            UsageError: there is no such class, no training sample was of it, the generator takes no
                labels, or it cannot truncate.
        """
        latents, numbers = self.latents(count, seed=seed), self._labels(count, labels)
        return torch.cat(list(self._made(latents, numbers, seed, truncation)))

    def interpolate(
        self,
        steps: int = 8,
        *,
        rows: int = 1,
        seed: int = 0,
        labels: Labels = None,
        truncation: float | None = None,
    ) -> torch.Tensor:
        """Return samples on the way from one latent to another, float32 `(rows * steps, *spec.shape)`.

        The way stays inside the latents' own distribution: a straight line where they are uniform, a
        great circle where they are normal or on a sphere. A row keeps its class from end to end, since
        labels have no in-between, and all samples have the same noise inputs, where the generator has
        some. `save_grid(path, samples, columns=steps)` shows a row a line.

        Args:
            steps: samples of a row, both ends included; at least 2.
            rows: pairs of latents.
            seed: of the latents.
            labels: a class for all rows, or one for each; the trained classes take turns if `None`.
            truncation: as in `sample`.

        Raises:
            UsageError: there are fewer than 2 steps; or as `sample` does.
        """
        if steps < 2:
            raise UsageError(f"a way has two ends, and so at least 2 steps, not {steps}")
        ends = self.latents(2 * rows, seed=seed)
        latents = interpolate(self.latent, ends[:rows], ends[rows:], steps)
        numbers = self._labels(rows, labels)
        numbers = None if numbers is None else numbers.repeat_interleave(steps)
        return torch.cat(list(self._made(latents, numbers, seed, truncation, still=True)))

    def latents(self, count: int, *, seed: int = 0) -> torch.Tensor:
        """Return latents `(count, latent.dim)`, float32 on the CPU: those of `sample` with this seed.

        Raises:
            UsageError: the count is not positive.
        """
        if count < 1:
            raise UsageError(f"at least one sample has to be made, not {count}")
        return draw_latents(self.latent, count, torch.Generator().manual_seed(seed))

    def batches(
        self,
        count: int,
        *,
        seed: int = 0,
        labels: Labels = None,
        truncation: float | None = None,
        keys: int = 0,
    ) -> Iterator[torch.Tensor]:
        """Return what `sample` does, batch by batch and quantised: memory does not grow with the count.

        Args:
            count: how many.
            seed: as in `sample`.
            labels: as in `sample`; of a walk, one for each leg.
            truncation: as in `sample`.
            keys: latents that are drawn at random to walk around, from one to the next and back to the
                first, each leg in one class; at most `count`. If 0, all are drawn.

        Returns:
            Batches of uint8 images `(n, C, H, W)`, or float32 vectors `(n, dimension)`.

        Raises:
            UsageError: as `sample` does, before anything is made.
        """
        if keys:
            latents, legs = walk_around(self.latent, self.latents(keys, seed=seed), count)
            numbers = self._labels(keys, labels)
            numbers = None if numbers is None else numbers[legs]
        else:
            latents, numbers = self.latents(count, seed=seed), self._labels(count, labels)
        made = self._made(latents, numbers, seed, truncation, still=keys > 0)
        return map(self.spec.quantise, made)

    def to_uint8(self, samples: torch.Tensor) -> torch.Tensor:
        """Return images in [-1, 1] as uint8 of the same shape `(N, C, H, W)`; vectors stay as they are."""
        return self.spec.quantise(samples)

    def to_pil(self, samples: torch.Tensor) -> list[Image]:
        """Return each of the images `(N, C, H, W)`, float in [-1, 1] or uint8, as a Pillow image.

        Raises:
            UsageError: this generator makes no images.
        """
        from ganlab.drawing.pictures import to_pillow

        rows = self._pictures(samples).permute(0, 2, 3, 1).numpy()
        return [to_pillow(image) for image in rows]

    def grid(self, samples: torch.Tensor, *, columns: int | Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Return a picture of samples, uint8 `(H, W, 1 or 3)`: images in a grid, all else as points.

        Args:
            samples: as `sample` returns them, or quantised.
            columns: images in a row, or in each row; about as many as make the grid square if left out.
        """
        from ganlab.drawing.pictures import grid, scatter

        if not self.spec.is_picture:
            points = samples.flatten(1)
            return scatter(points, points)
        return grid(self._pictures(samples), columns, padding=2 if len(samples) > 1 else 0)

    def overview(self, count: int = 64) -> NDArray[np.uint8]:
        """Return a picture of new samples, as `grid` does; where labels are taken, with rows for each class.

        Args:
            count: how many; those that do not fill all rows of classes alike are left out.
        """
        rows = self.class_rows(count, whole=True)
        if rows is None:
            return self.grid(self.sample(count))
        return self.grid(self.sample(len(rows.labels), labels=rows.labels), columns=rows.lengths)

    def class_rows(self, count: int, *, whole: bool = False) -> ClassRows | None:
        """Return how a picture of so many images has rows of one class each; `None` where it has none.

        Args:
            count: images.
            whole: leave out what does not fill all rows alike.
        """
        if not (self.takes_labels and self.spec.is_picture):
            return None
        return class_rows(self.trained_classes, count, whole=whole)

    def save_grid(
        self,
        path: str | Path,
        samples: torch.Tensor | None = None,
        *,
        columns: int | Sequence[int] | None = None,
    ) -> None:
        """Write a picture of samples as a PNG, as `grid` draws it.

        Args:
            path: the file; its directory must be there.
            samples: as `sample` returns them; about 64 if `None`, with rows for each class.
            columns: images in a row, or in each row.

        Raises:
            GanlabError: it cannot be written.
        """
        from ganlab.drawing.pictures import write_png

        picture = self.overview(64) if samples is None else self.grid(samples, columns=columns)
        write_png(Path(path), picture)

    def label_of(self, given: str | int) -> int:
        """Return the label that a class's name, or its number from 0, stands for.

        Where classes are named by numbers, a number in quotes is a name. The parts of a name with commas may
        come in any order, whatever their case and the spaces around them: `Male,Smiling`.

        Raises:
            UsageError: there is no such class, no training sample was of it, or no label is taken.
        """
        if not self.takes_labels:
            raise UsageError("this run's generator takes no labels")
        label = self._named(given) if isinstance(given, str) else index(given)
        if label is None or not 0 <= label < len(self.class_names):
            raise UsageError(f"unknown label {printable(str(given))!r}; the labels are {self._listed()}")
        if label not in self.trained_classes:
            raise UsageError(
                f"no training sample was of class {str(given)!r}: the generator never learned it"
            )
        return label

    def __repr__(self) -> str:
        classes = f", of {counted(len(self.class_names), 'class', 'classes')}" if self.takes_labels else ""
        weights = "averaged weights" if self.averaged else "raw weights"
        what = f"generator of {self.spec.extent} {self.spec.word}{classes}"
        return f"<{what}: {self.title!r}, run {self.source}, step {self.step:,}, {weights}>"

    def _repr_png_(self) -> bytes:
        """Return a picture of a few samples, which notebooks show."""
        from ganlab.drawing.pictures import encode_png

        picture = self.overview(_SHOWN if self.spec.is_picture else _POINTS)
        factor = max(1, _SHOWN_SIDE // max(picture.shape[:2]))
        return encode_png(picture.repeat(factor, 0).repeat(factor, 1))

    def _made(
        self,
        latents: torch.Tensor,
        labels: torch.Tensor | None,
        seed: int,
        truncation: float | None,
        *,
        still: bool = False,
    ) -> Iterator[torch.Tensor]:
        """Return float32 samples batch by batch, on the CPU; if `still`, all with the same noise inputs."""
        if truncation is not None and not hasattr(self.generator, "truncation"):
            raise UsageError(
                "this run's generator cannot trade variety for quality: it has no attribute `truncation`"
            )
        if truncation is not None and not 0 <= truncation <= 1:
            raise UsageError(f"truncation is a share, from 0 to 1, not {truncation:g}")

        def make() -> Iterator[torch.Tensor]:
            with self._truncated(truncation):
                for samples in run_generator(self.generator, latents, labels, seed=seed, still=still):
                    yield samples.cpu()

        return make()

    @contextmanager
    def _truncated(self, share: float | None) -> Iterator[None]:
        if share is None:
            yield
            return
        before = self.generator.truncation
        try:
            self.generator.truncation = share  # type: ignore[assignment]  # a plain float, no module
            yield
        finally:
            self.generator.truncation = before

    def _labels(self, count: int, given: Labels) -> torch.Tensor | None:
        """Return int64 labels `(count,)`; `None` for a generator that takes none."""
        if given is None:
            if not self.takes_labels:
                return None
            return torch.tensor(self.trained_classes)[torch.arange(count) % len(self.trained_classes)]
        if isinstance(given, str | int):
            return torch.full((count,), self.label_of(given))
        several = given.tolist() if isinstance(given, torch.Tensor) else list(given)
        if len(several) != count:
            raise UsageError(f"there must be a label for each of {count}, or one for all, not {len(several)}")
        return torch.tensor([self.label_of(each) for each in several])

    def _named(self, given: str) -> int | None:
        if given in self.class_names:
            return self.class_names.index(given)
        if given.isdecimal() and self._numbers_are_labels:
            return int(given)
        alike = [label for label, name in enumerate(self.class_names) if _parts(name) == _parts(given)]
        return alike[0] if len(alike) == 1 else None

    @property
    def _numbers_are_labels(self) -> bool:
        return not any(name.isdecimal() for name in self.class_names)

    def _listed(self) -> str:
        listed = [
            f"{number} {printable(name)!r}" if self._numbers_are_labels else repr(printable(name))
            for number, name in enumerate(self.class_names[:_LISTED])
        ]
        more = len(self.class_names) - len(listed)
        return ", ".join(listed) + (f" and {more:,} more" if more else "")

    def _pictures(self, samples: torch.Tensor) -> torch.Tensor:
        if not self.spec.is_picture:
            raise UsageError(f"this generator makes {self.spec}, which are not images")
        quantised = self.spec.quantise(samples) if samples.is_floating_point() else samples
        return quantised.detach().cpu()


def _parts(name: str) -> list[str]:
    """Return what stands between the commas of a class's name, in an order and a spelling of its own."""
    return sorted(" ".join(part.casefold().split()) for part in name.split(","))
