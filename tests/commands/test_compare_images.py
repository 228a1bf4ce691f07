"""`ganlab compare-images`: two bare sets of images, from files to numbers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ganlab.commands.cli import run


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def images(
    count: int, seed: int = 0, *, size: int = 12, channels: int = 3, top: int = 256
) -> NDArray[np.uint8]:
    shape = (count, size, size, channels)[: 4 if channels > 1 else 3]
    return np.random.RandomState(seed).randint(0, top, shape).astype(np.uint8)


def folder(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(path / f"{number:04d}.png")
    return path


def zipped(path: Path, pixels: NDArray[np.uint8]) -> Path:
    loose = folder(path.with_suffix(""), pixels)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(loose.iterdir()):
            archive.write(file, file.name)
    return path


def array(path: Path, pixels: NDArray[np.uint8]) -> Path:
    np.save(path, pixels)
    return path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    code = run(["compare-images", *map(str, arguments), "--json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    found: list[dict[str, Any]] = json.loads(output.out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    code = run(["compare-images", *map(str, arguments)])
    output = capsys.readouterr()
    assert code == 2 and not output.out
    return output.err.replace("\n", " ")


def test_the_same_pixels_give_the_same_numbers_from_folder_zip_and_array(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, fake = images(40), images(30, seed=1, top=200)
    sources = [
        (folder(tmp_path / "real", real), folder(tmp_path / "fake", fake)),
        (zipped(tmp_path / "r.zip", real), zipped(tmp_path / "f.zip", fake)),
        (array(tmp_path / "r.npy", real), array(tmp_path / "f.npy", fake)),
    ]
    found = [measured(capsys, *pair) for pair in sources]
    # The data goes by its files.
    numbers = [[{**each, "data": ""} for each in of_source] for of_source in found]
    assert numbers[0] == numbers[1] == numbers[2]
    (mmd2,) = [each for each in found[0] if each["metric"] == "mmd2"]
    assert mmd2["value"] > 5 * mmd2["standard_error"] > 0
    assert (mmd2["n_real"], mmd2["n_fake"], mmd2["features"]) == (40, 30, "wavelet")
    keys = {"evaluator", "metric", "value", "standard_error", "floor", "n_real", "n_fake", "features"}
    assert keys | {"protocol", "warnings"} <= set(mmd2)
    assert {each["evaluator"] for each in found[0]} == {"mmd", "frechet"}


def test_a_set_is_at_no_distance_from_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = array(tmp_path / "r.npy", images(50))
    found = {
        each["metric"]: each["value"]
        for each in measured(
            capsys,
            real,
            real,
            "--evaluator",
            "frechet",
            "--evaluator",
            "mmd",
            "--set",
            "mmd.estimator=biased",
        )
    }
    assert found["frechet"] == pytest.approx(0, abs=1e-6)
    assert found["mmd2"] == pytest.approx(0, abs=1e-7)


def test_options_and_features_are_set_by_the_evaluators_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, fake = array(tmp_path / "r.npy", images(60)), array(tmp_path / "f.npy", images(60, seed=1))
    (found,) = measured(
        capsys, real, fake, "--evaluator", "frechet", "--set", 'frechet.features="pixels"',
        "--set", "frechet.samples=50", "--holdout", "0.2",
    )  # fmt: skip
    assert (found["features"], found["n_real"], found["n_fake"], found["n_heldout"]) == ("pixels", 48, 50, 12)
    assert found["floor"] is not None
    (found,) = measured(
        capsys, real, fake, "--evaluator", "frechet", "--set", 'frechet.features={name="pixels", size=2}'
    )
    assert found["value"] < 1


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, fake = array(tmp_path / "r.npy", images(20)), array(tmp_path / "f.npy", images(20, seed=1))
    assert run(["compare-images", str(real), str(fake), "--evaluator", "frechet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["EVALUATOR", "METRIC", "VALUE", "±", "FLOOR", "REAL", "FAKE", "FEATURES"]
    assert lines[1].split()[:2] == ["frechet", "frechet"]
    assert any(line.startswith("warning: frechet: the covariance of 20 samples") for line in lines)


def test_a_file_of_another_kind_is_named_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = array(tmp_path / "r.npy", images(20))
    picture = next(folder(tmp_path / "pictures", images(1)).iterdir())
    assert "0000.png is neither a folder of images, nor a .zip of them, nor a .npy" in refusal(
        capsys, real, picture
    )


def test_sets_that_differ_are_not_resized_behind_ones_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, small = array(tmp_path / "r.npy", images(20)), array(tmp_path / "s.npy", images(20, size=10))
    gray = array(tmp_path / "g.npy", images(20, channels=1))
    assert "holds 12×12 RGB images" in refusal(capsys, real, small)
    assert "10×10 RGB: say what both should become with --size" in refusal(capsys, real, small)
    assert "12×12 grayscale: say what both" in refusal(capsys, real, gray)
    assert measured(capsys, real, small, "--size", "8", "--evaluator", "mmd")
    assert measured(capsys, real, gray, "--channels", "1", "--evaluator", "mmd")
    mixed = folder(tmp_path / "mixed", images(3))
    folder(tmp_path / "mixed" / "more", images(1, size=9))
    message = refusal(capsys, real, mixed)
    assert "0000.png: is 9×9 RGB, while the first image of" in message


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 12, 12, 3), np.float32), "is float32; it must be uint8 (N, H, W) or (N, H, W, C)"),
        (np.zeros((4, 3, 12, 12), np.uint8), "channels come last (transpose it with"),
        (np.zeros((4, 12), np.uint8), "has shape (4, 12); it must be uint8"),
        (np.zeros((0, 12, 12, 3), np.uint8), "holds no images"),
        (np.zeros((1, 12, 12, 3), np.uint8), "there must be at least 2 images in each set, not 20 and 1"),
    ],
)
def test_arrays_that_are_no_images_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pixels: NDArray[Any], message: str
) -> None:
    real = array(tmp_path / "r.npy", images(20))
    assert message in refusal(capsys, real, array(tmp_path / "bad.npy", pixels))


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "o.npy is not a NumPy array file" in refusal(capsys, tmp_path / "o.npy", tmp_path / "o.npy")


def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real = array(tmp_path / "r.npy", images(20))
    assert "nowhere does not exist" in refusal(capsys, real, tmp_path / "nowhere")
    assert "did you mean `mmd`?" in refusal(capsys, real, real, "--evaluator", "mmdd")
    message = refusal(capsys, real, real, "--set", "mmd.kernl=3", "--set", 'frechet.features="pixel"')
    assert "mmd.kernl: there is no such key" in message and "did you mean `kernel`?" in message
    assert "frechet.features.name: there is no feature extractor `pixel`" in message
    assert "no evaluator here is called `mdm`" in refusal(capsys, real, real, "--set", "mdm.samples=3")
    assert "mmd.samples: must be a whole number ≥ 2 and ≤ 1073741824, not 1" in refusal(
        capsys, real, real, "--set", "mmd.samples=1"
    )
    assert "--evaluator mmd is given twice" in refusal(capsys, real, real, *["--evaluator", "mmd"] * 2)
    broken = folder(tmp_path / "broken", images(3))
    (broken / "0001.png").write_bytes(b"no image")
    assert "broken/0001.png: not an image file" in refusal(capsys, real, broken)


def test_the_cache_is_listed_and_cleared(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, fake = array(tmp_path / "r.npy", images(20)), array(tmp_path / "f.npy", images(30, seed=1))
    assert run(["cache"]) == 0
    assert capsys.readouterr().out == f"{cache} holds nothing\n"
    first = measured(capsys, real, fake)
    assert run(["cache", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert sorted((each["kind"], each["content"]) for each in held) == [
        ("data", f'20 3×12×12 images, of compare-images, path = "{real}"'),
        ("data", f'30 3×12×12 images, of compare-images, path = "{fake}"'),
        ("statistics", "features and moments of 1 set of real samples"),
    ]
    assert all(each["size"] > 0 for each in held)
    assert run(["cache", "--clear", "statistics"]) == 0
    assert not (cache / "statistics").exists()
    assert run(["cache", "--clear", "all"]) == 0
    capsys.readouterr()
    assert run(["cache"]) == 0
    assert "holds nothing" in capsys.readouterr().out
    assert measured(capsys, real, fake) == first


def test_a_bad_image_is_told_without_advice_for_experiments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side in ("real", "fake"):
        (tmp_path / side).mkdir()
        for index in range(3):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / side / f"{index}.png")
    whole = (tmp_path / "fake" / "1.png").read_bytes()
    (tmp_path / "fake" / "1.png").write_bytes(whole[:50])
    assert run(["compare-images", str(tmp_path / "real"), str(tmp_path / "fake"), "--size", "8"]) == 2
    told = capsys.readouterr().err
    assert "1.png" in told and told.endswith("\nRepair or remove it\n")
    assert "[dataset]" not in told
