"""The published layouts: how files name the weights, and the networks that are made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import torch

from ganlab_pretrained_vit.network import (
    CLIP,
    DINOV2,
    HEAD,
    Geometry,
    Variant,
    VisionTransformer,
    resized_positions,
)

__all__ = ["LayoutError", "clip_network", "dinov2_network"]

SIDE = 224
"""Height and width in pixels that DINOv2 is measured at; it was trained up to 518."""

OF_DINOV2 = {
    "cls_token": "class_token",
    "pos_embed": "positions",
    "patch_embed.proj": "patch",
    "attn.qkv": "qkv",
    "attn.proj": "out",
    "ls1": "scale1",
    "ls2": "scale2",
    "mlp.fc1": "fc1",
    "mlp.fc2": "fc2",
}
"""`dinov2_vit…_pretrain.pth`."""

OF_OPENAI = {
    "visual.class_embedding": "class_token",
    "visual.positional_embedding": "positions",
    "visual.conv1": "patch",
    "visual.ln_pre": "pre_norm",
    "visual.transformer.resblocks": "blocks",
    "visual.ln_post": "norm",
    "visual.proj": "projection.weight",
    "ln_1": "norm1",
    "attn.in_proj_weight": "qkv.weight",
    "attn.in_proj_bias": "qkv.bias",
    "attn.out_proj": "out",
    "ln_2": "norm2",
    "mlp.c_fc": "fc1",
    "mlp.c_proj": "fc2",
}
"""`ViT-….pt`, and open_clip's files."""

OF_HUGGING_FACE = {
    "vision_model.embeddings.class_embedding": "class_token",
    "vision_model.embeddings.position_embedding.weight": "positions",
    "vision_model.embeddings.patch_embedding": "patch",
    "vision_model.pre_layrnorm": "pre_norm",  # misspelt as it is published
    "vision_model.encoder.layers": "blocks",
    "vision_model.post_layernorm": "norm",
    "visual_projection": "projection",
    "layer_norm1": "norm1",
    "self_attn.q_proj": "query",
    "self_attn.k_proj": "key",
    "self_attn.v_proj": "value",
    "self_attn.out_proj": "out",
    "layer_norm2": "norm2",
    "mlp.fc1": "fc1",
    "mlp.fc2": "fc2",
}
"""`model.safetensors` and `pytorch_model.bin`."""

State = dict[str, torch.Tensor]


class LayoutError(ValueError):
    """A state dict holds another network; says in what it differs."""


def dinov2_network(state: Mapping[str, torch.Tensor]) -> VisionTransformer:
    """Return DINOv2 of the published state dict, for images of 224×224.

    Raises:
        LayoutError: the state dict is of another network.
    """
    if "register_tokens" in state:
        raise LayoutError("it has register tokens; published numbers are of the networks without")
    if "blocks.0.mlp.w12.weight" in state:
        raise LayoutError("its perceptrons are gated, as those of ViT-g/14; ViT-B/14 and ViT-L/14 fit")
    # The token that hides patches while training says nothing about features.
    own = _renamed({name: tensor for name, tensor in state.items() if name != "mask_token"}, OF_DINOV2)
    _flatten(own, "class_token", 1)
    _flatten(own, "positions", 2)
    patch = _size(own, "patch.weight", 3)
    if not patch or SIDE % patch or not _square(own):
        raise LayoutError("it has no `patch_embed.proj.weight` and `pos_embed` that fit DINOv2")
    own["positions"] = resized_positions(own["positions"].float(), SIDE // patch)
    return _network(own, DINOV2)


def clip_network(state: Mapping[str, torch.Tensor]) -> VisionTransformer:
    """Return the image tower of CLIP, in OpenAI's layout or in Hugging Face's.

    What belongs to the text tower is left aside.

    Raises:
        LayoutError: the state dict is of another network.
    """
    towers = ("visual.", "vision_model.", "visual_projection.")
    tower = {name: tensor for name, tensor in state.items() if name.startswith(towers)}
    if "visual.conv1.weight" in tower:
        own = _renamed(tower, OF_OPENAI)
        if "projection.weight" in own:
            own["projection.weight"] = own["projection.weight"].T.contiguous()
    else:
        tower.pop("vision_model.embeddings.position_ids", None)
        own = _renamed(tower, OF_HUGGING_FACE)
        _join_attention(own)
    if not _square(own):
        raise LayoutError("it has no image tower of a CLIP with vision transformer")
    return _network(own, CLIP)


def _renamed(state: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> State:
    """Return the tensors by the network's own names; dots bound what is replaced."""
    published = "|".join(map(re.escape, names))
    pattern = re.compile(rf"(?<![^.])({published})(?![^.])")
    return {pattern.sub(lambda match: names[match[1]], name): tensor for name, tensor in state.items()}


def _join_attention(state: State) -> None:
    for name in [name for name in state if ".query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in state for part in parts):
            state[name.replace(".query.", ".qkv.")] = torch.cat([state.pop(part) for part in parts])


def _flatten(state: State, name: str, dimensions: int) -> None:
    """Take the batch away that a tensor is published with."""
    if name in state and state[name].ndim > dimensions:
        state[name] = state[name].flatten(0, -dimensions)


def _size(state: State, name: str, dimension: int) -> int:
    """Return a size of a tensor; 0 where there is none."""
    shape = state[name].shape if name in state else ()
    return int(shape[dimension]) if len(shape) > dimension else 0


def _square(state: State) -> bool:
    """Whether there are positions of a square of patches."""
    patches = _size(state, "positions", 0) - 1
    return _size(state, "positions", 1) > 0 and patches > 0 and math.isqrt(patches) ** 2 == patches


def _network(state: State, variant: Variant) -> VisionTransformer:
    """Return the network whose sizes are those of the weights, loaded.

    Raises:
        LayoutError: there is none of these weights.
    """
    width = _size(state, "positions", 1)
    if width % HEAD:
        raise LayoutError(f"tokens are {width} wide, which is no multiple of a head's {HEAD}")
    network = VisionTransformer(
        variant,
        Geometry(
            patch=_size(state, "patch.weight", 3) or 1,
            grid=math.isqrt(_size(state, "positions", 0) - 1),
            width=width,
            hidden=_size(state, "blocks.0.fc1.weight", 0) or 1,
            depth=len({name.split(".")[1] for name in state if name.startswith("blocks.")}),
            features=_size(state, "projection.weight", 0) or 1 if variant.projects else width,
        ),
    )
    problems = list(_problems(network, state))
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise LayoutError("; ".join(problems[:3]) + more)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return network.eval()


def _problems(network: VisionTransformer, state: State) -> Iterator[str]:
    wanted = network.state_dict()
    for name, empty in wanted.items():
        if name not in state:
            yield f"{name} is missing"
        elif state[name].shape != empty.shape:
            yield f"{name} has shape {tuple(state[name].shape)}, not {tuple(empty.shape)}"
        elif not bool(torch.isfinite(state[name]).all()):
            yield f"{name} is not finite"
    yield from (f"{name} is not part of it" for name in state if name not in wanted)
