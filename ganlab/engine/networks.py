"""The networks of an experiment: built under their own seed, checked, and called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from types import UnionType

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ganlab.components import Component, SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.config.selection import Selection
from ganlab.engine.latents import draw_latents
from ganlab.engine.loss import Verdict
from ganlab.engine.precision import autocast
from ganlab.engine.running_statistics import synchronised
from ganlab.engine.streams import derive_seed, isolated_randomness
from ganlab.errors import ComponentError, GanlabError, located, mending
from ganlab.memory import is_out_of_memory

__all__ = ["Networks", "build_networks", "evaluation_mode", "freeze", "load_weights"]

_FEW = 5
"""Differences that an error lists."""


@dataclass(frozen=True)
class Networks:
    """The networks, and how they are called: in the run's precision, answers in float32.

    Attributes:
        generator: `(N, latent) [, labels] -> samples`.
        discriminator: `samples [, labels] -> logits`, or `None`.
        encoder: `samples -> (mean, log_variance)`, or `None`.
        generator_takes_labels: whether the generator is called with labels.
        discriminator_takes_labels: whether the discriminator is.
        device: where they live.
        dtype: what they compute in.
        selections: the experiment's choice of each, by its kind, for what its code raises.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    encoder: nn.Module | None
    generator_takes_labels: bool
    discriminator_takes_labels: bool
    device: torch.device
    dtype: torch.dtype
    selections: Mapping[str, Selection[Component]] = field(default_factory=dict)

    def items(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield (kind, network) for each network there is."""
        for kind in ("generator", "discriminator", "encoder"):
            if (network := getattr(self, kind)) is not None:
                yield kind, network

    def generate(self, latents: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Return float32 samples for latents `(N, dim)`."""
        arguments = (latents, labels) if self.generator_takes_labels else (latents,)
        with self._calling("generator"):
            samples: torch.Tensor = self.generator(*arguments)
            _require_type(samples, torch.Tensor, "samples")
        return samples.float()

    @contextmanager
    def noting_styles(self, note: Callable[[torch.Tensor], None]) -> Iterator[None]:
        """Tell what the generator's module `mapping` returns in a block, where it has one."""
        mapping = getattr(self.generator, "mapping", None)
        if not isinstance(mapping, nn.Module):
            yield
            return
        hook = mapping.register_forward_hook(lambda module, arguments, styles: note(styles))
        try:
            yield
        finally:
            hook.remove()

    def discriminate(self, samples: torch.Tensor, labels: torch.Tensor | None) -> Verdict:
        """Return the discriminator's float32 verdict on samples."""
        if self.discriminator is None:
            raise ComponentError("this loss asks for a discriminator, and the experiment has none")
        arguments = (samples, labels) if self.discriminator_takes_labels else (samples,)
        with self._calling("discriminator"):
            answer = self.discriminator(*arguments)
            _require_type(answer, torch.Tensor | Verdict, "logits or a ganlab.Verdict")
        verdict = answer if isinstance(answer, Verdict) else Verdict(answer)
        return verdict.map(torch.Tensor.float)

    def encode(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float32 mean and log-variance of the latents, each `(N, dim)`."""
        if self.encoder is None:
            raise ComponentError("this loss asks for an encoder, and the experiment has none")
        with self._calling("encoder"):
            answer = self.encoder(samples)
            _require_type(answer, tuple, "a tuple (mean, log_variance)")
            mean, log_variance = answer
        return mean.float(), log_variance.float()

    @contextmanager
    def _calling(self, kind: str) -> Iterator[None]:
        """Have a network compute in the run's precision, and be blamed for what it raises: no loss did."""
        selection = self.selections.get(kind)
        with nullcontext() if selection is None else selection.blamed(), autocast(self.device, self.dtype):
            yield


def load_weights(network: nn.Module, weights: Mapping[str, torch.Tensor], what: str) -> None:
    """Give a network the weights of another, all of them.

    Raises:
        GanlabError: they do not fit; the first differences are named.
    """
    own = network.state_dict()
    missing = [f"{name} is missing" for name in own if name not in weights]
    differences = [
        *(f"{name} is not used" for name in weights if name not in own),
        *(
            f"{name} is {tuple(weights[name].shape)} there and {tuple(tensor.shape)} here"
            for name, tensor in own.items()
            if name in weights and weights[name].shape != tensor.shape
        ),
    ]
    if not differences:
        # Even where some are missing: a network may know what they are in weights of an earlier version.
        try:
            network.load_state_dict(weights)
        except RuntimeError:
            if not missing:
                raise
        else:
            return
    differences = missing + differences
    more = f"\n    … and {len(differences) - _FEW} more" if len(differences) > _FEW else ""
    listing = "\n".join(f"    {difference}" for difference in differences[:_FEW])
    raise GanlabError(f"the weights of its {what} do not fit:\n{listing}{more}")


def build_networks(
    experiment: Experiment,
    spec: SampleSpec,
    device: torch.device,
    dtype: torch.dtype,
    *,
    synchronise: bool = False,
) -> Networks:
    """Build, initialise and place every network of an experiment, and check what each returns.

    Each network is initialised from a seed of its own, so that adding one does not
    change another. Networks are laid out in memory as their samples are.

    Args:
        experiment: which networks.
        spec: what a sample is.
        device: where they live.
        dtype: what they compute in.
        synchronise: let batch normalisation see the batches of all processes; CUDA alone can.

    Raises:
        ExperimentError: a network refuses its options or returns what its kind must not.
    """

    def build(selection: Selection[Component] | None, *context: object) -> nn.Module | None:
        if selection is None:
            return None
        with isolated_randomness(derive_seed(experiment.settings.seed, f"initialisation/{selection.path}")):
            network: nn.Module = selection.build(*context)
        if not isinstance(network, nn.Module):
            message = f"its `build` returned {network!r}, not a torch.nn.Module"
            raise selection.refusal(ComponentError(message))
        if any(is_lazy(parameter) for parameter in network.parameters()):
            message = "it has lazy modules (nn.Lazy…); give every layer its sizes, which the spec tells"
            raise selection.refusal(ComponentError(message))
        if synchronise and device.type == "cuda":
            network = synchronised(network)
        return spec.lay_out(network.to(device))

    discriminator = experiment.discriminator
    generator = build(experiment.generator, spec, experiment.latent)
    assert generator is not None
    networks = Networks(
        generator=generator,
        discriminator=build(discriminator, spec),
        encoder=build(experiment.encoder, spec, experiment.latent),
        generator_takes_labels=spec.classes > 0 and experiment.generator.component.takes_labels,
        discriminator_takes_labels=(
            spec.classes > 0 and discriminator is not None and discriminator.component.takes_labels
        ),
        device=device,
        dtype=dtype,
    )
    _check_networks(networks, experiment, spec)
    chosen = (experiment.generator, discriminator, experiment.encoder)
    return replace(networks, selections={each.component.kind: each for each in chosen if each is not None})


def _check_networks(networks: Networks, experiment: Experiment, spec: SampleSpec) -> None:
    """Pass a few samples through every network and compare what comes out with the contracts."""
    count = 4
    with (
        evaluation_mode(*(network for _, network in networks.items())),
        torch.no_grad(),
        isolated_randomness(0),
    ):
        labels = torch.zeros(count, dtype=torch.int64, device=networks.device) if spec.classes else None
        samples = torch.zeros(count, *spec.shape, device=networks.device)
        latents = draw_latents(experiment.latent, count, torch.Generator().manual_seed(0)).to(networks.device)

        with _blaming(experiment.generator, "latents", latents):
            fake = networks.generate(latents, labels)
            _require(fake, (count, *spec.shape), f"samples for {spec}")
            if not torch.isfinite(fake).all():
                raise ComponentError("its samples are not finite from the start")
            if spec.bounded and not fake.abs().max() <= 1 + 1e-3:
                raise ComponentError(f"its {spec.word} leave [-1, 1]; end the network with tanh")
        if experiment.discriminator is not None:
            with _blaming(experiment.discriminator, "samples", samples):
                logits = networks.discriminate(samples, labels).logits
                _require(logits, (count, *logits.shape[1:]), "logits (N,) or (N, …)")
        if experiment.encoder is not None:
            with _blaming(experiment.encoder, "samples", samples):
                for part, name in zip(networks.encode(samples), ("mean", "log-variance"), strict=True):
                    _require(part, (count, experiment.latent.dim), f"the {name} of the latents")


def _require_type(answer: object, kind: type | UnionType, what: str) -> None:
    if not isinstance(answer, kind):
        raise ComponentError(f"it must return {what}, not a {type(answer).__name__}")


def _require(tensor: torch.Tensor, shape: tuple[int, ...], what: str) -> None:
    if tuple(tensor.shape) != shape:
        raise ComponentError(f"it returns shape {tuple(tensor.shape)} instead of {shape}: {what}")


@contextmanager
def _blaming(selection: Selection[Component], what: str, given: torch.Tensor) -> Iterator[None]:
    """Turn whatever a network's first forward raises into an error that names the network."""
    try:
        yield
    except ComponentError as error:
        message = f"{selection.who} breaks its contract: {error}"
        raise selection.refusal(ComponentError(message)) from error
    except Exception as error:
        shape = tuple(given.shape)
        if is_out_of_memory(error):
            raise selection.shortage(
                error, f"on {what} of shape {shape}", "make the network smaller"
            ) from error
        message = f"{selection.who} cannot take {what} of shape {shape}: {located(error)}"
        if helps := mending(error):
            message += f"\n    {helps}"
        raise selection.refusal(ComponentError(message)) from error


@contextmanager
def evaluation_mode(*networks: nn.Module) -> Iterator[None]:
    """Put networks into evaluation mode for a block, and every submodule back as it was."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def freeze(network: nn.Module) -> Iterator[None]:
    """Keep a network's parameters out of autograd for a block.

    Only what a graph built inside the block would need is spared; a graph built before it
    stays whole.
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
