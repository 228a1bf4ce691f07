"""ganlab from Python: `ganlab.run` and `ganlab.measure`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganlab
from ganlab import GanlabError
from ganlab.commands.cli import run
from ganlab.data.image_set import open_image_set
from ganlab.runs.reading import find_run

pytestmark = pytest.mark.slow

TOY: dict[str, Any] = {
    "title": "Toy",
    "dataset": {"name": "gaussians", "count": 200},
    "latent": {"dim": 2},
    "generator": {"name": "mlp"},
    "discriminator": {"name": "mlp"},
    "losses": [{"name": "non-saturating"}],
    "training": {"steps": 2, "batch_size": 8},
    "trackers": [],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def test_tables_and_a_file_give_the_same_run(here: Path) -> None:
    (here / "more").mkdir()
    base = here / "more" / "base.toml"
    base.write_text('title = "Toy"\n[dataset]\nname = "gaussians"\n[generator]\nname = "mlp"\n')
    extending = {key: value for key, value in TOY.items() if key not in ("title", "generator")}
    extending["extends"] = Path("more/base.toml")
    by_tables = ganlab.run(extending, overrides={"seed": 1}, quiet=True)
    (here / "x.toml").write_text(
        'extends = "more/base.toml"\nseed = 1\ntrackers = []\n[dataset]\ncount = 200\n[latent]\ndim = 2\n'
        '[discriminator]\nname = "mlp"\n[[losses]]\nname = "non-saturating"\n'
        "[training]\nsteps = 2\nbatch_size = 8\n"
    )
    by_file = ganlab.run("x.toml", quiet=True)
    assert by_tables.resolved.read_text() == by_file.resolved.read_text()
    assert torch.equal(by_tables.trained.sample(5), by_file.trained.sample(5))
    assert by_file.trained._repr_png_() == by_file._repr_png_()
    assert by_file.state.status == "completed" and by_file.evaluations() == []
    longer = ganlab.run("x.toml", overrides={"training.steps": 3}, resume="auto", quiet=True)
    assert (longer.path, longer.state.step) == (by_file.path, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": {"name": "mpl"}}, "generator.name: there is no generator `mpl`\n.*did you mean `mlp`"),
        ({"seed": None}, "seed: is None; an experiment holds text, numbers, booleans"),
        ({"losses": ({"name": "hinge", "wieght": 2},)}, r"losses\.0\.wieght: there is no such key"),
        ({"plugins": ["./gone.py"]}, r"plugins\.0: there is no file .*gone\.py"),
    ],
)
def test_mistakes_in_tables_are_named(here: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(GanlabError, match=f"(?s){message}"):
        ganlab.run({**TOY, **changes}, quiet=True)
    assert not (here / "runs").exists()


SCALED = """
from pathlib import Path

from ganlab import FeatureExtractor, FeaturesComponent, Options, VectorSpec, hookimpl


class ScaledOptions(Options):
    factor: Path


def build(options, spec):
    class Scaled(FeatureExtractor):
        def extract(self, samples):
            return samples * float(options.factor.read_text())

        def fingerprint(self):
            return options.factor.read_text()

    return Scaled()


@hookimpl
def ganlab_features():
    yield FeaturesComponent(
        name="scaled", summary="Times a number.", options=ScaledOptions, build=build, accepts=(VectorSpec,)
    )
