from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ganlab import ComponentError, ImageSource, ImageSpec
from ganlab.data.packing import pack
from ganlab_mnist import MnistOptions, build, ganlab_datasets


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


TRAIN = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
TEST = TRAIN[:2] + 100


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(TRAIN))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array([2, 0, 1], np.uint8)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(TEST), mtime=0))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([1, 3], np.uint8))))
    return tmp_path


def source(root: Path, **options: Any) -> ImageSource:
    return build(MnistOptions(root=root, **options), ImageSpec(1, 28, 28))


def pixels(digits: ImageSource) -> NDArray[np.uint8]:
    return np.stack([np.asarray(digits.read(index)) for index in range(len(digits))])


def test_the_record() -> None:
    (record,) = ganlab_datasets()
    assert record.name == "mnist" and record.image == ImageSpec(1, 28, 28)


@pytest.mark.parametrize(
    ("subset", "expected", "labels", "names"),
    [
        ("train", TRAIN, [2, 0, 1], "012"),
        ("test", TEST, [0, 1], "13"),
        ("all", np.concatenate([TRAIN, TEST]), [2, 0, 1, 1, 3], "0123"),
    ],
)
def test_subsets(root: Path, subset: str, expected: NDArray[np.uint8], labels: list[int], names: str) -> None:
    digits = source(root, subset=subset, labels=True)
    assert np.array_equal(pixels(digits), expected)
    found = digits.labels()
    assert found is not None and found.tolist() == labels and found.dtype == np.int64
    assert digits.class_names == tuple(names)
    assert source(root, subset=subset).labels() is None


def test_grayscale_is_packed_exactly(root: Path) -> None:
    store = pack(source(root, subset="train"), ImageSpec(1, 4, 5), progress=False)
    assert np.array_equal(store.samples[..., 0], TRAIN)


def test_all_is_whatever_is_there(root: Path) -> None:
    (root / "train-images-idx3-ubyte").unlink()
    assert np.array_equal(pixels(source(root)), TEST)
    with pytest.raises(
        ComponentError, match=r"no train-images-idx3-ubyte \(gzipped or not\); MNIST's"
    ) as caught:
        source(root, subset="train")
    assert caught.value.option == "root"


def test_the_unpacked_file_goes_first_and_a_dot_is_no_matter(root: Path) -> None:
    (root / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b never read")
    assert len(source(root, subset="train")) == 3
    (root / "train-images-idx3-ubyte.gz").unlink()
    (root / "train-images-idx3-ubyte").rename(root / "train-images.idx3-ubyte")
    assert len(source(root, subset="train")) == 3


def test_several_relatives_in_one_folder(tmp_path: Path) -> None:
    for name in ("letters", "digits"):
        (tmp_path / f"emnist-{name}-train-images-idx3-ubyte").write_bytes(idx(TRAIN))
    with pytest.raises(ComponentError, match=r"several datasets \(emnist-digits-.*give each a folder"):
        source(tmp_path)
    (tmp_path / "emnist-letters-train-images-idx3-ubyte").unlink()
    assert len(source(tmp_path)) == 3


@pytest.mark.parametrize(
    ("name", "labels", "names"),
    [
        ("letters", [26, 1, 3], "ACZ"),
        ("balanced", [36, 0, 46], "0at"),
        ("byclass", [61, 35, 36], "Zaz"),
        ("digits", [9, 0, 5], "059"),
    ],
)
def test_emnist_is_turned_upright_and_its_classes_are_named(
    tmp_path: Path, name: str, labels: list[int], names: str
) -> None:
    (tmp_path / f"emnist-{name}-train-images-idx3-ubyte").write_bytes(idx(TRAIN))
    (tmp_path / f"emnist-{name}-train-labels-idx1-ubyte").write_bytes(idx(np.array(labels, np.uint8)))
    images = source(tmp_path, labels=True)
    assert np.array_equal(pixels(images), TRAIN.transpose(0, 2, 1))
    found = images.labels()
    assert found is not None and found.tolist() == np.argsort(np.argsort(labels)).tolist()
    assert images.class_names == tuple(names)
    store = pack(images, ImageSpec(1, 5, 4), progress=False)
    assert store.spec.classes == 3 and np.array_equal(store.samples[..., 0], TRAIN.transpose(0, 2, 1))


def test_labels_of_qmnist(tmp_path: Path) -> None:
    table = np.array([[7, 1, 2], [0, 3, 4], [7, 5, 6]], ">i4")
    header = struct.pack(">4B2I", 0, 0, 12, 2, *table.shape)
    (tmp_path / "qmnist-train-images-idx3-ubyte").write_bytes(idx(TRAIN))
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(header + table.tobytes()))
    images = source(tmp_path, labels=True)
    found = images.labels()
    assert found is not None and found.tolist() == [1, 0, 1] and images.class_names == ("0", "7")
    assert np.array_equal(pixels(images), TRAIN)
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(header + table.tobytes()[:-1]))
    with pytest.raises(ComponentError, match="should hold 3×3×4 bytes, but 35 are there"):
        source(tmp_path, labels=True)


