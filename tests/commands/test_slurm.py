"""The batch script, run with stand-ins for Slurm's programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_process import ganlab

EXPERIMENT = """
title = "Batch"
[image]
size = 16
[dataset]
name = "faces"
[generator]
name = "dcgan"
[[losses]]
name = "mmd"
[training]
steps = 2
"""

SRUN = """#!/bin/bash
for SLURM_PROCID in $(seq 0 $((SLURM_NTASKS - 1))); do
    export SLURM_PROCID SLURM_LOCALID=$SLURM_PROCID
    "$@" >> "$LOG"
done
exit "$CODE"
"""

SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then echo first; echo second; else echo "scontrol $*" >> "$LOG"; fi
"""

# Stands where the interpreter does in the script.
PYTHON = """#!/bin/bash
printf '%s|' "$RANK" "$LOCAL_RANK" "$WORLD_SIZE" "$MASTER_ADDR" "$MASTER_PORT" "$@"
echo
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "it's a place"
    directory.mkdir()
    (directory / "batch one.toml").write_text(EXPERIMENT)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("python", PYTHON)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return directory


def script(place: Path, *arguments: str) -> str:
    done = ganlab("slurm", "batch one.toml", *arguments, cwd=place)
    return done.stdout.replace(sys.executable, str(place.parent / "programs" / "python"), 1)


def run(place: Path, text: str, code: int, tasks: int) -> tuple[int, list[str]]:
    log = place / "log"
    log.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PATH": f"{place.parent / 'programs'}:{os.environ['PATH']}",
        "LOG": str(log),
        "CODE": str(code),
        "SLURM_NTASKS": str(tasks),
        "SLURM_JOB_ID": "40123",
        "SLURM_JOB_NODELIST": "first,second",
    }
    done = subprocess.run(["bash"], input=text, env=environment, text=True, capture_output=True, check=False)
    assert done.stderr == ""
    return done.returncode, log.read_text().splitlines()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 75])
def test_it_is_queued_again_where_it_was_interrupted_and_nowhere_else(place: Path, code: int) -> None:
    returned, log = run(place, script(place), code, 1)
    assert returned == code
    assert ("scontrol requeue 40123" in log) == (code == 75)


def test_one_process_is_a_plain_run(place: Path) -> None:
    _, log = run(place, script(place, "--set", 'title="a b"'), 0, 1)
    (line,) = log
    assert line.split("|")[5:-1] == [
        *("-m", "ganlab", "run", str(place / "batch one.toml"), "--resume", "auto"),
        *("--runs", str(place / "runs"), "--set", 'title="a b"'),
    ]


def test_every_process_knows_its_place(place: Path) -> None:
    text = script(place, "--nodes", "1", "--gpus", "3", "--partition", "big one")
    assert "#SBATCH --ntasks-per-node=3" in text and "#SBATCH --partition='big one'" in text
    assert "#SBATCH --signal=TERM@120" in text and "#SBATCH --requeue" in text
    _, log = run(place, text, 0, 3)
    assert [line.split("|")[:5] for line in log] == [
        [str(rank), str(rank), "3", "first", "20123"] for rank in range(3)
    ]


def test_a_bad_experiment_fails_now(place: Path) -> None:
    done = ganlab("slurm", "batch one.toml", "--set", "training.steps=0", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")


def test_relative_paths_mean_what_they_did_where_it_was_printed(place: Path) -> None:
    (place / "own.py").write_text(
        "from ganlab import hookimpl\n\n@hookimpl\ndef ganlab_losses():\n    return []\n"
    )
    text = script(place, "--plugin", "./own.py")
    (place.parent / "programs" / "python").write_text("#!/bin/bash\npwd\n")
    assert run(place, text, 0, 1) == (0, [str(place)])
