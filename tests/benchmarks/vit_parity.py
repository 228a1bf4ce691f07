"""The `dinov2` and `clip` features beside the libraries that others compute them with: run by hand.

In an environment of its own, with what ganlab needs and, each with `--no-deps` where it would bring another
torch: timm, open_clip_torch, transformers, torchvision, and dinov2 0.0.1.dev2 (the official code).

    python tests/benchmarks/vit_parity.py [--large] [--golden tests/plugins/pretrained_vit/golden.json]

All load the same random weights (`tests/plugins/pretrained_vit/random_vit.py`) under their published
names, strictly, and see the same drawn faces: a tiny network of each kind, then the full ViT-B ones, and
with `--large` the ViT-L ones. Resizes are compared with those that the papers' code calls. `--golden`
writes what the tests compare with, computed by the peers in float64.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins" / "pretrained_vit"))

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from random_vit import (
    as_hugging_face,
    clip_shapes,
    dinov2_shapes,
    faces,
    random_state,
    tiny_clip,
    tiny_dinov2,
)

from ganlab import FeatureBank
from ganlab_pretrained_vit.distances import Cmmd, FdDinov2
from ganlab_pretrained_vit.layouts import clip_network, dinov2_network
from ganlab_pretrained_vit.preprocessing import CLIP_COLOURS, IMAGENET_COLOURS, Preprocessing

Network = Callable[[torch.Tensor], torch.Tensor]
Shapes = Mapping[str, tuple[int, ...]]
State = dict[str, torch.Tensor]
FACES, STRIDE = 4, 16


def import_torchvision() -> None:
    """Let torchvision be imported beside another torch than it was compiled for.

    Nothing here calls its compiled half, but its Python half asks for two operators of it.
    """
    global operators  # they are gone when it is
    operators = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            operators.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")


def official_dinov2(state: State) -> torch.nn.Module:
    """Return Meta's own network, which brings its positions to any size itself."""
    from dinov2.models.vision_transformer import DinoVisionTransformer

    width, hidden = state["pos_embed"].shape[-1], state["blocks.0.mlp.fc1.bias"].numel()
    network = DinoVisionTransformer(
        img_size=518,
        patch_size=14,
        embed_dim=width,
        depth=sum(name.endswith("qkv.bias") for name in state),
        num_heads=width // 64,
        mlp_ratio=hidden / width,
        init_values=1.0,
        block_chunks=0,
    )
    network.load_state_dict(state, strict=True)
    return network.eval()


def timm_dinov2(state: State) -> torch.nn.Module:
    """Return timm's network at 224×224 with the official code's positions: it interpolates otherwise."""
    from timm.models.vision_transformer import VisionTransformer

    width, hidden = state["pos_embed"].shape[-1], state["blocks.0.mlp.fc1.bias"].numel()
    network = VisionTransformer(
        img_size=224,
        patch_size=14,
        embed_dim=width,
        depth=sum(name.endswith("qkv.bias") for name in state),
        num_heads=width // 64,
        mlp_ratio=hidden / width,
        init_values=1.0,
        num_classes=0,
        global_pool="token",
    )
    square = torch.zeros(1, 257, width)
    positions = official_dinov2(state).interpolate_pos_encoding(square, 224, 224)
    network.load_state_dict({**without(state, "mask_token"), "pos_embed": positions}, strict=True)
    return network.eval()


def open_clip_tower(state: State) -> torch.nn.Module:
    """Return open_clip's image tower."""
    from open_clip.transformer import QuickGELU, VisionTransformer

    tower = {name.removeprefix("visual."): tensor for name, tensor in state.items()}
    width, patch = tower["conv1.weight"].shape[0], tower["conv1.weight"].shape[-1]
    network = VisionTransformer(
        image_size=patch * round((len(tower["positional_embedding"]) - 1) ** 0.5),
        patch_size=patch,
        width=width,
        layers=sum(name.endswith("in_proj_bias") for name in tower),
        heads=width // 64,
        mlp_ratio=len(tower["transformer.resblocks.0.mlp.c_fc.bias"]) / width,
        output_dim=tower["proj"].shape[1],
        act_layer=QuickGELU,
    )
    network.load_state_dict(tower, strict=True)
    return network.eval()


