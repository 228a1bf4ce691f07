"""Numbers beyond all use are refused at their line, and never end in torch's C++ stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganlab.commands.cli import run

EXPERIMENT = """\
title = "Absurd"
plugins = ["./wide.py"]
[image]
size = 16
[dataset]
name = "faces"
count = 20
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
[discriminator]
name = "wide"
width = 4
[[losses]]
name = "non-saturating"
[training]
steps = 1
discriminator_steps = 1
batch_size = 4
device = "cpu"
[[evaluators]]
name = "precision-recall"
k = 3
samples = 8
"""

PLUGIN = """\
from torch import nn
from ganlab import DiscriminatorComponent, Options, hookimpl

class Wide(Options):
    width: int = 4
    "Channels."

def build(options, image):
    if options.width == 5:
        raise RuntimeError("a kernel failed\\nException raised from x:\\nframe #0: c10")
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, options.width), nn.Linear(options.width, 1))

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="wide", summary="As wide as asked", options=Wide, build=build)
"""


def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: int = 2) -> str:
    (tmp_path / "wide.py").write_text(PLUGIN)
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace(old, new, 1))
    assert run(["validate", str(tmp_path / "x.toml")]) == code
    told = capsys.readouterr().err
    assert "frame #" not in told
    return told


ABSURD = {
    "generator.width": ("width = 2", "width = {}"),
    "image.size": ("size = 16", "size = {}"),
    "dataset.count": ("count = 20", "count = {}"),
    "latent.dim": ("dim = 4", "dim = {}"),
    "training.discriminator_steps": ("discriminator_steps = 1", "discriminator_steps = {}"),
    "training.batch_size": ("batch_size = 4", "batch_size = {}"),
    "evaluators.0.samples": ("samples = 8", "samples = {}"),
    "evaluators.0.k": ("k = 3", "k = {}"),
}


@pytest.mark.parametrize("key", ABSURD)
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (2**63 - 1, "must be a whole number ≥"),
        (10**23, "is beyond the 64-bit numbers of TOML: 1000000000000000000"),
    ],
)
def test_an_absurd_number_is_refused_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, number: int, why: str
) -> None:
    old, new = ABSURD[key]
    told = refused(tmp_path, capsys, old, new.format(number))
    line = EXPERIMENT[: EXPERIMENT.index(old.strip())].count("\n") + 1
    assert f"x.toml:{line}: {key}: {why}" in told
    assert told.count("error:") == 1


def test_a_size_beyond_counting_is_the_fault_of_the_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(tmp_path, capsys, "width = 4", f"width = {2**62}")
    assert (
        "x.toml:13: discriminator: the discriminator 'wide' cannot be built: its options ask for too" in told
    )
    assert "bug" not in told


def test_a_size_beyond_the_memory_is_the_fault_of_the_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(tmp_path, capsys, "width = 4", f"width = {2**40}")
    assert "x.toml:13: discriminator: out of memory in the discriminator 'wide' while it was built" in told
    assert "ask for less in its options" in told


def test_of_what_torch_raises_the_first_line_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(tmp_path, capsys, "width = 4", "width = 5", code=1)
    assert "the discriminator 'wide' raised RuntimeError: a kernel failed (at " in told
