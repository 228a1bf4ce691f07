"""Aligned CelebA faces from the published folder or zip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from ganlab import BadImageError, ComponentError, ImageFiles, ImageSource
from ganlab_celeba.lists import AttributeList, read_partition

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

PUBLISHED_WIDTH, PUBLISHED_HEIGHT = 178, 218
_ATTRIBUTES, _PARTITION = "list_attr_celeba", "list_eval_partition"
_LIST_SUFFIXES = (".txt", ".csv")
_IMAGES = ("img_align_celeba", "img_align_celeba.zip", "img_align_celeba_png", "img_align_celeba_png.zip")
_WHERE = "CelebA can be had at https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (Align&Cropped Images)"


class Celeba(ImageSource):
    """CelebA's aligned faces in their published order, cropped around the centre.

    In the published 178×218 geometry the crop is `min(crop, 178)` wide and `crop` high,
    centred; for 178 it drops 20 rows above and 20 below. Files of another size with the
    same proportions have their crop scaled.

    Args:
        root: holds `img_align_celeba/` or `img_align_celeba.zip` (or the same with `_png`),
            and the lists as `.txt` or `.csv`, side by side or in the published `Img/`, `Anno/`
            and `Eval/`. PNG copies go by the listed names too.
        label: an attribute, several, or empty. Of one, class 0 is -1 and class 1 is 1; of several, each
            combination is a class, the last attribute's changing first.
        split: `all`, or a part of the official partition.
        crop: side of the crop in published pixels.
        missing: `fail`, or `skip` to go without files that are listed but absent.

    Raises:
        ComponentError: something is not there, or not in its format.
    """

    def __init__(
        self, root: Path, *, label: str | Sequence[str], split: str, crop: int, missing: str
    ) -> None:
        self._files = _images(root)
        self._crop = crop
        wanted = list(filter(None, [label] if isinstance(label, str) else label))
        attributes = _attributes(root, needed=bool(wanted))
        classes = _classes(attributes, wanted) if attributes and wanted else None
        members = {name.rpartition("/")[2]: name for name in self._files.names}
        listed = _listed(root, split, attributes, members)
        _add_copies(members, listed)
        if classes is not None:
            unlabeled = [name for name in listed if name not in classes]
            if unlabeled:
                assert attributes is not None
                message = f"{attributes.path.name} has no line for {_some(unlabeled)}"
                raise ComponentError(message, option="label")
        absent = [name for name in listed if name not in members]
        if absent and missing == "fail":
            message = (
                f"of {len(listed):,} listed images, {self._files.root} does not hold {len(absent):,}: "
                f'{_some(absent)}; missing = "skip" goes without them'
            )
            raise ComponentError(message, option="missing")
        present = [name for name in listed if name in members]
        if not present:
            what = "images" if split == "all" else f"images of the {split!r} partition"
            raise ComponentError(f"there are no {what} in {self._files.root}", option="split")
        self._names = [members[name] for name in present]
        unused = len(self._files) - len(set(self._names)) if split == "all" else 0
        self._notes = tuple(_notes(self._files, attributes, len(absent), unused))
        self._labels: NDArray[np.int64] | None = None
        self._class_names: tuple[str, ...] = ()
        if classes is not None:
            self._labels = np.array([classes[name] for name in present], dtype=np.int64)
            each = [(f"not {attribute}", attribute) for attribute in wanted]
            self._class_names = tuple(", ".join(names) for names in product(*each))

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self._names)

    def fingerprint(self) -> str:
        """Return a digest of the files, the crop and the labels."""
        labels = None if self._labels is None else hashlib.sha256(self._labels.tobytes()).hexdigest()
        content = [self._files.fingerprint(self._names), self._crop, labels]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def labels(self) -> NDArray[np.int64] | None:
        """Return whether each face has the attribute, or the number of its combination of several."""
        return self._labels

    @property
    def class_names(self) -> Sequence[str]:
        """Absence and presence, as in ("not Smiling", "Smiling"), or the combinations of several."""
        return self._class_names

    @property
    def notes(self) -> Sequence[str]:
        """What was left out, and where the lists contradict themselves."""
        return self._notes

    def revisions(self) -> list[str]:
        """Return a text for each face that changes with its file and the crop."""
        return [f"{self._crop}\0{revision}" for revision in self._files.revisions(self._names)]

    def read(self, index: int) -> Image:
        """Return face `index`, cropped."""
        name = self._names[index]
        image = self._files.open(name)
        if abs(image.width * PUBLISHED_HEIGHT / PUBLISHED_WIDTH - image.height) > 1.5:
            size = f"{image.width}×{image.height} pixels, not of the aligned images' 178×218 proportions"
            raise BadImageError(self._files.place(name), size)
        return image.crop(crop_box(image.width, image.height, self._crop))

    def place(self, index: int) -> str:
        """Return the path of the file of image `index`."""
        return self._files.place(self._names[index])


def crop_box(width: int, height: int, crop: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the centred crop in an image of any size."""
    inner_width = round(width * min(crop, PUBLISHED_WIDTH) / PUBLISHED_WIDTH)
    inner_height = inner_width if crop <= PUBLISHED_WIDTH else round(height * crop / PUBLISHED_HEIGHT)
    inner_width, inner_height = max(1, inner_width), max(1, min(height, inner_height))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    return (left, top, left + inner_width, top + inner_height)


