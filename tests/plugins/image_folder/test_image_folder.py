from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganlab import ComponentError, ImageSource, ImageSpec
from ganlab.data.packing import pack
from ganlab.errors import GanlabError
from ganlab.registry import load_registry
from ganlab_image_folder import ImageFolderOptions, build, ganlab_datasets


def write(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8 + number, 6), (number, 0, 0)).save(root / name)
    return root


def zipped(root: Path, top: str = "") -> Path:
    archive = root.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(root.rglob("*.*")):
            file.write(path, top + path.relative_to(root).as_posix())
    return archive


def source(root: Path, **options: Any) -> ImageSource:
    return build(ImageFolderOptions(root=root, **options), ImageSpec(3, 8, 8))


def labels(images: ImageSource) -> list[str]:
    numbers = images.labels()
    assert numbers is not None
    return [images.class_names[number] for number in numbers]


def test_the_record() -> None:
    (record,) = ganlab_datasets()
    assert record.name == "image-folder"


def test_any_tree_of_any_sizes(tmp_path: Path) -> None:
    images = source(write(tmp_path / "photos", "b.png", "deep/er/a.jpg", "c.BMP"))
    assert [images.read(index).size for index in range(3)] == [(8, 6), (10, 6), (9, 6)]
    assert images.labels() is None and images.class_names == ()
    store = pack(images, ImageSpec(1, 5, 7), progress=False)
    assert store.samples.shape == (3, 5, 7, 1)


