from __future__ import annotations

import io
import os
import pickle
import re
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from ganlab import ComponentError, DatasetComponent, ImageSource, ImageSpec
from ganlab.data.packing import pack
from ganlab.testing import check_component
from ganlab_cifar import ganlab_datasets

COMPONENTS: dict[str, DatasetComponent] = {component.name: component for component in ganlab_datasets()}
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 3, 32, 32), np.uint8)
"""Two for each training batch, two to test."""
TEN = np.array([9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 4, 4], np.uint8)
FINE, COARSE = np.arange(99, 87, -1, dtype=np.uint8), np.arange(12, dtype=np.uint8)
NAMES = {
    "label_names": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "fine_label_names": [f"fine_{number}" for number in range(100)],
    "coarse_label_names": [f"coarse_{number}" for number in range(20)],
}


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote, as the published files were: every string as bytes."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def string(self, text: str | bytes) -> None:
        content = text.encode() if isinstance(text, str) else text
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)  # type: ignore[attr-defined]
        self.memoize(text)  # type: ignore[attr-defined]

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = obj.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{name or obj.__qualname__}\n".encode())  # type: ignore[attr-defined]

    dispatch[str] = dispatch[bytes] = string
    dispatch[type] = dispatch[type(len)] = save_global


def python2(content: Any) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(content)
    return file.getvalue()


def rows(part: slice, *labels: NDArray[np.uint8]) -> bytes:
    return np.column_stack([*(each[part] for each in labels), IMAGES[part].reshape(-1, 3072)]).tobytes()


def batch(part: slice, **labels: NDArray[np.uint8]) -> bytes:
    lists = {name: each[part].tolist() for name, each in labels.items()}
    return python2({"batch_label": "one of 5", "data": IMAGES[part].reshape(-1, 3072), **lists})


def text(key: str) -> bytes:
    return ("\n".join(NAMES[key]) + "\n\n").encode()


def ten(part: slice, pickled: bool) -> bytes:
    return batch(part, labels=TEN) if pickled else rows(part, TEN)


def hundred(part: slice, pickled: bool) -> bytes:
    return batch(part, fine_labels=FINE, coarse_labels=COARSE) if pickled else rows(part, COARSE, FINE)


TRAIN, TEST = slice(0, 10), slice(10, 12)
FILES: dict[str, dict[str, bytes]] = {
    "cifar-10-batches-bin": {
        **{f"data_batch_{n}.bin": ten(slice(2 * n - 2, 2 * n), False) for n in range(1, 6)},
        "test_batch.bin": ten(TEST, False),
        "batches.meta.txt": text("label_names"),
    },
    "cifar-10-batches-py": {
        **{f"data_batch_{n}": ten(slice(2 * n - 2, 2 * n), True) for n in range(1, 6)},
        "test_batch": ten(TEST, True),
        "batches.meta": python2({"label_names": NAMES["label_names"], "num_vis": 3072}),
    },
    "cifar-100-binary": {
        "train.bin": hundred(TRAIN, False),
        "test.bin": hundred(TEST, False),
        "fine_label_names.txt": text("fine_label_names"),
        "coarse_label_names.txt": text("coarse_label_names"),
    },
    "cifar-100-python": {
        "train": hundred(TRAIN, True),
        "test": hundred(TEST, True),
        "meta": python2({key: NAMES[key] for key in ("fine_label_names", "coarse_label_names")}),
    },
}
ARCHIVES = {
    "cifar-10-batches-bin": "cifar-10-binary.tar.gz",
    "cifar-10-batches-py": "cifar-10-python.tar.gz",
    "cifar-100-binary": "cifar-100-binary.tar.gz",
    "cifar-100-python": "cifar-100-python.tar.gz",
}


def unpack(root: Path, form: str) -> Path:
    folder = root / form
    folder.mkdir(parents=True)
    for name, content in FILES[form].items():
        (folder / name).write_bytes(content)
    return folder


def archive(root: Path, form: str) -> Path:
    path = root / ARCHIVES[form]
    with tarfile.open(path, "w:gz") as packed:
        for name, content in FILES[form].items():
            member = tarfile.TarInfo(f"{form}/{name}")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return path


def component(form: str) -> DatasetComponent:
    return COMPONENTS["cifar100" if "100" in form else "cifar10"]


def source(form: str, root: Path, **options: Any) -> ImageSource:
    record = component(form)
    built = record.build(record.options(root=root, **options), ImageSpec(3, 32, 32))
    assert isinstance(built, ImageSource)
    return built


def pixels(images: ImageSource) -> NDArray[np.uint8]:
    return np.stack([np.asarray(images.read(index)) for index in range(len(images))])


def labelled(form: str) -> dict[str, Any]:
    return {"labels": "fine" if "100" in form else True}