class HuggingFace(torch.nn.Module):
    """Hugging Face's image tower with its projection."""

    def __init__(self, state: State) -> None:
        super().__init__()
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        width, patch = state["visual.conv1.weight"].shape[0], state["visual.conv1.weight"].shape[-1]
        configuration = CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=len(state["visual.transformer.resblocks.0.mlp.c_fc.bias"]),
            projection_dim=state["visual.proj"].shape[1],
            num_hidden_layers=sum(name.endswith("in_proj_bias") for name in state),
            num_attention_heads=width // 64,
            image_size=patch * round((len(state["visual.positional_embedding"]) - 1) ** 0.5),
            patch_size=patch,
            hidden_act="quick_gelu",
        )
        self.network = CLIPVisionModelWithProjection(configuration)
        missing, unexpected = self.network.load_state_dict(as_hugging_face(state), strict=False)
        assert not unexpected and not [name for name in missing if not name.endswith("position_ids")], missing

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images).image_embeds


def without(state: State, name: str) -> State:
    return {key: tensor for key, tensor in state.items() if key != name}


def compare(title: str, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Print the greatest difference, in itself and beside the greatest value."""
    difference, greatest = float((ours.double() - theirs.double()).abs().max()), float(theirs.abs().max())
    print(f"| {title} | {greatest:.3g} | {difference:.1e} | {difference / greatest:.1e} |", flush=True)


def networks(
    title: str, state: State, load: Any, peers: Mapping[str, Any], images: torch.Tensor, exact: bool
) -> None:
    """Compare one set of weights with all peers, in float32 and against float64 where it is not too slow."""
    ours = load(state)
    with torch.no_grad():
        found = ours(images)
        for name, build in peers.items():
            network = build(state).eval()
            expected = network(images)
            compare(f"{title}: {name}", found, expected)
            if exact:
                precise = network.double()(images.double())
                compare(f"{title}: {name} in float64", found, precise)
                compare(f"{title}: {name}, its float32 beside its float64", expected, precise)


def squares(images: torch.Tensor, transform: Callable[[Image.Image], torch.Tensor]) -> torch.Tensor:
    """Return what a transform of Pillow images makes of a batch."""
    return torch.stack([transform(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images])


def clean(image: Image.Image) -> torch.Tensor:
    """Resize each channel as 32-bit floats and clip, as dgm-eval's `--clean_resize` does."""
    channels = np.asarray(image.convert("RGB")).astype(np.float32).transpose(2, 0, 1)
    planes = [
        Image.fromarray(plane).resize((224, 224), resample=Image.Resampling.BICUBIC) for plane in channels
    ]
    return torch.from_numpy(np.stack([np.asarray(plane).clip(0, 255) for plane in planes])) / 255


def middle(image: Image.Image, side: int) -> Image.Image:
    """Cut out the middle square, and resize it, as CMMD's code does."""
    short = min(image.size)
    left, top = ((each - short) // 2 for each in image.size)
    return image.crop((left, top, left + short, top + short)).resize((side, side), Image.Resampling.BICUBIC)


def protocols(
    clip_side: int = 336,
) -> dict[str, tuple[Callable[..., Preprocessing], Callable[[torch.Tensor], torch.Tensor]]]:
    """Return ours and theirs of every protocol."""
    import torchvision.transforms as T

    imagenet, clip = (T.Normalize(each.mean, each.std) for each in (IMAGENET_COLOURS, CLIP_COLOURS))
    bicubic = T.InterpolationMode.BICUBIC
    stretched = T.Compose([T.Resize((224, 224), bicubic), T.ToTensor(), imagenet])
    cropped = T.Compose([T.Resize(clip_side, bicubic), T.CenterCrop(clip_side), T.ToTensor(), clip])

    def edm2(images: torch.Tensor) -> torch.Tensor:
        resized = F.interpolate(images.float(), size=(224, 224), mode="bicubic", antialias=True)
        return imagenet(resized / 255)

    def ours(side: int, colours: Any, **options: Any) -> Callable[..., Preprocessing]:
        return lambda size: Preprocessing(size, side, colours, **options)

    return {
        "dgm-eval": (ours(224, IMAGENET_COLOURS), lambda x: squares(x, stretched)),
        "dgm-eval-clean": (
            ours(224, IMAGENET_COLOURS, finish="clamp"),
            lambda x: squares(x, lambda image: imagenet(clean(image))),
        ),
        "edm2": (ours(224, IMAGENET_COLOURS, finish="none"), edm2),
        "cmmd": (
            ours(clip_side, CLIP_COLOURS, fit="crop"),
            lambda x: squares(x, lambda image: clip(T.functional.to_tensor(middle(image, clip_side)))),
        ),
        "openai": (ours(clip_side, CLIP_COLOURS, fit="resize"), lambda x: squares(x, cropped)),
    }


def frechet(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return dgm-eval's distance, by the eigenvalues of the product of covariances."""
    means = [each.mean(0) for each in (x, y)]
    covariances = [each.T.cov() for each in (x, y)]
    roots = torch.linalg.eigvals(covariances[0] @ covariances[1]).sqrt().real.sum()
    return float(
        (means[0] - means[1]).square().sum() + covariances[0].trace() + covariances[1].trace() - 2 * roots
    )


def cmmd(x: torch.Tensor, y: torch.Tensor) -> float:
    """Return CMMD as it is defined, with whole kernel matrices."""

    def similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * 10**2)).mean()

    return float(1000 * (similarity(x, x) + similarity(y, y) - 2 * similarity(x, y)))


def golden() -> dict[str, Any]:
    """Return the peers' features of drawn faces in every protocol, in float64."""
    dinov2, clip = official_dinov2(tiny_dinov2()).double(), HuggingFace(tiny_clip()).double()
    found: dict[str, Any] = {}
    for protocol, (_, theirs) in protocols(clip_side=56).items():
        for height, width in ((32, 32), (64, 45)):
            inputs = theirs(faces(FACES, height, width)).double()
            with torch.no_grad():
                features = (clip if protocol in ("cmmd", "openai") else dinov2)(inputs)
            if protocol == "cmmd":
                features = F.normalize(features)
            found[f"{protocol} {height}×{width}"] = features[:, ::STRIDE].tolist()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--large", action="store_true", help="ViT-L as well: 1.2 GB for each network")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    import_torchvision()
    of_dinov2 = {"official code": official_dinov2, "timm": timm_dinov2}
    of_clip = {"open_clip": open_clip_tower, "transformers": HuggingFace}
    print("| what | greatest value | difference | relative |\n| --- | --- | --- | --- |")
    for protocol, (ours, theirs) in protocols().items():
        for size in ((32, 32), (64, 64), (64, 45), (400, 360), (512, 512)):
            images = faces(2, *size)
            compare(f"{protocol}, {size[0]}×{size[1]} pixels", ours(size)(images), theirs(images))
    sizes = [("tiny", 128, 2, 256, FACES), ("ViT-B", 768, 12, 3072, 2)]
    if arguments.large:
        sizes.append(("ViT-L", 1024, 24, 4096, 1))
    for name, width, depth, hidden, count in sizes:
        pictures = Preprocessing((64, 64), 224, IMAGENET_COLOURS)(faces(count, 64, 64))
        state = random_state(dinov2_shapes(width, depth, hidden))
        networks(f"DINOv2 {name}/14", state, dinov2_network, of_dinov2, pictures, exact=name != "ViT-L")
        patch, grid, features = {"tiny": (14, 4, 96), "ViT-B": (32, 7, 512), "ViT-L": (14, 24, 768)}[name]
        pictures = Preprocessing((64, 64), patch * grid, CLIP_COLOURS)(faces(count, 64, 64))
        state = random_state(clip_shapes(width, depth, hidden, features, patch, grid))
        title = f"CLIP {name}/{patch} at {patch * grid}"
        networks(title, state, clip_network, of_clip, pictures, exact=name != "ViT-L")
    real, fake = torch.randn(500, 64, generator=torch.Generator().manual_seed(0)).split(250)
    fake = fake + 0.2
    banks = FeatureBank(real), FeatureBank(fake)
    distance = FdDinov2().evaluate(*banks)["fd-dinov2"].value
    compare(
        "FD of 250 in 64 dimensions",
        torch.tensor(distance),
        torch.tensor(frechet(real.double(), fake.double())),
    )
    banks = FeatureBank(F.normalize(real)), FeatureBank(F.normalize(fake))
    expected = cmmd(*(F.normalize(each.double()) for each in (real, fake)))
    compare(
        "CMMD of 250 in 64 dimensions",
        torch.tensor(Cmmd().evaluate(*banks)["cmmd"].value),
        torch.tensor(expected),
    )
    if arguments.golden:
        arguments.golden.write_text(json.dumps(golden(), indent=1) + "\n")


if __name__ == "__main__":
    main()
