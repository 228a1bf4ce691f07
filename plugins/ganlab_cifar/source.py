"""CIFAR's images from whichever of the published forms is there."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ganlab import ComponentError, ImageSource
from ganlab_cifar.formats import Batch, read_names, read_pickle, read_pickled_names, read_rows, refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Form:
    """One of the two forms in which a dataset is published."""

    folder: str
    """What comes out of the archive."""
    archive: str
    """The archive's name."""
    parts: Mapping[str, Sequence[str]]
    """`train` and `test`: their files, in their order."""
    names: Mapping[str, str]
    """Sort of labels -> the file of its class names."""
    pickled: bool
    """Pickled dictionaries, or rows of bytes."""


@dataclass(frozen=True)
class Published:
    """A dataset, as it is published."""

    title: str
    labels: Mapping[str, str]
    """The sorts of labels in the order of their bytes -> the key of their class names."""
    forms: Sequence[Form]
    counts: Mapping[str, int]
    """`train` and `test`: how many images they have."""


_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]
CIFAR10 = Published(
    "CIFAR-10",
    {"labels": "label_names"},
    [
        Form(
            "cifar-10-batches-bin",
            "cifar-10-binary.tar.gz",
            {"train": [f"{name}.bin" for name in _BATCHES], "test": ["test_batch.bin"]},
            {"labels": "batches.meta.txt"},
            pickled=False,
        ),
        Form(
            "cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            {"train": _BATCHES, "test": ["test_batch"]},
            {"labels": "batches.meta"},
            pickled=True,
        ),
    ],
    {"train": 50_000, "test": 10_000},
)
CIFAR100 = Published(
    "CIFAR-100",
    {"coarse_labels": "coarse_label_names", "fine_labels": "fine_label_names"},
    [
        Form(
            "cifar-100-binary",
            "cifar-100-binary.tar.gz",
            {"train": ["train.bin"], "test": ["test.bin"]},
            {"coarse_labels": "coarse_label_names.txt", "fine_labels": "fine_label_names.txt"},
            pickled=False,
        ),
        Form(
            "cifar-100-python",
            "cifar-100-python.tar.gz",
            {"train": ["train"], "test": ["test"]},
            {"coarse_labels": "meta", "fine_labels": "meta"},
            pickled=True,
        ),
    ],
    {"train": 50_000, "test": 10_000},
)


class Cifar(ImageSource):
    """RGB images of 32×32 pixels: the training set before the test set, in their order.

    All forms of a dataset give the same images, labels and fingerprint.

    Args:
        published: which dataset.
        root: a folder or archive as it is published, or the folder around it.
        subset: `train`, `test`, or `all` for whichever are there.
        labels: a sort of the dataset's labels, or `None`.

    Raises:
        ComponentError: a file is missing or damaged.
    """

    def __init__(self, published: Published, root: Path, *, subset: str, labels: str | None) -> None:
        found = find(published, root)
        if found is None:
            wanted = " nor ".join(f"{form.folder}/" for form in published.forms)
            reason = f"holds neither {wanted} nor their archives" if root.is_dir() else "is not a folder"
            raise ComponentError(f"{root} {reason}; {_advice(published, root)}", option="root")
        place, form = found
        chosen = ("train", "test") if subset == "all" else (subset,)
        wanted_files = {name for part in chosen for name in form.parts[part]}
        files = _contents(place, wanted_files | {*form.names.values()})
        parts = [part for part in chosen if any(name in files for name in form.parts[part])]
        if not parts:
            names = " or ".join(form.parts[part][0] for part in chosen)
            raise ComponentError(f"{place} holds no {names}; {_where(published)}", option="root")
        batches = {
            part: [_batch(published, form, place, name, files) for name in form.parts[part]] for part in parts
        }
        self._images: NDArray[np.uint8] = np.concatenate(
            [images for part in parts for images, _ in batches[part]]
        )
        self._labels: NDArray[np.int64] | None = None
        self._class_names: tuple[str, ...] = ()
        if labels is not None:
            self._labels = np.concatenate([found[labels] for part in parts for _, found in batches[part]])
            self._class_names = tuple(_class_names(published, form, place, labels, files))
            if not 0 <= self._labels.min() <= self._labels.max() < len(self._class_names):
                reason = (
                    f"its {labels} run from {self._labels.min()} to {self._labels.max()}, and "
                    f"{form.names[labels]} names {len(self._class_names)} classes"
                )
                raise refusal(str(place), reason)
        counts = {part: sum(len(images) for images, _ in batches[part]) for part in parts}
        self._notes = tuple(
            f"warning: {place} holds {count:,} images of the {part} set of {published.title}, which has "
            f"{published.counts[part]:,}: is it cut off?"
            for part, count in counts.items()
            if count != published.counts[part]
        )

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def fingerprint(self) -> str:
        """Return a digest of all pixels, labels and class names."""
        digest = hashlib.sha256(repr((self._images.shape, self._class_names)).encode())
        digest.update(self._images.tobytes())
        if self._labels is not None:
            digest.update(self._labels.tobytes())
        return digest.hexdigest()

    def labels(self) -> NDArray[np.int64] | None:
        """Return each image's class."""
        return self._labels

    @property
    def class_names(self) -> Sequence[str]:
        """The names of all classes, as they are published."""
        return self._class_names

    @property
    def notes(self) -> Sequence[str]:
        """Whether fewer or more images are there than are published."""
        return self._notes

    def read(self, index: int) -> Image:
        """Return image `index`, as it is."""
        from PIL.Image import fromarray

        return fromarray(np.ascontiguousarray(self._images[index].transpose(1, 2, 0)))