def _images(root: Path) -> ImageFiles:
    found = find_images(root)
    if found is None:
        message = f"{root} holds neither img_align_celeba/ nor img_align_celeba.zip; {_advice(root)}"
        raise ComponentError(message, option="root")
    return ImageFiles(found, extensions=(".jpg", ".jpeg", ".png"), option="root")


def find_images(root: Path) -> Path | None:
    """Return the folder or archive of the images below `root`; `None` if there is none."""
    places = (folder / name for folder in (root, root / "Img") for name in _IMAGES)
    return next((place for place in places if place.exists()), None)


def _advice(root: Path) -> str:
    """Return what `root` should be, where it is near, or else where CelebA is to be had."""
    if root.name in _IMAGES:
        return f'it is the folder of the images itself: root = "{root.parent}" is the one around it'
    if root.is_file():
        return "root takes a folder: unpack an archive that holds both images and lists"
    below = (folder for way in ("*", "*/*") for folder in sorted(root.glob(way)) if folder.is_dir())
    if near := next((folder for folder in below if find_images(folder)), None):
        return f'root = "{near}" does'
    return _WHERE


def _find_list(root: Path, name: str) -> Path | None:
    folders = (root, root / "Anno", root / "Eval")
    places = (folder / f"{name}{suffix}" for suffix in _LIST_SUFFIXES for folder in folders)
    return next((place for place in places if place.is_file()), None)


def _list(root: Path, name: str, option: str) -> Path:
    path = _find_list(root, name)
    if path is None:
        raise ComponentError(
            f"{root} holds no {name}.txt or .csv, which {option} needs; {_WHERE}", option=option
        )
    return path


def _attributes(root: Path, *, needed: bool) -> AttributeList | None:
    path = _list(root, _ATTRIBUTES, "label") if needed else _find_list(root, _ATTRIBUTES)
    return None if path is None else AttributeList(path)


def _classes(attributes: AttributeList, wanted: Sequence[str]) -> dict[str, int]:
    """Return file name -> class: the attributes' bits, the first one's highest."""
    if len({*wanted}) < len(wanted):
        repeated = next(name for name in wanted if wanted.count(name) > 1)
        raise ComponentError(f"names {repeated} twice", option="label")
    classes: dict[str, int] = {}
    for attribute in wanted:
        values = attributes.values(attribute)
        classes = {name: 2 * classes.get(name, 0) + value for name, value in values.items()}
    return classes


def _listed(root: Path, split: str, attributes: AttributeList | None, members: dict[str, str]) -> list[str]:
    """Return the images that ought to be there: as listed, or all where there is no list."""
    if split != "all":
        return read_partition(_list(root, _PARTITION, "split"), split)
    if attributes is not None:
        return attributes.names
    if partition := _find_list(root, _PARTITION):
        return read_partition(partition, "all")
    return sorted(members)


def _add_copies(members: dict[str, str], listed: Sequence[str]) -> None:
    """Let copies of listed images in another format (`000001.png` of `000001.jpg`) go by the listed name."""
    by_stem = {PurePosixPath(name).stem: member for name, member in members.items()}
    for name in listed:
        if name not in members and (copy := by_stem.get(PurePosixPath(name).stem)):
            members[name] = copy


def _notes(files: ImageFiles, attributes: AttributeList | None, absent: int, unused: int) -> Iterator[str]:
    if attributes and attributes.announced not in (None, len(attributes.names)):
        yield (
            f"warning: {attributes.path} announces {attributes.announced:,} images and lists "
            f"{len(attributes.names):,}: is it cut off?"
        )
    if absent:
        yield f"left out of the lists, as {files.root} does not hold them: {absent:,}"
    if unused:
        yield f"left out of {files.root}, as no list names them: {unused:,}"
    if left_out := files.describe_left_out():
        yield f"left out of {files.root}, as they are not .jpg or .png: {left_out}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
