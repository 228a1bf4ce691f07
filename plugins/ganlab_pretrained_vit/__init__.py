"""The judges that today's papers quote: DINOv2 and CLIP as features, FD-DINOv2 and CMMD on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ganlab import EvaluatorComponent, FeaturesComponent, ImageSpec, Metric, Options, hookimpl

if TYPE_CHECKING:
    from ganlab_pretrained_vit.distances import Cmmd, FdDinov2
    from ganlab_pretrained_vit.extractor import ClipFeatures, Dinov2Features


class WeightsOptions(Options):
    """Where the network's weights come from."""

    weights: Path | None = None
    """File of the weights, as published or as safetensors; the cache's if left out."""
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of `weights` where another file than the published one is meant."""
    download: bool = False
    """Fetch the published weights into the cache if they are not there."""


class Dinov2Options(WeightsOptions):
    """Options of the `dinov2` features and of `fd-dinov2`."""

    model: Literal["vit-b14", "vit-l14"] = "vit-l14"
    """`vit-l14` is what published numbers are on (1.2 GB); `vit-b14` (346 MB) is four times faster."""
    protocol: Literal["dgm-eval", "dgm-eval-clean", "edm2"] = "dgm-eval"
    """How images are brought to 224×224: as the paper's code by default, as it does with `--clean_resize`, or
    as that of EDM2 (Karras et al., 2024)."""


class ClipOptions(WeightsOptions):
    """Options of the `clip` features."""

    model: Literal["vit-b32", "vit-l14", "vit-l14-336"] = "vit-l14-336"
    """Which of OpenAI's networks; CMMD is defined on `vit-l14-336`."""
    protocol: Literal["cmmd", "openai"] = "cmmd"
    """`cmmd`: the middle square, resized, and features of length 1; `openai`: as CLIP's own code."""


class CmmdOptions(WeightsOptions):
    """Options of `cmmd`."""

    estimator: Literal["biased", "unbiased"] = "biased"
    """`biased` as published, never negative; `unbiased` depends on the number of samples by noise only."""


def build_dinov2(options: Dinov2Options, image: ImageSpec) -> Dinov2Features:
    """Return the `dinov2` extractor."""
    from ganlab_pretrained_vit.extractor import Dinov2Features
    from ganlab_pretrained_vit.layouts import dinov2_network
    from ganlab_pretrained_vit.weights import DINOV2, read_weights

    weights = read_weights(
        DINOV2[options.model],
        dinov2_network,
        options.weights,
        options.weights_sha256,
        download=options.download,
    )
    return Dinov2Features(image, options.model, options.protocol, weights)


def build_clip(options: ClipOptions, image: ImageSpec) -> ClipFeatures:
    """Return the `clip` extractor."""
    from ganlab_pretrained_vit.extractor import ClipFeatures
    from ganlab_pretrained_vit.layouts import clip_network
    from ganlab_pretrained_vit.weights import CLIP, read_weights

    weights = read_weights(
        CLIP[options.model], clip_network, options.weights, options.weights_sha256, download=options.download
    )
    return ClipFeatures(image, options.model, options.protocol, weights)


def build_fd_dinov2(options: Dinov2Options, image: ImageSpec) -> FdDinov2:
    """Return the `fd-dinov2` evaluator."""
    from ganlab_pretrained_vit.distances import FdDinov2

    return FdDinov2(options.model)


def build_cmmd(options: CmmdOptions, image: ImageSpec) -> Cmmd:
    """Return the `cmmd` evaluator."""
    from ganlab_pretrained_vit.distances import Cmmd

    return Cmmd(options.estimator)


def dinov2_table(options: Dinov2Options) -> Mapping[str, Any]:
    """Return the `features` table that `fd-dinov2` stands for."""
    return {"name": "dinov2", **_given(options), "model": options.model, "protocol": options.protocol}


def clip_table(options: CmmdOptions) -> Mapping[str, Any]:
    """Return the `features` table that `cmmd` stands for."""
    return {"name": "clip", **_given(options), "model": "vit-l14-336", "protocol": "cmmd"}


def _given(options: WeightsOptions) -> dict[str, Any]:
    given = options.model_dump(include=set(WeightsOptions.model_fields), exclude_none=True)
    return given | ({"weights": str(given["weights"])} if "weights" in given else {})


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractors."""
    yield FeaturesComponent(
        name="dinov2",
        summary="DINOv2's class token, as FD-DINOv2 is defined on it; needs the published weights",
        options=Dinov2Options,
        build=build_dinov2,
    )
    yield FeaturesComponent(
        name="clip",
        summary="CLIP's embedding of an image, as CMMD is defined on it; needs the published weights",
        options=ClipOptions,
        build=build_clip,
    )


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metrics."""
    yield EvaluatorComponent(
        name="fd-dinov2",
        summary="Fréchet distance on DINOv2, which agrees with people better than FID (Stein et al., 2023)",
        options=Dinov2Options,
        build=build_fd_dinov2,
        metrics=(Metric("fd-dinov2", better="lower"),),
        features_of=dinov2_table,
        needs="moments",
        accepts=(ImageSpec,),
    )
    yield EvaluatorComponent(
        name="cmmd",
        summary="Maximum mean discrepancy on CLIP ViT-L/14 at 336 pixels, times 1,000 (Jayasumana, 2024)",
        options=CmmdOptions,
        build=build_cmmd,
        metrics=(Metric("cmmd", better="lower"),),
        features_of=clip_table,
        accepts=(ImageSpec,),
    )
