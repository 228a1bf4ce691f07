"""`ganlab check` tells a line for each promise, and how to mend what is broken."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image

from ganlab.commands.cli import run

PLUGIN = """\
import numpy as np
import torch
from torch import nn

from ganlab import DiscriminatorComponent, GeneratorComponent, Options, hookimpl

class Undescribed(Options):
    width: int = 4

class Described(Options):
    root: str
    "Where the files are."

class Draw(nn.Module):
    def __init__(self, image, latent):
        super().__init__()
        self.image = image
        self.layer = nn.Linear(latent.dim, 3 * 32 * 32)

    def forward(self, latents):
        return self.layer(latents).tanh().view(-1, *self.image.shape)

class Leaking(Draw):
    def forward(self, latents):
        return super().forward(latents - latents.mean(0))

class Small(Draw):
    def forward(self, latents):
        return super().forward(latents)[:, :, ::2]

class Moody(Draw):
    def forward(self, latents):
        return super().forward(latents) * np.random.default_rng().random()

class Seeded(Draw):
    def __init__(self, image, latent):
        torch.manual_seed(0)
        super().__init__(image, latent)

class Nowhere(Draw):
    def forward(self, latents):
        return super().forward(latents) * torch.nan

class Judge(nn.Module):
    def __init__(self, image):
        super().__init__()
        self.layer = nn.Linear(3 * 32 * 32, 1)

    def forward(self, images):
        return self.layer(images.flatten(1)).squeeze(1)

class Sure(Judge):
    def forward(self, images):
        return super().forward(images).sigmoid()

class Detached(Judge):
    def forward(self, images):
        return super().forward(images).detach()

class Scribbling(Judge):
    def forward(self, images):
        if not images.requires_grad:
            images.clamp_(-0.5, 0.5)
        return super().forward(images)

class Overwriting(Judge):
    def __init__(self, image):
        super().__init__(image)
        self.first = nn.LeakyReLU(0.2, inplace=True)

    def forward(self, images):
        return super().forward(self.first(images))

class Noisy(Judge):
    def forward(self, images):
        return super().forward(images.add_(torch.randn_like(images)) if self.training else images)

class Nvidia(Judge):
    def forward(self, images):
        return super().forward(images.cuda()).cuda()

class Here(Judge):
    def forward(self, images):
        return super().forward(images + torch.zeros(3, 32, 32))

class Spare(Judge):
    def __init__(self, image):
        super().__init__(image)
        self.spare = nn.Linear(2, 2)

def offer(record, network, **more):
    def build(options, *context):
        return network(*context)
    return record(name=network.__name__.lower(), summary="…", build=build, **more)

@hookimpl
def ganlab_generators():
    yield from (offer(GeneratorComponent, each) for each in (Draw, Leaking, Small, Moody, Seeded, Nowhere))

@hookimpl
def ganlab_discriminators():
    yield from (
        offer(DiscriminatorComponent, each)
        for each in (Sure, Detached, Scribbling, Overwriting, Noisy, Nvidia, Here, Spare)
    )
    yield offer(DiscriminatorComponent, Judge, options=Undescribed)
"""

BROKEN = {
    "generator leaking": ("each sample from its own latent alone", "depends on the rest of its batch"),
    "generator small": ("finite samples of the right shape", "for 3×32×32 images it must be (1, 3, 32, 32)"),
    "generator moody": (
        "the same outputs each time, and from a checkpoint",
        "evaluation mode must not be ran",
    ),
    "generator seeded": ("it seeds no global generator", "it calls torch.manual_seed()"),
    "generator nowhere": ("finite samples of the right shape", "its samples must be finite"),
    "discriminator sure": ("logits, not probabilities", "come out of a sigmoid; return what goes into it"),
    "discriminator detached": ("a gradient reaches the samples", "leave out detach()"),
    "discriminator scribbling": ("it leaves its inputs alone", "copy them first"),
    "discriminator overwriting": ("it leaves its inputs alone", "leave out `inplace=True`"),
    "discriminator noisy": ("it leaves its inputs alone", "copy them first"),
    "discriminator nvidia": ("finite logits, one or more for each sample", "name no device"),
    "discriminator here": ("it works on any device", "make new tensors with device=samples.device"),
    "discriminator spare": ("a gradient reaches every parameter", "the parameter `spare.weight`"),
    "discriminator judge": ("every option is described", "option `width` has no description"),
}
"""Component -> the promise that it breaks, and what is said of it."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, str]]:
    """Return the exit code of a check of all broken components, and what was told of each."""
    file = tmp_path_factory.mktemp("broken") / "broken.py"
    file.write_text(PLUGIN)
    with redirect_stdout(StringIO()) as output:
        code = run(["check", str(file)])
    parts = re.split(r"^(\w+ \w+)  \(.*\)$", output.getvalue(), flags=re.MULTILINE)
    return code, dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("component", BROKEN)
