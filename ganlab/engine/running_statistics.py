"""Running statistics that belong to a network's weights as they are.

While a network trains, batch normalisation works with the statistics of each batch. In
evaluation mode it works with running averages, which lag behind the weights and, beside
averaged weights, belong to others altogether. So before a network is judged they are taken
afresh: "standing statistics" (Brock et al., 2019), "precise batch normalisation" (Wu &
Johnson, 2021). The vectors with which spectral normalisation estimates a norm are such a
memory of earlier weights, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm

__all__ = ["fresh_statistics", "has_running_state", "synchronised", "unsynchronised"]

_POWER_ITERATIONS = 32
"""They start near the answer, from the vectors of slightly older weights."""

_SYNCHRONISED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def has_running_state(network: nn.Module) -> bool:
    """Return whether a network in evaluation mode uses what it remembers of earlier weights."""
    return bool(_running(network)) or any(True for _ in _power_iterations(network))


@contextmanager
def fresh_statistics(network: nn.Module) -> Iterator[int]:
    """Let the batches that pass a network inside the block decide its running statistics, all alike.

    Every layer derived from torch's batch or instance normalisation forgets its running
    statistics on its first batch and then averages those of all batches that it sees. Layers
    that see none, and those that the network itself keeps in evaluation mode, stay as they are.
    Everything else is in evaluation mode meanwhile. Spectral norms are brought to the weights as
    they are before the first batch. Modes and momenta are put back afterwards.

    Args:
        network: changed in place, in its buffers alone.

    Yields:
        How many layers wait for batches: where there is none, none need be shown.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.train()
    layers = [layer for layer in _running(network) if layer.training]
    network.eval()
    momenta = [layer.momentum for layer in layers]
    batches: Counter[nn.Module] = Counter()

    def weigh_batch(layer: nn.Module, _: object) -> None:
        assert isinstance(layer, _NormBase)
        batches[layer] += 1
        if batches[layer] == 1:
            layer.reset_running_stats()
        layer.momentum = 1 / batches[layer]
        layer.training = True  # here, so that it holds whatever mode the batch was made in

    hooks = [layer.register_forward_pre_hook(weigh_batch) for layer in layers]
    try:
        with torch.no_grad():
            for iterate in _power_iterations(network):
                for _ in range(_POWER_ITERATIONS):
                    iterate()
        yield len(layers)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes:
            module.training = training


def synchronised(network: nn.Module) -> nn.Module:
    """Return a network whose batch normalisation sees the batches of all processes; CUDA alone can.

    torch's own layers alone are replaced: one derived from them may do more than they do.
    """
    return _replace(network, _SYNCHRONISED, nn.SyncBatchNorm.convert_sync_batchnorm)


def unsynchronised(network: nn.Module) -> nn.Module:
    """Return a network whose batch normalisation sees this process's batches alone."""
    return _replace(network, (nn.SyncBatchNorm,), _alone)


class _AnyDimensions(_BatchNorm):
    """Batch normalisation of inputs of any number of dimensions, as the synchronised one is."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        """Take any."""


def _alone(layer: nn.SyncBatchNorm) -> nn.Module:
    alone = _AnyDimensions(layer.num_features, layer.eps, layer.momentum, layer.affine)
    alone.track_running_stats = layer.track_running_stats
    # The layer's own tensors, so that what is shared with another layer stays shared.
    alone._parameters, alone._buffers = layer._parameters, layer._buffers
    return alone.train(layer.training)


def _replace(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], make: Callable[[Any], nn.Module]
) -> nn.Module:
    if type(network) in kinds:
        return make(network)
    for name, child in network.named_children():
        replaced = _replace(child, kinds, make)
        if replaced is not child:
            setattr(network, name, replaced)
    return network


def _running(network: nn.Module) -> list[_NormBase]:
    return [
        module
        for module in network.modules()
        if isinstance(module, _NormBase) and module.running_mean is not None
    ]


def _power_iterations(network: nn.Module) -> Iterator[Callable[[], object]]:
    """Yield, for each spectrally normalised weight, what brings its norm's estimate a step closer."""
    for module in network.modules():
        if parametrize.is_parametrized(module):
            chains = cast("Mapping[str, parametrize.ParametrizationList]", module.parametrizations)
            for name, chain in chains.items():
                for link in chain:
                    if isinstance(link, _SpectralNorm):
                        yield partial(_evaluate_training, link, module, name)
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                yield partial(hook.compute_weight, module, do_power_iteration=True)


def _evaluate_training(norm: _SpectralNorm, module: nn.Module, name: str) -> None:
    """Compute a parametrised weight with its norm in training mode, in which alone it iterates."""
    training = norm.training
    norm.training = True
    try:
        getattr(module, name)
    finally:
        norm.training = training
