"""What generators, discriminators and encoders promise alike."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from ganlab.components import Component, SampleSpec
from ganlab.engine.networks import evaluation_mode
from ganlab.engine.streams import isolated_randomness
from ganlab.testing.subject import Subject

__all__ = [
    "BUILT",
    "COUNTS",
    "GRADIENTS",
    "RESTORED",
    "build_network",
    "check_conduct",
    "check_gradients",
    "check_inputs_left_alone",
    "check_restoring",
    "check_rows_apart",
    "draw_labels",
    "require_finite",
    "squashed_by",
]

BUILT = "it is built"
GRADIENTS = "a gradient reaches every parameter"
RESTORED = "the same outputs each time, and from a checkpoint"

COUNTS = (1, 3)
"""Batch sizes that a network is tried with in evaluation mode."""

Call: TypeAlias = Callable[[nn.Module], tuple[torch.Tensor, ...]]
"""Calls a network, and returns its answer as a tuple of tensors."""

_KEEPING_PROBABILITIES = (
    "View",
    "UnsafeView",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Select",
    "Permute",
    "Transpose",
    "Slice",
    "Mean",
    "AvgPool",
    "AdaptiveAvgPool",
)
"""What may stand between a sigmoid and the output, as autograd's graph names it: new shapes, averages."""

_SQUASHING = {
    "Sigmoid": "a sigmoid",
    "Hardsigmoid": "a hard sigmoid",
    "LogSigmoid": "a log-sigmoid",
    "Softmax": "a softmax",
    "LogSoftmax": "a log-softmax",
}
"""Nodes of autograd's graph, by how their names begin."""


def build_network(subject: Subject[Component], *context: Any) -> nn.Module:
    """Build the network; it must be a module."""
    network = subject.build(*context)
    subject.require(
        isinstance(network, nn.Module), f"`build` returned a {type(network).__name__}, not a torch.nn.Module"
    )
    module: nn.Module = network
    return module


def draw_labels(spec: SampleSpec, count: int) -> torch.Tensor | None:
    """Return labels `(count,)` that run through the classes, or `None`."""
    return torch.arange(count) % spec.classes if spec.classes else None


def require_finite(subject: Subject[Component], answer: torch.Tensor, what: str) -> None:
    """Require a finite float tensor."""
    subject.require(
        isinstance(answer, torch.Tensor) and answer.is_floating_point(),
        f"{what} must be a float tensor, not {getattr(answer, 'dtype', type(answer).__name__)}",
    )
    subject.require(bool(torch.isfinite(answer).all()), f"{what} must be finite, and some are not")


def squashed_by(output: torch.Tensor) -> str:
    """Return what makes probabilities, or logarithms of them, of an output at the very end, if anything."""
    node = output.grad_fn
    while node is not None and node.name().startswith(_KEEPING_PROBABILITIES):
        node = node.next_functions[0][0]
    name = "" if node is None else node.name()
    return next((words for start, words in _SQUASHING.items() if name.startswith(start)), "")


def check_gradients(subject: Subject[Component], network: nn.Module, call: Call) -> None:
    """Require that a backward pass in training mode reaches every parameter with finite gradients."""
    network.train()
    with subject.during("a forward pass in training mode"):
        answer = call(network)
    subject.require(
        any(part.requires_grad for part in answer),
        "what it returns has no gradient; leave out detach(), torch.no_grad() and numpy inside forward()",
    )
    with subject.during("a backward pass"):
        torch.stack([part.sum() for part in answer]).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            subject.require(
                parameter.grad is not None,
                f"no gradient reaches the parameter `{name}`; use it in forward(), or do not make it",
            )
            assert parameter.grad is not None
            require_finite(subject, parameter.grad, f"the gradient of the parameter `{name}`")


def check_restoring(subject: Subject[Component], network: nn.Module, call: Call, *context: Any) -> None:
    """Require that checkpoints bring the network back: same state, same answers in evaluation mode.

    The network should have been through a training pass, so that buffers have moved.
    """
    state = network.state_dict()
    subject.require(
        all(isinstance(value, torch.Tensor) for value in state.values()),
        "its state_dict() holds more than tensors; keep other things in options, since checkpoints are "
        "files of tensors",
    )
    with isolated_randomness(1):
        other = build_network(subject, *context)
    with subject.during("loading its state_dict() into another one built the same"):
        other.load_state_dict(state)
    with subject.during("copy.deepcopy() of the network, as the moving average makes one,"):
        copied = copy.deepcopy(network)
    before = _answer(network, call)
    broken = (
        "gives other outputs in evaluation mode; what it keeps must be parameters or buffers "
        "(register_buffer), and evaluation mode must not be random"
    )
    subject.require(_equal(before, _answer(network, call)), f"the same network, called again, {broken}")
    subject.require(_equal(before, _answer(other, call)), f"restored from its state_dict(), it {broken}")
    subject.require(_equal(before, _answer(copied, call)), f"a deep copy of it {broken}")


