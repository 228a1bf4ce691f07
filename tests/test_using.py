"""The page on using a trained generator, run as a reader would paste it, from the first block to the last."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganlab
from ganlab import TrainedGenerator
from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1]
PAGE = (PROJECT / "docs" / "using.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)

SHORT = (
    ("steps = 5000", "steps = 2"),
    ("batch_size = 64", "batch_size = 4\n[samples]\ncount = 2"),
    ('name = "dcgan"', 'name = "dcgan"\nwidth = 4'),
    ("every = 500", "every = 1\nsamples = 8"),
)
"""What the page's experiment becomes here: the same, in a second."""


@pytest.fixture
def pets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory as the page has it, with a run."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.RandomState(0).randint(0, 256, (2, 10, 32, 32, 3), np.uint8)
    for name, images in zip(("cat", "dog"), pixels, strict=True):
        Path("pets", name).mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(Path("pets", name, f"{number}.png"))
    (experiment,) = [content for language, content in BLOCKS if language == "toml"]
    for given, short in SHORT:
        assert given in experiment
        experiment = experiment.replace(given, short)
    Path("pets.toml").write_text(experiment)
    ganlab.run("pets.toml", quiet=True)


def test_every_block_does_what_it_says(pets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    alone: dict[str, Any] = {}
    for language, content in BLOCKS:
        code = compile(content, "docs/using.md", "exec") if language == "python" else None
        if language == "console":
            for line in content.splitlines():
                assert run(line.removeprefix("ganlab ").split()) == 0
        elif code is not None and "torch.export.load" in content:
            with monkeypatch.context() as without:
                for module in [name for name in sys.modules if name.partition(".")[0] == "ganlab"]:
                    without.setitem(sys.modules, module, None)
                exec(code, alone)
        elif code is not None:
            exec(code, names)
    exported: TrainedGenerator = names["trained"]
    with Image.open("walk.png") as walk:
        assert walk.size == (8 * 34 + 2, 4 * 34 + 2)
    assert names["array"].shape == (16, 32, 32, 3) and len(names["images"]) == 16
    latents, labels = exported.latents(16, seed=0), torch.zeros(16, dtype=torch.int64)
    assert torch.equal(alone["pixels"], exported.to_uint8(exported.generator(latents, labels)))
    names = {file.name for file in Path("pets-generator").iterdir()}
    listed = re.findall(r"^\| ((?:`[\w./-]+`(?:, )?)+) \|", PAGE, flags=re.MULTILINE)
    assert names | {"source/"} == {name for cell in listed for name in re.findall(r"`(.*?)`", cell)}
    ours = ganlab.load(exported.source).sample(16, seed=0)
    assert torch.equal(exported.sample(16, seed=0), ours)
