from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganlab import BadImageError, ComponentError, ImageSource, ImageSpec
from ganlab.data.packing import pack
from ganlab_celeba import CelebaOptions, build, ganlab_datasets
from ganlab_celeba.source import crop_box

ATTRIBUTES = """\
5
Bald Smiling Wavy_Hair
000001.jpg -1  1 -1
000002.jpg  1 -1 -1
000003.jpg -1  1  1
000004.jpg -1 -1 -1
000005.jpg  1  1 -1
"""
PARTITION = "000001.jpg 0\n000002.jpg 0\n000003.jpg 1\n000004.jpg 2\n000005.jpg 0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five faces of the published size; row and number of each pixel are in its colour."""
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for number in range(1, 6):
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[..., 0] = np.arange(218)[:, None]
        pixels[..., 1] = np.arange(178)
        pixels[..., 2] = number
        # PNG under the published name, so that pixels are exact; Pillow goes by content.
        Image.fromarray(pixels).save(folder / f"{number:06}.jpg", "PNG")
    (folder.parent / "list_attr_celeba.txt").write_text(ATTRIBUTES)
    (folder.parent / "list_eval_partition.txt").write_text(PARTITION)
    return folder.parent


def source(root: Path, **options: Any) -> ImageSource:
    return build(CelebaOptions(root=root, **options), ImageSpec(3, 64, 64))


def numbers(faces: ImageSource) -> list[int]:
    return [np.asarray(faces.read(index))[0, 0, 2].item() for index in range(len(faces))]


