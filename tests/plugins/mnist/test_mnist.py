from __future__ import annotations

import gzip
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
    ("subset", "expected", "labels"),
    [
        ("train", TRAIN, [2, 0, 1]),
        ("test", TEST, [1, 3]),
        ("all", np.concatenate([TRAIN, TEST]), [2, 0, 1, 1, 3]),
    ],
)
def test_subsets(root: Path, subset: str, expected: NDArray[np.uint8], labels: list[int]) -> None:
    digits = source(root, subset=subset, labels=True)
    assert np.array_equal(pixels(digits), expected)
    found = digits.labels()
    assert found is not None and found.tolist() == labels and found.dtype == np.int64
    assert digits.class_names == tuple(str(number) for number in range(max(labels) + 1))
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
