"""The published weights: where they are looked for, how they are fetched and read, what is checked."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from ganlab import ComponentError, PublishedFile, ReadFile
from ganlab_pretrained_vit.layouts import LayoutError
from ganlab_pretrained_vit.network import VisionTransformer

__all__ = ["CLIP", "DINOV2", "Weights", "read_weights"]


def _dinov2(title: str, name: str, sha256: str, megabytes: int) -> PublishedFile:
    url = f"https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
    return PublishedFile(title, (url,), sha256, megabytes)


def _clip(title: str, file_name: str, sha256: str, megabytes: int) -> PublishedFile:
    # OpenAI publishes the digest as a part of the address.
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file_name}"
    return PublishedFile(title, (url,), sha256, megabytes)


DINOV2 = {
    "vit-b14": _dinov2(
        "DINOv2 ViT-B/14",
        "dinov2_vitb14",
        "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
        346,
    ),
    "vit-l14": _dinov2(
        "DINOv2 ViT-L/14",
        "dinov2_vitl14",
        "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        1218,
    ),
}

CLIP = {
    "vit-b32": _clip(
        "CLIP ViT-B/32",
        "ViT-B-32.pt",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        354,
    ),
    "vit-l14": _clip(
        "CLIP ViT-L/14",
        "ViT-L-14.pt",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        933,
    ),
    "vit-l14-336": _clip(
        "CLIP ViT-L/14 at 336 pixels",
        "ViT-L-14-336px.pt",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
        934,
    ),
}


@dataclass(frozen=True)
class Weights:
    """What was read from a file of weights.

    Attributes:
        network: with the weights loaded.
        sha256: of the file, in hex.
        published: whether it is the published file.
    """

    network: VisionTransformer
    sha256: str
    published: bool


def read_weights(
    wanted: PublishedFile,
    load: Callable[[Mapping[str, torch.Tensor]], VisionTransformer],
    path: Path | None,
    sha256: str | None,
    *,
    download: bool,
) -> Weights:
    """Return the network with its weights, from a user's file or else from the cache.

    Args:
        wanted: the published file that is meant.
        load: makes the network of a state dict; raises `LayoutError`.
        path: the user's file; the cache's where it is left out.
        sha256: hex digest of that file, where it is not the published one.
        download: fetch the published file into the cache if it is not there.

    Raises:
        ComponentError: there is no such file, it is not the one that was meant, or it does not
            hold this network.
    """
    file = wanted.read(path, sha256, download=download, others=_known())
    state = _parse(file)
    try:
        return Weights(load(state), file.sha256, file.published)
    except LayoutError as error:
        raise ComponentError(f"{file.path} does not fit {wanted.title}: {error}", option="weights") from error


def _known() -> Mapping[str, str]:
    """Return what is to be said of a published file where another is meant, by its digest."""
    return {
        each.sha256: f'it is {each.title}, which is model = "{model}" of `{features}`'
        for features, table in (("dinov2", DINOV2), ("clip", CLIP))
        for model, each in table.items()
    }


def _parse(file: ReadFile) -> Mapping[str, torch.Tensor]:
    try:
        state = _state(file)
    except Exception as error:  # What reads them runs what the file says, and stumbles in any way.
        raise ComponentError(
            f"{file.path} is neither safetensors nor a file of tensors as torch.save writes it",
            option="weights",
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise ComponentError(f"{file.path} holds no state dict of tensors", option="weights")
    return state


def _state(file: ReadFile) -> object:
    if file.path.suffix == ".safetensors":
        return safetensors.torch.load(file.content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if file.published and file.path.suffix == ".pt":
            # OpenAI's files are TorchScript, which can hold code: they are known by their digests.
            module: torch.nn.Module = torch.jit.load(io.BytesIO(file.content), "cpu")  # type: ignore[no-untyped-call]
            return module.state_dict()
        return torch.load(io.BytesIO(file.content), map_location="cpu", weights_only=True)
