"""The real game with small stand-ins for the networks, for one loss to play."""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import nn

from ganlab.components import LatentSpec, SampleSpec
from ganlab.data.feed import Batch
from ganlab.engine.augmentation import Augmentations, Draws
from ganlab.engine.game import Game
from ganlab.engine.latents import draw_latents
from ganlab.engine.loss import Verdict
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.networks import Networks
from ganlab.engine.player import NETWORKS_OF, PlayerName
from ganlab.engine.turn_samples import Fakes, TurnSamples
from ganlab.testing.networks import draw_labels

__all__ = ["BATCH", "StandInGame"]

BATCH = 8
HIDDEN = 8


class StandInGame:
    """Networks and one batch, on which a loss can be tried again and again.

    The networks are smooth and treat every sample by itself, so that whatever is not so
    is the loss's doing.

    Args:
        spec: the samples.
        latent: the noise.
        verdicts: shape of a sample's logits: `()`, or `(4, 4)` as a PatchGAN would give.
        outputs: names of what else the discriminator shows.
    """

    def __init__(
        self,
        spec: SampleSpec,
        latent: LatentSpec,
        verdicts: tuple[int, ...],
        outputs: Collection[str] = (),
    ) -> None:
        self._networks: dict[str, nn.Module] = {
            "generator": _Generator(spec, latent),
            "discriminator": _Discriminator(spec, verdicts, outputs),
            "encoder": _Encoder(spec, latent),
        }
        labels = draw_labels(spec, BATCH)
        real = Batch(spec.noise(BATCH), labels)
        latents = draw_latents(latent, BATCH, torch.default_generator)
        self._spec = spec
        self._latent = latent
        self._real = real
        self._fakes = Fakes(lambda: latents, lambda: labels)

    def game(
        self,
        player: PlayerName,
        present: Collection[str],
        leaves: Collection[str],
        rows: slice = slice(0, BATCH),
        seed: int = 0,
        step: int = 0,
    ) -> Game:
        """Return a game with only the networks that are present; the player's own take gradients.

        Samples can be augmented where `augmentation` is present.
        """
        for name, network in self._networks.items():
            network.requires_grad_(name in NETWORKS_OF[player])
            network.zero_grad(set_to_none=True)
        networks = Networks(
            generator=self._networks["generator"],
            discriminator=self._networks["discriminator"] if "discriminator" in present else None,
            encoder=self._networks["encoder"] if "encoder" in present else None,
            generator_takes_labels=False,
            discriminator_takes_labels=False,
            device=torch.device("cpu"),
            dtype=torch.float32,
        )
        samples = TurnSamples(
            lambda: self._real,
            self._fakes,
            batch_size=BATCH,
            rows=slice(0, BATCH),
            rng=torch.Generator().manual_seed(seed),
            device=networks.device,
        )
        return MicrobatchGame(
            player,
            networks,
            samples,
            rows=rows,
            step=step,
            latent=self._latent,
            leaves=leaves,
            augmentations=_Fading((), self._spec) if "augmentation" in present else None,
        )

    def parameters(self, player: PlayerName) -> list[nn.Parameter]:
        """Return what learns in a player's turn."""
        return [parameter for name in NETWORKS_OF[player] for parameter in self._networks[name].parameters()]


class _Fading(Augmentations):
    """Fades each sample by a share of its own."""

    def augmented(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        return samples * (1 - draws.rand(*[1] * (samples.dim() - 1)) / 2)

    def __bool__(self) -> bool:
        return True


class _Generator(nn.Module):
    def __init__(self, spec: SampleSpec, latent: LatentSpec) -> None:
        super().__init__()
        self.shape = spec.shape
        self.layers = _narrow(latent.dim, math.prod(spec.shape))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layers(latents)).view(-1, *self.shape)


class _Discriminator(nn.Module):
    def __init__(self, spec: SampleSpec, verdicts: tuple[int, ...], outputs: Collection[str]) -> None:
        super().__init__()
        self.verdicts = verdicts
        self.outputs = outputs
        self.body = nn.Linear(math.prod(spec.shape), HIDDEN)
        self.head = nn.Linear(HIDDEN, math.prod(verdicts))
        self.classifier = nn.Linear(HIDDEN, spec.classes) if spec.classes else None

    def forward(self, samples: torch.Tensor) -> Verdict:
        features = torch.tanh(self.body(samples.flatten(1)))
        logits = self.head(features).view(len(samples), *self.verdicts)
        return Verdict(
            logits,
            features,
            self.classifier(features) if self.classifier else None,
            dict.fromkeys(self.outputs, features),
        )


class _Encoder(nn.Module):
    def __init__(self, spec: SampleSpec, latent: LatentSpec) -> None:
        super().__init__()
        self.layers = _narrow(math.prod(spec.shape), 2 * latent.dim)

    def forward(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_variance = self.layers(samples.flatten(1)).chunk(2, dim=1)
        return mean, log_variance


def _narrow(inputs: int, outputs: int) -> nn.Sequential:
    """Return a linear map whose weights grow with the sizes, not with their product: either may be large."""
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.Linear(HIDDEN, outputs))
