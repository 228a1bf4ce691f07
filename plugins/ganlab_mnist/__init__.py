"""MNIST and its relatives in their IDX files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from ganlab import ComponentError, DatasetComponent, ImageSource, ImageSpec, Options, hookimpl


class MnistOptions(Options):
    """What makes an `mnist` dataset."""

    root: Path
    """The folder of `train-images-idx3-ubyte` and its companions, gzipped or not."""
    subset: Literal["train", "test", "all"] = "all"
    """Which images; `all` takes whichever of the two are there."""
    labels: bool = False
    """Use the digits (or whatever the classes are) as labels; classes are those that occur."""


def build(options: MnistOptions, image: ImageSpec) -> ImageSource:
    """Return the images, training before test."""
    from ganlab_mnist.source import Mnist

    return Mnist(options.root, subset=options.subset, labels=options.labels)


def recognise(path: Path) -> Mapping[str, Any] | None:
    """Return the options for a folder of IDX files, with labels where they can be read."""
    if not any(path.glob("*idx3-ubyte*")):
        return None
    from ganlab_mnist.source import Mnist

    for labels in (True, False):
        with suppress(ComponentError):
            Mnist(path, subset="all", labels=labels)
            return {"root": path, "labels": labels}
    return None


@hookimpl
def ganlab_datasets() -> Iterable[DatasetComponent]:
    """Offer `mnist`."""
    yield DatasetComponent(
        name="mnist",
        summary="MNIST (LeCun et al., 1998), Fashion-, K-, E- and QMNIST: IDX files, gzipped or not",
        options=MnistOptions,
        build=build,
        image=ImageSpec(channels=1, height=28, width=28),
        recognise=recognise,
    )