def into_zip(root: Path) -> None:
    with zipfile.ZipFile(root / "img_align_celeba.zip", "w") as archive:
        for path in sorted((root / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
            path.unlink()
    (root / "img_align_celeba").rmdir()


def test_the_record() -> None:
    (record,) = ganlab_datasets()
    assert record.name == "celeba" and record.image == ImageSpec(3, 64, 64)


def test_all_faces_in_order_cropped_to_the_centre(root: Path) -> None:
    faces = source(root)
    assert numbers(faces) == [1, 2, 3, 4, 5]
    pixels = np.asarray(faces.read(0))
    assert pixels.shape == (178, 178, 3)
    # 20 rows are cut above and below, no columns.
    assert pixels[0, 0].tolist() == [20, 0, 1] and pixels[-1, -1].tolist() == [197, 177, 1]
    assert faces.labels() is None and faces.class_names == ()


def test_the_zip_is_the_same(root: Path) -> None:
    from_folder = pack(source(root, label="Smiling"), ImageSpec(3, 16, 16), progress=False)
    into_zip(root)
    from_zip = pack(source(root, label="Smiling"), ImageSpec(3, 16, 16), progress=False)
    assert np.array_equal(from_folder.samples, from_zip.samples)
    assert from_zip.spec.classes == 2


def test_the_published_folders_are_found(root: Path) -> None:
    for folder, name in (
        ("Img", "img_align_celeba"),
        ("Anno", "list_attr_celeba.txt"),
        ("Eval", "list_eval_partition.txt"),
    ):
        (root / folder).mkdir()
        (root / name).rename(root / folder / name)
    assert numbers(source(root, label="Bald", split="train")) == [1, 2, 5]


def test_labels(root: Path) -> None:
    faces = source(root, label="Smiling")
    labels = faces.labels()
    assert labels is not None and labels.tolist() == [1, 0, 1, 0, 1]
    assert faces.class_names == ("not Smiling", "Smiling")


def test_combinations_of_attributes_are_classes(root: Path) -> None:
    faces = source(root, label=["Smiling", "Bald"])
    smiling, bald = (source(root, label=name).labels() for name in ("Smiling", "Bald"))
    labels = faces.labels()
    assert labels is not None and smiling is not None and bald is not None
    assert labels.tolist() == (2 * smiling + bald).tolist()
    assert faces.class_names == (
        "not Smiling, not Bald",
        "not Smiling, Bald",
        "Smiling, not Bald",
        "Smiling, Bald",
    )
    assert source(root, label=["Smiling"]).fingerprint() == source(root, label="Smiling").fingerprint()
    assert source(root, label=[]).labels() is None
    with pytest.raises(ComponentError, match="names Bald twice") as caught:
        source(root, label=["Bald", "Smiling", "Bald"])
    assert caught.value.option == "label"


@pytest.mark.parametrize(("split", "expected"), [("train", [1, 2, 5]), ("valid", [3]), ("test", [4])])
def test_the_partition(root: Path, split: str, expected: list[int]) -> None:
    faces = source(root, split=split, label="Bald")
    assert numbers(faces) == expected
    labels = faces.labels()
    assert labels is not None and labels.tolist() == [int(number in (2, 5)) for number in expected]


def test_without_lists_all_images_are_taken(root: Path) -> None:
    (root / "list_attr_celeba.txt").unlink()
    (root / "list_eval_partition.txt").unlink()
    assert numbers(source(root)) == [1, 2, 3, 4, 5]
    with pytest.raises(ComponentError, match=r"no list_eval_partition\.txt") as caught:
        source(root, split="train")
    assert caught.value.option == "split"
    with pytest.raises(ComponentError, match=r"no list_attr_celeba\.txt") as caught:
        source(root, label="Smiling")
    assert caught.value.option == "label"


@pytest.mark.parametrize(
    ("size", "crop", "box"),
    [
        ((178, 218), 178, (0, 20, 178, 198)),
        ((89, 109), 178, (0, 10, 89, 99)),
        ((356, 436), 178, (0, 40, 356, 396)),
        ((178, 218), 108, (35, 55, 143, 163)),
        ((89, 109), 108, (17, 27, 71, 81)),
        ((178, 218), 218, (0, 0, 178, 218)),
        ((89, 109), 218, (0, 0, 89, 109)),
        ((178, 218), 200, (0, 9, 178, 209)),
    ],
)
def test_the_crop_is_of_the_published_geometry(
    size: tuple[int, int], crop: int, box: tuple[int, int, int, int]
) -> None:
    assert crop_box(*size, crop) == box


def test_another_crop_is_another_fingerprint(root: Path) -> None:
    prints = {
        source(root, **options).fingerprint()
        for options in ({}, {"crop": 108}, {"label": "Bald"}, {"label": "Smiling"}, {"split": "train"})
    }
    assert len(prints) == 5


def test_absent_images_are_named_with_the_way_out(root: Path) -> None:
    (root / "img_align_celeba" / "000002.jpg").unlink()
    (root / "img_align_celeba" / "000004.jpg").unlink()
    with pytest.raises(
        ComponentError, match=r"of 5 listed .* does not hold 2: .*000002\.jpg, 000004\.jpg; missing = "
    ) as caught:
        source(root)
    assert caught.value.option == "missing"
    faces = source(root, missing="skip", label="Smiling")
    assert numbers(faces) == [1, 3, 5]
    labels = faces.labels()
    assert labels is not None and labels.tolist() == [1, 1, 1]
    with pytest.raises(ComponentError, match="no images of the 'test' partition"):
        source(root, missing="skip", split="test")


def test_a_wrong_attribute_gets_a_suggestion(root: Path) -> None:
    with pytest.raises(
        ComponentError, match=r"'smiling'; did you mean Smiling\? There are: Bald, "
    ) as caught:
        source(root, label="smiling")
    assert caught.value.option == "label"
    with pytest.raises(ComponentError, match="did you mean Wavy_Hair"):
        source(root, label="wavy hair")
    with pytest.raises(ComponentError, match=r"'Zebra'\. There are"):
        source(root, label="Zebra")


def test_a_missing_root_says_what_was_looked_for_and_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        ComponentError, match=r"neither img_align_celeba/ nor .*\.zip; CelebA can be had at"
    ) as caught:
        source(tmp_path / "gone")
    assert caught.value.option == "root"


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("list_attr_celeba.txt", "-1  1  1", "-1  1", 5),
        ("list_attr_celeba.txt", "-1  1  1", "-1  x  1", 5),
        ("list_eval_partition.txt", "3.jpg 1", "3.jpg 7", 3),
    ],
)
def test_damaged_lists_are_named_with_the_line(root: Path, name: str, old: str, new: str, line: int) -> None:
    (root / name).write_text((root / name).read_text().replace(old, new))
    with pytest.raises(ComponentError, match=rf"{name}:{line}: "):
        source(root, label="Smiling", split="train")


def test_faces_without_a_line_of_attributes(root: Path) -> None:
    lines = (root / "list_attr_celeba.txt").read_text().splitlines()
    (root / "list_attr_celeba.txt").write_text("\n".join(lines[:-1]))
    with pytest.raises(ComponentError, match=r"no line for 000005\.jpg"):
        source(root, label="Smiling", split="train")


def test_images_that_are_not_aligned_are_bad(root: Path) -> None:
    Image.new("RGB", (409, 687)).save(root / "img_align_celeba" / "000001.jpg")
    with pytest.raises(BadImageError, match="409×687 pixels"):
        source(root).read(0)


@pytest.mark.real_data
def test_the_real_faces(real_data: Path) -> None:
    faces = source(real_data / "celeba", label="Smiling", split="train")
    assert len(faces) == 8000
    labels = faces.labels()
    assert labels is not None and 0.4 < labels.mean() < 0.6
    assert faces.read(7999).size == (89, 89)
    with pytest.raises(ComponentError, match="'valid'"):
        source(real_data / "celeba", split="valid")


