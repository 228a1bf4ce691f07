"""Too little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from trials import experiment, ganlab, state

pytestmark = pytest.mark.gpu

Record = Callable[[str, object], None]


LARGE = ["--set", "image.size=64", "--set", "generator.width=64", "--set", "discriminator.width=64"]


@pytest.mark.usefixtures("cuda")
def test_too_little_memory_is_told_before_training(tmp_path: Path, record_property: Record) -> None:
    (tmp_path / "x.toml").write_text(experiment("cuda", count=200))
    done = ganlab("run", "x.toml", *LARGE, "--set", "training.batch_size=3000000", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "a step of 3,000,000 samples needs at least" in done.stderr and "free on cuda" in done.stderr
    record_property("it says", done.stderr.strip())
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("cuda")
def test_too_little_memory_is_told_in_a_step(tmp_path: Path, record_property: Record) -> None:
    # torch is held to 1 GiB, of which the driver, which the estimate asks, knows nothing.
    share = "torch.cuda.set_per_process_memory_fraction(2**30 / torch.cuda.mem_get_info()[1])"
    (tmp_path / "x.toml").write_text(experiment("cuda", count=200))
    large = [*LARGE, "--set", "training.batch_size=2048"]
    done = ganlab("run", "x.toml", *large, cwd=tmp_path, prelude=share)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "out of memory in step 1: " in done.stderr and " more could not be had" in done.stderr
    assert "lower training.batch_size or set training.microbatch_size" in done.stderr
    record_property("it says", done.stderr.strip())
    (run,) = (tmp_path / "runs").glob("*/*/")
    assert state(run)["status"] == "failed"