def check_conduct(
    subject: Subject[Component],
    network: nn.Module,
    arguments: Sequence[torch.Tensor],
    context: Sequence[Any],
) -> None:
    """Require that a network leaves alone what is not its own: its inputs, devices and global seeds.

    Args:
        subject: the network's component.
        network: sound in all other ways; it is called in evaluation mode.
        arguments: what it is called with.
        context: what it is built from, the samples first.
    """
    check_inputs_left_alone(subject, network, arguments)
    with subject.promise("it works on any device"):
        _check_device(subject, network, arguments)
    if context[0] in subject.specs:  # with invented classes, it is built by the same code again
        with subject.promise("it seeds no global generator"):
            _check_seeds(subject, arguments, context)


def check_inputs_left_alone(
    subject: Subject[Component], network: nn.Module, arguments: Sequence[torch.Tensor]
) -> None:
    """Require that `forward()` does not change what it is called with, in either mode."""
    with subject.promise("it leaves its inputs alone"):
        for training in (False, True):
            given = [argument.clone() for argument in arguments]
            network.train(training)
            with subject.during("forward() without gradients"), torch.no_grad():
                network(*given)
            subject.require(
                all(map(torch.equal, given, arguments)),
                "forward() changes the samples that it is given, and losses look at them too; copy them "
                "first, and leave out `inplace=True` before the first layer that makes new ones",
            )


def check_rows_apart(
    subject: Subject[Component], network: nn.Module, arguments: Sequence[torch.Tensor], advice: str = ""
) -> None:
    """Require that in evaluation mode each row of the output follows from its own row of the input.

    Args:
        subject: the network's component.
        network: what is called.
        arguments: with what.
        advice: another way to mend it, which goes before the usual one.
    """
    with subject.during("forward() on one row"), evaluation_mode(network), torch.no_grad():
        whole = _tuple(network(*arguments))
        single = _tuple(network(*(argument[:1] for argument in arguments)))
    for part, alone in zip(whole, single, strict=True):
        subject.require(
            torch.allclose(part[:1], alone, rtol=1e-3, atol=1e-4),
            "in evaluation mode, an output depends on the rest of its batch, or on chance; "
            f"{f'{advice} ' if advice else ''}normalise by running statistics there, as torch.nn.BatchNorm2d "
            "does",
        )


def _check_device(subject: Subject[Component], network: nn.Module, arguments: Sequence[torch.Tensor]) -> None:
    """Require that it names no device, by a look at torch's `meta`, which every machine has."""
    elsewhere = copy.deepcopy(network).to("meta")
    try:
        with evaluation_mode(elsewhere), torch.no_grad():
            elsewhere(*(argument.to("meta") for argument in arguments))
    except Exception as error:
        # Whatever else it cannot do there, such as looking at values, it may do elsewhere.
        if "device" in str(error) and ("cpu" in str(error) or "cuda" in str(error)):
            subject.fail(
                "forward() makes a tensor on one device and its inputs are on another; make new tensors with "
                "device=samples.device, or keep them with register_buffer",
                error,
            )


def _check_seeds(
    subject: Subject[Component], arguments: Sequence[torch.Tensor], context: Sequence[Any]
) -> None:
    """Require that different seeds of the global generators lead to different states."""
    one, other = (_global_states(subject, seed, arguments, context) for seed in (0, 1))
    for call, state in one.items():
        subject.require(
            state != other[call],
            f"it calls {call}(), so that every experiment has the same random numbers, whatever its seed; "
            "leave seeds to the engine",
        )


def _global_states(
    subject: Subject[Component], seed: int, arguments: Sequence[torch.Tensor], context: Sequence[Any]
) -> dict[str, Any]:
    """Return the states that building and calling a network leaves, by what would have seeded them."""
    with isolated_randomness(seed):
        network = build_network(subject, *context)
        with subject.during("a forward pass in training mode"):
            network(*(argument.clone() for argument in arguments))
        return {
            "torch.manual_seed": torch.get_rng_state().tolist(),
            "random.seed": random.getstate(),
            "numpy.random.seed": np.random.get_state(legacy=False)["state"]["key"].tolist(),
        }


def _tuple(answer: Any) -> tuple[torch.Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _answer(network: nn.Module, call: Call) -> tuple[torch.Tensor, ...]:
    with evaluation_mode(network), torch.no_grad(), isolated_randomness(2):
        return call(network)


def _equal(one: tuple[torch.Tensor, ...], other: tuple[torch.Tensor, ...]) -> bool:
    return all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(one, other, strict=True))
