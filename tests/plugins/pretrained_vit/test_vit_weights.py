"""Where weights come from, and what is said when they do not fit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from random_vit import State, as_hugging_face, clip_shapes, dinov2_shapes, faces, tiny_clip, tiny_dinov2

import ganlab_pretrained_vit
from ganlab import ComponentError, FeatureExtractor, ImageSpec
from ganlab_pretrained_vit import weights

COMPONENTS = {component.name: component for component in ganlab_pretrained_vit.ganlab_features()}
Saved = Callable[..., dict[str, object]]


def build(name: str, **options: object) -> FeatureExtractor:
    component = COMPONENTS[name]
    extractor: FeatureExtractor = component.build(component.options(**options), ImageSpec(3, 32, 32))
    return extractor


def refused(name: str, **options: object) -> ComponentError:
    with pytest.raises(ComponentError) as caught:
        build(name, **options)
    return caught.value


def empty(shapes: dict[str, tuple[int, ...]]) -> State:
    """Zeros that take no room in a file."""
    return {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}


def test_weights_that_are_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path))
    error = refused("dinov2")
    assert error.option == "weights"
    file = "dinov2_vitl14_pretrain.pth"
    for part in (
        f"put {file}",
        str(tmp_path / "weights" / file),
        "d5383ea8",
        "`download = true`",
        "1,218 MB",
    ):
        assert part in str(error)
    assert "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth" in str(
        refused("dinov2", model="vit-b14")
    )
    assert "ViT-L-14-336px.pt" in str(refused("clip"))
    assert "cannot read" in str(refused("clip", weights=tmp_path / "nothing.pt"))
    assert refused("clip", weights_sha256="0" * 64).option == "weights_sha256"


def test_another_file_is_taken_only_by_its_digest(saved: Saved) -> None:
    options = saved(tiny_dinov2())
    error = refused("dinov2", weights=options["weights"])
    assert f'weights_sha256 = "{options["weights_sha256"]}"' in str(error)
    assert "dinov2_vitl14_pretrain.pth of DINOv2 ViT-L/14" in str(error)
    assert "`weights_sha256`" in str(refused("dinov2", weights=options["weights"], weights_sha256="0" * 64))


def test_published_files_are_known_by_their_digests(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    options = saved(tiny_dinov2())
    small = replace(weights.DINOV2["vit-b14"], sha256=str(options["weights_sha256"]))
    monkeypatch.setitem(weights.DINOV2, "vit-b14", small)
    assert build("dinov2", weights=options["weights"], model="vit-b14").warnings == ()
    error = refused("dinov2", weights=options["weights"])
    assert 'it is DINOv2 ViT-B/14, which is model = "vit-b14" of `dinov2`' in str(error)


def scripted(state: State) -> torch.nn.Module:
    """Return a module that holds a state dict, as TorchScript can store it."""

    class Part(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    root = Part()
    for name, tensor in state.items():
        *path, last = name.split(".")
        module: torch.nn.Module = root
        for each in path:
            if not hasattr(module, each):
                module.add_module(each, Part())
            module = module.get_submodule(each)
        module.register_buffer(last, tensor)
    return root


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_is_read_only_where_its_digest_is_the_published_one(
    tmp_path: Path, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ViT-L-14-336px.pt"
    torch.jit.script(scripted(tiny_clip())).save(path)  # type: ignore[no-untyped-call]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert "neither safetensors nor" in str(refused("clip", weights=path, weights_sha256=digest))
    monkeypatch.setitem(weights.CLIP, "vit-l14-336", replace(weights.CLIP["vit-l14-336"], sha256=digest))
    found = build("clip", weights=path)
    assert found.warnings == ()
    images = faces(2, 32, 32)
    assert torch.equal(found.extract(images), build("clip", **saved(tiny_clip())).extract(images))


def test_files_that_hold_another_network(saved: Saved, tmp_path: Path) -> None:
    def problem(name: str, state: Any, file: str = "weights.pth") -> str:
        return str(refused(name, **saved(state, file)))

    (tmp_path / "page.safetensors").write_bytes(b"<html>Sign in</html>")
    digest = hashlib.sha256(b"<html>Sign in</html>").hexdigest()
    page = refused("clip", weights=tmp_path / "page.safetensors", weights_sha256=digest)
    assert "neither safetensors nor" in str(page)
    assert "neither safetensors nor" in problem("dinov2", print)
    assert "no state dict" in problem("dinov2", [1, 2])
    assert "no state dict" in problem("dinov2", {"model": {"cls_token": torch.zeros(1)}})

    state = empty(dinov2_shapes(width=64, depth=1, hidden=128))
    assert "does not fit DINOv2 ViT-L/14: it has no" in problem("dinov2", {"fc.weight": torch.zeros(1)})
    assert "register tokens" in problem("dinov2", {**state, "register_tokens": torch.zeros(1, 4, 64)})
    gated = {**state, "blocks.0.mlp.w12.weight": torch.zeros(1)}
    assert "gated, as those of ViT-g/14" in problem("dinov2", gated)
    without_scale = {name: tensor for name, tensor in state.items() if "ls2" not in name}
    assert "blocks.0.scale2.gamma is missing" in problem("dinov2", without_scale)
    assert "head.weight is not part of it" in problem("dinov2", {**state, "head.weight": torch.zeros(1)})
    assert "norm.bias has shape (65,), not (64,)" in problem(
        "dinov2", {**state, "norm.bias": torch.zeros(65)}
    )
    nan = {**state, "norm.bias": torch.full((64,), float("nan"))}
    assert "norm.bias is not finite" in problem("dinov2", nan)
    narrow = empty(dinov2_shapes(width=96, depth=1, hidden=128))
    assert "tokens are 96 wide, which is no multiple of a head's 64" in problem("dinov2", narrow)

    tower = empty(clip_shapes(width=64, depth=1, hidden=128, features=32))
    assert "it has no image tower" in problem("clip", state)
    text_alone = {"text_model.final_layer_norm.weight": torch.zeros(3)}
    assert "it has no image tower" in problem("clip", text_alone)
    unprojected = {name: tensor for name, tensor in tower.items() if name != "visual.proj"}
    assert "projection.weight is missing" in problem("clip", unprojected)
    torn = as_hugging_face({name: tensor.clone() for name, tensor in tower.items()})
    del torn["vision_model.encoder.layers.0.self_attn.k_proj.bias"]
    assert "blocks.0.qkv.bias is missing" in problem("clip", torn, "model.safetensors")


def test_the_published_files() -> None:
    every = [*weights.DINOV2.values(), *weights.CLIP.values()]
    assert len({each.sha256 for each in every}) == 5
    for each in every:
        assert len(each.sha256) == 64 and int(each.sha256, 16) and each.addresses[0].startswith("https://")
    for model, each in weights.CLIP.items():
        assert each.sha256 in each.addresses[0], model