def find(published: Published, root: Path) -> tuple[Path, Form] | None:
    """Return the folder or archive at or in `root`, and its form: unpacked before packed, binary first."""
    folders = ((place, form) for form in published.forms for place in (root, root / form.folder))
    archives = ((place, form) for form in published.forms for place in (root, root / form.archive))
    found = [(place, form) for place, form in folders if _is_unpacked(place, form)]
    found += [(place, form) for place, form in archives if place.name == form.archive and place.is_file()]
    return found[0] if found else None


def _is_unpacked(place: Path, form: Form) -> bool:
    """Return whether a folder is what comes out of the archive, by its name or, renamed, by what is in it."""
    if place.name == form.folder:
        return place.is_dir()
    names, files = form.names.values(), (name for part in form.parts.values() for name in part)
    return any((place / name).is_file() for name in names) and any((place / name).is_file() for name in files)


def _contents(place: Path, names: Collection[str]) -> Mapping[str, bytes]:
    """Return the files of a folder or archive that are there."""
    try:
        if place.is_dir():
            return {name: (place / name).read_bytes() for name in names if (place / name).is_file()}
        contents = {}
        with gzip.open(place) as unzipped:
            with tarfile.open(fileobj=unzipped) as archive:
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if name in names and (file := archive.extractfile(member)):
                        contents[name] = file.read()
            # The checksum of all comes last.
            while unzipped.read(2**20):
                pass
        return contents
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise refusal(str(place), f"it is damaged or cut off ({error})") from error
    except OSError as error:
        raise refusal(str(place), f"it cannot be read: {error.strerror}") from error


def _batch(published: Published, form: Form, place: Path, name: str, contents: Mapping[str, bytes]) -> Batch:
    if name not in contents:
        raise ComponentError(f"{place} holds no {name}; {_where(published)}", option="root")
    read = read_pickle if form.pickled else read_rows
    return read(str(place / name), contents[name], list(published.labels))


def _class_names(
    published: Published, form: Form, place: Path, labels: str, contents: Mapping[str, bytes]
) -> Sequence[str]:
    name = form.names[labels]
    if name not in contents:
        message = f"labels are asked for, but {place} holds no {name}, which names the classes"
        raise ComponentError(message, option="labels")
    if form.pickled:
        return read_pickled_names(str(place / name), contents[name], published.labels[labels])
    return read_names(contents[name])


def _advice(published: Published, root: Path) -> str:
    """Return what `root` should be, where it is near, or else where the dataset is to be had."""
    below = (folder for way in ("*", "*/*") for folder in sorted(root.glob(way)) if folder.is_dir())
    if near := next((folder for folder in below if find(published, folder)), None):
        return f'root = "{near}" does'
    if root.is_file() and find(published, root.parent):
        return f'root = "{root.parent}" does'
    return _where(published)


def _where(published: Published) -> str:
    archives = " or ".join(form.archive for form in published.forms)
    return (
        f"{published.title} can be had at https://www.cs.toronto.edu/~kriz/cifar.html: root is the folder of "
        f"{archives}, or of what comes out of it"
    )
