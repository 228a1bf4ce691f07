"""How much sooner a recipe has faces as good as the script that everybody copies.

    python tests/benchmarks/time_to_quality.py --out results RECIPE.toml ... [--seeds 0 1] [--images 80000]

`common_script.py` and `ganlab run RECIPE.toml` train on the same three quarters of the CelebA
faces, in turns of half a minute on the same cores, so that a busy machine slows both alike. What
counts is the time that each had for itself, without evaluations. Then the generators of all
checkpoints make samples, the script's with its own weights and ours averaged, and are held
against the quarter that neither trained on. It prints the curves, and by what factor ours was
sooner where the script was at the end. `--out` keeps samples, grids and `results.json`; what
is there already is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from common_script import sample as sample_script
from jinja2 import Environment, PackageLoader
from PIL import Image

from ganlab.comparison import charts
from ganlab.config import load_experiment
from ganlab.data.preparation import prepare

HELD_OUT = 0.25
SLICE_SECONDS = 30
EVALUATORS = ("frechet", "mmd", "precision-recall")
JUDGES = ("efficientnet-lite0", "wavelet")
FALLING = ("frechet", "mmd2")
"""Metrics that are the better the lower they are."""

PICTURE = """\
{% import "chart.html" as chart %}
<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"
  viewBox="0 -34 {{ charts.WIDTH }} {{ charts.HEIGHT + 34 }}">
