"""The published weights: where they are looked for, how they are fetched and read, what is checked."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from ganlab import ComponentError, cache_directory
from ganlab import download as fetch
from ganlab_pretrained_vit.layouts import LayoutError
from ganlab_pretrained_vit.network import VisionTransformer

__all__ = ["CLIP", "DINOV2", "Published", "Weights", "read_weights"]


@dataclass(frozen=True)
class Published:
    """A published file of weights.

    Attributes:
        title: of the network.
        url: where it is published.
        sha256: hex digest of the file.
        megabytes: its size.
    """

    title: str
    url: str
    sha256: str
    megabytes: int

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


def _dinov2(title: str, name: str, sha256: str, megabytes: int) -> Published:
    url = f"https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
    return Published(title, url, sha256, megabytes)


def _clip(title: str, file_name: str, sha256: str, megabytes: int) -> Published:
    # OpenAI publishes the digest as a part of the address.
    url = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file_name}"
    return Published(title, url, sha256, megabytes)


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
    wanted: Published,
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
    if path is not None:
        return _read(path, wanted, sha256 or wanted.sha256, load)
    if sha256 is not None:
        raise ComponentError(
            "says which file `weights` is, and `weights` is not set", option="weights_sha256"
        )
    cached = cache_directory() / "weights" / wanted.file_name
    if download:
        fetch((wanted.url,), cached, wanted.sha256, option="download")
    if not cached.exists():
        raise ComponentError(
            f"the weights of {wanted.title} are not on this machine; put {wanted.file_name} (SHA-256 "
            f"{wanted.sha256[:8]}…) at {cached}, or set `weights` to where it is, or `download = true` to "
            f"have it fetched ({wanted.megabytes:,} MB); it is published at {wanted.url}",
            option="weights",
        )
    return _read(cached, wanted, wanted.sha256, load)


def _read(
    path: Path,
    wanted: Published,
    expected: str,
    load: Callable[[Mapping[str, torch.Tensor]], VisionTransformer],
) -> Weights:
    # Read once: what is checked is what is loaded.
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ComponentError(f"cannot read {path}: {error.strerror or error}", option="weights") from error
    found = hashlib.sha256(content).hexdigest()
    published = found == wanted.sha256
    if found != expected:
        meant = (
            f"{wanted.file_name} of {wanted.title}"
            if expected == wanted.sha256
            else "that of `weights_sha256`"
        )
        raise ComponentError(
            f"{path} is not {meant}: its SHA-256 is {found}, not {expected}; {_remedy(found)}",
            option="weights",
        )
    state = _parse(content, path, trusted=published)
    try:
        return Weights(load(state), found, published)
    except LayoutError as error:
        raise ComponentError(f"{path} does not fit {wanted.title}: {error}", option="weights") from error


def _remedy(found: str) -> str:
    for features, table in (("dinov2", DINOV2), ("clip", CLIP)):
        for model, each in table.items():
            if each.sha256 == found:
                return f'it is {each.title}, which is model = "{model}" of `{features}`'
    return f'if it is the file that you mean, say weights_sha256 = "{found}"'


def _parse(content: bytes, path: Path, *, trusted: bool) -> Mapping[str, torch.Tensor]:
    try:
        state = _state(content, path, trusted=trusted)
    except Exception as error:  # What reads them runs what the file says, and stumbles in any way.
        raise ComponentError(
            f"{path} is neither safetensors nor a file of tensors as torch.save writes it", option="weights"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in state.items()
    ):
        raise ComponentError(f"{path} holds no state dict of tensors", option="weights")
    return state


def _state(content: bytes, path: Path, *, trusted: bool) -> object:
    if path.suffix == ".safetensors":
        return safetensors.torch.load(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if trusted and path.suffix == ".pt":
            # OpenAI's files are TorchScript, which can hold code: they are known by their digests.
            module: torch.nn.Module = torch.jit.load(io.BytesIO(content), "cpu")  # type: ignore[no-untyped-call]
            return module.state_dict()
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
