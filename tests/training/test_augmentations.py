"""All that the discriminator sees is seen through the experiment's augmentations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ganlab.commands.cli import run

pytestmark = pytest.mark.slow

PLUGIN = '''
"""Augmentations that show what they are given, a loss that looks at them, and one that compares."""

import json
from pathlib import Path

from torch import nn

from ganlab import Augmentation, AugmentationComponent, DiscriminatorComponent, Loss, LossComponent
from ganlab import Options, hookimpl

SEEN = Path(__file__).with_name("seen.jsonl")


class Fade(Augmentation):
    def __call__(self, samples, draws):
        return samples * draws.rand()[:, None, None, None]


class Spy(Augmentation):
    def __call__(self, samples, draws):
        with SEEN.open("a") as file:
            file.write(json.dumps(len(samples)) + "\\n")
        return samples + 0 * draws.randn(3)[:, 0, None, None, None]


class ShiftedOptions(Options):
    shift: float
    """Added to all logits."""


class Shifted(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.shift, self.head = shift, nn.Linear(3 * 16 * 16, 1)

    def forward(self, samples):
        return self.head(samples.flatten(1)).squeeze(1) + self.shift


class Wrong(Augmentation):
    def __call__(self, samples, draws):
        return samples[:, :1]


class Consistency(Loss):
    differentiates = frozenset({"real"})

    def discriminator(self, game):
        changed = game.discriminate(game.augment(game.real), game.real_labels).logits
        return (changed - game.real_logits).square().mean()


@hookimpl
def ganlab_augmentations():
    yield AugmentationComponent(name="fade", summary="Fades", build=lambda options, image: Fade())
    yield AugmentationComponent(name="spy", summary="Looks", build=lambda options, image: Spy())
    yield AugmentationComponent(name="wrong", summary="Loses colours", build=lambda options, image: Wrong())
    yield AugmentationComponent(name="none", summary="Is none", build=lambda options, image: None)


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(
        name="shifted",
        summary="Linear",
        options=ShiftedOptions,
        build=lambda options, image: Shifted(options.shift),
    )


@hookimpl
def ganlab_losses():
    yield LossComponent(
        name="steadiness",
        summary="Compares",
        build=lambda options: Consistency(),
        needs=frozenset({"discriminator"}),
    )
'''

EXPERIMENT = """
title = "Augmented"
plugins = ["augment.py"]
[image]
size = 16
[dataset]
name = "faces"
count = 60
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
normalisation = "layer"
[discriminator]
name = "dcgan"
width = 2
normalisation = "layer"
[[losses]]
name = "non-saturating"
[[losses]]
name = "gradient-penalty"
[training]
steps = 4
batch_size = 8
precision = "fp32"
log_every = 1
[samples]
every = 4
count = 4
[checkpoint]
every = 4
"""
FADE = '\n[[augmentations]]\nname = "fade"\n'
SPY = '\n[[augmentations]]\nname = "spy"\n'


def trained(directory: Path, more: str, *changes: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "augment.py").write_text(PLUGIN)
    (directory / "x.toml").write_text(EXPERIMENT + more)
    arguments = [part for change in changes for part in ("--set", change)]
    assert run(["run", str(directory / "x.toml"), "--runs", str(directory / "runs"), *arguments]) == 0
    (path,) = (directory / "runs").glob("*/*/")
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    checkpoint = path / "checkpoints" / (path / "LAST").read_text().strip()
    return load_file(checkpoint / "generator.safetensors")


def alike(one: Path, other: Path) -> bool:
    pairs = zip(weights(one).values(), weights(other).values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def metrics(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_all_passes_of_a_step_go_through_it(tmp_path: Path) -> None:
    trained(tmp_path, SPY, "training.steps=1")
    seen = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    # Of a batch of 8: real, fake and what the penalty looks at, then the generator's fakes. Before that,
    # one small step tells how much memory is needed, and what is drawn is no business of augmentations.
    assert seen[-4:] == [8, 8, 8, 8]


def test_it_changes_what_is_learned_and_a_stream_of_its_own_decides_how(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", "")
    fade = trained(tmp_path / "fade", FADE)
    again = trained(tmp_path / "again", FADE)
    assert not alike(plain, fade)
    assert alike(fade, again)
    # Latents, data and the penalty's own draws are those of the run without: only looking changes nothing.
    assert alike(plain, trained(tmp_path / "spied", SPY))


@pytest.mark.parametrize("change", ["training.microbatch_size=2", "training.joint_batch=true"])
def test_how_a_batch_passes_the_networks_makes_no_difference(tmp_path: Path, change: str) -> None:
    whole, other = (
        metrics(trained(tmp_path / str(len(each)), FADE, "training.steps=1", *each))[0]
        for each in ((), (change,))
    )
    # Before the first update: Adam takes whole steps along gradients that are nothing but rounding.
    for tag in (
        "loss/discriminator/total",
        "loss/discriminator/gradient-penalty",
        "gradient-norm/discriminator",
    ):
        assert other[tag] == pytest.approx(whole[tag], rel=1e-5)


def test_losses_can_ask_for_it_alone(tmp_path: Path) -> None:
    quiet = FADE + "always = false\n"
    plain = trained(tmp_path / "plain", "")
    assert alike(plain, trained(tmp_path / "unasked", quiet))
    asked = trained(tmp_path / "asked", quiet + '[[losses]]\nname = "steadiness"\n')
    assert metrics(asked)[-1]["loss/discriminator/steadiness"] > 0
    assert not alike(plain, asked)


def test_how_sure_the_discriminator_is_and_what_follows_are_logged(tmp_path: Path) -> None:
    path = trained(tmp_path, '\n[[augmentations]]\nname = "ada"\ntarget = -1.0\nimages = 100\ninterval = 1\n')
    for number, line in enumerate(metrics(path), start=1):
        assert -1 <= line["balance/real-sign"] <= 1
        if line["balance/real-sign"] > -1:
            assert line["augmentation/ada/p"] <= 0.08 * number + 1e-6
    assert metrics(path)[-1]["augmentation/ada/p"] > 0


@pytest.mark.parametrize("loss", ["relativistic", "relativistic-average", "wasserstein"])
def test_what_is_added_to_all_logits_is_no_sureness_where_losses_have_no_zero(
    tmp_path: Path, loss: str
) -> None:
    ada = '\n[[augmentations]]\nname = "ada"\ntarget = 0.0\nimages = 100\ninterval = 1\n'
    found = []
    for shift in (-8, 8):
        judge = f'discriminator={{name="shifted", shift={shift:.1f}}}'
        lines = metrics(trained(tmp_path / str(shift), ada, judge, f'losses=[{{name="{loss}"}}]'))
        assert all("balance/real-sign" not in line for line in lines)
        found.append([(line["balance/pair-sign"], line["augmentation/ada/p"]) for line in lines])
    assert found[0] == found[1]
    assert {p for _, p in found[0]} != {0.0}


def test_energies_are_never_positive_and_are_heard_all_the_same(tmp_path: Path) -> None:
    ada = '\n[[augmentations]]\nname = "ada"\ntarget = -0.9\nimages = 100\ninterval = 1\n'
    judge = 'discriminator={name="autoencoder", width=2}'
    quick = ("training.steps=12", "optimizer.discriminator={learning_rate=0.01}")
    lines = metrics(trained(tmp_path, ada, judge, 'losses=[{name="ebgan"}]', *quick))
    assert lines[-1]["augmentation/ada/p"] > 0


def test_a_loss_that_finds_none_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "augment.py").write_text(PLUGIN)
    (tmp_path / "x.toml").write_text(EXPERIMENT + '[[losses]]\nname = "steadiness"\n')
    assert run(["run", str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert "it augments samples, and the experiment has no [[augmentations]]" in error
    assert "x.toml" in error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", "it makes (4, 1, 16, 16) of samples of shape (4, 3, 16, 16)"),
        ("none", "its `build` returned None, not a ganlab.Augmentation"),
    ],
)
def test_what_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "augment.py").write_text(PLUGIN)
    (tmp_path / "x.toml").write_text(EXPERIMENT + f'\n[[augmentations]]\nname = "{name}"\n')
    assert run(["run", str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert message.split("(")[0] in error
    assert "augmentations.0" in error


def test_they_work_on_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text(
        'title = "x"\n[dataset]\nname = "gaussians"\n[generator]\nname = "mlp"\n'
        '[discriminator]\nname = "mlp"\n'
        '[[losses]]\nname = "hinge"\n[training]\nsteps = 1\nbatch_size = 4\n[[augmentations]]\nname = "ada"\n'
    )
    assert run(["run", str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs")]) == 2
    assert "`ada` works on images" in capsys.readouterr().err