@pytest.mark.parametrize("make", [unpack, archive])
@pytest.mark.parametrize("form", FILES)
def test_every_form_gives_the_same(tmp_path: Path, form: str, make: Callable[[Path, str], Path]) -> None:
    made = make(tmp_path, form)
    images = source(form, tmp_path, **labelled(form))
    assert np.array_equal(pixels(images), IMAGES.transpose(0, 2, 3, 1))
    labels = images.labels()
    assert labels is not None and labels.dtype == np.int64
    assert labels.tolist() == (FINE if "100" in form else TEN).tolist()
    assert list(images.class_names) == NAMES["fine_label_names" if "100" in form else "label_names"]
    assert source(form, made, **labelled(form)).fingerprint() == images.fingerprint()
    other = tmp_path / "other"
    unpack(other, "cifar-100-binary" if "100" in form else "cifar-10-batches-bin")
    assert source(form, other, **labelled(form)).fingerprint() == images.fingerprint()
    check_component(component(form), options={"root": tmp_path, **labelled(form)})


def test_coarse_labels(tmp_path: Path) -> None:
    for form in ("cifar-100-binary", "cifar-100-python"):
        images = source(form, unpack(tmp_path, form), labels="coarse")
        labels = images.labels()
        assert labels is not None and labels.tolist() == COARSE.tolist()
        assert list(images.class_names) == NAMES["coarse_label_names"]


@pytest.mark.parametrize("form", FILES)
def test_subsets(tmp_path: Path, form: str) -> None:
    folder = unpack(tmp_path, form)
    prints = set()
    for subset, part in (("train", TRAIN), ("test", TEST), ("all", slice(None))):
        images = source(form, tmp_path, subset=subset)
        assert np.array_equal(pixels(images), IMAGES[part].transpose(0, 2, 3, 1))
        assert images.labels() is None and images.class_names == ()
        prints |= {
            images.fingerprint(),
            source(form, tmp_path, subset=subset, **labelled(form)).fingerprint(),
        }
    assert len(prints) == 6
    (test,) = (name for name in FILES[form] if name.startswith("test"))
    (folder / test).unlink()
    assert len(source(form, tmp_path)) == 10
    with pytest.raises(ComponentError, match=rf"holds no {re.escape(test)}; CIFAR-100? can be had at .*kriz"):
        source(form, tmp_path, subset="test")


def test_colours_are_packed_exactly(tmp_path: Path) -> None:
    unpack(tmp_path, "cifar-10-batches-py")
    store = pack(source("cifar-10", tmp_path, labels=True), ImageSpec(3, 32, 32), progress=False)
    assert np.array_equal(store.samples, IMAGES.transpose(0, 2, 3, 1)) and store.spec.classes == 10


def test_what_is_unpacked_goes_first_and_may_be_renamed(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"never read")
    folder = unpack(tmp_path, "cifar-10-batches-py")
    assert len(source("cifar-10", tmp_path)) == 12
    folder.rename(tmp_path / "ten")
    assert len(source("cifar-10", tmp_path / "ten")) == 12


def test_the_fingerprint_is_of_pixels_and_labels(tmp_path: Path) -> None:
    file = unpack(tmp_path, "cifar-10-batches-bin") / "test_batch.bin"
    content = bytearray(file.read_bytes())
    prints = []
    for place in (0, 0, 1):  # a label, once more, a pixel
        prints.append(source("cifar-10", tmp_path, labels=True).fingerprint())
        content[place] ^= 1
        file.write_bytes(content)
    assert len({*prints, source("cifar-10", tmp_path, labels=True).fingerprint()}) == 3


def test_too_few_images_are_told(tmp_path: Path) -> None:
    unpack(tmp_path, "cifar-10-batches-bin")
    train, test = source("cifar-10", tmp_path).notes
    assert "holds 10 images of the train set of CIFAR-10, which has 50,000: is it cut off?" in train
    assert "holds 2 images of the test set" in test


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    (unpack(tmp_path, "cifar-10-batches-bin") / "data_batch_3.bin").unlink()
    with pytest.raises(ComponentError, match=r"holds no data_batch_3\.bin; CIFAR-10 can be had") as caught:
        source("cifar-10", tmp_path)
    assert caught.value.option == "root"


@pytest.mark.parametrize("form", FILES)
def test_missing_names_are_asked_for_with_labels_alone(tmp_path: Path, form: str) -> None:
    folder = unpack(tmp_path, form)
    for name in ("batches.meta.txt", "batches.meta", "fine_label_names.txt", "meta"):
        (folder / name).unlink(missing_ok=True)
    assert len(source(form, tmp_path)) == 12
    with pytest.raises(ComponentError, match=r"labels are asked for, but .* holds no \S+, which") as caught:
        source(form, tmp_path, **labelled(form))
    assert caught.value.option == "labels"


