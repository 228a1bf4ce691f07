"""PatchGAN: the paper's layers and patches, scales, committees and packs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ganlab import ComponentError, ImageSpec
from ganlab.testing import check_component
from ganlab_patchgan import PatchganOptions, build, ganlab_discriminators


def patchgan(image: ImageSpec, **options: Any) -> nn.Module:
    return build(PatchganOptions.model_validate({"width": 2, **options}), image)


def test_the_authors_parameters() -> None:
    image = ImageSpec(3, 256, 256)

    def count(**options: Any) -> int:
        network = build(PatchganOptions(**options), image)
        return sum(parameter.numel() for parameter in network.parameters())

    # What their PyTorch code prints for CycleGAN, and for pix2pix, whose pairs have six channels.
    assert count(normalisation="instance") == 2_764_737
    assert count(pack=2) == 2_768_705
    assert patchgan(image)(torch.randn(1, *image.shape)).shape == (1, 30 * 30)


@pytest.mark.parametrize(("layers", "patch"), [(2, 34), (3, 70)])
def test_a_logit_sees_a_patch(layers: int, patch: int) -> None:
    network = patchgan(ImageSpec(1, 160, 160), layers=layers, normalisation="none")
    images = torch.randn(1, 1, 160, 160, requires_grad=True)
    logits = network(images)
    logits[0, logits.shape[1] // 2 + round(logits.shape[1] ** 0.5) // 2].backward()
    rows = images.grad[0, 0].abs().sum(dim=1).nonzero()
    assert rows.max() - rows.min() + 1 == patch


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"normalisation": "spectral"},
        {"normalisation": "instance", "layers": 2},
        {"scales": 2, "layers": 2},
        {"members": 2, "pack": 3},
    ],
    ids=str,
)
def test_every_option_keeps_the_promises(options: dict[str, Any]) -> None:
    (component,) = ganlab_discriminators()
    for image in (ImageSpec(3, 32, 32), ImageSpec(1, 36, 44, classes=4)):
        check_component(component, options={"width": 2, **options}, spec=image)


def test_scales_and_members_each_add_verdicts() -> None:
    images = torch.randn(2, 1, 64, 64)
    one = patchgan(ImageSpec(1, 64, 64))(images).shape[1]
    half = patchgan(ImageSpec(1, 32, 32))(images[:, :, ::2, ::2]).shape[1]
    assert patchgan(ImageSpec(1, 64, 64), scales=2, members=3)(images).shape == (2, 3 * (one + half))


def test_a_pack_is_judged_by_all_that_is_in_it() -> None:
    network = patchgan(ImageSpec(1, 32, 32), pack=2, normalisation="none")
    images = torch.randn(4, 1, 32, 32)
    changed = images.clone()
    changed[1] += 1
    differs = (network(images) != network(changed)).any(dim=1)
    assert differs.tolist() == [False, True, True, False]


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(ComponentError, match="layers = 3 with scales = 2 needs images of 64"):
        patchgan(ImageSpec(1, 32, 64), scales=2)