def test_near_misses_are_told_what_would_be_right(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("data")
    raw = data / "MNIST" / "raw"
    raw.parent.mkdir()
    root.rename(raw)
    for wrong in (data, raw.parent):
        with pytest.raises(ComponentError, match=re.escape(f'; root = "{raw}" does')):
            source(wrong)
    with pytest.raises(ComponentError, match=re.escape(f'root takes the folder of the IDX files: "{raw}"')):
        source(raw / "train-images-idx3-ubyte")
    (data / "arrays").mkdir()
    (data / "arrays" / "mnist.npz").touch()
    with pytest.raises(ComponentError, match=r"mnist\.npz is a NumPy array; IDX files are needed"):
        source(data / "arrays")


def test_the_fingerprint_is_of_pixels_and_labels(root: Path) -> None:
    prints = [source(root, **how).fingerprint() for how in ({}, {"labels": True}, {"subset": "train"})]
    changed = TRAIN.copy()
    changed[0, 0, 0] = 1
    (root / "train-images-idx3-ubyte").write_bytes(idx(changed))
    prints.append(source(root).fingerprint())
    assert len(set(prints)) == 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "magic number"),
        (b"<html>" * 9, "magic number"),
        (b"\0\0\x0d\3" + idx(TRAIN)[4:], "type 0x0d with 3 dimensions"),
        (b"\0\0\x08\1" + idx(TRAIN)[4:], "type 0x08 with 1 dimensions"),
        (idx(TRAIN)[:-1], "should hold 3×4×5 bytes, but 59 are there"),
        (idx(TRAIN) + b"x", "but 61 are there"),
        (gzip.compress(idx(TRAIN), mtime=0)[:-12], "damaged or cut off"),
    ],
)
def test_damaged_files_are_named(root: Path, content: bytes, reason: str) -> None:
    (root / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ComponentError, match=rf"train-images-idx3-ubyte is not usable: .*{reason}") as caught:
        source(root, subset="train")
    assert caught.value.option == "root"


def test_labels_that_are_missing_or_too_few(root: Path) -> None:
    (root / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(3, np.uint8)))
    with pytest.raises(ComponentError, match="3 labels for 2 images"):
        source(root, labels=True)
    (root / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        ComponentError, match=r"labels are asked for, but .* no t10k-labels-idx1-ubyte"
    ) as caught:
        source(root, labels=True)
    assert caught.value.option == "labels"


def test_a_missing_root(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="gone is not a folder; MNIST's four files are at"):
        source(tmp_path / "gone")


@pytest.mark.real_data
def test_the_real_digits(real_data: Path) -> None:
    digits = source(real_data / "mnist", labels=True)
    labels = digits.labels()
    assert len(digits) == 10_000 and labels is not None
    assert labels[:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    store = pack(digits, ImageSpec(1, 28, 28), progress=False)
    assert np.array_equal(store.samples[4321, ..., 0], np.asarray(digits.read(4321)))
    # The mean and deviation that are usually quoted for the test set.
    assert store.samples.mean() / 255 == pytest.approx(0.1325, abs=1e-3)
    assert store.samples.std() / 255 == pytest.approx(0.3105, abs=1e-3)
