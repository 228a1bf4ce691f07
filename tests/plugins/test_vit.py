"""The transformer: the paper's parameters, what tokens attend to, gradient penalties, labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from ganlab import ComponentError, ImageSpec
from ganlab.testing import check_component
from ganlab_vit import VitOptions, build, ganlab_discriminators
from ganlab_vit.networks import Attention


def vit(image: ImageSpec, **options: Any) -> nn.Module:
    return build(VitOptions.model_validate({"width": 12, "depth": 2, "patch": 4, **options}), image)


def test_the_parameters_of_the_smallest_published_one() -> None:
    options = {"patch": 16, "width": 192, "depth": 12, "heads": 3, "attention": "dot"}
    network = vit(ImageSpec(3, 224, 224), **options)
    # ViT-Ti/16 has 5,717,416 with the layer for ImageNet's 1000 classes.
    assert sum(each.numel() for each in network.parameters()) == 5_717_416 - 193 * 1000 + 193


def test_both_attentions_keep_the_promises() -> None:
    (component,) = ganlab_discriminators()
    for attention in ("dot", "distance"):
        options = {"width": 12, "depth": 1, "patch": 4, "attention": attention}
        check_component(component, options=options, spec=ImageSpec(1, 16, 24, classes=4))


def test_the_dot_product_is_torchs() -> None:
    layer = Attention(12, 3, by_distance=False)
    tokens = torch.randn(2, 5, 12)
    query, key, value = layer.inputs(tokens).chunk(3, dim=2)
    heads = [part.unflatten(2, (3, 4)).transpose(1, 2) for part in (query, key, value)]
    expected = layer.output(scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
    assert torch.allclose(layer(tokens), expected, atol=1e-5)


def test_near_tokens_are_attended_to() -> None:
    layer = Attention(4, 1, by_distance=True)
    with torch.no_grad():
        layer.inputs.weight.copy_(torch.cat([100 * torch.eye(4), torch.eye(4)]))
        layer.output.weight.copy_(torch.eye(4))
        layer.inputs.bias.zero_()
        layer.output.bias.zero_()
    # Of a token and one twice as long, each finds itself, which a dot product would not.
    tokens = torch.tensor([[[1.0, 0, 0, 0], [2.0, 0, 0, 0]]])
    assert torch.allclose(layer(tokens), tokens, atol=1e-4)


@pytest.mark.parametrize("attention", ["dot", "distance"])
def test_a_gradient_penalty_reaches_through_attention(attention: str) -> None:
    network = vit(ImageSpec(1, 16, 16), attention=attention)
    images = torch.randn(2, 1, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(images).sum(), images, create_graph=True)
    gradient.square().sum().backward()
    assert network.blocks[0].attention[1].inputs.weight.grad.abs().sum() > 0


def test_labels_change_what_is_judged() -> None:
    network = vit(ImageSpec(1, 16, 16, classes=3))
    assert network(torch.ones(3, 1, 16, 16), torch.arange(3)).unique().numel() == 3


@pytest.mark.parametrize(
    ("options", "option", "reason"),
    [
        (
            {"patch": 5},
            "patch",
            r"16×16 cannot be cut .*; patch = 4 \(16 of them\) or 8 \(4 of them\) would fit",
        ),
        ({"heads": 5}, "heads", "12 elements cannot"),
    ],
)
def test_what_does_not_divide_is_refused(options: dict[str, Any], option: str, reason: str) -> None:
    with pytest.raises(ComponentError, match=reason) as caught:
        vit(ImageSpec(1, 16, 16), **options)
    assert caught.value.option == option


@pytest.mark.parametrize(
    ("height", "width", "fitting"),
    [(40, 26, "patch = 2 (260 of them) would fit"), (15, 16, "patch = 1 (240 of them) would fit")],
)
def test_a_patch_that_would_fit_is_named(height: int, width: int, fitting: str) -> None:
    with pytest.raises(ComponentError) as caught:
        vit(ImageSpec(1, height, width), patch=8)
    assert str(caught.value).endswith(fitting)
