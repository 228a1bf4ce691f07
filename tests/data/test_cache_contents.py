"""What the cache holds, told apart, and cleared one by one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from ganlab.commands.cli import run
from ganlab.config import load_experiment
from ganlab.data import prepare

EXPERIMENT = """\
title = "Held"
[image]
size = 16
[dataset]
name = "image-folder"
root = "photos"
on_bad_image = "skip"
[latent]
dim = 2
[generator]
name = "dcgan"
[discriminator]
name = "dcgan"
[[losses]]
name = "non-saturating"
[training]
steps = 1
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one folder at two sizes, another folder, and drawn faces."""
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "other"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), "red" if name == "other" else "blue").save(tmp_path / name / "1.png")
    (tmp_path / "other" / "2.png").write_text("no image")
    (tmp_path / "x.toml").write_text(EXPERIMENT)
    for overrides in (
        [],
        ["image.size=32", 'image.fit="pad"'],
        ["dataset.root=other"],
        ["dataset={name='faces', count=3, on_bad_image='skip'}"],
    ):
        prepare(load_experiment("x.toml", overrides=overrides), progress=False)
    return tmp_path / "cache"


def held(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return the content of each entry of packed data, and its name."""
    capsys.readouterr()
    assert run(["cache", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    return {each["content"]: each["name"] for each in entries if each["kind"] == "data"}


def test_entries_are_told_apart(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = cache.parent
    assert set(held(capsys)) == {
        f'1 3×16×16 images, of image-folder, root = "{here}/photos"',
        f'1 3×32×32 images, of image-folder, root = "{here}/photos", fit = "pad"',
        f'1 3×16×16 images, 1 left out as bad, of image-folder, root = "{here}/other"',
        "3 3×16×16 images, of faces, count = 3",
    }
    assert run(["cache"]) == 0
    assert f'of image-folder, root = "{here}/other"' in capsys.readouterr().out


def test_one_entry_is_cleared_by_its_name(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = held(capsys)
    name = before.pop("3 3×16×16 images, of faces, count = 3")
    assert run(["cache", "--clear", name[:12]]) == 0
    assert capsys.readouterr().out.startswith("removed 1 entry, ")
    assert held(capsys) == before


def test_what_was_packed_from_a_path_is_cleared(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["cache", "--clear", "photos"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 entries, ")
    monkeypatch.chdir(cache)
    assert run(["cache", "--clear", str(cache.parent / "other")]) == 0
    assert list(held(capsys)) == ["3 3×16×16 images, of faces, count = 3"]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("", "--clear has no name"),
        ("nothing", "holds nothing that is named 'nothing'"),
        ("~nobody-here/x", "no home directory is known for ~nobody-here/x"),
    ],
)
def test_what_is_not_there_is_told_and_nothing_is_cleared(
    cache: Path, capsys: pytest.CaptureFixture[str], what: str, message: str
) -> None:
    assert run(["cache", "--clear", what]) == 2
    assert message in capsys.readouterr().err
    assert len(held(capsys)) == 4


def test_the_beginning_of_several_names_clears_none(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for digit in "ab":
        (cache / (f"fedc{digit}" + 59 * "0")).mkdir()
    assert run(["cache", "--clear", "fedc"]) == 2
    assert "'fedc' is the beginning of several entries of the cache:\n    fedca" in capsys.readouterr().err
    assert len(list(cache.glob("fedc*"))) == 2


def test_an_entry_of_an_earlier_version_is_listed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = held(capsys)["3 3×16×16 images, of faces, count = 3"]
    note = json.loads((cache / name / "store.json").read_text())
    del note["origin"]
    (cache / name / "store.json").write_text(json.dumps(note))
    assert held(capsys)["3 3×16×16 images"] == name


def test_an_entry_of_which_a_later_version_says_more_is_listed(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = held(capsys)
    for file in cache.glob("*/store.json"):
        note = json.loads(file.read_text())
        file.write_text(json.dumps({**note, "later": 1, "origin": {**note["origin"], "host": "a"}}))
    assert held(capsys) == before


def test_what_an_interrupted_packing_left_is_listed_and_cleared(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (entry, *_) = (path for path in cache.iterdir() if len(path.name) == 64)
    partial = entry.rename(cache / f"{entry.name}.123.partial")
    assert held(capsys)[
        "unfinished: being packed, or left by an interruption, after which packing goes on"
    ] == (partial.name)
    assert run(["cache", "--clear", "data"]) == 0
    assert not partial.exists() and held(capsys) == {}
