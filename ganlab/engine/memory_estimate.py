"""How much memory a step takes: measured on a few samples before any data is packed."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ganlab.components import SampleSpec
from ganlab.config.experiment import Experiment
from ganlab.config.origin import Origin
from ganlab.data.feed import COMFORTABLE_SHARE
from ganlab.data.free_memory import free_memory
from ganlab.data.preparation import Data, Unpacked
from ganlab.data.split import Split
from ganlab.data.store import Store
from ganlab.engine.engine import Engine
from ganlab.engine.network_summary import count_parameters
from ganlab.engine.networks import Networks
from ganlab.engine.player import NETWORKS_OF, PlayerName, build_optimizer
from ganlab.engine.streams import isolated_randomness
from ganlab.errors import ExperimentError, OutOfMemoryError
from ganlab.memory import SMALLER_BATCH, in_units, is_out_of_memory
from ganlab.processes import Processes
from ganlab.words import counted

__all__ = ["Footprint", "estimate"]

FEW = (2, 4)
"""Samples of the two steps that are measured; a batch norm needs two."""
SHORT = 2
"""Longest side of what stands in for a weight where an optimizer is tried."""


@dataclass(frozen=True)
class Footprint:
    """The memory that a step needs at the least, beside the networks, which are there already.

    Attributes:
        parts: what -> bytes.
        free: bytes that can still be had; `None` where nobody knows.
        device: where.
        batch_size: samples of the whole batch.
        origin: where the experiment's keys stand.
    """

    parts: Mapping[str, int]
    free: int | None
    device: torch.device
    batch_size: int
    origin: Origin

    @property
    def total(self) -> int:
        """Bytes in all."""
        return sum(self.parts.values())

    @property
    def figures(self) -> str:
        """Every part that is not nothing."""
        return ", ".join(f"{in_units(count)} for {what}" for what, count in self.parts.items() if count)

    def __str__(self) -> str:
        free = f" of {in_units(self.free)} free" if self.free is not None else ""
        return f"at least {in_units(self.total)}{free} on {self.device}: {self.figures}"

    def require_room(self) -> None:
        """Make sure that a step can fit.

        Raises:
            ExperimentError: it cannot; the message has the figures.
        """
        if self.free is None or self.total <= self.free:
            return
        message = (
            f"a step of {counted(self.batch_size, 'sample')} needs at least {in_units(self.total)} of memory"
            f", and {in_units(self.free)} are free on {self.device}"
        )
        hint = f"{self.figures}\n{SMALLER_BATCH}"
        raise ExperimentError([self.origin.problem("training.batch_size", message, hint)])


def estimate(
    experiment: Experiment, unpacked: Unpacked, networks: Networks, processes: Processes | None = None
) -> Footprint:
    """Return what a step needs at the least: no more than it takes, so that nothing is refused that fits.

    Activations are measured on copies of the networks with a few samples, and are taken to grow
    with their number; where a loss cannot be played with so few, they are left out. Random
    generators and networks are as they were.

    Args:
        experiment: what is to be trained.
        unpacked: its samples.
        networks: the networks, on their device.
        processes: those that share each batch.

    Raises:
        OutOfMemoryError: even the few samples do not fit.
    """
    training = experiment.settings.training
    spec, device = unpacked.spec, networks.device
    rows = math.ceil(training.batch_size / (processes or Processes()).world)
    at_once = min(rows, training.microbatch_size or rows)
    sample = 4 * math.prod(spec.shape)
    weights = {kind: count_parameters(network) for kind, network in networks.items()}
    activations = _activations(experiment, spec, networks, at_once) - at_once * sample
    gradients = 4 * sum(weights.values())
    parts = {
        f"a batch of {counted(rows, 'sample')}": rows * sample,
        # A player's gradients come as its activations go.
        **(
            {f"the activations of {at_once:,} at once": activations}
            if activations > gradients
            else {"the gradients": gradients}
        ),
        "the optimizers": sum(_remembered(experiment, networks, player) for player in NETWORKS_OF),
        "the averaged generator": 4 * weights["generator"] * bool(experiment.settings.ema.half_life_images),
    }
    if device.type == "cuda":
        torch.cuda.empty_cache()
    free = free_memory(device)
    packed = len(unpacked.source) * spec.row_bytes
    if device.type == "cuda" and packed < COMFORTABLE_SHARE * (free or 0):
        parts["the packed data"] = round(packed * (1 - experiment.settings.dataset.holdout))
    return Footprint(parts, free, device, training.batch_size, experiment.origin)


def _remembered(experiment: Experiment, networks: Networks, player: PlayerName) -> int:
    """Return the bytes that an optimizer remembers of a player's weights, as it does of small stand-ins.

    Counted is what has the shape of the weights that it belongs to; 0 where the stand-ins cannot be moved.
    """
    own = [network for kind, network in networks.items() if kind in NETWORKS_OF[player]]
    weights = [weight for network in own for weight in network.parameters() if weight.requires_grad]
    stand_ins = [nn.Parameter(torch.zeros([min(side, SHORT) for side in weight.shape])) for weight in weights]
    for stand_in in stand_ins:
        stand_in.grad = torch.zeros_like(stand_in)
    try:
        with isolated_randomness(0):
            optimizer = build_optimizer(experiment.optimizers[player], stand_ins)
            optimizer.step()
    except Exception:
        return 0  # What is wrong with these may be right with the weights, which will tell.
    return sum(
        weight.numel() * state.element_size()
        for weight, stand_in in zip(weights, stand_ins, strict=True)
        for state in optimizer.state[stand_in].values()
        if isinstance(state, torch.Tensor) and state.shape == stand_in.shape
    )


def _activations(experiment: Experiment, spec: SampleSpec, networks: Networks, count: int) -> int:
    """Return the bytes that `count` samples leave for the backward pass; 0 where they are not known."""
    if count <= max(FEW):
        return _measured(experiment, spec, networks, count)
    fewer, more = (_measured(experiment, spec, networks, few) for few in FEW)
    if not 0 < fewer < more:
        return more
    return fewer + (more - fewer) // (FEW[1] - FEW[0]) * (count - FEW[0])


def _measured(experiment: Experiment, spec: SampleSpec, networks: Networks, count: int) -> int:
    try:
        with isolated_randomness(0):
            copied = replace(
                networks,
                generator=copy.deepcopy(networks.generator),
                discriminator=copy.deepcopy(networks.discriminator),
                encoder=copy.deepcopy(networks.encoder),
            )
            engine = Engine(_with_batch(experiment, count, networks.device), _stand_in(spec, count), copied)
            saved = _SavedTensors(copied)
            with closing(engine.feed), torch.autograd.graph.saved_tensors_hooks(saved.pack, saved.unpack):
                engine.rehearse()
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or is_out_of_memory(error):
            raise
        return 0  # What is wrong with so few samples may be right with a batch, which will tell.
    return saved.most


def _with_batch(experiment: Experiment, count: int, device: torch.device) -> Experiment:
    """Return the experiment with a batch of so many, taken as a whole, and no average to copy."""
    settings = experiment.settings
    smaller = {"batch_size": count, "microbatch_size": None, "device": str(device), "cuda_graphs": False}
    training = settings.training.model_copy(update=smaller)
    ema = settings.ema.model_copy(update={"half_life_images": 0.0})
    return replace(experiment, settings=settings.model_copy(update={"training": training, "ema": ema}))


def _stand_in(spec: SampleSpec, count: int) -> Data:
    """Return a few random samples in the place of data."""
    rows = spec.to_rows(spec.quantise(spec.noise(count))).numpy()
    labels = np.arange(count, dtype=np.int64) % spec.classes if spec.classes else None
    names = tuple(map(str, range(spec.classes)))
    store = Store(spec, np.ascontiguousarray(rows), labels, names, "stand-in")
    return Data(store, Split(np.arange(count, dtype=np.int64), np.arange(0, dtype=np.int64)))


class _SavedTensors:
    """Counts the bytes that autograd keeps for the backward pass, each storage once.

    Args:
        networks: whose parameters are there anyway.

    Attributes:
        most: bytes at the highest.
    """

    def __init__(self, networks: Networks) -> None:
        self.most = 0
        self._now = 0
        self._holders = Counter(
            parameter.untyped_storage().data_ptr()
            for _, network in networks.items()
            for parameter in network.parameters()
        )

    def pack(self, tensor: torch.Tensor) -> _Saved:
        saved = _Saved(tensor.detach(), self)
        self._holders[saved.address] += 1
        if self._holders[saved.address] == 1:
            self._now += saved.size
            self.most = max(self.most, self._now)
        return saved

    def unpack(self, saved: _Saved) -> torch.Tensor:
        return saved.tensor

    def release(self, saved: _Saved) -> None:
        self._holders[saved.address] -= 1
        if self._holders[saved.address] == 0:
            self._now -= saved.size


class _Saved:
    """A tensor that autograd keeps, until it lets go of it."""

    def __init__(self, tensor: torch.Tensor, counted_by: _SavedTensors) -> None:
        storage = tensor.untyped_storage()
        self.tensor = tensor
        self.address, self.size = storage.data_ptr(), storage.nbytes()
        self._counted_by = counted_by

    def __del__(self) -> None:
        self._counted_by.release(self)
