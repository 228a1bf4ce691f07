"""`ganlab validate` holds the experiment's own networks and losses against the promises of their kinds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from ganlab.commands.cli import run

EXPERIMENT = """\
title = "Checked"
plugins = ["./mine.py"]
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
name = "dcgan"
width = 2
[[losses]]
name = "non-saturating"
[training]
steps = 1
batch_size = 4
device = "cpu"
"""

PLUGIN = """\
import torch
from torch import nn
from ganlab import DiscriminatorComponent, GeneratorComponent, Loss, LossComponent, hookimpl

def judge(last):
    return lambda options, image: nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1), last)

class Detached(nn.Module):
    def forward(self, logits):
        return logits.detach()

class Drawn(nn.Module):
    def __init__(self, latent):
        super().__init__()
        self.layer = nn.Linear(latent.dim, 3 * 16 * 16)
        nn.init.normal_(self.layer.weight, std=0.01)

    def forward(self, latents):
        return self.layer(latents).view(-1, 3, 16, 16)

class Nvidia(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.ones(1, device="cuda"))

class Moving(nn.Module):
    def forward(self, samples):
        return samples.cuda()

class Sum(Loss):
    def discriminator(self, game):
        return (game.fake_logits - game.real_logits).sum()

    def generator(self, game):
        return -game.fake_logits.sum()

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="sigmoid", summary="Probabilities", build=judge(nn.Sigmoid()))
    yield DiscriminatorComponent(name="detached", summary="Teaches nothing", build=judge(Detached()))
    yield DiscriminatorComponent(name="nvidia", summary="Names a device", build=lambda *known: Nvidia())
    yield DiscriminatorComponent(name="moving", summary="Names a device", build=judge(Moving()))

@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="endless", summary="No tanh", build=lambda options, *known: Drawn(known[1]))

@hookimpl
def ganlab_losses():
    needs = frozenset({"discriminator"})
    yield LossComponent(name="sum", summary="No mean", build=lambda options: Sum(), needs=needs)
"""


def validate(tmp_path: Path, *replaced: tuple[str, str], command: str = "validate") -> int:
    (tmp_path / "mine.py").write_text(PLUGIN)
    text = EXPERIMENT
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "x.toml").write_text(text)
    return run([command, str(tmp_path / "x.toml")])


SIGMOID = ('[discriminator]\nname = "dcgan"\nwidth = 2', '[discriminator]\nname = "sigmoid"')
DETACHED = (SIGMOID[0], '[discriminator]\nname = "detached"')
ENDLESS = ('[generator]\nname = "dcgan"\nwidth = 2', '[generator]\nname = "endless"')
SUM = ('"non-saturating"', '"sum"')

BROKEN = {
    "a discriminator that ends in a sigmoid": (
        SIGMOID,
        ": discriminator: discriminator `sigmoid`: its logits come out of a sigmoid; return what goes into",
    ),
    "a discriminator that teaches nothing": (DETACHED, "no gradient reaches the samples"),
    "a generator without bounds": (ENDLESS, "end the network with tanh"),
    "a loss that adds where it should average": (
        SUM,
        "x.toml:16: losses.0: loss `sum`: discriminator() of a",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_not_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    replaced, told = BROKEN[name]
    assert validate(tmp_path, replaced) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert output.err.count("error:") == 1
    assert "valid" not in output.out


def test_a_component_that_refuses_is_told_as_by_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = '[encoder]\nname = "dcgan"\nwidth = 2\n[[losses]]\nname = "infogan"\ncodes = 7\n[training]'
    told = []
    for command in ("validate", "run"):
        assert validate(tmp_path, ("[training]", asked), command=command) == 2
        told.append(next(line for line in capsys.readouterr().err.splitlines() if "error:" in line))
    assert told[0] == told[1]
    assert told[0].endswith(
        "x.toml:23: losses.1.codes: 7 of the latents cannot be continuous codes: [latent] has 4"
    )


def test_every_component_that_breaks_a_promise_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(tmp_path, SIGMOID, ENDLESS, SUM) == 2
    assert capsys.readouterr().err.count("error:") == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize("name", ["nvidia", "moving"])
def test_a_network_that_names_a_device_is_told_to_name_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert validate(tmp_path, (SIGMOID[0], f'[discriminator]\nname = "{name}"'), command=command) != 0
    told = capsys.readouterr().err
    assert f"the discriminator '{name}'" in told
    assert "\n    name no device: the engine moves networks" in told


EYES = """\
import torch
from ganlab import FeatureExtractor, FeaturesComponent, hookimpl

class Eyes(FeatureExtractor):
    def __init__(self, of):
        self.of = of

    def extract(self, samples):
        return self.of(samples.flatten(1).float())

    def fingerprint(self):
        return "eyes"

@hookimpl
def ganlab_features():
    for name, of in (("whitening", lambda x: x - x.mean(0)), ("empty", lambda x: x / 0)):
        yield FeaturesComponent(name=name, summary="Broken", build=lambda options, image, of=of: Eyes(of))
