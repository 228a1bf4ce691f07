from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import packed_sources
import pytest
from numpy.typing import NDArray
from packed_sources import SPEC, Drawn, values
from PIL import Image

from ganlab import (
    BadImageError,
    ComponentError,
    ImageSource,
    ImageSpec,
    VectorSource,
    VectorSpec,
    open_image,
)
from ganlab.data.packing import pack
from ganlab.data.store import Enlarged, Store
from ganlab.errors import GanlabError


class Line(VectorSource):
    """Vector i is (i, -i / 2, 0.1)."""

    dimension = 3

    def __len__(self) -> int:
        return 200

    def fingerprint(self) -> str:
        return "line"

    def read(self, index: int) -> NDArray[np.float32]:
        return np.array([index, -index / 2, 0.1], np.float32)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_image_lands_in_its_place(tmp_path: Path, workers: int) -> None:
    store = pack(Drawn(1000, labels=True), SPEC, cache=tmp_path, workers=workers, progress=False)
    assert values(store.samples) == list(range(1000))
    assert store.spec == ImageSpec(3, 4, 5, classes=3)
    assert store.labels is not None and store.labels.tolist() == [i % 3 for i in range(1000)]
    assert store.class_names == ("a", "b", "c") and store.skipped == () and len(store) == 1000
    assert not store.samples.flags.writeable


def test_little_data_is_packed_without_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.setattr("ganlab.data.workers._executor", forbidden)
    monkeypatch.setattr("ganlab.data.packing.available_cores", lambda: 8)
    assert len(pack(Drawn(600), SPEC, cache=tmp_path, progress=False)) == 600
    with pytest.raises(AssertionError, match="workers were started"):
        pack(Drawn(1100), SPEC, cache=tmp_path, progress=False)


def test_workers_and_their_number_change_nothing(tmp_path: Path) -> None:
    for workers in (1, 2):
        pack(Drawn(300), SPEC, cache=tmp_path / str(workers), workers=workers, progress=False)
    one, two = ((path, path.read_bytes()) for path in sorted(tmp_path.rglob("*.npy")))
    assert one[0].name == two[0].name and one[0].parent.name == two[0].parent.name and one[1] == two[1]


def test_vectors(tmp_path: Path) -> None:
    store = pack(Line(), None, cache=tmp_path, workers=2, progress=False)
    assert store.spec == VectorSpec(3)
    assert np.array_equal(store.samples, np.stack([Line().read(i) for i in range(200)]))
    assert store.gather([3, 1]).tolist() == pytest.approx(np.array([[3, -1.5, 0.1], [1, -0.5, 0.1]]))


def test_gathered_images_are_channels_last(tmp_path: Path) -> None:
    import torch

    images = pack(Drawn(300), SPEC, cache=tmp_path, progress=False).gather([299, 0, 299])
    assert images.shape == (3, 3, 4, 5) and images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images[:, 0, 0, 0].tolist() == [43, 0, 43] and images[:, 1, 3, 4].tolist() == [1, 0, 1]


def test_a_second_call_reads_nothing(tmp_path: Path) -> None:
    pack(Drawn(50), SPEC, cache=tmp_path, progress=False)
    again = Drawn(50)
    store = pack(again, SPEC, cache=tmp_path, progress=False)
    assert again.reads == 0 and values(store.samples) == list(range(50))


def test_whatever_changes_samples_changes_the_key(tmp_path: Path) -> None:
    def key(source: ImageSource | None = None, image: ImageSpec = SPEC, **how: object) -> str:
        return pack(source or Drawn(9), image, cache=tmp_path, progress=False, **how).fingerprint  # type: ignore[arg-type]

    keys = [
        key(),
        key(Drawn(9, seed=1)),
        key(Drawn(9, labels=True)),
        key(image=ImageSpec(3, 5, 4)),
        key(image=ImageSpec(1, 4, 5)),
        key(fit="stretch"),
        key(resample="box"),
    ]
    assert len(set(keys)) == len(keys) and keys[0] == key()


@pytest.mark.parametrize("damage", ["cut", "note", "gone", "labels"])
def test_a_damaged_store_is_packed_again(tmp_path: Path, damage: str) -> None:
    store = pack(Drawn(50, labels=True), SPEC, cache=tmp_path, progress=False)
    entry = tmp_path / store.fingerprint
    samples = entry / "samples.npy"
    if damage == "cut":
        os.truncate(samples, samples.stat().st_size - 1)
    elif damage == "note":
        (entry / "store.json").write_text("{")
    elif damage == "labels":
        os.truncate(entry / "labels.npy", 150)
    else:
        samples.unlink()
    again = Drawn(50, labels=True)
    assert values(pack(again, SPEC, cache=tmp_path, progress=False).samples) == list(range(50))
    assert again.reads == 50


