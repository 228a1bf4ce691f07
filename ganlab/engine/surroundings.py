"""What computing a turn's gradients takes and may move, to be put back where it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from ganlab.data.feed import Feed
from ganlab.engine.augmentation import Augmentations
from ganlab.engine.networks import Networks
from ganlab.engine.streams import Streams, global_state, restore_global_state
from ganlab.engine.turn import Term, Turn
from ganlab.engine.turn_samples import TurnSamples

__all__ = ["PLACES", "Surroundings"]

_STREAMS = "the position of a random stream"
_GLOBAL = "the state of the random numbers that belong to torch, NumPy or Python"
_FEED = "the place in the data"

PLACES = (_STREAMS, _GLOBAL, _FEED)
"""What decides which samples and random numbers come next."""


@dataclass(frozen=True)
class Surroundings:
    """What computing a turn's gradients takes, and may move.

    Attributes:
        turns: of a step, one after the other.
        networks: all networks.
        terms: all losses.
        augmentations: what the discriminator sees samples through.
        streams: named streams of randomness.
        feed: real samples.
        draw: returns the next turn's samples, drawn from those on first use.
        shares_fakes: whether both turns of a step judge the same fakes, which are generated before.
    """

    turns: Sequence[Turn]
    networks: Networks
    terms: Sequence[Term]
    augmentations: Augmentations
    streams: Streams
    feed: Feed
    draw: Callable[[], TurnSamples]
    shares_fakes: bool

    def save(self) -> dict[str, Any]:
        """Return copies of all that may move, by what it is."""
        tensors = {f"{what} after it": tensor.detach().clone() for what, tensor in self._tensors()}
        losses = {_state_of(term): copy.deepcopy(term.loss.state_dict()) for term in self.terms}
        return {
            **tensors,
            **losses,
            _STREAMS: self.streams.state_dict(),
            _GLOBAL: global_state(self.networks.device),
            _FEED: self.feed.position,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Put all back where `save` found it; tensors of networks stay at their addresses."""
        with torch.no_grad():
            for what, tensor in self._tensors():
                tensor.copy_(saved[f"{what} after it"])
        for term in self.terms:
            state = saved[_state_of(term)]
            if state or term.loss.state_dict():
                term.loss.load_state_dict(copy.deepcopy(state))
        self.streams.load_state_dict(saved[_STREAMS])
        restore_global_state(saved[_GLOBAL], self.networks.device)
        self.feed.position = saved[_FEED]

    @contextmanager
    def untouched(self) -> Iterator[dict[str, Any]]:
        """Put all back after a block, gradients too; yields what there was before."""
        saved = self.save()
        gradients = [(parameter, parameter.grad) for parameter in self.parameters]
        try:
            yield saved
        finally:
            self.restore(saved)
            for parameter, gradient in gradients:
                parameter.grad = gradient

    @cached_property
    def parameters(self) -> tuple[torch.nn.Parameter, ...]:
        """The parameters of all networks."""
        return tuple(parameter for _, network in self.networks.items() for parameter in network.parameters())

    def addresses(self) -> tuple[int, ...]:
        """Return where all parameters lie in memory."""
        return tuple(parameter.data_ptr() for parameter in self.parameters)

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        for kind, network in self.networks.items():
            for name, tensor in (*network.named_parameters(), *network.named_buffers()):
                yield f"{kind}.{name}", tensor


def _state_of(term: Term) -> str:
    return f"the state of the loss {term.label!r}"