def test_a_broken_promise_is_told_with_what_would_mend_it(
    told: tuple[int, dict[str, str]], component: str
) -> None:
    promise, mending = BROKEN[component]
    (line,) = re.findall(rf"^  FAILED  {re.escape(promise)}\n +(.*)$", told[1][component], flags=re.MULTILINE)
    assert mending in line
    assert "  passed  it is built" in told[1][component]


def test_what_is_sound_passes_and_the_exit_code_counts(told: tuple[int, dict[str, str]]) -> None:
    code, components = told
    assert code == 2
    assert set(components) == {*BROKEN, "generator draw"}
    assert "FAILED" not in components["generator draw"]
    assert any(
        text.endswith("\n1 keeps its promises, 14 do not keep their promises\n")
        for text in components.values()
    )


@pytest.mark.parametrize("component", ["seeded", "scribbling", "overwriting", "noisy", "judge"])
def test_a_promise_that_others_do_not_stand_on_hides_none(
    told: tuple[int, dict[str, str]], component: str
) -> None:
    (text,) = [text for name, text in told[1].items() if name.endswith(component)]
    assert text.count("  FAILED") == 1
    assert "  passed  a gradient reaches every parameter" in text


def check(*arguments: str) -> int:
    return run(["check", *arguments])


def test_a_component_by_kind_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("loss", "hinge") == 0
    output = capsys.readouterr().out
    assert "  passed  generator(): a mean over the samples\n" in output
    assert output.endswith("1 keeps its promises\n")


def test_a_component_that_asks_for_classes_gets_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("evaluator", "modes") == 0
    assert "FAILED" not in capsys.readouterr().out


def test_an_installed_plugin_by_its_entry_point(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("ganlab:frechet") == 0
    output = capsys.readouterr().out
    assert "hook modules import neither torch" in output
    assert "evaluator frechet-infinity" in output


def test_an_option_that_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check("dataset", "image-folder") == 2
    assert "untried option `root` has no default\n          ganlab check dataset image-folder with --set" in (
        capsys.readouterr().out
    )
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    assert check("dataset", "image-folder", "--set", f"root={tmp_path}") == 0
    assert check("dataset", "image-folder", "--set", f"rooot={tmp_path}") == 2


def test_a_package_whose_hooks_import_torch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = tmp_path / "heavy_hooks"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from ganlab import LossComponent, hookimpl\n"
        "from heavy_hooks.losses import Mean\n\n"
        "@hookimpl\n"
        "def ganlab_losses():\n"
        '    yield LossComponent(name="mean", summary="…", build=lambda options: Mean())\n'
    )
    (package / "losses.py").write_text(
        "import torch\nfrom ganlab import Loss\n\n"
        "class Mean(Loss):\n    def generator(self, game):\n        return game.fake.mean()\n"
    )
    assert check(str(package)) == 2
    output = capsys.readouterr().out
    assert f"{package}/__init__.py:2 imports torch" in output
    assert "import it inside `build`" in output
    assert "loss mean" in output


def test_on_the_samples_of_an_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text(
        'title = "x"\n[image]\nsize = 8\n[dataset]\nname = "faces"\ncount = 4\n[generator]\nname = "mlp"\n'
        '[discriminator]\nname = "mlp"\n[[losses]]\nname = "hinge"\n[training]\nsteps = 1\nbatch_size = 2\n'
    )
    assert check("generator", "mlp", "--experiment", str(tmp_path / "x.toml")) == 0
    assert check("generator", "dcgan", "--experiment", str(tmp_path / "x.toml")) == 2
    assert "dcgan makes images from 16 to 256 pixels a side" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("los", "hinge"), "there is no kind of component `los`"),
        (("loss",), "which loss? `ganlab check loss NAME`"),
        (("frechett",), "there is no plugin `frechett`, and no such file; did you mean `frechet`?"),
        (("ganlab", "--set", "width=4"), "--set goes with KIND and NAME"),
        (("x.toml",), "x.toml is an experiment: `ganlab validate x.toml` tries it"),
        (("./x.toml",), "./x.toml is an experiment: `ganlab validate ./x.toml` tries it"),
    ],
)
def test_used_wrongly(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(*arguments) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(str(tmp_path / "mine.py")) == 2
    assert "there is no file" in capsys.readouterr().out


def test_a_file_that_cannot_be_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crooked.py").write_text("import torch\ndef")
    assert check(str(tmp_path / "crooked.py")) == 2
    output = capsys.readouterr()
    assert "crooked.py:2: SyntaxError" in output.out
    assert "Traceback" not in output.out + output.err