def test_bad_images_are_skipped_and_listed(tmp_path: Path) -> None:
    bad = [0, 1, 17, 500, 999]
    source = Drawn(1000, bad, labels=True)
    store = pack(source, SPEC, on_bad_image="skip", cache=tmp_path, workers=2, progress=False)
    good = [i for i in range(1000) if i not in bad]
    assert values(store.samples) == good
    assert store.labels is not None and store.labels.tolist() == [i % 3 for i in good]
    assert store.skipped == tuple(f"/faces/{i}.jpg: cut off" for i in bad)
    loaded = np.load(tmp_path / store.fingerprint / "samples.npy")
    assert loaded.shape == (995, 4, 5, 3)
    # The same data is packed already, but to fail is still to fail.
    with pytest.raises(GanlabError, match=r"/faces/0\.jpg: cut off\.\n4 more are bad\."):
        pack(source, SPEC, on_bad_image="fail", cache=tmp_path, progress=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_image_fails_with_its_name_and_the_way_out(tmp_path: Path, workers: int) -> None:
    with pytest.raises(GanlabError) as caught:
        pack(Drawn(100, [40, 41]), SPEC, cache=tmp_path, workers=workers, progress=False)
    assert "bad image /faces/40.jpg: cut off." in str(caught.value)
    assert "1 more is bad" in str(caught.value)
    assert str(caught.value).endswith("\nRepair or remove them")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".lock", ".partial"]


class Locked(Drawn):
    """Its images 3 and 4 cannot be read, for a while."""

    def __init__(self, count: int, refusal: Exception | None) -> None:
        super().__init__(count, [7], labels=True)
        self.refusal = refusal

    def read(self, index: int) -> Image.Image:
        if index in (3, 4) and self.refusal is not None:
            raise self.refusal
        return super().read(index)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "refusal",
    [
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EIO, "Input/output error"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        BadImageError("3", "too large for this machine's memory", passing=True),
    ],
)
def test_what_may_pass_is_not_remembered(tmp_path: Path, refusal: Exception, workers: int) -> None:
    def packed(refusal: Exception | None) -> Store:
        source = Locked(100, refusal)
        return pack(source, SPEC, on_bad_image="skip", cache=tmp_path, workers=workers, progress=False)

    some = packed(refusal)
    assert (len(some), len(some.skipped)) == (97, 3)
    everything = packed(None)
    assert values(everything.samples) == [i for i in range(100) if i != 7]
    assert everything.skipped == ("/faces/7.jpg: cut off",)
    assert everything.fingerprint != some.fingerprint
    # What is packed whole is there for those, too, who could not read it by themselves.
    assert packed(refusal).fingerprint == everything.fingerprint


def test_a_store_that_cannot_be_read_is_not_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = pack(Drawn(50), SPEC, cache=tmp_path, progress=False)
    entry = tmp_path / store.fingerprint
    before = entry.stat().st_ino

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(entry / "samples.npy"))

    with monkeypatch.context() as patch:
        patch.setattr("ganlab.data.store.np.load", denied)
        with pytest.raises(
            GanlabError, match=rf"^cannot read the packed data in {entry}: permission denied$"
        ):
            pack(Drawn(50), SPEC, cache=tmp_path, progress=False)
    again = Drawn(50)
    assert len(pack(again, SPEC, cache=tmp_path, progress=False)) == 50
    assert (again.reads, entry.stat().st_ino) == (0, before)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("multiprocessing.synchronize.SemLock.__init__", OSError(errno.ENOSPC, "No space left on device")),
        ("multiprocessing.synchronize.SemLock.__init__", OSError(errno.EROFS, "Read-only file system")),
        ("os.fork", BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")),
        ("concurrent.futures.process._check_system_limits", NotImplementedError("no semaphores")),
        ("os.pipe", OSError(errno.EMFILE, "Too many open files")),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked")
def test_where_no_worker_can_be_started_this_process_packs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
    error: Exception,
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(what, refused)
        store = pack(Drawn(300), SPEC, cache=tmp_path, workers=2)
    assert values(store.samples) == list(range(300))
    said = capsys.readouterr().err
    assert f"packing in one process, since no others can be started: {error}; /dev/shm may be full" in said
    assert "cache" not in said


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(GanlabError, match="none of 3 images can be used"):
        pack(Drawn(3, range(3)), SPEC, on_bad_image="skip", cache=tmp_path, progress=False)
    with pytest.raises(ComponentError, match="empty"):
        pack(Drawn(0), SPEC, cache=tmp_path, progress=False)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (np.arange(9), "abc", "9 numbers below 3"),
        (np.arange(8) % 3, "abc", "9 numbers below 3"),
        (np.arange(9) % 3 / 2, "abc", "whole numbers, from 0 on, and are float64"),
        (np.array(list("abcabcabc")), "abc", "whole numbers, from 0 on, and are <U1"),
        (np.arange(9) % 3, "", "its class_names are empty: name each class"),
    ],
)
def test_labels_that_break_the_contract(tmp_path: Path, labels: Any, names: str, message: str) -> None:
    class Wrong(Drawn):
        class_names = tuple(names)  # type: ignore[assignment]

        def labels(self) -> Any:
            return labels

    with pytest.raises(ComponentError, match=message):
        pack(Wrong(9, labels=True), SPEC, cache=tmp_path, progress=False)


