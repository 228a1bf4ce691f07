"""Names of files that are not text, and places that the environment does not know."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ganlab.commands.cli import main
from ganlab.config import load_experiment
from ganlab.data.cache_directory import cache_directory
from ganlab.data.files import ImageFiles
from ganlab.data.store import Store
from ganlab.errors import ComponentError, GanlabError
from ganlab.paths import parse_path, path_text
from ganlab.runs.directory import RunDirectory
from ganlab.runs.environment import describe_environment
from ganlab.runs.jsonl import last_line

pytestmark = pytest.mark.slow

CAFE = os.fsdecode(b"caf\xe9")
"""A name that is Latin-1, as older archives and disks have them."""

EXPERIMENT = """\
title = "Names"
plugins = ["./mine.py"]
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
width = 2
[discriminator]
name = "dcgan"
width = 2
[[losses]]
name = "non-saturating"
[training]
steps = 1
batch_size = 4
"""

PLUGIN = """
from ganlab import LossComponent, hookimpl

@hookimpl
def ganlab_losses():
    yield LossComponent(name="mine", summary="Mine.", build=print)
"""


def draw(folder: Path, count: int = 5) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(list(folder.parent.iterdir())))
    for number in range(count):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory whose name is not text, with an experiment in it."""
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))
    place = tmp_path / CAFE
    draw(place / "photos")
    (place / "x.toml").write_text(EXPERIMENT)
    (place / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(place)
    return place


Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command line, and return its exit code and what it wrote, names as Python has them."""

    def call(*arguments: str) -> tuple[int, str, str]:
        output, errors = io.BytesIO(), io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, encoding="utf-8"))
        monkeypatch.setattr("sys.stderr", io.TextIOWrapper(errors, encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert isinstance(ended.value.code, int)
        return ended.value.code, os.fsdecode(output.getvalue()), os.fsdecode(errors.getvalue())

    return call


def refusal(shell: Shell, *arguments: str) -> str:
    code, _, error = shell(*arguments)
    assert (code, "Traceback" in error) == (2, False)
    return error


@given(st.binary(min_size=1, max_size=20).filter(lambda name: not set(name) & set(b"\0/")))
def test_every_path_can_be_written_as_text_and_read_back(name: bytes) -> None:
    path = Path("/data", os.fsdecode(name))
    text = path_text(path)
    text.encode()
    assert parse_path(text) == path


def test_a_bad_image_of_such_a_name_is_left_out(place: Path, shell: Shell) -> None:
    (place / "photos" / f"{CAFE}.png").write_text("no image")
    code, _, error = shell("validate", "x.toml")
    assert code == 0
    assert f"{CAFE}.png: not an image file" in error
    [store] = (Store.open(note.parent) for note in cache_directory().glob("*/store.json"))
    assert store.skipped[0].startswith(f"{place}/photos/{CAFE}.png: ")


def test_classes_of_such_names_are_classes(place: Path, shell: Shell) -> None:
    for name in ("a", CAFE):
        draw(place / "classes" / name)
    options = ("--set", "dataset.root=classes", "--set", "dataset.labels=true")
    assert shell("validate", "x.toml", *options)[0] == 0
    [store] = (Store.open(note.parent) for note in cache_directory().glob("*/store.json"))
    assert store.class_names == ("a", CAFE)


def test_a_run_in_a_directory_of_such_a_name_can_be_repeated(place: Path, shell: Shell) -> None:
    assert shell("run", "x.toml", "--quiet")[0] == 0
    [directory] = (place / "runs").glob("names/*")
    assert json.loads((directory / "environment.json").read_text())["directory"] == str(place)
    again = load_experiment(directory / "resolved.toml")
    assert again.dataset.options.model_dump()["root"] == place / "photos"
    assert again.plugin_files == {"mine.py": directory / "plugins" / "mine.py"}
    assert json.loads(shell("runs", "--json")[1])[0]["path"] == str(directory)
    assert shell("run", str(directory / "resolved.toml"), "--quiet")[0] == 0
    assert shell("resume", "latest", "--set", "training.steps=2", "--quiet")[0] == 0


@pytest.mark.parametrize("uri", ["file:///{0}/caf%E9/photos", "file:{0}/caf%E9/photos"])
def test_an_experiment_can_name_such_a_path(place: Path, tmp_path: Path, shell: Shell, uri: str) -> None:
    root = uri.format(tmp_path).replace("////", "///")
    experiment = load_experiment("x.toml", overrides=[f"dataset.root={root}"])
    assert experiment.dataset.options.model_dump()["root"] == place / "photos"


def test_overrides_must_be_text(place: Path, shell: Shell) -> None:
    error = refusal(shell, "validate", "x.toml", "--set", f"dataset.root=../{CAFE}/photos")
    assert f"--set dataset.root=../{CAFE}/photos: the value is not UTF-8\n" in error
    assert f"write it as file://{path_text(place).removeprefix('file://')}/../caf%E9/photos" in error
    assert "the value is not UTF-8" in refusal(shell, "validate", "x.toml", "--set", f"title={CAFE}")
    assert "the key is not UTF-8" in refusal(shell, "validate", "x.toml", "--set", f"{CAFE}.x=1")
    assert "mmd.bandwidths=" in refusal(
        shell, "compare-images", "photos", "photos", "--set", f"mmd.bandwidths={CAFE}"
    )


def test_a_plugin_of_such_a_name_is_refused(place: Path, shell: Shell) -> None:
    (place / "mine.py").rename(f"{CAFE}.py")
    error = refusal(shell, "plugins", "--plugin", f"{CAFE}.py")
    assert f"{CAFE}.py: a plugin's file name must be UTF-8; rename it" in error


def test_an_archive_that_marks_such_a_name_as_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cafÿ.png", b"")
    path.write_bytes(path.read_bytes().replace("cafÿ".encode(), b"caf\xe9\xe9"))
    with pytest.raises(
        ComponentError, match=r"photos\.zip has a member whose name is marked as UTF-8 and is"
    ):
        ImageFiles(path)


def test_records_that_are_not_utf_8_are_damaged_or_passed_over(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "run.json").write_bytes(b'{"id": "caf\xe9"}')
    assert f"{tmp_path}/run.json is damaged" in refusal(shell, "resume", str(tmp_path))
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1}\n\xe9\n')
    assert last_line(tmp_path / "metrics.jsonl") == {"step": 1}


@pytest.fixture
def homeless(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No HOME, and a user whom the system does not know."""

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "GANLAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    return place


def test_without_a_home_the_cache_asks_for_a_place(
    homeless: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    for arguments in (("cache",), ("validate", "x.toml")):
        error = refusal(shell, *arguments)
        assert re.search("error: no directory for the cache: .* home directory .*~/", error)
        assert "set GANLAB_CACHE to one" in error
    monkeypatch.setenv("GANLAB_CACHE", str(homeless / "cache"))
    assert shell("cache")[0] == 0
    monkeypatch.setenv("GANLAB_CACHE", "~nobody-here/cache")
    with pytest.raises(GanlabError, match="no home directory is known for ~nobody-here/cache"):
        cache_directory()


@pytest.mark.parametrize(
    ("old", "new", "place_of_it"),
    [
        ('root = "photos"', 'root = "~/photos"', "x.toml:7: dataset.root: "),
        ('root = "photos"', 'root = "~nobody-here/photos"', "x.toml:7: dataset.root: "),
        ('"./mine.py"', '"~/mine.py"', "x.toml:2: plugins.0: "),
        ('title = "Names"', 'extends = "~/base.toml"', "x.toml:1: extends: "),
    ],
)
def test_a_home_that_is_not_known_is_told_where_it_is_asked_for(
    homeless: Path, shell: Shell, old: str, new: str, place_of_it: str
) -> None:
    Path("x.toml").write_text(EXPERIMENT.replace(old, new))
    assert f"error: {place_of_it}no home directory is known for ~" in refusal(shell, "validate", "x.toml")


@pytest.mark.parametrize("key", ["dataset.root", "extends", "plugins.0"])
def test_a_null_character_is_in_no_path(place: Path, shell: Shell, key: str) -> None:
    text = EXPERIMENT if key != "extends" else f'extends = "x"\n{EXPERIMENT}'
    wanted = {"dataset.root": '"photos"', "extends": '"x"', "plugins.0": '"./mine.py"'}[key]
    Path("x.toml").write_text(text.replace(wanted, '"a\\u0000b"'))
    assert f"{key}: has a null character, which no path can have" in refusal(shell, "validate", "x.toml")


def test_a_working_directory_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "error: the working directory cannot be found" in refusal(shell, "plugins")
    assert shell("--version")[0] == 0
    assert describe_environment()["directory"] is None


@pytest.mark.parametrize("lost", ["mine.py", "x.toml"])
def test_a_source_that_is_gone_is_not_blamed_on_the_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell, place: Path, lost: str
) -> None:
    real = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == lost and "runs" not in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    experiment = load_experiment("x.toml")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(GanlabError, match=rf"^cannot read (.*/)?{lost}: permission denied$"):
        RunDirectory.create(tmp_path / "runs", experiment)
    assert not list((tmp_path / "runs").glob("*/*"))


def test_a_file_that_a_component_is_refused_is_no_bug_of_its_plugin(
    place: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/secret/list.txt")

    monkeypatch.setattr("ganlab_image_folder.source.ImageFolder.__init__", denied)
    said = refusal(shell, "validate", "x.toml")
    assert "error: x.toml:5: dataset: the dataset 'image-folder' cannot use /secret/list.txt: " in said
