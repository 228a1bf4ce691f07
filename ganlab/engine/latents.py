"""Drawing the generator's noise."""

from __future__ import annotations

import itertools
import math

import torch
from torch.nn.functional import one_hot

from ganlab.components import LatentSpec

__all__ = ["draw_latents", "interpolate", "walk_around"]


def draw_latents(latent: LatentSpec, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return float32 latents `(count, latent.dim)` on the CPU."""
    continuous = _draw_continuous(latent, count, generator)
    codes = [
        one_hot(torch.randint(choices, (count,), generator=generator), choices).float()
        for choices in latent.categories
    ]
    return torch.cat([*codes, continuous], dim=1) if codes else continuous


def _draw_continuous(latent: LatentSpec, count: int, generator: torch.Generator) -> torch.Tensor:
    if latent.distribution == "uniform":
        return torch.rand(count, latent.continuous, generator=generator) * 2 - 1
    normal = torch.randn(count, latent.continuous, generator=generator)
    return _onto_sphere(normal) if latent.distribution == "sphere" else normal


def interpolate(latent: LatentSpec, starts: torch.Tensor, ends: torch.Tensor, steps: int) -> torch.Tensor:
    """Walk from each start to its end inside the latents' own distribution.

    Straight lines for uniform latents; great circles for the others, whose mass lies
    near a sphere that a straight line would leave (White, 2016). One-hot codes change half way.

    Args:
        latent: the noise.
        starts: `(N, dim)`.
        ends: `(N, dim)`.
        steps: points on each walk, both ends included; at least 2.

    Returns:
        `(N * steps, dim)`, walk by walk.
    """
    share = torch.linspace(0, 1, steps).view(1, steps, 1)
    sizes = [sum(latent.categories), latent.continuous]
    (first, starts), (last, ends) = (torch.split(each, sizes, dim=1) for each in (starts, ends))
    codes = torch.where(share < 0.5, first[:, None], last[:, None])
    return torch.cat([codes, _walk(latent, starts, ends, share)], dim=2).flatten(0, 1)


def _walk(latent: LatentSpec, starts: torch.Tensor, ends: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Return continuous latents on the way, `(N, steps, elements)`."""
    if latent.distribution == "uniform":
        return torch.lerp(starts[:, None], ends[:, None], share)
    cosine = torch.nn.functional.cosine_similarity(starts, ends, dim=1).clamp(-0.9995, 0.9995)
    angle = torch.acos(cosine).view(-1, 1, 1)
    from_start, to_end = torch.sin((1 - share) * angle), torch.sin(share * angle)
    walks: torch.Tensor = (from_start * starts[:, None] + to_end * ends[:, None]) / torch.sin(angle)
    return walks


def walk_around(latent: LatentSpec, keys: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Walk from each latent to the next, and from the last back to the first, as `interpolate` does.

    Args:
        latent: the noise.
        keys: latents that the walk visits, `(N, dim)`; of a single one it never leaves it.
        count: points of the whole walk, at least `N`.

    Returns:
        `(count, dim)`, and the number of the key that each point comes from, `(count,)`.
    """
    bounds = [count * key // len(keys) for key in range(len(keys) + 1)]
    sizes = [end - start for start, end in itertools.pairwise(bounds)]
    legs = [
        # Without its end, with which the next leg begins.
        interpolate(latent, start[None], end[None], size + 1)[:-1]
        for start, end, size in zip(keys, keys.roll(-1, 0), sizes, strict=True)
    ]
    return torch.cat(legs), torch.arange(len(keys)).repeat_interleave(torch.tensor(sizes))


def _onto_sphere(vectors: torch.Tensor) -> torch.Tensor:
    lengths: torch.Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors * (math.sqrt(vectors.shape[1]) / lengths)