"""


@pytest.mark.parametrize(
    ("name", "told"), [("whitening", "depend on the rest of its batch"), ("empty", "not finite")]
)
def test_features_are_tried_on_a_few_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, told: str
) -> None:
    (tmp_path / "eyes.py").write_text(EYES)
    asked = f'[[evaluators]]\nname = "mmd"\nsamples = 10\nfeatures = "{name}"\n[training]'
    plugins = ('"./mine.py"', '"./mine.py", "./eyes.py"')
    assert validate(tmp_path, plugins, ("[training]", asked)) != 0
    error = capsys.readouterr().err
    assert f"features `{name}` for evaluator `mmd`" in error and told in error


BUILT_IN = {
    "a DCGAN with R1": [('"non-saturating"', '"non-saturating"\n[[losses]]\nname = "r1"')],
    "a GMMN": [('[discriminator]\nname = "dcgan"\nwidth = 2\n', ""), ('"non-saturating"', '"mmd"')],
    "a VAE": [
        ("[discriminator]", "[encoder]"),
        ('"non-saturating"', '"elbo"'),
    ],
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_networks_and_losses_are_valid_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert validate(tmp_path, *BUILT_IN[name]) == 0
    output = capsys.readouterr().out
    assert output.endswith("valid\n")
    assert "training       1 step of 4 on cpu in " in output
    whole = r"(under a second|\d+ s) for all; "
    assert re.search(rf"^time           about [\d.]+ m?s a step here, {whole}", output, re.MULTILINE)
    assert "checked        generator dcgan: shapes, finite samples in [-1, 1]" in output


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.004, "about 4.0 ms a step here, under a second for all; "),
        (0.9, "about 900 ms a step here, under a second for all; "),
        (8.0, "about 8.0 s a step here, 8 s for all; "),
    ],
)
def test_a_moment_is_no_zero_seconds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    told: str,
) -> None:
    monkeypatch.setattr("ganlab.engine.step_time.time_a_step", lambda engine: seconds)
    assert validate(tmp_path) == 0
    assert f"time           {told}" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ['discriminator={name="style", width=2}', "training.joint_batch=true"],
            "training.joint_batch: the discriminator 'style' compares the samples of a batch "
            "with one another, and would compare real with fake",
        ),
        (
            ['discriminator={name="patchgan", width=2, layers=1, pack=2}', "training.joint_batch=true"],
            "training.joint_batch: the discriminator 'patchgan' compares",
        ),
        (
            ['discriminator={name="patchgan", width=2, layers=1, pack=9}'],
            "training.batch_size: the discriminator 'patchgan' compares 9 samples of a batch "
            "with one another, and is given 4 at once",
        ),
        (
            ['discriminator={name="style", width=2}', "training.microbatch_size=1"],
            "training.microbatch_size: the discriminator 'style' compares 2 samples of a batch "
            "with one another, and is given 1 at once",
        ),
    ],
)
def test_a_discriminator_that_compares_samples_is_given_enough_and_of_one_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, changes: list[str], message: str
) -> None:
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace('plugins = ["./mine.py"]\n', ""))
    arguments = [part for change in changes for part in ("--set", change)]
    assert run([command, str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "change",
    ['discriminator={name="style", width=2, group=0}', 'discriminator={name="dcgan", width=2}'],
)
def test_any_other_is_given_real_and_fake_together(tmp_path: Path, change: str) -> None:
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace('plugins = ["./mine.py"]\n', ""))
    joint = ["--set", change, "--set", "training.joint_batch=true"]
    assert run(["validate", str(tmp_path / "x.toml"), *joint]) == 0


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("loss", "output", "shown_by"),
    [
        ("reconstruction", "reconstruction_error", "fastgan"),
        ("balanced-splits", "splits", "soft-tree"),
        ("ebgan", "energy", "autoencoder"),
    ],
)
def test_a_loss_that_needs_more_than_logits_names_who_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, loss: str, output: str, shown_by: str
) -> None:
    text = EXPERIMENT.replace('plugins = ["./mine.py"]\n', "").replace("non-saturating", loss)
    (tmp_path / "x.toml").write_text(text)
    assert run([command, str(tmp_path / "x.toml"), "--runs", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert f"needs a discriminator that shows `{output}`, and `dcgan` does not" in error
    assert f"discriminators that do: {shown_by}\n" in error
    assert run(["describe", "loss", loss]) == 0
    assert f"a discriminator that shows `{output}`: {shown_by}\n" in capsys.readouterr().out
    assert run(["describe", "discriminator", shown_by]) == 0
    assert re.search(rf"^shows +{output}$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("judge", ['{name="fastgan", width=2}', '{name="soft-tree", width=2, depth=2}'])
@pytest.mark.parametrize("loss", ["feature-matching", "mmd-gan"])
def test_what_is_no_representation_of_a_sample_is_not_taken_for_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], judge: str, loss: str
) -> None:
    text = EXPERIMENT.replace('plugins = ["./mine.py"]\n', "")
    (tmp_path / "x.toml").write_text(text.replace("[[losses]]", f'[[losses]]\nname = "{loss}"\n[[losses]]'))
    assert run(["validate", str(tmp_path / "x.toml"), "--set", f"discriminator={judge}"]) == 2
    assert (
        "that returns a `Verdict` with `features`, as `dcgan`, `mlp` and `autoencoder` do"
        in capsys.readouterr().err
    )


def test_a_negative_weight_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.toml").write_text(EXPERIMENT.replace('plugins = ["./mine.py"]\n', ""))
    assert run(["validate", str(tmp_path / "x.toml"), "--set", 'losses=[{name="hinge", weight=-1.0}]']) == 2
    assert "losses.0.weight" in capsys.readouterr().err
