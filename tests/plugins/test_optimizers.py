"""The built-in optimizers are torch's, with the experiment's options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from ganlab.registry import load_registry


def steps(optimizer: Optimizer, weight: nn.Parameter) -> torch.Tensor:
    for number in range(5):
        weight.grad = torch.linspace(-1, 1, 8) * (number + 1) + 0.1
        optimizer.step()
    return weight.detach()


DEFAULTS: dict[str, tuple[type[Optimizer], dict[str, Any]]] = {
    "adam": (Adam, {"betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 0.0, "fused": True}),
    "adamw": (AdamW, {"betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 0.0, "fused": True}),
    "sgd": (SGD, {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "fused": True}),
    "rmsprop": (RMSprop, {"alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "weight_decay": 0.0}),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {"betas": (0.3, 0.9), "eps": 1e-3, "weight_decay": 0.1},
    "adamw": {"betas": (0.3, 0.9), "eps": 1e-3, "weight_decay": 0.1},
    "sgd": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1},
    "rmsprop": {"alpha": 0.8, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.1},
}


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("given", [{}, OPTIONS], ids=["defaults", "options"])
def test_it_takes_torch_s_steps(name: str, given: dict[str, dict[str, Any]]) -> None:
    component = load_registry().get("optimizer", name).component
    ours, theirs = (nn.Parameter(torch.ones(8)) for _ in range(2))
    options = component.options(**given.get(name, {}))
    optimizer = component.build(options, [ours])
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    kind, defaults = DEFAULTS[name]
    expected = kind([theirs], **{"lr": 0.01, **defaults, **given.get(name, {})})
    assert torch.equal(steps(optimizer, ours), steps(expected, theirs))


def test_all_of_them_are_here() -> None:
    offers = load_registry().components("optimizer")
    assert {offer.component.name for offer in offers if offer.provenance.distribution == "ganlab"} == {
        *DEFAULTS
    }