"""


def test_a_file_of_features_is_part_of_the_experiment_and_of_its_best(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "scaled.py").write_text(SCALED)
    (here / "factor").write_text("1")
    features = {"name": "scaled", "factor": "factor"}
    measured = {
        **TOY,
        "plugins": ["./scaled.py"],
        "evaluators": [{"name": "frechet", "samples": 50, "features": features}],
    }
    first = ganlab.run(measured, quiet=True)
    (here / "other").write_text("100")
    features["factor"] = "other"
    with pytest.raises(GanlabError, match=r"evaluators\.frechet\.features\.factor: .* -> "):
        ganlab.run(measured, overrides={"training.steps": 3}, resume="auto", quiet=True)
    others = [f"--set={key}" for key in ("training.steps=3", f'evaluators.0.features.factor="{here}/other"')]
    assert run(["resume", str(first.path), "--allow-change", *others]) == 0
    assert "frechet.features.factor" in capsys.readouterr().out
    best = find_run(str(first.path), here).state.best
    assert first.state.best and best
    assert best.value > first.state.best.value and (first.state.best.step, best.step) == (2, 3)


def test_the_weights_that_training_begins_with_are_measured_but_never_the_best(here: Path) -> None:
    still = {player: {"learning_rate": 1e-30} for player in ("generator", "discriminator")}
    measured = {**TOY, "optimizer": still, "evaluators": [{"name": "mmd", "samples": 50, "every": 1}]}
    finished = ganlab.run(measured, quiet=True)
    values = {line["step"]: line["value"] for line in finished.evaluations() if line["metric"] == "mmd2"}
    assert set(values) == {0, 1, 2} and len(set(values.values())) == 1
    assert finished.state.best and finished.state.best.step == 1
    assert finished.trained.step == finished.checkpoints.best == 1
    assert finished.checkpoints.steps == [1, 2]


NOTED = """
from ganlab import Loss, LossComponent, Options, hookimpl


class LateOptions(Options):
    begin: int = 1
    '''Step from which it counts.'''


def noted(options):
    class Noted(Loss):
        def discriminator(self, game):
            gap = game.real_logits.mean() - game.fake_logits.mean()
            return {"minus-gap": -gap, "gap": gap.detach()}

        def generator(self, game):
            return -game.fake_logits.mean()

    return Noted()


def late(options):
    class Late(Loss):
        def discriminator(self, game):
            if game.step < options.begin:
                return game.real.new_zeros(())
            return game.real_logits.square().mean()

        def generator(self, game):
            return self.discriminator(game) if game.step < options.begin else game.fake_logits.square().mean()

    return Late()


@hookimpl
def ganlab_losses():
    needs = frozenset({"discriminator"})
    yield LossComponent(name="noted", summary="Logs more than it minimises.", build=noted, needs=needs)
    yield LossComponent(name="late", summary="Begins late.", build=late, options=LateOptions, needs=needs)
