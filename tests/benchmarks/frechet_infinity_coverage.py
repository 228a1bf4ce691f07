"""Do ± 2 standard errors of `frechet-infinity` cover the truth? (Run by hand; docs/metrics.md has the table.)

Draws pairs of samples of known means and covariances, whose distance is therefore known, and counts.
Deviations fall as 1/√i from one dimension to the next; generated ones are shifted and scaled in each.

    python tests/benchmarks/frechet_infinity_coverage.py --draws 300
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ganlab import Estimate, FeatureBank
from ganlab_frechet.infinity import FrechetInfinityEvaluator

DIFFERENCES = {"equal": (0.0, 1.0), "alike": (0.1, 1.1), "apart": (0.3, 1.3), "far": (2.0, 3.0)}
"""The shift of the mean, in deviations, and the factor of the last dimension's deviation."""


@dataclass(frozen=True)
class Setting:
    """Two distributions, and how many samples of each.

    Attributes:
        heavy: a fifth of the samples has four times the deviation of the others; the kurtosis is 9.75,
            where Gaussians have 3.
    """

    dimension: int
    n_real: int
    n_fake: int
    difference: str
    heavy: bool = False

    @property
    def deviations(self) -> torch.Tensor:
        """`(d,)` of the real features."""
        return torch.arange(1, self.dimension + 1).pow(-0.5)

    @property
    def shift(self) -> torch.Tensor:
        """`(d,)` by which generated features lie elsewhere."""
        return DIFFERENCES[self.difference][0] * self.deviations

    @property
    def factor(self) -> torch.Tensor:
        """`(d,)` by which generated features vary more."""
        return torch.linspace(1, DIFFERENCES[self.difference][1], self.dimension)

    @property
    def truth(self) -> float:
        return float((self.shift.square() + (self.deviations * (self.factor - 1)).square()).sum())

    def estimate(self, seed: int) -> Estimate:
        """Return what is estimated of one draw."""
        rng = torch.Generator().manual_seed(seed)
        real = self._draw(self.n_real, rng) * self.deviations
        fake = self._draw(self.n_fake, rng) * self.deviations * self.factor + self.shift
        return FrechetInfinityEvaluator().evaluate(FeatureBank(real), FeatureBank(fake))["frechet-infinity"]

    def _draw(self, n: int, rng: torch.Generator) -> torch.Tensor:
        """Return `(n, d)` of mean 0 and variance 1."""
        normal = torch.randn(n, self.dimension, generator=rng)
        if not self.heavy:
            return normal
        wide = torch.rand(n, 1, generator=rng) < 0.2
        return normal * torch.where(wide, 2.0, 0.5)


SETTINGS = [
    *(Setting(16, n, n, difference) for n in (500, 1000) for difference in DIFFERENCES),
    *(Setting(32, 2000, 500, difference) for difference in DIFFERENCES),
    *(Setting(64, n, n, difference) for n in (500, 1000) for difference in ("equal", "alike", "far")),
    *(Setting(16, 1000, 1000, difference, heavy=True) for difference in ("equal", "alike", "far")),
]


def row(setting: Setting, estimates: Sequence[Estimate]) -> str:
    """Return a line of the table."""
    off = torch.tensor([each.value for each in estimates], dtype=torch.float64) - setting.truth
    errors = torch.tensor([each.standard_error for each in estimates], dtype=torch.float64)
    covered = float((off.abs() <= 2 * errors).double().mean())
    spread, claimed = float(off.std()), float(errors.square().mean().sqrt())
    tails = ", heavy tails" if setting.heavy else ""
    return (
        f"| {setting.dimension} | {setting.n_real}, {setting.n_fake} | {setting.difference}{tails} "
        f"| {setting.truth:.3g} | {float(off.mean()) / spread:+.2f} | {claimed / spread:.2f} "
        f"| {covered:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| d | real, generated | distributions | distance | bias / spread | error / spread | covered |")
    print("| --- " * 7 + "|")
    for setting in SETTINGS:
        print(row(setting, [setting.estimate(seed) for seed in range(options.draws)]), flush=True)


if __name__ == "__main__":
    main()
