"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) in their published files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from ganlab import DatasetComponent, ImageSource, ImageSpec, Options, hookimpl

IMAGE = ImageSpec(channels=3, height=32, width=32)


class Cifar10Options(Options):
    """What makes a `cifar10` dataset."""

    root: Path
    """The folder of `cifar-10-binary.tar.gz` or `cifar-10-python.tar.gz`, or of what comes out of one
    (`cifar-10-batches-bin/`, `cifar-10-batches-py/`); or one of these itself."""
    subset: Literal["train", "test", "all"] = "all"
    """Which images; `all` takes whichever of the two are there. Papers train on `train`."""
    labels: bool = False
    """Use the ten classes as labels."""


class Cifar100Options(Options):
    """What makes a `cifar100` dataset."""

    root: Path
    """The folder of `cifar-100-binary.tar.gz` or `cifar-100-python.tar.gz`, or of what comes out of one
    (`cifar-100-binary/`, `cifar-100-python/`); or one of these itself."""
    subset: Literal["train", "test", "all"] = "all"
    """Which images; `all` takes whichever of the two are there. Papers train on `train`."""
    labels: Literal["none", "fine", "coarse"] = "none"
    """Labels: `fine` for the 100 classes, `coarse` for the 20 superclasses."""


def build_cifar10(options: Cifar10Options, image: ImageSpec) -> ImageSource:
    """Return the images, training before test."""
    from ganlab_cifar.source import CIFAR10, Cifar

    labels = "labels" if options.labels else None
    return Cifar(CIFAR10, options.root, subset=options.subset, labels=labels)


def build_cifar100(options: Cifar100Options, image: ImageSpec) -> ImageSource:
    """Return the images, training before test."""
    from ganlab_cifar.source import CIFAR100, Cifar

    labels = None if options.labels == "none" else f"{options.labels}_labels"
    return Cifar(CIFAR100, options.root, subset=options.subset, labels=labels)


def recognise_cifar10(path: Path) -> Mapping[str, Any] | None:
    """Return the options for files of CIFAR-10, with labels."""
    from ganlab_cifar.source import CIFAR10, find

    return {"root": path, "labels": True} if find(CIFAR10, path) else None


def recognise_cifar100(path: Path) -> Mapping[str, Any] | None:
    """Return the options for files of CIFAR-100, with the 100 classes."""
    from ganlab_cifar.source import CIFAR100, find

    return {"root": path, "labels": "fine"} if find(CIFAR100, path) else None


@hookimpl
def ganlab_datasets() -> Iterable[DatasetComponent]:
    """Offer `cifar10` and `cifar100`."""
    yield DatasetComponent(
        name="cifar10",
        summary="CIFAR-10 (Krizhevsky, 2009): its binary or Python version, unpacked or as .tar.gz",
        options=Cifar10Options,
        build=build_cifar10,
        image=IMAGE,
        recognise=recognise_cifar10,
    )
    yield DatasetComponent(
        name="cifar100",
        summary="CIFAR-100 (Krizhevsky, 2009): its binary or Python version, unpacked or as .tar.gz",
        options=Cifar100Options,
        build=build_cifar100,
        image=IMAGE,
        recognise=recognise_cifar100,
    )
