"""Somebody's own optimizer in one file: it trains, resumes to the byte, and is to blame for what it does."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from disturbance import contents, ganlab, resume, start, write_experiment

from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.engine.engine import Engine

pytestmark = pytest.mark.usefixtures("heard_signals")

SIGNS = '''
import torch
from pydantic import Field

from ganlab import ComponentError, OptimizerComponent, Options, hookimpl


class SignsOptions(Options):
    momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the running mean that stays."""
    period: int = Field(3, ge=1)
    """Every so many steps, a step of each weight is left out."""
    fault: str = ""
    """What goes wrong."""


class Signs(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            if group["fault"] == "step":
                raise ValueError("no such direction")
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state.update(mean=torch.zeros_like(weight), taken=0, notes=["a", {"b": 1.5}])
                state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                state["taken"] += 1
                if state["taken"] % group["period"]:
                    weight.sub_(group["lr"] * state["mean"].sign())


def build(options, parameters):
    if options.fault == "kind":
        return "down"
    if options.fault == "refusal":
        raise ComponentError("no such fault", option="fault")
    return Signs(parameters, options.model_dump())


@hookimpl
def ganlab_optimizers():
    yield OptimizerComponent(name="signs", summary="By signs alone", options=SignsOptions, build=build)
'''

TABLES = """
[optimizer.generator]
name = "signs"
learning_rate = 1e-3
schedule = "linear"
warmup_steps = 2
clip_gradient_norm = 1.0
[optimizer.discriminator]
name = "signs"
momentum = 0.5
"""


GROUPED = """
from ganlab import OptimizerComponent, hookimpl


def build(options, parameters):
    from torch.optim import SGD

    first, second, *rest = parameters
    return SGD([{"params": [first], "lr": 1e-2}, {"params": [second]}, {"params": rest, "lr": 1e-5}], lr=1e-3)


@hookimpl
def ganlab_optimizers():
    yield OptimizerComponent(name="grouped", summary="Each its own pace.", build=build)
"""


def write(directory: Path, *, tables: str = TABLES) -> None:
    write_experiment(directory, "gan", "fp32")
    text = (directory / "x.toml").read_text()
    text = text.replace('["./deadly.py"]', '["./deadly.py", "./signs.py"]')
    text = text.replace('[optimizer.generator]\nschedule = "linear"\n', tables)
    assert tables in text
    (directory / "x.toml").write_text(text)
    (directory / "signs.py").write_text(SIGNS)


def test_killed_and_resumed_to_the_byte(tmp_path: Path) -> None:
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    for directory in (killed, undisturbed):
        directory.mkdir()
        write(directory)
    run = start(killed, "turn:14")
    resume(run, death="checkpoint:2")
    resume(run)
    assert contents(run) == contents(start(undisturbed))
    resolved = tomllib.loads((run / "resolved.toml").read_text())
    assert resolved["optimizer"]["generator"] == {
        "name": "signs",
        "learning_rate": 1e-3,
        "schedule": "linear",
        "final_fraction": 0.0,
        "warmup_steps": 2,
        "clip_gradient_norm": 1.0,
        "momentum": 0.9,
        "period": 3,
        "fault": "",
    }
    rates = [json.loads(line)["learning-rate/generator"] for line in (run / "metrics.jsonl").open()]
    assert rates[0] == pytest.approx(1e-3) and rates == sorted(rates, reverse=True) and rates[-1] < 1e-4


def test_groups_of_parameters_keep_the_ratio_of_their_learning_rates(tmp_path: Path) -> None:
    (tmp_path / "grouped.py").write_text(GROUPED)
    experiment = load_experiment(
        {
            "title": "Grouped",
            "plugins": [str(tmp_path / "grouped.py")],
            "dataset": {"name": "gaussians", "count": 100},
            "generator": {"name": "mlp"},
            "discriminator": {"name": "mlp"},
            "losses": [{"name": "hinge"}],
            "optimizer": {"generator": {"name": "grouped", "learning_rate": 0.5, "schedule": "linear"}},
            "training": {"steps": 4, "batch_size": 8},
        }
    )
    player = Engine.build(experiment, prepare(experiment, progress=False)).players["generator"]
    for step, expected in ((0, 0.5), (2, 0.25), (4, 0.0)):
        player.follow_schedule(step)
        rates = [group["lr"] for group in player.optimizer.param_groups]
        assert rates == pytest.approx([expected * 10, expected, expected / 100])
        assert player.learning_rate == pytest.approx(expected)


def test_another_optimizer_takes_over_a_run_without_its_memory(tmp_path: Path) -> None:
    write(tmp_path, tables="")
    run = start(tmp_path, "turn:11")
    resume(run, "--allow-change", "--set", "optimizer.generator.name=signs")
    resolved = tomllib.loads((run / "resolved.toml").read_text())["optimizer"]
    assert (resolved["generator"]["name"], resolved["discriminator"]["name"]) == ("signs", "adam")
    assert "betas" not in resolved["generator"]
    changes = json.loads((run / "run.json").read_text())["sessions"][1]["changes"]
    assert 'optimizer.generator.name: "adam" -> "signs"' in changes


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (
            "kind",
            2,
            "x.toml:{table}: optimizer.generator: its `build` returned 'down', not a torch.optim.Opt",
        ),
        ("refusal", 2, "x.toml:{key}: optimizer.generator.fault: no such fault"),
        ("step", 1, "x.toml:{table}: optimizer.generator: the optimizer 'signs' raised ValueError: no such"),
    ],
)
def test_whose_fault_it_is(tmp_path: Path, fault: str, code: int, told: str) -> None:
    write(tmp_path, tables=TABLES.replace('"signs"', f'"signs"\nfault = "{fault}"', 1))
    lines = (tmp_path / "x.toml").read_text().splitlines()
    places = {"table": lines.index("[optimizer.generator]") + 1, "key": lines.index(f'fault = "{fault}"') + 1}
    done = ganlab("run", "x.toml", cwd=tmp_path)
    assert done.returncode == code
    assert told.format(**places) in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_holds_it_against_the_promises_of_its_kind(tmp_path: Path) -> None:
    write(tmp_path)
    done = ganlab("validate", "x.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("optimizer signs: moves what has gradients") == 2
    assert "for the optimizers" in done.stdout
    done = ganlab("validate", "x.toml", "--set", "optimizer.generator.period=1_000", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    broken = SIGNS.replace('group["lr"]', "1e-3")
    (tmp_path / "signs.py").write_text(broken)
    done = ganlab("validate", "x.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "optimizer.discriminator: optimizer `signs`: half the learning rate takes the same steps"
        in done.stderr
    )
