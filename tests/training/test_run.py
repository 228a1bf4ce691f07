"""Whole runs through the command line, on drawn faces and toy vectors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fresh_process import ganlab
from safetensors.torch import load_file

pytestmark = pytest.mark.slow

FACES = """
title = "Tiny faces"
seed = 3
[image]
size = 16
[dataset]
name = "faces"
count = 200
[latent]
dim = 8
[generator]
name = "dcgan"
width = 4
[discriminator]
name = "dcgan"
width = 4
[[losses]]
name = "non-saturating"
[training]
steps = 6
batch_size = 16
log_every = 2
[running_statistics]
samples = 64
[samples]
every = 3
count = 4
[[evaluators]]
name = "mmd"
every = 3
samples = 32
[checkpoint]
every = 2
keep = 2
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


def run(tmp_path: Path, text: str, *arguments: str, name: str = "x", ganlab: Command = ganlab) -> Path:
    """Run an experiment and return its run directory."""
    (tmp_path / f"{name}.toml").write_text(text)
    result = ganlab("run", f"{name}.toml", "--runs", f"runs-{name}", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    (directory,) = (tmp_path / f"runs-{name}").glob("*/*/")
    return directory


def started_anew(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a Python that hashes strings in its own way, as any two do."""
    command = [sys.executable, "-m", "ganlab", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def weights(run_directory: Path, name: str = "generator") -> bytes:
    last = (run_directory / "LAST").read_text().strip()
    return (run_directory / "checkpoints" / last / f"{name}.safetensors").read_bytes()


@pytest.fixture(scope="module")
def faces_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("faces"), FACES)


def test_a_run_leaves_what_the_manual_promises(faces_run: Path) -> None:
    state = json.loads((faces_run / "run.json").read_text())
    assert (state["status"], state["step"]) == ("completed", 6)
    assert state["best"]["metric"] == "mmd.mmd2"
    steps = [json.loads(line)["step"] for line in (faces_run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 6]
    evaluations = [json.loads(line) for line in (faces_run / "evaluations.jsonl").read_text().splitlines()]
    assert sorted({record["step"] for record in evaluations}) == [0, 3, 6]
    assert all(record["floor"] is not None for record in evaluations)
    pictures = {path.name for path in (faces_run / "samples").iterdir()}
    assert {"real-00000000.png", "fixed-00000006.png", "fixed_ema-00000003.png"} <= pictures
    assert {"experiment.toml", "resolved.toml", "environment.json", "tensorboard", "LAST", "BEST"} <= {
        path.name for path in faces_run.iterdir()
    }


def test_best_checkpoint_has_the_lowest_mmd(faces_run: Path) -> None:
    evaluations = [json.loads(line) for line in (faces_run / "evaluations.jsonl").read_text().splitlines()]
    looks = [record for record in evaluations if record["metric"] == "mmd2" and record["step"]]
    best = min(looks, key=lambda record: record["value"])
    assert int((faces_run / "BEST").read_text().strip().removeprefix("step-")) == best["step"]


def test_the_same_seed_gives_the_same_bytes(faces_run: Path, tmp_path: Path) -> None:
    again = run(tmp_path, FACES, ganlab=started_anew)
    assert weights(again) == weights(faces_run)
    assert weights(again, "generator-ema") == weights(faces_run, "generator-ema")
    other = run(tmp_path, FACES, "--set", "seed=4", name="other")
    assert weights(other) != weights(faces_run)


def test_evaluating_and_drawing_more_often_changes_no_weight(faces_run: Path, tmp_path: Path) -> None:
    often = run(tmp_path, FACES, "--set", "evaluators.0.every=1", "--set", "samples.every=1")
    assert weights(often) == weights(faces_run)


def test_resolved_experiment_repeats_the_run(faces_run: Path, tmp_path: Path) -> None:
    again = run(tmp_path, (faces_run / "resolved.toml").read_text())
    assert weights(again) == weights(faces_run)


@pytest.mark.parametrize(
    "changes",
    [
        ["training.discriminator_steps=2"],
        ["training.reuse_fakes=false", "training.precision=fp32"],
        ["training.joint_batch=true"],
        ["optimizer.generator.clip_gradient_norm=0.1", "ema.half_life_images=0"],
        ["losses.0.name=hinge", "image.channels=1"],
        ["losses.0.name=least-squares", "image.channels=4"],
        ["losses.0.name=minimax", "latent.distribution=uniform"],
        ["dataset.labels=glasses"],
    ],
    ids=" ".join,
)
def test_variants_of_the_game_train(tmp_path: Path, changes: list[str]) -> None:
    arguments = [part for change in changes for part in ("--set", change)]
    directory = run(tmp_path, FACES, *arguments)
    logged = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    turns = 2 if changes[0].endswith("steps=2") else 1
    assert logged[-1]["progress/discriminator-updates"] == 6 * turns
    assert logged[-1]["progress/generator-updates"] == 6


def test_wasserstein_with_penalties_and_several_turns(tmp_path: Path) -> None:
    text = FACES.replace(
        'name = "non-saturating"',
        'name = "wasserstein"\n[[losses]]\nname = "gradient-penalty"\nweight = 10\n'
        '[[losses]]\nname = "r1"\nevery = 4',
    ).replace('[discriminator]\nname = "dcgan"', '[discriminator]\nname = "dcgan"\nnormalisation = "layer"')
    directory = run(tmp_path, text, "--set", "training.discriminator_steps=5")
    logged = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert "loss/discriminator/gradient-penalty" in logged[0]
    assert "balance/accuracy" not in logged[0], "the logits of a critic are no log-odds"
    assert {"logits/real", "logits/fake"} <= set(logged[0])
    assert [each["progress/images"] / each["progress/generator-updates"] for each in logged] == [5 * 16] * 3


def test_an_image_is_counted_alike_whatever_the_loss_looks_at(faces_run: Path, tmp_path: Path) -> None:
    text = FACES.replace("non-saturating", "relativistic")
    for directory in (faces_run, run(tmp_path, text)):
        logged = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        assert [each["progress/images"] for each in logged] == [2 * 16, 4 * 16, 6 * 16]
        assert all({"logits/real", "logits/fake"} <= set(each) for each in logged)
    assert all("balance/accuracy" not in each for each in logged)


def test_generator_only(tmp_path: Path) -> None:
    text = FACES.replace('[discriminator]\nname = "dcgan"\nwidth = 4\n', "").replace("non-saturating", "mmd")
    directory = run(tmp_path, text)
    logged = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert not any("discriminator" in tag for record in logged for tag in record)


def test_vae(tmp_path: Path) -> None:
    text = FACES.replace("[discriminator]", "[encoder]").replace("non-saturating", "elbo")
    directory = run(tmp_path, text)
    logged = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert {"loss/generator/elbo/kl", "loss/generator/elbo/reconstruction"} <= set(logged[0])


def test_vectors(tmp_path: Path) -> None:
    text = """
title = "Ring"
[dataset]
name = "gaussians"
count = 500
[latent]
dim = 2
[generator]
name = "mlp"
[discriminator]
name = "mlp"
[[losses]]
name = "non-saturating"
[[losses]]
name = "r1"
every = 2
[training]
steps = 4
batch_size = 32
[[evaluators]]
name = "mmd"
every = 2
samples = 64
"""
    directory = run(tmp_path, text)
    assert (directory / "samples" / "fixed-00000004.png").is_file()
    record = json.loads((directory / "evaluations.jsonl").read_text().splitlines()[0])
    assert record["features"] == "coordinates"


SUMS = """
[optimizer.generator]
name = "sgd"
learning_rate = 0.5
[optimizer.discriminator]
name = "sgd"
learning_rate = 0.5
[[losses]]
name = "r1"
every = 2
[[losses]]
name = "gradient-penalty"
weight = 2.0
"""


def test_microbatches_add_up_to_the_batch(tmp_path: Path) -> None:
    """Gradients, logged scalars and the losses' own random numbers are those of the whole batch."""
    text = FACES.replace("width = 4", 'width = 4\nnormalisation = "none"') + SUMS
    common = [
        "training.precision=fp32",
        "training.reuse_fakes=false",
        "training.steps=2",
        "training.log_every=1",
    ]
    common += ["checkpoint.every=1"]
    arguments = [part for change in common for part in ("--set", change)]
    whole = run(tmp_path, text, *arguments)
    parts = run(tmp_path, text, *arguments, "--set", "training.microbatch_size=4", name="parts")

    def load(directory: Path, step: int) -> dict[str, torch.Tensor]:
        return load_file(directory / "checkpoints" / f"step-{step:08d}" / "generator.safetensors")

    before, one, two = load(whole, 1), load(whole, 2), load(parts, 2)
    for name, tensor in one.items():
        moved = (tensor - before[name]).abs().max().item()
        torch.testing.assert_close(tensor, two[name], rtol=0, atol=max(moved * 1e-3, 1e-8))
    assert max((one[name] - before[name]).abs().max().item() for name in one) > 1e-4
    logged = [(directory / "metrics.jsonl").read_text().splitlines() for directory in (whole, parts)]
    for first, second in zip(*(map(json.loads, lines) for lines in logged), strict=True):
        for tag, value in first.items():
            if tag.startswith(("loss/", "gradient-norm/", "balance/")):
                assert second[tag] == pytest.approx(value, rel=1e-3, abs=1e-5), tag


NOISY_GENERATOR = """
from ganlab import GeneratorComponent, hookimpl


def build(options, image, latent):
    import torch
    from torch import nn

    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(latent.dim, image.channels * image.height * image.width)

        def forward(self, latents):
            images = torch.tanh(self.layer(latents + torch.randn_like(latents)))
            return images.view(-1, image.channels, image.height, image.width)

    return Noisy()


@hookimpl
def ganlab_generators():
    yield GeneratorComponent(name="noisy", summary="Draws noise of its own, in every mode", build=build)
"""


def test_networks_that_draw_their_own_noise_are_not_disturbed_by_evaluation(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY_GENERATOR)
    text = 'plugins = ["./noisy.py"]\n' + FACES.replace(
        '[generator]\nname = "dcgan"\nwidth = 4', '[generator]\nname = "noisy"'
    )
    seldom = run(tmp_path, text)
    often = run(tmp_path, text, "--set", "evaluators.0.every=1", "--set", "samples.every=1", name="often")
    assert weights(seldom) == weights(often)


def test_a_value_does_not_depend_on_what_else_is_due(tmp_path: Path) -> None:
    text = FACES + '\n[[evaluators]]\nname = "mmd"\nlabel = "greedy"\nevery = 6\nsamples = 63\n'
    text = text.replace('name = "faces"', 'name = "faces"\nlabels = "glasses"')
    together = run(tmp_path, text)
    apart = run(tmp_path, text, "--set", "evaluators.1.every=3", name="apart")

    def values(directory: Path) -> dict[int, float]:
        lines = (directory / "evaluations.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return {
            record["step"]: record["value"]
            for record in records
            if record["evaluator"] == "mmd" and record["metric"] == "mmd2"
        }

    assert values(together) == values(apart)


BROKEN_LOSS = """
from ganlab import LossComponent, hookimpl

def build(options):
    from broken_loss_network import Breaks
    return Breaks()

@hookimpl
def ganlab_losses():
    yield LossComponent(name="breaks", summary="Not a number at the fourth step", build=build)
"""
BROKEN_LOSS_NETWORK = """
from ganlab import Loss

class Breaks(Loss):
    def generator(self, game):
        if game.step == 3:
            {mischief}
        return game.fake.mean() * (float("nan") if game.step == 3 else 1.0)
"""


def run_broken_loss(tmp_path: Path, mischief: str = "pass") -> subprocess.CompletedProcess[str]:
    (tmp_path / "broken_loss.py").write_text(BROKEN_LOSS)
    (tmp_path / "broken_loss_network.py").write_text(BROKEN_LOSS_NETWORK.format(mischief=mischief))
    text = 'plugins = ["./broken_loss.py"]\n' + FACES + '\n[[losses]]\nname = "breaks"\n'
    (tmp_path / "x.toml").write_text(text)
    return ganlab("run", "x.toml", cwd=tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_before_the_weights_move(tmp_path: Path) -> None:
    result = run_broken_loss(tmp_path)
    assert result.returncode == 3, result.stderr
    assert "step 4" in result.stderr
    assert "loss/generator/breaks" in result.stderr
    assert "Traceback" not in result.stderr
    (directory,) = (tmp_path / "runs").glob("*/*/")
    state = json.loads((directory / "run.json").read_text())
    assert state["status"] == "diverged"
    assert "loss/generator/breaks" in state["reason"]
    assert (directory / "LAST").read_text().strip() == "step-00000003"  # the best so far
    bundle = json.loads((directory / "logs" / "divergence.json").read_text())
    assert bundle["step"] == 4
    assert bundle["values"]["loss/generator/breaks"] == "NaN"
    assert (directory / "logs" / "divergence-fixed.png").is_file()
    # Step 3 was the last that moved the averaged weights.
    drawn, last = directory / "logs" / "divergence-fixed_ema.png", directory / "samples"
    assert drawn.read_bytes() == (last / "fixed_ema-00000003.png").read_bytes()


# Where the details would go is no directory; the generator cannot be drawn.
MISCHIEF = {
    "logs": "import pathlib; (p := next(pathlib.Path().glob('runs/*/2*/logs'))).rmdir(); p.touch()",
    "generator": "import torch; torch.nn.ConvTranspose2d.forward = None",
}


@pytest.mark.parametrize("what", MISCHIEF)
def test_a_divergence_is_told_even_where_nothing_can_be_kept_of_it(tmp_path: Path, what: str) -> None:
    result = run_broken_loss(tmp_path, MISCHIEF[what])
    assert result.returncode == 3, result.stderr
    assert "step 4" in result.stderr and "Traceback" not in result.stderr
    assert "warning: what is known of the divergence could not be kept" in result.stdout
    assert ("divergence.json has the details" in result.stderr) == (what == "generator")
    (directory,) = (tmp_path / "runs").glob("*/*/")
    assert json.loads((directory / "run.json").read_text())["status"] == "diverged"


def test_validate_says_what_there_is_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(FACES)
    result = ganlab("validate", "x.toml", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "200 samples" in result.stdout
    assert "parameters" in result.stdout
    assert "discriminator/total" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["x.toml"]


ODD_LOSSES = """
from ganlab import LossComponent, hookimpl


def loss(answer):
    def build(options):
        from ganlab import Loss

        class Odd(Loss):
            def generator(self, game):
                return answer(game)

        return Odd()

    return build


def undeclared(options):
    from ganlab import Loss

    class Undeclared(Loss):
        def discriminator(self, game):
            return game.real_logits.mean()

    return Undeclared()


@hookimpl
def ganlab_losses():
    yield LossComponent(name="rows", summary="No mean", build=loss(lambda game: game.fake.flatten(1).sum(1)))
    yield LossComponent(name="empty", summary="Nothing", build=loss(lambda game: {}))
    yield LossComponent(name="nothing", summary="No loss", build=lambda options: None)
    yield LossComponent(name="undeclared", summary="Needs what it does not say", build=undeclared)
"""


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("rows", "it must be a scalar: take mean() over the samples"),
        ("empty", "returned no tensor at all"),
        ("nothing", "not a ganlab.Loss"),
        ("undeclared", "trains a discriminator"),
    ],
)
def test_losses_that_break_their_contract_are_named(tmp_path: Path, loss: str, expected: str) -> None:
    (tmp_path / "odd_losses.py").write_text(ODD_LOSSES)
    text = 'plugins = ["./odd_losses.py"]\n' + FACES.replace(
        '[discriminator]\nname = "dcgan"\nwidth = 4\n', ""
    )
    (tmp_path / "x.toml").write_text(text.replace("non-saturating", loss))
    result = ganlab("validate", "x.toml", cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert "x.toml:" in result.stderr
    assert "losses.0" in result.stderr
    assert expected in result.stderr


def test_a_vae_wants_normal_latents(tmp_path: Path) -> None:
    text = FACES.replace("[discriminator]", "[encoder]").replace("non-saturating", "elbo")
    (tmp_path / "x.toml").write_text(text)
    result = ganlab("validate", "x.toml", "--set", "latent.distribution=uniform", cwd=tmp_path)
    assert result.returncode == 2
    assert "N(0, I)" in result.stderr
