"""Generators that take labels see them from the start, beside the latents."""

from __future__ import annotations

import pytest
import torch

from ganlab import GeneratorComponent, ImageSpec, LatentSpec
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
