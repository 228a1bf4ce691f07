"""The command that runs all that needs a GPU, as far as that shows without one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from types import ModuleType

import pytest
import torch

FOLDER = Path(__file__).parent / "gpu"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return import_module("report")


@pytest.mark.slow
def test_what_needs_a_device_is_skipped_and_says_so(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(sys, "argv", ["report.py", "--out", str(tmp_path), "--only", "device"])
    with pytest.raises(SystemExit) as ended:
        report.main()
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "report.md").read_text()
    (line,) = (line for line in printed.splitlines() if line.startswith("- **passed** device: "))
    assert "skipped" in line and "no CUDA device" in line and "running statistics apart" in line
    assert "- passed: `test_device.py::test_no_optimizer_moves_after_what_is_not_finite[adam]`" in printed


@pytest.mark.slow
def test_all_whose_speed_is_measured_can_play(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    speed = import_module("speed")
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "ROUND_SECONDS", 0.01)
    monkeypatch.setattr(sys, "argv", ["speed.py"])
    speed.main()
    printed = capsys.readouterr().out
    assert printed.count("| fp32 |") == 3 and "FAILED" not in printed


@pytest.mark.slow
def test_recipe_and_script_are_held_against_the_same_faces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.delenv("GANLAB_TEST_DATA", raising=False)
    quality = import_module("quality")
    monkeypatch.setattr(quality, "FACES", 100)
    monkeypatch.setattr(quality, "SAMPLES", 25)
    monkeypatch.setattr(quality, "MARKS", (1e-3, 2e-3))
    monkeypatch.setattr(sys, "argv", ["quality.py"])
    held_out = []
    measure = quality.measure

    def measured(real: torch.Tensor, fake: torch.Tensor, *rest: object, **named: object) -> object:
        held_out.append(real)
        assert real.shape == fake.shape == (25, 3, 64, 64) and fake.dtype == torch.uint8
        return measure(real, fake, *rest, **named)

    monkeypatch.setattr(quality, "measure", measured)
    quality.main()
    assert len(held_out) == 4 and all(torch.equal(each, held_out[0]) for each in held_out)
    first, last = capsys.readouterr().out.split("\f")[1:]
    assert (
        "the recipe is where the script is after " in last.splitlines()[0] and "frechet on wavelet: " in last
    )
    assert last.count("| script | ") == last.count("| celeba64-fast-gpu | ") == 2
    assert first.count("| script | ") == 1


def test_each_part_fails_alone(
    report: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def part(name: str, code: str) -> object:
        return report.Part(name, f"The {name} one.", ["-c", code], tests=False)

    parts = [
        part("hanging", "import time; print('early', flush=True); time.sleep(60)"),
        part("told", "import sys; print('\\fat first\\fthen', *sys.argv[1:], flush=True)"),
        part("crashing", "print('half'); raise SystemExit('something broke')"),
        part("sound", "print('1.5 of 2')"),
    ]
    monkeypatch.setattr(report, "parts", lambda: parts)
    monkeypatch.setattr(report, "machine", lambda: torch.cuda.no_such_thing)
    monkeypatch.setattr(report, "SPARE_SECONDS", 0.0)
    monkeypatch.setattr(report, "PART_SHARE", 0.1)
    monkeypatch.setattr(sys, "argv", ["report.py", "--out", str(tmp_path), "--seconds", "20"])
    with pytest.raises(SystemExit) as ended:
        report.main()
    assert ended.value.code
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("- **")]
    assert lines[0].startswith("- **failed** hanging: The hanging one. stopped after 2 s; early")
    assert lines[1].startswith("- **passed** told: The told one. then --seconds 1.6")
    del lines[1]
    assert lines[1].startswith("- **failed** crashing: The crashing one. exit status 1; half")
    assert lines[2].startswith("- **passed** sound: The sound one. 1.5 of 2")
    assert "    something broke" in printed and "could not be described: AttributeError" in printed
    assert "\n2 failed, 2 passed;" in printed


def test_every_file_of_tests_is_a_part(report: ModuleType) -> None:
    names = {part.name for part in report.parts()}
    assert names == {
        "suite",
        "speed",
        "quality",
        *(file.stem[len("test_") :] for file in FOLDER.glob("test_*.py")),
    }
    suite = next(part for part in report.parts() if part.name == "suite")
    assert "tests/data/test_feed.py" in suite.command
    assert all(part.title.endswith(".") for part in report.parts())


def test_a_machine_with_all_packages_needs_no_wheels(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, FOLDER / "prepare.py", site], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(", 0 were missing\n")
    (folder,) = site.iterdir()
    made = PathDistribution(folder)
    plugins = {(entry.name, entry.value) for entry in made.entry_points if entry.group == "ganlab"}
    declared = {
        (entry.name, entry.value)
        for entry in Distribution.from_name("ganlab").entry_points
        if entry.group == "ganlab"
    }
    assert plugins == declared
