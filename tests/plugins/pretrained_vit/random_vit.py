"""Weights that anybody can make again, under published names: networks compared without a download."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ganlab_faces.source import FaceSource

State = dict[str, torch.Tensor]


def dinov2_shapes(
    width: int, depth: int, hidden: int, patch: int = 14, grid: int = 37
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of `dinov2_vit…_pretrain.pth`."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, grid**2 + 1, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    for block in range(depth):
        inside = {
            "norm1.weight": (width,),
            "norm1.bias": (width,),
            "attn.qkv.weight": (3 * width, width),
            "attn.qkv.bias": (3 * width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "ls1.gamma": (width,),
            "norm2.weight": (width,),
            "norm2.bias": (width,),
            "mlp.fc1.weight": (hidden, width),
            "mlp.fc1.bias": (hidden,),
            "mlp.fc2.weight": (width, hidden),
            "mlp.fc2.bias": (width,),
            "ls2.gamma": (width,),
        }
        shapes |= {f"blocks.{block}.{name}": shape for name, shape in inside.items()}
    return shapes


def clip_shapes(
    width: int, depth: int, hidden: int, features: int, patch: int = 14, grid: int = 4
) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the image tower of `ViT-….pt`."""
    shapes: dict[str, tuple[int, ...]] = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (grid**2 + 1, width),
        "visual.proj": (width, features),
        "visual.conv1.weight": (width, 3, patch, patch),
        "visual.ln_pre.weight": (width,),
        "visual.ln_pre.bias": (width,),
        "visual.ln_post.weight": (width,),
        "visual.ln_post.bias": (width,),
    }
    for block in range(depth):
        inside = {
            "attn.in_proj_weight": (3 * width, width),
            "attn.in_proj_bias": (3 * width,),
            "attn.out_proj.weight": (width, width),
            "attn.out_proj.bias": (width,),
            "ln_1.weight": (width,),
            "ln_1.bias": (width,),
            "mlp.c_fc.weight": (hidden, width),
            "mlp.c_fc.bias": (hidden,),
            "mlp.c_proj.weight": (width, hidden),
            "mlp.c_proj.bias": (width,),
            "ln_2.weight": (width,),
            "ln_2.bias": (width,),
        }
        shapes |= {f"visual.transformer.resblocks.{block}.{name}": shape for name, shape in inside.items()}
    return shapes


def random_state(shapes: Mapping[str, tuple[int, ...]]) -> State:
    """Return tensors from RandomState(1), by which every part of a network matters to its features."""
    rng = np.random.RandomState(1)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("gamma") or (("norm" in name or "ln_" in name) and name.endswith("weight")):
            values = rng.uniform(0.5, 1.5, shape)
        elif name.endswith("bias"):
            values = 0.1 * rng.standard_normal(shape)
        elif "token" in name or "embedding" in name or "pos_embed" in name:
            values = 0.5 * rng.standard_normal(shape)
        else:
            inputs = shape[0] if name == "visual.proj" else int(np.prod(shape[1:]))
            values = rng.standard_normal(shape) / np.sqrt(inputs)
        state[name] = torch.from_numpy(values).float()
    return state


def tiny_dinov2() -> State:
    """Return two heads and two blocks of DINOv2."""
    return random_state(dinov2_shapes(width=128, depth=2, hidden=256))


def tiny_clip() -> State:
    """Return two heads and two blocks of CLIP for images of 56×56, as OpenAI names them."""
    return random_state(clip_shapes(width=128, depth=2, hidden=256, features=96))


def as_hugging_face(state: State) -> State:
    """Return CLIP's image tower as Hugging Face names it."""
    own: State = {}
    for name, tensor in state.items():
        if "in_proj" in name:
            layer, _, kind = name.rpartition(".in_proj_")
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                own[f"{layer}.{part}_proj.{kind}"] = piece.clone()
        elif name == "visual.proj":
            own["visual_projection.weight"] = tensor.T.contiguous()
        else:
            own[name] = tensor
    renames = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1": "vision_model.embeddings.patch_embedding",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "visual.transformer.resblocks": "vision_model.encoder.layers",
        ".attn.": ".self_attn.",
        ".ln_1.": ".layer_norm1.",
        ".ln_2.": ".layer_norm2.",
        ".c_fc.": ".fc1.",
        ".c_proj.": ".fc2.",
    }
    for old, new in renames.items():
        own = {name.replace(old, new): tensor for name, tensor in own.items()}
    return own


def faces(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Return drawn faces, uint8 `(count, 3, height, width)`."""
    source = FaceSource(count, seed, height, width)
    images = np.stack([np.asarray(source.read(index)) for index in range(count)])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
