"""Metrics on the published Inception network: FID in its three protocols, KID, Inception Score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ganlab import EvaluatorComponent, FeaturesComponent, ImageSpec, Metric, Options, hookimpl

if TYPE_CHECKING:
    from ganlab_inception.distances import Fid, Kid, SubsetKid
    from ganlab_inception.extractor import InceptionFeatures
    from ganlab_inception.score import InceptionScore


class WeightsOptions(Options):
    """Where the network's weights come from; options of `fid`, `fid-pytorch` and `fid-clean`."""

    weights: Path | None = None
    """File of the published weights, `pt_inception-2015-12-05-6726825d.pth`; the cache's if left out."""
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """SHA-256 of `weights` where other weights than the published ones are meant."""
    download: bool = False
    """Fetch the published weights (96 MB) into the cache if they are not there."""


class ProtocolOptions(WeightsOptions):
    """Adds the choice of protocol."""

    protocol: Literal["fid", "fid-pytorch", "fid-clean"] = "fid"
    """How images are brought to 299×299: as TensorFlow's FID did, as pytorch-fid does, or as clean-fid."""


class InceptionOptions(ProtocolOptions):
    """Options of the `inception` features."""

    output: Literal["pool", "logits"] = "pool"
    """`pool`: the 2048 features of FID and KID; `logits`: 1008 classes, for the Inception Score."""


class KidOptions(ProtocolOptions):
    """Options of `kid`."""

    estimator: Literal["unbiased", "subsets"] = "unbiased"
    """`unbiased`: all pairs of samples, with a standard error; `subsets`: the published mean over subsets."""
    subsets: int = Field(100, ge=1, le=2**30)
    """Number of subsets; for `subsets`."""
    subset_size: int = Field(1000, ge=2, le=2**30)
    """Samples of a subset; for `subsets`."""


class ScoreOptions(ProtocolOptions):
    """Options of `inception-score`."""

    splits: int = Field(10, ge=1, le=2**30)
    """Parts that samples are cut into; the score is the mean of theirs."""


def build_features(options: InceptionOptions, image: ImageSpec) -> InceptionFeatures:
    """Return the `inception` extractor."""
    from ganlab_inception.extractor import InceptionFeatures
    from ganlab_inception.weights import read_weights

    weights = read_weights(options.weights, options.weights_sha256, download=options.download)
    return InceptionFeatures(image, options.protocol, options.output, weights)


def build_fid(protocol: Literal["fid", "fid-pytorch", "fid-clean"]) -> Callable[[Options, ImageSpec], Fid]:
    """Return the `build` of a protocol's FID."""

    def build(options: Options, image: ImageSpec) -> Fid:
        from ganlab_inception.distances import Fid

        return Fid(protocol)

    return build


def build_kid(options: KidOptions, image: ImageSpec) -> Kid | SubsetKid:
    """Return the `kid` evaluator."""
    from ganlab_inception.distances import Kid, SubsetKid

    return Kid() if options.estimator == "unbiased" else SubsetKid(options.subsets, options.subset_size)


def build_score(options: ScoreOptions, image: ImageSpec) -> InceptionScore:
    """Return the `inception-score` evaluator."""
    from ganlab_inception.score import InceptionScore

    return InceptionScore(options.splits)


def features_table(
    options: WeightsOptions, protocol: str | None = None, output: str = "pool"
) -> Mapping[str, Any]:
    """Return the `features` table that an evaluator's options stand for."""
    given = options.model_dump(include={"protocol", *WeightsOptions.model_fields}, exclude_none=True)
    if "weights" in given:
        given["weights"] = str(given["weights"])
    named = {} if protocol is None else {"protocol": protocol}
    return {"name": "inception", **given, **named, "output": output}


@hookimpl
def ganlab_features() -> Iterable[FeaturesComponent]:
    """Offer the extractor."""
    yield FeaturesComponent(
        name="inception",
        summary="InceptionV3 as FID is defined on it, in three protocols; needs the published weights",
        options=InceptionOptions,
        build=build_features,
    )


@hookimpl
def ganlab_evaluators() -> Iterable[EvaluatorComponent]:
    """Offer the metrics."""
    summaries = {
        "fid": "Fréchet Inception Distance, TensorFlow's protocol (Heusel et al., 2017)",
        "fid-pytorch": "Fréchet Inception Distance as pytorch-fid computes it: another resize, other numbers",
        "fid-clean": "Fréchet Inception Distance with an antialiased resize (Parmar et al., 2022)",
    }
    protocols: tuple[Literal["fid", "fid-pytorch", "fid-clean"], ...] = ("fid", "fid-pytorch", "fid-clean")
    for protocol in protocols:
        yield EvaluatorComponent(
            name=protocol,
            summary=summaries[protocol],
            options=WeightsOptions,
            build=build_fid(protocol),
            metrics=(Metric(protocol, better="lower", title=protocol.replace("fid", "FID")),),
            features_of=partial(features_table, protocol=protocol),
            needs="moments",
            accepts=(ImageSpec,),
        )
    yield EvaluatorComponent(
        name="kid",
        summary="Kernel Inception Distance of all pairs, or of the published subsets (Bińkowski, 2018)",
        options=KidOptions,
        build=build_kid,
        metrics=(Metric("kid", better="lower", title="KID"),),
        features_of=features_table,
        accepts=(ImageSpec,),
    )
    yield EvaluatorComponent(
        name="inception-score",
        summary="Inception Score by the published Inception network's classes (Salimans et al., 2016)",
        options=ScoreOptions,
        build=build_score,
        metrics=(Metric("inception-score", better="higher", title="Inception Score"),),
        features_of=partial(features_table, output="logits"),
        accepts=(ImageSpec,),
    )
