"""The usual optimizers, as torch has them: Adam, AdamW, SGD, RMSprop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from ganlab import OptimizerComponent, Options, hookimpl

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

Share = Annotated[float, Field(ge=0, lt=1)]


class AdamOptions(Options):
    """Options of Adam."""

    betas: tuple[Share, Share] = (0.5, 0.999)
    """Decay of the running means of gradient and squared gradient; the first as in DCGAN."""
    eps: float = Field(1e-8, gt=0, allow_inf_nan=False)
    """Added to the denominator."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Decay of the weights, as an L2 term of the objective."""


class AdamWOptions(AdamOptions):
    """Options of AdamW."""

    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Decay of the weights, apart from the gradient."""


class SgdOptions(Options):
    """Options of stochastic gradient descent."""

    momentum: Share = 0.0
    """Share of the last step that is taken again."""
    nesterov: bool = False
    """Nesterov's momentum."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Decay of the weights, as an L2 term of the objective."""

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> SgdOptions:
        if self.nesterov and self.momentum == 0:
            raise ValueError("`nesterov` needs a `momentum` above 0")
        return self


class RmspropOptions(Options):
    """Options of RMSprop."""

    alpha: Share = 0.99
    """Decay of the running mean of the squared gradient."""
    eps: float = Field(1e-8, gt=0, allow_inf_nan=False)
    """Added to the denominator."""
    momentum: Share = 0.0
    """Share of the last step that is taken again."""
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Decay of the weights, as an L2 term of the objective."""


def build_adam(options: AdamOptions, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """Return Adam by torch's fused kernel."""
    from torch.optim import Adam

    return Adam(parameters, **options.model_dump(), fused=True)


def build_adamw(options: AdamWOptions, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """Return AdamW by torch's fused kernel."""
    from torch.optim import AdamW

    return AdamW(parameters, **options.model_dump(), fused=True)


def build_sgd(options: SgdOptions, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """Return SGD by torch's fused kernel."""
    from torch.optim import SGD

    return SGD(parameters, **options.model_dump(), fused=True)


def build_rmsprop(options: RmspropOptions, parameters: Sequence[nn.Parameter]) -> Optimizer:
    """Return RMSprop, of which torch has no fused kernel."""
    from torch.optim import RMSprop

    return RMSprop(parameters, **options.model_dump())


@hookimpl
def ganlab_optimizers() -> Iterator[OptimizerComponent]:
    """Offer the optimizers."""
    yield OptimizerComponent(
        name="adam",
        summary="Adam (Kingma & Ba, 2015), with DCGAN's first beta",
        options=AdamOptions,
        build=build_adam,
    )
    yield OptimizerComponent(
        name="adamw",
        summary="Adam with decoupled weight decay (Loshchilov & Hutter, 2019)",
        options=AdamWOptions,
        build=build_adamw,
    )
    yield OptimizerComponent(
        name="sgd",
        summary="Stochastic gradient descent (Robbins & Monro, 1951), with momentum or Nesterov's",
        options=SgdOptions,
        build=build_sgd,
    )
    yield OptimizerComponent(
        name="rmsprop",
        summary="RMSprop (Tieleman & Hinton, 2012), the choice of the Wasserstein GAN's paper",
        options=RmspropOptions,
        build=build_rmsprop,
    )