class Trap:
    """What a pickle that runs something looks like."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("sprung",)


GOOD = FILES["cifar-10-batches-py"]["test_batch"]
DAMAGED = [
    ("cifar-10-batches-bin", b"", "rows of 1 \\+ 3072 bytes, but 0 bytes are no whole number"),
    ("cifar-10-batches-bin", ten(TEST, False)[:-1], "but 6,145 bytes are no whole number of them"),
    ("cifar-10-batches-bin", b"\x0a" + bytes(3072), "labels run from 0 to 10, and .*txt names 10 classes"),
    ("cifar-100-binary", hundred(TEST, False) + b"x", "rows of 2 \\+ 3072 bytes, but 6,149 bytes"),
    ("cifar-10-batches-py", GOOD[:-200], "damaged or cut off, or is no pickle"),
    ("cifar-10-batches-py", b"<html>", "damaged or cut off, or is no pickle"),
    ("cifar-10-batches-py", b"", "damaged or cut off, or is no pickle"),
    ("cifar-10-batches-py", pickle.dumps([1]), "holds a list, where a dictionary is wanted"),
    (
        "cifar-10-batches-py",
        pickle.dumps({"data": Trap()}),
        f"asks for {os.mkdir.__module__}.mkdir, .* not run",
    ),
    ("cifar-10-batches-py", pickle.dumps(Trap()), f"asks for {os.mkdir.__module__}.mkdir, .* not run"),
    ("cifar-10-batches-py", pickle.dumps({"data": 3}), "rows of 3072 bytes; there is none"),
    (
        "cifar-10-batches-py",
        python2({"data": np.zeros((2, 3071), np.uint8), "labels": [0, 1]}),
        r"there is uint8 of shape \(2, 3071\)",
    ),
    (
        "cifar-10-batches-py",
        python2({"data": np.zeros((2, 3072), np.float32), "labels": [0, 1]}),
        r"there is float32 of shape",
    ),
    (
        "cifar-10-batches-py",
        python2({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}),
        "it has 1 labels for 2 images",
    ),
    (
        "cifar-10-batches-py",
        python2({"data": np.zeros((2, 3072), np.uint8), "labels": [0, "a"]}),
        "no list 'labels' of whole numbers",
    ),
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory, in which no trap may spring."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "data"
    assert not Path("sprung").exists()


@pytest.mark.parametrize(("form", "content", "reason"), DAMAGED)
def test_damaged_files_are_named(elsewhere: Path, form: str, content: bytes, reason: str) -> None:
    folder = unpack(elsewhere, form)
    (test,) = (name for name in FILES[form] if name.startswith("test"))
    (folder / test).write_bytes(content)
    with pytest.raises(ComponentError, match=rf"{form}.* is not usable: .*{reason}") as caught:
        source(form, elsewhere, **labelled(form))
    assert caught.value.option == "root"


@pytest.mark.parametrize("content", [pickle.dumps({"label_names": Trap()}), pickle.dumps({}), b"x"])
def test_damaged_names(elsewhere: Path, content: bytes) -> None:
    (unpack(elsewhere, "cifar-10-batches-py") / "batches.meta").write_bytes(content)
    with pytest.raises(ComponentError, match=r"batches\.meta is not usable"):
        source("cifar-10", elsewhere, labels=True)


@pytest.mark.parametrize("form", FILES)
def test_an_archive_cut_off(tmp_path: Path, form: str) -> None:
    path = archive(tmp_path, form)
    whole = path.read_bytes()
    flipped = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]  # in the checksum
    for content in (whole[: len(whole) // 2], whole[:-12], flipped, b"", b"<html>"):
        path.write_bytes(content)
        with pytest.raises(
            ComponentError, match=rf"{re.escape(path.name)} is not usable: it is damaged or cut off"
        ):
            source(form, tmp_path)


def test_near_misses_are_told_what_would_be_right(tmp_path: Path) -> None:
    with pytest.raises(
        ComponentError, match=r"gone is not a folder; CIFAR-10 can be had at \S+: root is the"
    ):
        source("cifar-10", tmp_path / "gone")
    with pytest.raises(
        ComponentError,
        match="holds neither cifar-10-batches-bin/ nor cifar-10-batches-py/ nor their archives; ",
    ):
        source("cifar-10", tmp_path)
    folder = unpack(tmp_path / "a", "cifar-10-batches-py")
    with pytest.raises(ComponentError, match=re.escape(f'; root = "{folder.parent}" does')):
        source("cifar-10", tmp_path)
    with pytest.raises(ComponentError, match=re.escape(f'; root = "{folder}" does')):
        source("cifar-10", folder / "data_batch_1")


@pytest.mark.parametrize("make", [unpack, archive])
@pytest.mark.parametrize("form", FILES)
def test_it_is_recognised(tmp_path: Path, form: str, make: Callable[[Path, str], Path]) -> None:
    for place in (tmp_path, make(tmp_path, form)):
        recognised = {
            name: record.recognise(place)
            for name, record in COMPONENTS.items()
            if record.recognise is not None
        }
        assert recognised.pop(component(form).name) == {"root": place, **labelled(form)}
        assert recognised == dict.fromkeys(recognised)