def test_class_folders_are_labels(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", "dogs/1.png", "cats/2.png", "cats/long haired/3.png", "dogs/4.png")
    images = source(root, labels=True)
    assert images.class_names == ("cats", "dogs")
    assert labels(images) == ["cats", "cats", "dogs", "dogs"]
    assert pack(images, ImageSpec(3, 8, 8), progress=False).spec == ImageSpec(3, 8, 8, classes=2)


@pytest.mark.parametrize("top", ["", "pets/", "my/pets/"])
def test_folders_around_all_classes_say_nothing(tmp_path: Path, top: str) -> None:
    archive = zipped(write(tmp_path / "pets", "dogs/1.png", "cats/2.png"), top)
    images = source(archive, labels=True)
    assert images.class_names == ("cats", "dogs") and labels(images) == ["cats", "dogs"]


def test_labels_without_class_folders(tmp_path: Path) -> None:
    for names in (("1.png", "2.png"), ("cats/1.png", "2.png"), ("cats/1.png", "cats/2.png")):
        root = write(tmp_path / str(len("".join(names))), *names)
        with pytest.raises(
            ComponentError, match="use one folder for each class, or labels = false"
        ) as caught:
            source(root, labels=True)
        assert caught.value.option == "labels"


def test_extensions_can_be_chosen(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", "a.png", "b.bmp")
    assert len(source(root)) == 2
    assert len(source(root, extensions=[".bmp"])) == 1


def test_a_root_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ComponentError, match=r"holds no images \(looked for \.bmp, ") as caught:
        source(tmp_path)
    assert caught.value.option == "root"
    with pytest.raises(ComponentError, match="gone does not exist") as caught:
        source(tmp_path / "gone")
    assert caught.value.option == "root"


def test_an_archive_that_leads_outside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../../evil.png", b"")
    with pytest.raises(ComponentError, match="leads out of the archive"):
        source(tmp_path / "evil.zip")


def test_bad_files_fail_by_name_or_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "photos", "a.png", "d.png", "e.png")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    noise.save(root / "b.jpg")
    (root / "b.jpg").write_bytes((root / "b.jpg").read_bytes()[:800])
    (root / "c.png").write_text("not an image")
    Image.new("RGB", (200, 200)).save(root / "huge.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.raises(GanlabError, match=r"bad image .*photos/b\.jpg: damaged or cut off") as caught:
        pack(source(root), ImageSpec(3, 8, 8), progress=False)
    assert "2 more are bad" in str(caught.value)
    store = pack(source(root), ImageSpec(3, 8, 8), on_bad_image="skip", progress=False)
    assert store.samples[:, 0, 0, 0].tolist() == [0, 1, 2]
    reasons = [text.removeprefix(f"{root}/") for text in store.skipped]
    assert [reason.split(" ")[0] for reason in reasons] == ["b.jpg:", "c.png:", "huge.png:"]
    assert "far too large: more than 10,000 pixels" in reasons[2]


def test_an_image_without_a_range_is_named(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", "a.png")
    Image.new("F", (8, 8)).save(root / "b.tiff")
    with pytest.raises(GanlabError, match=r"^bad image .*photos/b\.tiff: its pixels are floats"):
        pack(source(root), ImageSpec(3, 8, 8), progress=False)


def test_a_broken_link_is_a_bad_image(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", "a.png")
    (root / "b.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(GanlabError, match=r"b\.png: cannot be read: No such file"):
        pack(source(root), ImageSpec(3, 8, 8), progress=False)
    assert len(pack(source(root), ImageSpec(3, 8, 8), on_bad_image="skip", progress=False)) == 1


def test_numbers_in_names_of_classes_go_by_value(tmp_path: Path) -> None:
    numbers = source(write(tmp_path / "a", *(f"{number}/1.png" for number in range(12))), labels=True)
    assert numbers.class_names == tuple(map(str, range(12)))
    mixed = source(
        write(tmp_path / "b", "n10/1.png", "n9/1.png", "n010/1.png", "n/1.png", "m2/1.png"), labels=True
    )
    assert mixed.class_names == ("m2", "n", "n9", "n010", "n10")


def test_parts_above_the_classes_are_recognised_and_said(tmp_path: Path) -> None:
    root = write(
        tmp_path / "pets", "train/cats/1.png", "train/dogs/1.png", "Val/dogs/1.png", "test/birds/1.png"
    )
    images = source(root, labels=True)
    assert images.class_names == ("birds", "cats", "dogs")
    assert labels(images) == ["dogs", "birds", "cats", "dogs"]
    assert images.notes == [
        f"{root} is divided into Val/, test/ and train/: the images of all are used, and the folders in them "
        f'are the classes; root = "{root}/train" takes one part alone'
    ]
    archive = zipped(root, "pets/")
    assert source(archive, labels=True).class_names == ("birds", "cats", "dogs")
    assert source(archive).notes == [
        f"{archive} is divided into Val/, test/ and train/: the images of all are used"
    ]
    assert source(root / "train", labels=True).class_names == ("cats", "dogs")


def test_a_part_without_classes_is_refused_with_the_way_out(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", "train/cats/1.png", "train/dogs/1.png", "test/1.png")
    with pytest.raises(ComponentError) as caught:
        source(root, labels=True)
    assert str(caught.value) == (
        f"labels = true takes classes from folders, but {root}/test/1.png lies in no folder inside test/ and "
        "train/; use one folder for each class, or labels = false; "
        f'root = "{root}/train" takes one part alone'
    )


def test_classes_that_are_called_like_parts_are_classes(tmp_path: Path) -> None:
    root = write(tmp_path / "rail", "train/1.png", "test/1.png")
    images = source(root, labels=True)
    assert images.class_names == ("test", "train")
    assert images.notes == [f"warning: {root} has no folders in test/ and train/, so these are the classes"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", "a.png")
    for name in ("notes.txt", "b.JFIF", "c.jfif", "README", ".hidden", "__MACOSX/d.txt"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    expected = "as their suffixes are not among the extensions: 2 .jfif, 1 without a suffix, 1 .txt"
    assert source(root).notes == [f"left out of {root}, {expected}"]
    assert source(write(tmp_path / "tidy", "a.png")).notes == []


def _read_by(component: str, file: str) -> str:
    assert load_registry().get("dataset", component)
    return f'name = "{component}" in [dataset] reads {file}'


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        (["a.jfif", "b.jfif", "c.txt"], 'extensions = [".jfif"] takes what is in it: 2 .jfif, 1 .txt'),
        (["a.npz"], "NumPy arrays are not read: save each image as a .png"),
        (["photos.zip"], "there is a .zip archive in it: give its own path"),
        (["photos.tar.gz"], "there is a .gz archive in it: unpack it"),
        (["a.txt"], "what is in it: 1 .txt"),
        (["train-images-idx3-ubyte.gz", "a.zip"], _read_by("mnist", "train-images-idx3-ubyte.gz")),
        (["MNIST/raw/t10k-images.idx3-ubyte"], _read_by("mnist", "t10k-images.idx3-ubyte")),
        (["img_align_celeba.zip", "list_attr_celeba.txt"], _read_by("celeba", "img_align_celeba.zip")),
        (["cifar-10-python.tar.gz"], _read_by("cifar10", "cifar-10-python.tar.gz")),
        (["cifar-100-binary/train.bin"], _read_by("cifar100", "cifar-100-binary")),
        (["Img/img_align_celeba.zip"], _read_by("celeba", "img_align_celeba.zip")),
    ],
)
def test_a_near_miss_is_told_what_would_be_right(tmp_path: Path, files: list[str], advice: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ComponentError, match="holds no images") as caught:
        source(tmp_path)
    assert str(caught.value).endswith(f"; {advice}")


def test_a_file_as_root(tmp_path: Path) -> None:
    np.savez(tmp_path / "faces.npz", images=np.zeros((2, 3, 3)))
    with pytest.raises(ComponentError, match=r"NumPy arrays are not read: save each image as a \.png"):
        source(tmp_path / "faces.npz")
    picture = write(tmp_path, "a.png") / "a.png"
    with pytest.raises(ComponentError, match=r"is neither a folder of images nor a \.zip archive of them"):
        source(picture)