<style>
:root { --soft: #5b6270; --line: #dde0e6; {{ chart.colours() }} }
{{ chart.style() }}
</style>
<rect y="-34" width="100%" height="100%" fill="#fff"/>
<text x="{{ charts.LEFT }}" y="-10">{{ metric }}:
{% for name in names %}
<tspan dx="8" class="c{{ loop.index0 % 8 }}" style="fill: var(--c)" font-weight="bold">{{ name }}</tspan>
{% endfor %}
</text>
{{ chart.content(drawn, charts, names, "race") }}
</svg>
"""


@dataclass
class Contestant:
    """A training in a process of its own, which the others' turns suspend.

    Attributes:
        active: seconds that it had for itself.
        reached: those seconds at each of its files of weights, by path.
    """

    name: str
    command: list[str]
    weights: Path
    pattern: str
    log: Path
    active: float = 0.0
    reached: dict[str, float] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def take_turn(self, seconds: float) -> None:
        """Go on for so many seconds, or to the end."""
        if self.process is None:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    self.command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
        else:
            os.killpg(self.process.pid, signal.SIGCONT)
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < seconds and self.process.poll() is None:
            self._look(self.active + now)
            time.sleep(0.2)
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGSTOP)
        self.active += now
        self._look(self.active)

    def _look(self, active: float) -> None:
        for path in sorted(self.weights.glob(self.pattern)):
            self.reached.setdefault(str(path), active)

    @property
    def finished(self) -> bool:
        """Whether it has ended.

        Raises:
            SystemExit: it failed.
        """
        if self.process is None or (code := self.process.poll()) is None:
            return False
        if code:
            raise SystemExit(f"{self.name} failed:\n{self.log.read_text()[-2000:]}")
        return True


def race(contestants: Sequence[Contestant]) -> None:
    """Train all of them, in turns."""
    try:
        while waiting := [each for each in contestants if not each.finished]:
            for each in waiting:
                each.take_turn(SLICE_SECONDS)
            print("  ".join(f"{each.name} {each.active:.0f} s" for each in contestants), flush=True)
    finally:
        for each in contestants:
            if each.process is not None and each.process.poll() is None:
                os.killpg(each.process.pid, signal.SIGKILL)


def shared_settings(data: Path) -> list[str]:
    """Return what is set in each recipe so that all train on the same faces, resized as the script does."""
    root = f"dataset.root={json.dumps(str(data))}"
    return [root, f"dataset.holdout={HELD_OUT}", "dataset.split_seed=0", 'image.resample="bilinear"']


def split_faces(recipe: Path, data: Path, out: Path) -> tuple[Path, Path]:
    """Return a list of the JPEG files to train on, and an array of the faces that nobody trains on."""
    prepared = prepare(load_experiment(recipe, overrides=shared_settings(data)))
    jpegs = out / "jpegs"
    if not jpegs.exists():
        with zipfile.ZipFile(data / "img_align_celeba.zip") as archive:
            archive.extractall(jpegs)
    files = sorted(jpegs.rglob("*.jpg"))
    listed, held_out = out / "training.txt", out / "held-out.npy"
    listed.write_text("".join(f"{files[row]}\n" for row in prepared.split.training))
    np.save(held_out, prepared.store.gather(prepared.split.holdout).permute(0, 2, 3, 1).numpy())
    return listed, held_out


def script(training: Path, images: int, checkpoints: int, seed: int, out: Path) -> Contestant:
    """Return the common script."""
    command = [sys.executable, str(Path(__file__).parent / "common_script.py"), str(training)]
    command += [f"--images={images}", f"--every={images // checkpoints}", f"--seed={seed}", f"--out={out}"]
    return Contestant("script", command, out, "*.pth", out.with_suffix(".log"))


def recipe(file: Path, data: Path, checkpoints: int, seed: int, out: Path) -> Contestant:
    """Return a recipe of ours; it evaluates and draws nothing but what ends a run."""
    experiment = load_experiment(file)
    never = 10**9
    changes = [*shared_settings(data), f"seed={seed}", f"samples.every={never}", "checkpoint.keep=1000"]
    changes += [f"checkpoint.every={max(1, experiment.settings.training.steps // checkpoints)}"]
    changes += [f"evaluators.{number}.every={never}" for number in range(len(experiment.evaluators))]
    command = [sys.executable, "-m", "ganlab", "run", str(file), "--quiet", f"--runs={out}"]
    command += [f"--set={change}" for change in changes]
    return Contestant(file.stem, command, out, "*/*/checkpoints/step-*[0-9]", out.with_suffix(".log"))


def sample(weights: Path, count: int) -> torch.Tensor:
    """Return samples of a checkpoint, uint8 `(count, 3, 64, 64)`."""
    if weights.suffix == ".pth":
        return sample_script(weights, count, seed=0)
    run, step = weights.parents[1], int(weights.name.removeprefix("step-"))
    array = weights.with_suffix(".npy")
    command = [sys.executable, "-m", "ganlab", "sample", str(run), f"--checkpoint={step}", f"--out={array}"]
    subprocess.run([*command, f"--count={count}", "--force"], check=True, stdout=subprocess.DEVNULL)
    samples = torch.from_numpy(np.load(array)).permute(0, 3, 1, 2)
    array.unlink()
    return samples


def images_seen(weights: Path) -> int:
    """Return how many real images a checkpoint was trained on."""
    if weights.suffix == ".pth":
        return int(weights.stem)
    step = int(weights.name.removeprefix("step-"))
    lines = (weights.parents[1] / "metrics.jsonl").read_text().splitlines()
    seen = {
        line["step"]: line["progress/images"] for line in map(json.loads, lines) if "progress/images" in line
    }
    last = max(seen)
    return round(seen[last] / last * step)


def measure(held_out: Path, samples: Path) -> dict[str, float]:
    """Return all metrics of samples by every judge."""
    found = {}
    for judge in JUDGES:
        command = [sys.executable, "-m", "ganlab", "compare-images", str(held_out), str(samples), "--json"]
        command += [f"--evaluator={name}" for name in EVALUATORS]
        command += [f'--set={name}.features="{judge}"' for name in EVALUATORS]
        for line in json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout):
            found[f"{line['metric']} on {judge}"] = line["value"]
    return found


def save_grid(samples: torch.Tensor, path: Path) -> None:
    """Draw the first 64, uint8 `(N, 3, H, W)`."""
    _, channels, height, width = samples.shape
    grid = samples[:64].view(8, 8, channels, height, width).permute(0, 3, 1, 4, 2)
    Image.fromarray(grid.reshape(8 * height, 8 * width, channels).numpy()).save(path)


def compete(options: argparse.Namespace, seed: int, out: Path) -> list[dict[str, Any]]:
    """Train and measure everybody with one seed, and return a record of each checkpoint."""
    results = out / "results.json"
    if results.exists():
        return list(json.loads(results.read_text()))
    out.mkdir(parents=True, exist_ok=True)
    data = options.data.resolve()
    training, held_out = split_faces(options.recipes[0], data, options.out.resolve())
    contestants = [script(training, options.images, options.checkpoints, seed, out / "script")]
    contestants += [
        recipe(file, data, options.checkpoints, seed, out / file.stem) for file in options.recipes
    ]
    race(contestants)
    records = []
    for each in contestants:
        for path, seconds in each.reached.items():
            if path.endswith("step-00000000"):
                continue
            samples = sample(Path(path), options.samples)
            images = images_seen(Path(path))
            save_grid(samples, out / f"{each.name}-{images:08}.png")
            array = out / "samples.npy"
            np.save(array, samples.permute(0, 2, 3, 1).numpy())
            record = {"seed": seed, "name": each.name, "seconds": seconds, "images": images}
            records.append(record | measure(held_out, array))
            print(records[-1], flush=True)
    results.write_text(json.dumps(records, indent=1))
    return records


def how_much_sooner(curve: Sequence[dict[str, Any]], metric: str, script: dict[str, Any]) -> str:
    """Say how much sooner than the script's last point a falling curve is as low as that.

    Between its points it is taken for straight.
    """
    target, before = script[metric], None
    for point in curve:
        if point[metric] <= target:
            if before is None:
                return f"at least {script['seconds'] / point['seconds']:.1f} times sooner"
            share = (before[metric] - target) / (before[metric] - point[metric])
            seconds = before["seconds"] + share * (point["seconds"] - before["seconds"])
            return f"{script['seconds'] / seconds:.1f} times sooner"
        before = point
    return "never"


def report(records: Sequence[dict[str, Any]]) -> None:
    """Print all curves, and how much sooner each recipe is where the script ended."""
    metrics = [key for key in records[0] if " on " in key]
    for seed in sorted({record["seed"] for record in records}):
        curves: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            if record["seed"] == seed:
                curves.setdefault(record["name"], []).append(record)
        print(f"\nseed {seed}\n{'':24}{'seconds':>8}{'images':>10}", *(f"{name:>30}" for name in metrics))
        for name, curve in curves.items():
            for point in curve:
                values = (f"{point[metric]:30.4g}" for metric in metrics)
                print(f"{name:24}{point['seconds']:8.0f}{point['images']:10}", *values)
        end = curves["script"][-1]
        for metric in metrics:
            if not metric.startswith(FALLING):
                continue
            for name, curve in curves.items():
                if name != "script":
                    sooner = how_much_sooner(curve, metric, end)
                    print(f"{metric}: {name} is at the script's {end[metric]:.4g} {sooner}")


def draw(records: Sequence[dict[str, Any]], metric: str) -> str:
    """Return a metric's curves against minutes, as SVG.

    Thick are means over seeds, thin each seed, and dashed is where the script ended.
    """
    curves: dict[str, dict[int, list[charts.Located]]] = {}
    for record in records:
        point = (record["seconds"] / 60, record[metric], record["images"])
        curves.setdefault(record["name"], {}).setdefault(record["seed"], []).append(point)
    drawn = charts.draw_located(
        [[sorted(curve) for curve in of_name.values()] for of_name in curves.values()],
        "minutes of training",
        {fmean(max(curve)[1] for curve in curves["script"].values())},
        counted="images",
        logarithmic_across=True,
    )
    templates = Environment(
        loader=PackageLoader("ganlab.comparison", "templates"), autoescape=True, trim_blocks=True
    )
    return templates.from_string(PICTURE).render(charts=charts, drawn=drawn, metric=metric, names=[*curves])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    default = Path(os.environ.get("GANLAB_TEST_DATA", beside)) / "celeba"
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=80_000, help="that the script trains on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--checkpoints", type=int, default=10)
    parser.add_argument("--samples", type=int, default=2000)
    options = parser.parse_args()
    out = options.out.resolve()
    records = [record for seed in options.seeds for record in compete(options, seed, out / f"seed-{seed}")]
    report(records)
    for metric in (key for key in records[0] if key.startswith(FALLING)):
        (out / f"{metric.replace(' ', '-')}.svg").write_text(draw(records, metric), encoding="utf-8")


if __name__ == "__main__":
    main()
