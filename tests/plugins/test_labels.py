"""Generators that take labels see them from the start, beside the latents."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ganlab import DiscriminatorComponent, GeneratorComponent, ImageSpec, LatentSpec, Verdict
from ganlab.engine.streams import isolated_randomness
from ganlab.registry import load_registry

SMALL = {
    "dcgan": {"width": 8},
    "dcgan-tutorial": {"width": 8},
    "fastgan": {"width": 4},
    "r3gan": {"width": 16, "widest": 2, "group": 4},
    "resnet": {"width": 8},
    "style": {"width": 8},
}
CONDITIONAL = [
    component
    for component in (offer.component for offer in load_registry().offers)
    if isinstance(component, GeneratorComponent) and component.takes_labels
]


@pytest.mark.parametrize("component", CONDITIONAL, ids=lambda component: component.name)
def test_another_label_changes_samples_as_other_latents_do(component: GeneratorComponent) -> None:
    options = component.options(**SMALL.get(component.name, {}))
    with isolated_randomness(0), torch.no_grad():
        generator = component.build(options, ImageSpec(1, 32, 32, classes=10), LatentSpec(64))
        latents, labels = torch.randn(32, 64), torch.arange(32) % 10
        samples = generator(latents, labels)
        moved_by_labels = (generator(latents, (labels + 3) % 10) - samples).norm()
        moved_by_latents = (generator(torch.randn(32, 64), labels) - samples).norm()
    assert moved_by_labels > 0.1 * moved_by_latents


@pytest.mark.parametrize(
    ("name", "options"),
    [("dcgan", {}), ("fastgan", {}), ("r3gan", {}), ("resnet", {}), ("resnet", {"embedding": 128})],
)
def test_the_class_does_not_drown_the_latents(name: str, options: dict[str, Any]) -> None:
    component = next(component for component in CONDITIONAL if component.name == name)
    chosen = component.options(**{**SMALL.get(name, {}), **options})
    with isolated_randomness(0), torch.no_grad():
        generator = component.build(chosen, ImageSpec(3, 32, 32, classes=4), LatentSpec(64))
        latents, labels = torch.randn(64, 64).repeat(4, 1), torch.arange(4).repeat_interleave(64)
        samples = generator(latents, labels).reshape(4, 64, -1)
    mean = samples.mean(dim=(0, 1))
    share = (samples.mean(dim=1) - mean).square().mean() / (samples - mean).square().mean()
    assert 0.01 < share < 0.25


@pytest.mark.parametrize(
    ("name", "options"),
    [("dcgan", {}), ("dcgan-tutorial", {}), ("patchgan", {"width": 16}), ("vit", {"depth": 1})],
)
def test_a_discriminator_does_not_begin_with_a_prejudice_against_a_class(
    name: str, options: dict[str, Any]
) -> None:
    offers = load_registry().offers
    component = next(
        offer.component
        for offer in offers
        if isinstance(offer.component, DiscriminatorComponent) and offer.component.name == name
    )
    chosen = component.options(**{**SMALL.get(name, {}), **options})
    with isolated_randomness(0), torch.no_grad():
        discriminator = component.build(chosen, ImageSpec(3, 32, 32, classes=10))
        images = 2 * torch.rand(8, 3, 32, 32) - 1
        verdicts = [discriminator(images, torch.full((8,), label)) for label in range(10)]
    logits = [verdict.logits if isinstance(verdict, Verdict) else verdict for verdict in verdicts]
    assert torch.stack([each.mean() for each in logits]).std() < 0.5
