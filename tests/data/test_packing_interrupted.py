"""What packing leaves when it is interrupted or killed, and how the next one goes on from there."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import packed_sources
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_sources import SPEC, Drawn, values
from PIL import Image

from ganlab import BadImageError, ImageSpec
from ganlab.data.image_set import open_image_set
from ganlab.data.packing import pack
from ganlab.errors import GanlabError


class Interrupted(Drawn):
    """Ctrl-C comes as image `at` is read."""

    at = -1

    def read(self, index: int) -> Image.Image:
        if index == self.at:
            raise KeyboardInterrupt
        return super().read(index)


def rows_noted(journal: Path) -> int:
    whole = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return sum(json.loads(line)["rows"] for line in whole if line.strip())


def entry_in(cache: Path) -> dict[str, bytes]:
    (entry,) = (path for path in cache.iterdir() if path.is_dir())
    return {path.name: path.read_bytes() for path in entry.iterdir()}


@settings(max_examples=20)
@given(ats=st.lists(st.integers(0, 199), max_size=4), bad=st.sets(st.integers(0, 199), max_size=3))
def test_packing_goes_on_where_it_was_interrupted(ats: list[int], bad: set[int]) -> None:
    source = Interrupted(200, bad, labels=True)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        options: Any = {"workers": 1, "on_bad_image": "skip", "progress": False}
        pack(Drawn(200, bad, labels=True), SPEC, cache=cache / "undisturbed", **options)
        for source.at in sorted(ats):
            with suppress(KeyboardInterrupt):
                pack(source, SPEC, cache=cache / "cache", **options)
        source.at = -1
        pack(source, SPEC, cache=cache / "cache", **options)
        assert entry_in(cache / "cache") == entry_in(cache / "undisturbed")
    # Chunks of one worker are 16 images: none is read in vain but those of the chunk that was cut off.
    assert source.reads <= 200 + 16 * len(ats)


def test_where_packing_goes_on_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Interrupted(200)
    source.at = 150
    with pytest.raises(KeyboardInterrupt):
        pack(source, SPEC, cache=tmp_path, workers=1)
    source.at = -1
    pack(source, SPEC, cache=tmp_path, workers=1)
    told = capsys.readouterr().err
    assert "packing was interrupted, and goes on after 144 of 200 samples" in told
    assert "images: 56 in " in told


def test_what_may_pass_is_tried_again_when_packing_goes_on(tmp_path: Path) -> None:
    class Away(Interrupted):
        away = True

        def read(self, index: int) -> Image.Image:
            if index == 20 and self.away:
                raise BadImageError("/faces/20.jpg", "the disk is away", passing=True)
            return super().read(index)

    source = Away(200)
    source.at = 150
    options: Any = {"workers": 1, "on_bad_image": "skip", "progress": False}
    with pytest.raises(KeyboardInterrupt):
        pack(source, SPEC, cache=tmp_path, **options)
    source.at, source.away = -1, False
    assert values(pack(source, SPEC, cache=tmp_path, **options).samples) == list(range(200))


class Mended(Drawn):
    """Images that are known by a name and a version; a version below 0 is bad."""

    def __init__(self, versions: dict[int, int]) -> None:
        super().__init__(len(versions))
        self.names, self.versions = sorted(versions), versions

    def fingerprint(self) -> str:
        return str(self.versions)

    def revisions(self) -> list[str]:
        return [f"{name} {self.versions[name]}" for name in self.names]

    def read(self, index: int) -> Image.Image:
        self.reads += 1
        name = self.names[index]
        if self.versions[name] < 0:
            raise BadImageError(f"/faces/{name}.jpg", "cut off")
        # Those that are small have to be enlarged.
        return Image.new("RGB", (10, 8) if name % 5 else (3, 3), (name % 256, 0, self.versions[name]))


@settings(max_examples=20)
@given(
    at=st.integers(0, 199),
    mend=st.sampled_from(["repair", "remove", "skip"]),
    edited=st.sets(st.integers(0, 199), max_size=2),
    removed=st.sets(st.integers(0, 199), max_size=2),
    added=st.sets(st.integers(-50, -1), max_size=2),
)
def test_packing_that_a_bad_image_stopped_goes_on_with_what_has_not_changed(
    at: int, mend: str, edited: set[int], removed: set[int], added: set[int]
) -> None:
    found = {**dict.fromkeys(range(200), 0), at: -1}
    mended = {name: int(name in edited) for name in {*range(200), *added} - removed}
    mended[at] = -1 if mend == "skip" else 1
    if mend == "remove":
        del mended[at]
    options: Any = {"workers": 1, "progress": False}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        with pytest.raises(GanlabError, match=f"/faces/{at}.jpg"):
            pack(Mended(found), SPEC, cache=cache / "cache", **options)
        options["on_bad_image"] = "skip" if mend == "skip" else "fail"
        pack(Mended(mended), SPEC, cache=cache / "undisturbed", **options)
        source = Mended(mended)
        pack(source, SPEC, cache=cache / "cache", **options)
        assert entry_in(cache / "cache") == entry_in(cache / "undisturbed")
    packed_before = at // 16 * 16
    touched = sum(name // 16 < at // 16 for name in edited | removed)
    assert source.reads <= len(mended) - packed_before + 16 * (touched + len(added))


def test_what_stopped_packing_is_looked_at_again(tmp_path: Path) -> None:
    source = Drawn(200, [150])
    source.fingerprint = lambda: "the same"  # type: ignore[method-assign]
    with pytest.raises(GanlabError, match="150"):
        pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    source.bad, source.reads = set(), 0  # as by a newer Pillow
    store = pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    assert values(store.samples) == list(range(200))
    assert source.reads == 200 - 144


def test_rows_are_not_carried_over_to_images_of_another_size_or_treatment(tmp_path: Path) -> None:
    found = {**dict.fromkeys(range(200), 0), 150: -1}
    for number, (spec, how) in enumerate(
        [
            (ImageSpec(3, 5, 4), {}),
            (ImageSpec(3, 8, 8), {}),
            (SPEC, {"resample": "box"}),
            (SPEC, {"fit": "stretch"}),
        ]
    ):
        options: Any = {"cache": tmp_path / str(number), "workers": 1, "progress": False}
        with pytest.raises(GanlabError):
            pack(Mended(found), SPEC, **options)
        source = Mended({**found, 150: 1})
        pack(source, spec, **options, **how)
        assert source.reads == 200


@pytest.mark.parametrize("mend", ["repair", "remove"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_folder_whose_bad_image_is_mended_is_packed_on(tmp_path: Path, mend: str, zipped: bool) -> None:
    folder, source = tmp_path / "folder", tmp_path / ("folder.zip" if zipped else "folder")
    folder.mkdir()
    for index in range(48):
        Image.new("RGB", (10, 8), (index, 0, 0)).save(folder / f"{index:02}.png")
    bad = folder / "40.png"
    whole = bad.read_bytes()

    def packed(cache: str) -> dict[str, bytes]:
        if zipped:
            shutil.make_archive(str(folder), "zip", folder)
        images = open_image_set(source, uniform=True)
        pack(images, images.spec, cache=tmp_path / cache, workers=1)
        return entry_in(tmp_path / cache)

    bad.write_bytes(whole[:40])
    with pytest.raises(GanlabError, match=r"bad image .*40\.png"):
        packed("cache")
    # Something else has changed, too, and is not longer for it.
    changed = Image.new("RGB", (10, 8), (99, 0, 0))
    changed.save(folder / "20.png")
    assert mend == "remove" or bad.write_bytes(whole)
    assert mend == "repair" or not bad.unlink()
    with contextlib.redirect_stderr(io.StringIO()) as told:
        entry = packed("cache")
    assert f"goes on after 16 of {48 - (mend == 'remove')} samples" in told.getvalue()
    assert entry == packed("undisturbed")


def test_what_was_packed_before_a_worker_was_lost_is_not_packed_again(tmp_path: Path) -> None:
    class Deadly(Drawn):
        deadly = True

        def read(self, index: int) -> Image.Image:
            if self.deadly and index == 150:
                time.sleep(0.3)  # meanwhile the other worker packs what is left
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read(index)

    source = Deadly(200)
    with pytest.raises(GanlabError, match="a packing process was killed"):
        pack(source, SPEC, cache=tmp_path, workers=2, progress=False)
    (journal,) = tmp_path.glob("*.partial/packing.jsonl")
    noted = rows_noted(journal)
    source.deadly = False
    store = pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    assert values(store.samples) == list(range(200))
    assert source.reads == 200 - noted < 200


@pytest.mark.parametrize("damage", [b"", b"{", b'{"start": 0}\n', b"\xff\n"])
def test_a_damaged_journal_costs_work_and_no_bytes(tmp_path: Path, damage: bytes) -> None:
    source = Interrupted(200)
    source.at = 150
    with pytest.raises(KeyboardInterrupt):
        pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    (journal,) = tmp_path.glob("*.partial/packing.jsonl")
    journal.write_bytes(journal.read_bytes()[:200] + damage)
    source.at = 190
    with pytest.raises(KeyboardInterrupt):
        pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    source.at, source.reads = -1, 0
    store = pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    assert values(store.samples) == list(range(200))
    assert source.reads <= 2 * 16  # what the second of them noted counts, behind the damage


def test_what_is_left_without_a_journal_is_not_trusted(tmp_path: Path) -> None:
    pack(Drawn(200), SPEC, cache=tmp_path, workers=1, progress=False)
    (entry,) = (path for path in tmp_path.iterdir() if path.is_dir())
    with (entry / "samples.npy").open("r+b") as file:
        file.write(b"spoilt")
    entry.rename(entry.with_name(f"{entry.name}.1.damaged.partial"))
    store = pack(Drawn(200), SPEC, cache=tmp_path, workers=1, progress=False)
    assert values(store.samples) == list(range(200))


@pytest.mark.slow
@pytest.mark.parametrize("other_first", [False, True])
def test_a_killed_packer_leaves_nothing_that_looks_whole(tmp_path: Path, other_first: bool) -> None:
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from packed_sources import *; from ganlab.data.packing import pack\n"
        "class Slow(Drawn):\n"
        "    def read(self, index):\n"
        "        time.sleep(0.02)\n"
        "        return super().read(index)\n"
        "pack(Slow(5000), SPEC, cache=Path(sys.argv[1]), workers=2, progress=False)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(packed_sources.__file__).parent)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 30
    while not any(map(rows_noted, tmp_path.glob("*.partial/packing.jsonl"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (leftover,) = tmp_path.glob("*.partial")
    journal = leftover / "packing.jsonl"
    assert not [path for path in tmp_path.iterdir() if path.suffix == ""]
    if other_first:
        # Its lock went with it; orphaned workers, which end by themselves, have none.
        while leftover.exists() and time.monotonic() < deadline:
            pack(Drawn(5), SPEC, cache=tmp_path, progress=False)  # Another key cleans up as well.
            for entry in tmp_path.glob("*/store.json"):
                entry.unlink()
            time.sleep(0.02)
        assert not leftover.exists()
    written = rows_noted(journal) if journal.exists() else 0
    source = Drawn(5000)
    store = pack(source, SPEC, cache=tmp_path, workers=1, progress=False)
    assert values(store.samples) == list(range(5000))
    assert source.reads == 5000 - written
    assert (written > 0) is not other_first