@pytest.mark.real_data
def test_real_faces_are_packed_as_pillow_would_do_it_by_hand(real_data: Path, tmp_path: Path) -> None:
    class Some(ImageSource):
        """Every hundredth face."""

        faces = source(real_data / "celeba")

        def __len__(self) -> int:
            return 80

        def fingerprint(self) -> str:
            return "some faces"

        def read(self, index: int) -> Image.Image:
            return self.faces.read(index * 100)

    store = pack(Some(), ImageSpec(3, 64, 64), cache=tmp_path, progress=False)
    with zipfile.ZipFile(real_data / "celeba" / "img_align_celeba.zip") as archive:
        for index in (0, 41, 79):
            with archive.open(f"img_align_celeba/{index * 100 + 1:06}.jpg") as file:
                image = Image.open(file).crop((0, 10, 89, 99)).resize((64, 64), Image.Resampling.LANCZOS)
            assert np.array_equal(store.samples[index], np.asarray(image))


ATTRIBUTE_TABLE = "image_id,Bald,Smiling,Wavy_Hair\n" + "".join(
    ",".join(line.split()) + "\n" for line in ATTRIBUTES.splitlines()[2:]
)
PARTITION_TABLE = "image_id,partition\n" + PARTITION.replace(" ", ",")


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ";").replace("\n", "\r\n"),
        lambda text: text.replace(",", ", "),
        lambda text: '"' + text.replace(",", '","').replace("\n", '"\n"').removesuffix('"'),
    ],
    ids=["plain", "with a byte-order mark", "semicolons", "blanks", "quotes"],
)
def test_comma_separated_lists_are_read_whatever_they_are_called(
    root: Path, suffix: str, change: Callable[[str], str]
) -> None:
    for name, text in (("list_attr_celeba", ATTRIBUTE_TABLE), ("list_eval_partition", PARTITION_TABLE)):
        (root / f"{name}.txt").unlink()
        (root / f"{name}{suffix}").write_text(change(text), encoding="utf-8", newline="")
    faces = source(root, label="Smiling")
    found = faces.labels()
    assert found is not None and found.tolist() == [1, 0, 1, 0, 1]
    assert numbers(source(root, split="train")) == [1, 2, 5]
    with pytest.raises(ComponentError, match=r"There are: Bald, Smiling, Wavy_Hair$"):
        source(root, label="Zebra")


def test_published_lists_may_have_a_byte_order_mark(root: Path) -> None:
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (root / name).write_text("\ufeff" + (root / name).read_text(), encoding="utf-8")
    assert numbers(source(root, label="Bald", split="train")) == [1, 2, 5]


@pytest.mark.parametrize("text", ["", "5\n", "000001.jpg -1 1\n"])
def test_a_list_that_begins_otherwise_is_named(root: Path, text: str) -> None:
    (root / "list_attr_celeba.txt").write_text(text)
    with pytest.raises(ComponentError, match=r"list_attr_celeba\.txt:1: the names of the attributes should"):
        source(root, label="Smiling")


def test_a_damaged_first_line_is_blamed_not_the_others(root: Path) -> None:
    table = ATTRIBUTE_TABLE.replace("000001.jpg,-1,1,-1", "000001.jpg,-1,1")
    (root / "list_attr_celeba.txt").write_text(table)
    with pytest.raises(ComponentError, match=r"list_attr_celeba\.txt:2: not a file name and 3 times -1 or 1"):
        source(root, label="Smiling")


def test_a_list_that_is_cut_off_is_told(root: Path) -> None:
    cut = "\n".join(ATTRIBUTES.splitlines()[:5])
    (root / "list_attr_celeba.txt").write_text(cut)
    faces = source(root)
    assert len(faces) == 3
    assert faces.notes == (
        f"warning: {root}/list_attr_celeba.txt announces 5 images and lists 3: is it cut off?",
        f"left out of {root}/img_align_celeba, as no list names them: 2",
    )


@pytest.mark.parametrize("folder", ["img_align_celeba", "img_align_celeba_png"])
def test_png_copies_go_by_the_listed_names(root: Path, folder: str) -> None:
    (root / "img_align_celeba").rename(root / folder)
    for path in sorted((root / folder).iterdir()):
        path.rename(path.with_suffix(".png"))
    faces = source(root, label="Smiling", split="train")
    assert numbers(faces) == [1, 2, 5] and faces.notes == ()


def test_what_is_left_out_is_told(root: Path) -> None:
    (root / "img_align_celeba" / "000002.jpg").rename(root / "img_align_celeba" / "000009.jpg")
    (root / "img_align_celeba" / "readme.txt").touch()
    images = root / "img_align_celeba"
    assert source(root, missing="skip").notes == (
        f"left out of the lists, as {images} does not hold them: 1",
        f"left out of {images}, as no list names them: 1",
        f"left out of {images}, as they are not .jpg or .png: 1 .txt",
    )


def test_near_misses_are_told_what_would_be_right(root: Path) -> None:
    around = root.parent
    for wrong, right in (
        (around, f'root = "{root}" does'),
        (root / "img_align_celeba", f'it is the folder of the images itself: root = "{root}" is the one'),
    ):
        with pytest.raises(ComponentError, match=re.escape(right)):
            source(wrong)
    (around / "archive.zip").touch()
    with pytest.raises(ComponentError, match="root takes a folder: unpack an archive"):
        source(around / "archive.zip")
