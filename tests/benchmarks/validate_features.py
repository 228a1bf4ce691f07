"""Do distances on a feature extractor rise with damage? (Run by hand; docs/features.md has the table.)

For each dataset a reference set is fixed. For each of several held-out sets, the distance of that
set from the reference is taken undamaged and then damaged at four levels, so that within a series
nothing changes but the damage. Asked are

- τ ≥ 0.9: Kendall's rank correlation of level and distance, undamaged first, mean over held-out sets;
- z ≥ 3: by how many deviations of undamaged sets the mildest level lies above their mean;
- CV < 0.15: deviation over mean of undamaged sets' distances (of MMD², the biased one: the
  unbiased one has mean 0).

    python tests/benchmarks/validate_features.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from corruptions import CORRUPTIONS, Stock
from scipy.stats import kendalltau

import ganlab_features
from ganlab import FeatureBank, FeatureExtractor, ImageSpec
from ganlab.arithmetic import exact_arithmetic
from ganlab.config import load_experiment
from ganlab.data.preparation import prepare
from ganlab.evaluation.standardise import Standardiser
from ganlab_frechet.evaluator import FrechetEvaluator
from ganlab_mmd.evaluator import MmdEvaluator

LEAST_TAU, LEAST_Z, MOST_CV = 0.9, 3.0, 0.15
METRICS = ("MMD²", "Fréchet")

EXPERIMENT = """
title = "validation"
[image]
size = {size}
channels = {channels}
{dataset}
[generator]
name = "dcgan"
[[losses]]
name = "mmd"
[training]
steps = 1
"""


@dataclass(frozen=True)
class Samples:
    """A dataset in memory: uint8 `(N, C, H, W)` and int64 `(N,)`, in a fixed random order."""

    images: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Outcome:
    """How one corruption fared on one dataset by one metric."""

    tau: float
    z: float

    @property
    def passed(self) -> bool:
        return self.tau >= LEAST_TAU and self.z >= LEAST_Z


def load(dataset: str, size: int, channels: int) -> Samples:
    """Return a dataset as ganlab prepares it, from the body of its `[dataset]` table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.toml"
        file.write_text(EXPERIMENT.format(size=size, channels=channels, dataset=f"[dataset]\n{dataset}"))
        store = prepare(load_experiment(file), progress=False).store
    order = torch.randperm(len(store), generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(len(store)) if store.labels is None else torch.from_numpy(store.labels)
    return Samples(store.gather(order.numpy()).contiguous(), labels[order].long())


class Ruler:
    """Distances of sets from one reference, by both metrics, on one extractor."""

    def __init__(self, extractor: FeatureExtractor, reference: torch.Tensor) -> None:
        self._extractor = extractor
        raw = FeatureBank(self._features(reference))
        self._standardiser = Standardiser.fit(raw) if extractor.standardise else None
        self._real = self._standardised(raw)
        self._mmd, self._biased = MmdEvaluator(), MmdEvaluator(estimator="biased")
        for evaluator in (self._mmd, self._biased):
            evaluator.prepare(self._real, None)
        self._frechet = FrechetEvaluator()

    def measure(self, images: torch.Tensor, *, biased: bool = False) -> dict[str, float]:
        """Return both distances of a set from the reference."""
        fake = self._standardised(FeatureBank(self._features(images)))
        mmd = (self._biased if biased else self._mmd).evaluate(self._real, fake)["mmd2"].value
        return {"MMD²": mmd, "Fréchet": self._frechet.evaluate(self._real, fake)["frechet"].value}

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        with exact_arithmetic(torch.device("cpu")):
            return torch.cat([self._extractor.extract(part) for part in images.split(250)])

    def _standardised(self, bank: FeatureBank) -> FeatureBank:
        return self._standardiser.apply(bank) if self._standardiser else bank


def held_out_sets(own: Samples, foreign: torch.Tensor, reference: int, count: int, seeds: int) -> list[Stock]:
    """Return sets that have no image in common with the reference; where data ends, they share some."""
    rest = len(own.images) - reference
    sets = []
    for seed in range(seeds):
        if (seed + 1) * count <= rest:
            rows = torch.arange(seed * count, (seed + 1) * count)
        else:
            rows = torch.randperm(rest, generator=torch.Generator().manual_seed(seed))[:count]
        rows = rows + reference
        others = torch.randperm(len(foreign), generator=torch.Generator().manual_seed(seed))[:count]
        sets.append(Stock(own.images[rows], own.labels[rows], foreign[others]))
    return sets


def validate(
    extractor: FeatureExtractor,
    reference: torch.Tensor,
    sets: Sequence[Stock],
    corruptions: Sequence[str] = tuple(CORRUPTIONS),
) -> tuple[dict[str, float], dict[tuple[str, str], Outcome]]:
    """Return the CV of undamaged sets by metric, and the outcome by corruption and metric."""
    ruler = Ruler(extractor, reference)
    nulls = [ruler.measure(stock.images) for stock in sets]
    biased = [ruler.measure(stock.images, biased=True) for stock in sets]
    variation = {
        metric: statistics.stdev(null[metric] for null in biased)
        / statistics.mean(null[metric] for null in biased)
        for metric in METRICS
    }
    outcomes = {}
    for name in corruptions:
        series = CORRUPTIONS[name]
        rows = []
        for seed, (stock, null) in enumerate(zip(sets, nulls, strict=True)):
            damaged = [
                series.corrupt(stock, level, torch.Generator().manual_seed(seed)) for level in series.levels
            ]
            rows.append([null, *(ruler.measure(images) for images in damaged)])
        for metric in METRICS:
            outcomes[name, metric] = _outcome([[cell[metric] for cell in row] for row in rows])
    return variation, outcomes


def _outcome(rows: list[list[float]]) -> Outcome:
    taus = [float(kendalltau(range(len(row)), row).statistic) for row in rows]
    nulls = [row[0] for row in rows]
    mildest = statistics.mean(row[1] for row in rows)
    return Outcome(
        statistics.mean(taus), (mildest - statistics.mean(nulls)) / max(statistics.stdev(nulls), 1e-12)
    )


def table(
    results: Mapping[tuple[str, str], tuple[dict[str, float], dict[tuple[str, str], Outcome]]],
    extractors: Sequence[str],
) -> str:
    """Return the Markdown table; what fails is bold."""
    heads = [f"{extractor} {metric}" for extractor in extractors for metric in METRICS]
    lines = [f"| dataset | damage | {' | '.join(heads)} |", "| --- " * (2 + len(heads)) + "|"]
    for dataset in dict.fromkeys(name for name, _ in results):
        for damage in CORRUPTIONS:
            cells = [
                _cell(results[dataset, each][1][damage, metric]) for each in extractors for metric in METRICS
            ]
            lines.append(f"| {dataset} | {damage} | {' | '.join(cells)} |")
        ratios = [results[dataset, each][0][metric] for each in extractors for metric in METRICS]
        shown = [f"CV {ratio:.2f}" if ratio < MOST_CV else f"**CV {ratio:.2f}**" for ratio in ratios]
        lines.append(f"| {dataset} | none | {' | '.join(shown)} |")
    return "\n".join(lines)


def _cell(outcome: Outcome) -> str:
    text = f"{outcome.tau:.2f}, {min(outcome.z, 999):.1f}"
    return text if outcome.passed else f"**{text}**"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--count", type=int, default=300, help="images of a held-out set")
    parser.add_argument("--reference", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--datasets", nargs="+", default=["CelebA", "MNIST", "faces"])
    parser.add_argument("--features", nargs="+", default=["wavelet", "random-conv"])
    options = parser.parse_args()
    celeba = f'name = "celeba"\nroot = "{options.data / "celeba"}"\nlabel = "Male"'
    mnist = f'name = "mnist"\nroot = "{options.data / "mnist"}"\nlabels = true'
    faces = 'name = "faces"\ncount = 6000\nlabels = "glasses"'
    sources: dict[str, Callable[[], tuple[Samples, torch.Tensor]]] = {
        "CelebA": lambda: (load(celeba, 32, 3), load(faces, 32, 3).images),
        "MNIST": lambda: (load(mnist, 28, 1), load(faces, 28, 1).images),
        "faces": lambda: (load(faces, 32, 3), load(celeba, 32, 3).images),
    }
    extractors = {each.name: each for each in ganlab_features.ganlab_features()}
    chosen = options.features
    results = {}
    for dataset in options.datasets:
        own, foreign = sources[dataset]()
        spec = ImageSpec(*own.images.shape[1:])
        sets = held_out_sets(own, foreign, options.reference, options.count, options.seeds)
        for name in chosen:
            started = time.perf_counter()
            extractor = extractors[name].build(extractors[name].options(), spec)
            results[dataset, name] = validate(extractor, own.images[: options.reference], sets)
            print(f"{dataset}, {name}: {time.perf_counter() - started:.0f} s", flush=True)
        print(table({key: results[key] for key in results if key[0] == dataset}, chosen), flush=True)
    print(f"\n{table(results, chosen)}")


if __name__ == "__main__":
    main()
