"""`ganlab timelapse`: a film of what a run drew."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

EXPERIMENT = """
title = "Ring"
trackers = []
[dataset]
name = "gaussians"
count = 200
[latent]
dim = 2
[generator]
name = "mlp"
width = 8
[discriminator]
name = "mlp"
width = 8
[[losses]]
name = "non-saturating"
[optimizer.generator]
learning_rate = 0.1
[training]
steps = 4
batch_size = 16
[ema]
half_life_images = 20
ramp_up = 0
[samples]
every = 1
"""


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ring")
    (directory / "x.toml").write_text(EXPERIMENT)
    assert run(["run", str(directory / "x.toml"), "--runs", str(directory / "runs"), "--quiet"]) == 0
    (path,) = (directory / "runs").glob("*/*/")
    return path


def made(path: Path, out: Path, *arguments: str) -> list[tuple[np.ndarray, int]]:
    """Return every frame of a film, `(H, W, 3)`, and for how many milliseconds it is shown."""
    assert run(["timelapse", str(path), "--out", str(out), *arguments]) == 0
    return frames(out)


def frames(film: Path) -> list[tuple[np.ndarray, int]]:
    with Image.open(film) as animation:
        assert animation.info["loop"] == 0
        found = []
        for number in range(animation.n_frames):
            animation.seek(number)
            picture = np.asarray(animation.convert("RGB")).astype(int)
            found.append((picture, round(animation.info["duration"])))
        return found


def drawn(path: Path, name: str = "fixed_ema") -> list[np.ndarray]:
    files = sorted((path / "samples").glob(f"{name}-*.png"))
    return [np.asarray(Image.open(file).convert("RGB")).astype(int) for file in files]


def nearest(frame: np.ndarray, pictures: list[np.ndarray]) -> int:
    return int(np.argmin([np.abs(frame - picture).mean() for picture in pictures]))


def test_the_runs_own_pictures_in_order_and_the_last_is_held(ring: Path, tmp_path: Path) -> None:
    film = made(ring, tmp_path / "ring.gif", "--no-caption", "--fps", "5", "--hold", "1")
    pictures = drawn(ring)
    assert [nearest(frame, pictures) for frame, _ in film] == [0, 1, 2, 3, 4]
    assert [time for _, time in film] == [200] * 4 + [1200]
    assert nearest(film[-1][0], [drawn(ring, name)[-1] for name in ("fixed", "fixed_ema")]) == 1
    field = made(ring, tmp_path / "field.gif", "--no-caption", "--picture", "field")
    assert np.abs(field[-1][0] - drawn(ring, "field")[-1]).mean() < 5


def test_by_itself_it_is_in_the_runs_directory_with_the_step_underneath(
    ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):  # what it made itself, it makes anew
        assert run(["timelapse", str(ring)]) == 0
        out = capsys.readouterr().out
        assert out == f"5 pictures of steps 0 to 4, 2.5 s, in {ring / 'timelapse.webp'}\n"
    film = frames(ring / "timelapse.webp")
    assert [frame.shape for frame, _ in film] == [(512 + 28, 512, 3)] * 5
    strips = [frame[512:] for frame, _ in film]
    assert all((strip[:20] < 128).sum() > 50 for strip in strips)  # a text
    assert [int((strip[-1, :, 0] < 128).sum()) for strip in strips] == pytest.approx(
        [0, 128, 256, 384, 512], abs=8
    )


@pytest.mark.parametrize(("most", "steps"), [("3", [0, 2, 4]), ("2", [0, 4]), ("1", [4])])
def test_of_many_pictures_some_are_taken_evenly(
    ring: Path, tmp_path: Path, most: str, steps: list[int]
) -> None:
    film = made(ring, tmp_path / "few.gif", "--no-caption", "--frames", most)
    assert [nearest(frame, drawn(ring)) for frame, _ in film] == steps


def test_pictures_of_other_sizes_are_shown_in_one(ring: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ring, copy)
    for step, size in enumerate([(8, 16), (16, 8)]):
        Image.new("L", size, 50).save(copy / "samples" / f"mine-{step:08d}.png")
    film = made(copy, tmp_path / "mine.gif", "--picture", "mine", "--size", "32", "--no-caption")
    assert [(frame == 50).all(2).sum() for frame, _ in film] == [16 * 32, 32 * 16]
    assert (film[0][0][:, 16:] == 255).all() and (film[1][0][16:] == 255).all()
    (copy / "samples" / "mine-00000001.png").write_bytes(b"")
    assert run(["timelapse", str(copy), "--picture", "mine"]) == 2


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    capsys.readouterr()
    assert run(["timelapse", *map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_what_it_cannot_do_is_said_plainly(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there.gif"
    there.write_text("mine")
    assert "there.gif exists; choose another --out, or --force" in refused(capsys, ring, "--out", there)
    assert there.read_text() == "mine"
    assert made(ring, there, "--force")
    assert "a.avi is no film: its suffix is one of .webp, .gif, .mp4" in refused(
        capsys, ring, "--out", tmp_path / "a.avi"
    )
    assert "no pictures called 'fielt': there are field, fixed, fixed_ema, real" in refused(
        capsys, ring, "--picture", "fielt"
    )
    empty = tmp_path / "empty"
    shutil.copytree(ring, empty, ignore=shutil.ignore_patterns("*.png"))
    assert "has no pictures: it has drawn none yet" in refused(capsys, empty)


def test_an_mp4_has_a_second_for_every_so_many_pictures(ring: Path, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    out = tmp_path / "ring.mp4"
    assert run(["timelapse", str(ring), "--out", str(out), "--fps", "5", "--size", "101"]) == 0
    assert ffmpeg.count_frames_and_secs(str(out)) == (5 + 10, 3.0)
    details = next(ffmpeg.read_frames(str(out)))
    assert details["size"] == (102, 124) and details["codec"] == "h264"


def test_without_what_writes_an_mp4_another_film_is_named(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "ring.mp4"
    message = refused(capsys, ring, "--out", out)
    assert re.search(r"pip install 'ganlab\[film\]'.*\.webp and \.gif need nothing more", message)
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho there is no such codec\nexit 1\n")
    program.chmod(0o755)
    assert f"{program} wrote no film: there is no such codec" in refused(capsys, ring, "--out", out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ffmpeg"]
