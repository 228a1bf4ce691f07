"""Path length regularisation against closed forms and finite differences."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from playing import float64, play, require_shared_equally

from ganlab_path_length.losses import PathLength

REAL = torch.zeros(4, 3)
MATRIX = torch.tensor([[1.0, -2.0, 0.5], [0.25, 1.0, 3.0]])


def noise(*shape: int) -> torch.Tensor:
    """Return the numbers that a turn draws first."""
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))


def penalty(lengths: torch.Tensor, before: float = 0.0) -> float:
    return float((lengths - (0.99 * before + 0.01 * lengths.mean())).square().mean())


def played(loss: PathLength, generate: Any) -> float:
    value: float = play("generator", loss, real=REAL, fake=REAL, generate=generate).item()
    return value


def test_of_a_linear_generator() -> None:
    lengths = (noise(3) @ MATRIX.T).norm(dim=1)
    assert played(PathLength(shrink=1), lambda z: z @ MATRIX) == pytest.approx(penalty(lengths), rel=1e-5)


def test_a_part_of_the_batch_is_enough() -> None:
    lengths = (noise(3)[:2] @ MATRIX.T).norm(dim=1)
    assert played(PathLength(), lambda z: z @ MATRIX) == pytest.approx(penalty(lengths), rel=1e-5)


def test_the_mean_runs() -> None:
    loss = PathLength(shrink=1)
    lengths = (noise(3) @ MATRIX.T).norm(dim=1)
    played(loss, lambda z: z @ MATRIX)
    expected = penalty(lengths, before=0.01 * float(lengths.mean()))
    assert played(loss, lambda z: z @ MATRIX) == pytest.approx(expected, rel=1e-5)


def test_pixels_share_the_noise() -> None:
    lengths = (noise(1, 2, 8).flatten(1) / 4).sum(dim=1).abs() * 2**0.5
    value = played(PathLength(shrink=1), lambda z: z.sum(dim=1)[:, None, None, None].expand(-1, 1, 2, 8))
    assert value == pytest.approx(penalty(lengths), rel=1e-5)


class Styled(nn.Module):
    """Two styles to a sample, whose sum it is."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Linear(2, 6)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.mapping(latents).unflatten(1, (2, 3)).sum(dim=1)


class Rows(Styled):
    """The same, whose mapping tells the styles apart."""

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (2, 3)))  # type: ignore[assignment]

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        samples: torch.Tensor = self.mapping(latents).sum(dim=1)
        return samples


@pytest.mark.parametrize(("generator", "rows"), [(Styled(), 1), (Rows(), 2)])
def test_by_the_styles_of_a_mapping(generator: nn.Module, rows: int) -> None:
    lengths = noise(3).norm(dim=1) * (2 / rows) ** 0.5
    assert played(PathLength(shrink=1), generator) == pytest.approx(penalty(lengths), rel=1e-5)
    assert not generator.mapping._forward_hooks  # type: ignore[union-attr, operator]


@float64()
def test_the_gradient_is_that_of_finite_differences() -> None:
    draw = torch.Generator().manual_seed(0)
    weights = [torch.randn(*shape, generator=draw, requires_grad=True) for shape in ((2, 4), (4, 3))]
    real = REAL.to(torch.float64)

    def value(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        loss = PathLength(decay=0.5)
        loss.load_state_dict({"mean": torch.tensor(0.7)})

        def generate(latents: torch.Tensor) -> torch.Tensor:
            return torch.tanh(latents @ first) @ second

        result: torch.Tensor = play("generator", loss, real=real, fake=real, generate=generate)
        return result

    assert torch.autograd.gradcheck(value, weights)


@pytest.mark.parametrize("shrink", [1, 2])
def test_processes_share_it(shrink: int) -> None:
    def networks(weight: torch.Tensor) -> dict[str, Any]:
        return {"generate": lambda latents: torch.tanh(latents / 7 @ weight) @ weight}

    require_shared_equally(lambda: PathLength(shrink=shrink), "generator", networks)