def test_vectors_that_break_the_contract(tmp_path: Path) -> None:
    class Long(Line):
        def read(self, index: int) -> NDArray[np.float32]:
            return np.zeros(4 if index == 7 else 3, np.float32)

    class Endless(Line):
        def read(self, index: int) -> NDArray[np.float32]:
            return np.full(3, np.inf, np.float32)

    with pytest.raises(ComponentError, match=r"vector 7 has shape \(4,\), not \(3,\)"):
        pack(Long(), None, cache=tmp_path, progress=False)
    with pytest.raises(ComponentError, match="not finite"):
        pack(Endless(), None, cache=tmp_path, workers=2, progress=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_vector_that_cannot_be_read_is_named(tmp_path: Path, workers: int) -> None:
    class Unreadable(Line):
        def read(self, index: int) -> NDArray[np.float32]:
            if index == 7:
                raise OSError(errno.EIO, "Input/output error", "/line/7.bin")
            return super().read(index)

    with pytest.raises(ComponentError, match=r"^vector 7 cannot be read: .*/line/7\.bin"):
        pack(Unreadable(), None, cache=tmp_path, workers=workers, progress=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_disk_without_room_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Drawn(100_000)
    monkeypatch.setattr("ganlab.data.packing.shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
    with pytest.raises(
        GanlabError, match=r"cannot keep 6\.0 MB .*: the disk is full; GANLAB_CACHE"
    ) as caught:
        pack(source, SPEC, cache=tmp_path, progress=False)
    assert str(tmp_path) in str(caught.value) and source.reads == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    real = Path.open

    def full(path: Path, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        if mode == "r+b":  # how rows are written
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, mode, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(GanlabError, match="the disk is full"):
            pack(Drawn(100), SPEC, cache=tmp_path, workers=workers, progress=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert len(pack(Drawn(100), SPEC, cache=tmp_path, progress=False)) == 100


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GanlabError, match=r"cache directory .*file/cache: Not a directory; GANLAB_CACHE"):
        pack(Drawn(3), SPEC, cache=tmp_path / "file" / "cache", progress=False)


@pytest.mark.slow
def test_many_at_once_pack_it_together(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from packed_sources import *; from ganlab.data.packing import pack\n"
        "store = pack(Drawn(3000), SPEC, cache=Path(sys.argv[1]), progress=False)\n"
        "assert values(store.samples) == list(range(3000))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(packed_sources.__file__).parent)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".lock"]


def test_threads_of_one_process_share_too(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(lambda _: pack(Drawn(60), SPEC, cache=tmp_path, progress=False), range(3)))
    assert all(values(store.samples) == list(range(60)) for store in stores)


class Local(Drawn):
    """Of this module, which is on no path."""


UNGUARDED = """
import ganlab.data.packing
import ganlab.data.workers
ganlab.data.workers._START = "spawn"
ganlab.data.packing.available_cores = lambda: 2
ganlab.data.packing._SAMPLES_WORTH_A_WORKER = 10
from ganlab.config import load_experiment
from ganlab.data.preparation import prepare

tables = {
    "title": "Spawned", "dataset": {"name": "faces", "count": 100}, "image": {"size": 16},
    "generator": {"name": "dcgan"}, "losses": [{"name": "mmd"}], "training": {"steps": 1},
}
print(len(prepare(load_experiment(tables), progress=False).store))
"""


@pytest.mark.slow
def test_spawned_workers_do_not_run_a_script_without_a_guard_again(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "GANLAB_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "100\n"), done.stderr


@pytest.mark.slow
def test_spawned_workers_find_sources_of_local_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What other systems than Linux do; this module, too, is on no path that a worker would search.
    monkeypatch.setattr("ganlab.data.workers._START", "spawn")
    store = pack(Local(70), SPEC, cache=tmp_path, workers=2, progress=False)
    assert values(store.samples) == list(range(70))


def test_bugs_in_a_source_are_not_dressed_up(tmp_path: Path) -> None:
    class Buggy(Drawn):
        def read(self, index: int) -> Image.Image:
            raise ZeroDivisionError(f"at {index}")

    with pytest.raises(ZeroDivisionError):
        pack(Buggy(200), SPEC, cache=tmp_path, workers=2, progress=False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_worker_that_is_killed_is_reported(tmp_path: Path) -> None:
    class Deadly(Drawn):
        def read(self, index: int) -> Image.Image:
            os.kill(os.getpid(), signal.SIGKILL)
            return super().read(index)

    with pytest.raises(GanlabError, match="a packing process was killed"):
        pack(Deadly(200), SPEC, cache=tmp_path, workers=2, progress=False)


def test_progress_is_lines_on_stderr_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack(Drawn(1200, [3]), SPEC, on_bad_image="skip", cache=tmp_path)
    output = capsys.readouterr()
    begin, end, left_out = output.err.splitlines()
    assert begin == "packing 3×4×5 images: 1,200 …"
    assert end.startswith("packing 3×4×5 images: 1,200 in ")
    assert left_out == "left out 1 bad image, the first: /faces/3.jpg: cut off"
    assert output.out == ""


def test_the_note_of_a_store_can_be_read(tmp_path: Path) -> None:
    store = pack(Drawn(5), SPEC, cache=tmp_path, progress=False)
    note = json.loads((tmp_path / store.fingerprint / "store.json").read_text())
    assert note["count"] == 5 and note["spec"] == {"channels": 3, "height": 4, "width": 5, "classes": 0}


@pytest.mark.parametrize("workers", [1, 2])
def test_images_that_are_enlarged_are_counted_and_told_every_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    class Growing(Drawn):
        def read(self, index: int) -> Image.Image:
            return Image.new("RGB", (60 + index, 40 + index))

    spec = ImageSpec(3, 128, 128)
    told = (
        "warning: 88 of 100 images are smaller than 128×128 pixels and enlarged, which adds blur and no "
        "detail; the smallest is 60×40 as cropped\n"
    )
    for how in (workers, 1):
        store = pack(Growing(100), spec, cache=tmp_path, workers=how)
        assert store.enlarged == Enlarged(88, 60, 40)
        assert told in capsys.readouterr().err
    assert pack(Growing(100), ImageSpec(3, 40, 40), cache=tmp_path, progress=False).enlarged is None
    assert pack(Line(), None, cache=tmp_path, progress=False).enlarged is None


def test_a_store_that_never_counted_what_it_enlarged_can_be_read(tmp_path: Path) -> None:
    entry = tmp_path / pack(Drawn(9), ImageSpec(3, 16, 20), cache=tmp_path, progress=False).fingerprint
    note = json.loads((entry / "store.json").read_text())
    assert note.pop("enlarged") == {"count": 9, "width": 10, "height": 8}
    (entry / "store.json").write_text(json.dumps(note))
    store = pack(Drawn(9), ImageSpec(3, 16, 20), cache=tmp_path, progress=False)
    assert store.enlarged is None and len(store) == 9


def test_a_store_of_which_a_later_version_says_more_can_be_read(tmp_path: Path) -> None:
    source = Drawn(9)
    before = pack(source, ImageSpec(3, 16, 20), cache=tmp_path, workers=1, progress=False)
    file = tmp_path / before.fingerprint / "store.json"
    note = json.loads(file.read_text())
    note["enlarged"]["mean"] = 4.5
    file.write_text(json.dumps({**note, "later": True}))
    store = pack(source, ImageSpec(3, 16, 20), cache=tmp_path, workers=1, progress=False)
    assert store.enlarged == before.enlarged and source.reads == 9


def test_what_a_source_has_to_say_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Talking(Drawn):
        notes = ("left out: 3 .txt",)

    for progress in (True, False):
        pack(Talking(9), SPEC, cache=tmp_path, progress=progress)
        assert ("left out: 3 .txt\n" in capsys.readouterr().err) is progress


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_larger_images_can_be_allowed(tmp_path: Path, workers: int) -> None:
    class Files(Drawn):
        def read(self, index: int) -> Image.Image:
            return open_image(tmp_path / "large.png")

    Image.new("L", (9000, 10_000)).save(tmp_path / "large.png", compress_level=1)
    grey = ImageSpec(1, 4, 5)
    cache = tmp_path / "cache"
    with pytest.raises(GanlabError, match=r"namely 90,000,000; .* a max_pixels of 90000000 lets it through"):
        pack(Files(2), grey, cache=cache, workers=workers, progress=False)
    assert len(pack(Files(2), grey, cache=cache, workers=workers, max_pixels=90_000_000, progress=False)) == 2
    assert Image.MAX_IMAGE_PIXELS == 89_478_485
    with pytest.raises(GanlabError, match="more than 100 pixels"):
        pack(Files(2), grey, cache=cache, workers=workers, max_pixels=100, progress=False)