"""


def test_a_loss_may_log_what_it_does_not_minimise_and_begin_late(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "noted.py").write_text(NOTED)
    assert run(["check", "./noted.py"]) == 0, capsys.readouterr()
    weighted = [{"name": "noted", "weight": 2.0}, {"name": "late"}]
    training = {"steps": 2, "batch_size": 8, "log_every": 1, "precision": "fp32"}
    finished = ganlab.run(
        {**TOY, "plugins": ["./noted.py"], "losses": weighted, "training": training}, quiet=True
    )
    for step, values in enumerate(finished.metrics()):
        of = {name.removeprefix("loss/discriminator/"): value for name, value in values.items()}
        assert of["noted/minus-gap"] == pytest.approx(-2 * of["noted/gap"])
        assert of["total"] == pytest.approx(of["noted/minus-gap"] + of["late"])
        assert (of["late"] != 0) == bool(step)
    # Where nothing is to be learned yet, nothing moves.
    alone = {**TOY, "plugins": ["./noted.py"], "losses": [{"name": "late", "begin": 2}], "training": training}
    first, second = ganlab.run(alone, quiet=True).metrics()
    assert first["gradient-norm/generator"] == second["gradient-norm/discriminator"] == 0


def test_no_loss_is_called_as_the_sum_of_all(here: Path) -> None:
    (here / "noted.py").write_text(NOTED.replace('name="late"', 'name="total"'))
    given = {**TOY, "plugins": ["./noted.py"]}
    for entry in ({"name": "non-saturating", "label": "total"}, {"name": "total"}):
        with pytest.raises(GanlabError, match=r"losses\.1: .*`total`.*(?s:.)*label = "):
            ganlab.run({**given, "losses": [{"name": "hinge"}, entry]}, quiet=True)


def test_one_process_of_several_is_sent_to_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {
        "RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": "1",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(GanlabError, match="torchrun -m ganlab run"):
        ganlab.run(TOY)


def pixels(seed: int, count: int = 20, size: int = 8) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.RandomState(seed).randint(0, 200 + 50 * seed, (count, size, size, 3)).astype(np.uint8)


def test_the_same_images_measure_the_same_however_they_are_given(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, fake = pixels(0), pixels(1)
    np.save("real.npy", real)
    np.save("fake.npy", fake)
    tensor = torch.from_numpy(fake).permute(0, 3, 1, 2)
    floats = tensor / 127.5 - 1
    found = [ganlab.measure("real.npy", each) for each in ("fake.npy", fake, tensor, floats)]
    found.append(ganlab.measure(torch.from_numpy(real).permute(0, 3, 1, 2), Path("fake.npy")))
    assert run(["compare-images", "real.npy", "fake.npy", "--json"]) == 0
    told = {f"{each['evaluator']}.{each['metric']}": each for each in json.loads(capsys.readouterr().out)}
    for measured in found:  # the data goes by its files, or by what is in memory
        same = {name: {**each.to_json(), "data": told[name]["data"]} for name, each in measured.items()}
        assert same == told
    mmd2 = found[0]["mmd.mmd2"]
    assert mmd2.standard_error and mmd2.value > 3 * mmd2.standard_error
    assert str(mmd2) == f"{mmd2.value:.4f} ± {mmd2.standard_error:.4f}"


def test_images_of_memory_are_resized_as_files_are(here: Path) -> None:
    real, fake = pixels(0), pixels(1, size=10)
    np.save("fake.npy", fake)
    with pytest.raises(GanlabError, match="the real ones holds 8×8 RGB images and the fake ones 10×10 RGB"):
        ganlab.measure(real, fake)
    one, other = (ganlab.measure(real, each, "frechet", size=8) for each in (fake, "fake.npy"))
    assert one["frechet.frechet"].value == other["frechet.frechet"].value
    assert open_image_set(Path("fake.npy"), uniform=True).spec.height == 10


def test_evaluators_in_another_shape_are_told_of() -> None:
    points = np.zeros((4, 2), np.float32)
    with pytest.raises(GanlabError, match="or options by name"):
        ganlab.measure(points, points, [{"name": "mmd"}])  # type: ignore[list-item]


def test_vectors_are_measured_too() -> None:
    points = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    same = ganlab.measure(points[:150], points[150:], "mmd")["mmd.mmd2"]
    moved = ganlab.measure(points[:150].numpy(), points[150:] + 1, {"mmd": {"samples": 100}}, holdout=0.2)
    assert same.standard_error and abs(same.value) < 3 * same.standard_error
    assert moved["mmd.mmd2"].value > 10 * same.standard_error
    assert moved["mmd.mmd2"].n_fake == 100 and moved["mmd.mmd2"].floor is not None


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (
            torch.rand(4, 3, 8, 8) * 255,
            torch.rand(4, 3, 8, 8),
            r"the real ones reach 2\d\d.*: .* in \[-1, 1\]",
        ),
        (torch.rand(4, 8, 8, 3), torch.rand(4, 3, 8, 8), r"the real ones have shape \(4, 8, 8, 3\)"),
        (np.zeros((4, 8, 8, 3)), np.zeros((4, 8, 8, 3)), "the real ones is float64; it must be uint8"),
        (torch.zeros(4, 2), torch.zeros(4, 3), "not alike: vectors of 2 elements, and vectors of 3"),
        (
            torch.zeros(4, 2),
            torch.zeros(4, 3, 8, 8),
            "not alike: vectors of 2 elements, and images of 8×8 RGB",
        ),
        (torch.full((4, 2), torch.nan), torch.zeros(4, 2), "the real ones are not all finite"),
        (torch.zeros(4, 2), torch.zeros(1, 2), "at least 2 vectors in each set, not 4 and 1"),
        ("nowhere", torch.zeros(4, 2), "nowhere does not exist"),
        (
            [[0.0], [1.0]],
            torch.zeros(4, 1),
            "the real ones are a list: samples are a path, a tensor or an array",
        ),
    ],
)
def test_sets_that_cannot_be_measured_say_so(real: Any, fake: Any, message: str) -> None:
    with pytest.raises(GanlabError, match=message):
        ganlab.measure(real, fake, "mmd")
