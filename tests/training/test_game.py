"""The game: laziness, sharing, and what gradients flow where."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import nn

from ganlab import ComponentError, Game, LatentSpec, Loss, VectorSpec
from ganlab.data.feed import Batch
from ganlab.engine.augmentation import Augmentations, Draws
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.networks import Networks
from ganlab.engine.turn_samples import Fakes, TurnSamples
from ganlab.engine.whole_game import WholeGame
from ganlab.processes import Processes

sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))
from playing import PlayerName, require_shared_equally


class Counting(nn.Module):
    """A linear network that counts its forward passes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.calls = 0

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        answer: torch.Tensor = self.linear(samples)
        return answer


def make_networks() -> Networks:
    torch.manual_seed(0)
    return Networks(
        generator=Counting(4, 3),
        discriminator=Counting(3, 1),
        encoder=None,
        generator_takes_labels=False,
        discriminator_takes_labels=False,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def make_game(
    networks: Networks, player: Literal["discriminator", "generator"], **options: Any
) -> tuple[MicrobatchGame, TurnSamples, list[str]]:
    fetched: list[str] = []

    def next_batch() -> Batch:
        fetched.append("real")
        return Batch(torch.ones(6, 3), None)

    def latents() -> torch.Tensor:
        fetched.append("latents")
        return torch.ones(6, 4)

    samples = TurnSamples(
        next_batch,
        Fakes(latents, lambda: None),
        batch_size=6,
        rows=slice(0, 6),
        rng=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
    )
    options = {"rows": slice(0, 6), "step": 0, "latent": LatentSpec(4), **options}
    return MicrobatchGame(player, networks, samples, **options), samples, fetched


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    networks = make_networks()
    game, _, fetched = make_game(networks, "generator")
    assert fetched == []
    game.fake_logits.sum().backward()
    game.fake_logits.sum()
    assert fetched == ["latents"], "a generator's turn that ignores real data took a batch"
    assert networks.generator.calls == 1
    assert networks.discriminator is not None
    assert networks.discriminator.calls == 1


def test_fakes_carry_gradients_in_the_generators_turn_only() -> None:
    assert make_game(make_networks(), "generator")[0].fake.requires_grad
    assert not make_game(make_networks(), "discriminator")[0].fake.requires_grad


def test_shared_fakes_spare_a_generator_pass_and_keep_their_graph() -> None:
    networks = make_networks()
    first, samples, _ = make_game(networks, "discriminator")
    samples.fakes.samples = networks.generate(samples.fakes.latents, None)
    second = MicrobatchGame("generator", networks, samples, rows=slice(0, 6), step=0, latent=LatentSpec(4))
    assert torch.equal(first.fake, second.fake)
    assert not first.fake.requires_grad
    second.fake_logits.mean().backward()
    assert networks.generator.linear.weight.grad is not None
    assert networks.generator.calls == 1


def test_leaves_are_handed_out_to_losses_that_differentiate() -> None:
    game, _, _ = make_game(make_networks(), "discriminator", leaves={"real", "fake"})
    assert game.real.is_leaf
    assert game.real.requires_grad
    assert game.fake.is_leaf
    assert game.fake.requires_grad
    gradient = game.input_gradient(game.real_logits, game.real)
    assert game._networks.discriminator is not None
    weight = game._networks.discriminator.linear.weight
    torch.testing.assert_close(gradient, weight.expand(6, 3))


def test_rows_are_the_microbatch() -> None:
    game, samples, _ = make_game(make_networks(), "discriminator", rows=slice(2, 4))
    assert game.real.shape == (2, 3)
    assert game.fake.shape == (2, 3)
    assert samples.fakes.latents.shape == (6, 4)


def test_a_losss_randomness_is_drawn_for_the_batch_and_cut() -> None:
    networks = make_networks()
    whole, samples, _ = make_game(networks, "discriminator")
    first, second = whole.randn(3), whole.rand()
    assert first.shape == (6, 3)
    assert second.shape == (6,)
    part = MicrobatchGame("discriminator", networks, samples, rows=slice(2, 4), step=0, latent=LatentSpec(4))
    assert torch.equal(part.randn(3), first[2:4])
    assert torch.equal(part.rand(), second[2:4])


def test_joint_batch_is_one_forward_pass() -> None:
    networks = make_networks()
    game, _, _ = make_game(networks, "discriminator", joint_batch=True)
    apart, _, _ = make_game(networks, "discriminator")
    torch.testing.assert_close(game.real_logits, apart.real_logits)
    torch.testing.assert_close(game.fake_logits, apart.fake_logits)
    assert networks.discriminator is not None
    assert networks.discriminator.calls == 3


def test_judged_only_tells_what_was_computed_anyway() -> None:
    game, _, _ = make_game(make_networks(), "discriminator")
    assert game.logits_seen == {}
    game.fake_logits  # noqa: B018
    assert set(game.logits_seen) == {"fake"}
    game.real_logits  # noqa: B018
    assert torch.equal(game.logits_seen["real"], game.real_logits)
    assert not game.logits_seen["real"].requires_grad


class Everything(Loss):
    """Calls every network on larger batches and smaller ones, mixes their rows, and takes gradients."""

    couples_samples = True
    differentiates = frozenset({"real"})

    def discriminator(self, game: Game) -> torch.Tensor:
        between = game.leaf(torch.lerp(game.real, game.fake, game.rand(1)))
        both = torch.cat([game.augment(game.real), game.fake])
        return torch.stack(
            [
                game.input_gradient(game.discriminate(between).logits, between).std(),
                game.input_gradient(game.real_logits, game.real).std(),
                game.discriminate(both).logits.std(),
            ]
        ).sum()

    def generator(self, game: Game) -> torch.Tensor:
        some = game.latents[:5] / 7
        samples, styles = game.generate_with_styles(some)
        mean, log_variance = game.encode(
            torch.cat([game.generate(some).flip(0), game.fake - game.fake.mean(dim=0)])
        )
        gradient = game.input_gradient(samples.square() * samples.flip(0) * game.randn(2)[:5], styles)
        return gradient.square().sum(dim=1).std() + (mean * log_variance).std()


class Fading(Augmentations):
    """Fades each sample by a share of its own."""

    def shown(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        return samples * draws.rand(1)

    augmented = shown

    def __bool__(self) -> bool:
        return True


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_processes_share_what_networks_make_of_a_whole_batch(player: PlayerName) -> None:
    def networks(weight: torch.Tensor) -> dict[str, Any]:
        return {
            "generate": lambda latents: torch.tanh(latents @ weight) @ weight,
            "encode": lambda samples: (torch.tanh(samples @ weight), samples @ weight),
            "augmentations": Fading((), VectorSpec(2)),
        }

    require_shared_equally(Everything, player, networks)


class Forgetful(Loss):
    """Makes what it drops at once, and keeps what it takes a gradient by."""

    couples_samples = True

    def generator(self, game: Game) -> torch.Tensor:
        dropped = [weakref.ref(game.generate(game.latents)) for _ in range(3)]
        if isinstance(game, WholeGame):
            assert not any(samples() is not None for samples in dropped)
        kept = game.generate(game.latents)
        return game.input_gradient(kept.square(), kept).square().mean()


def test_what_a_loss_drops_of_a_whole_batch_is_not_kept() -> None:
    require_shared_equally(
        Forgetful, "generator", lambda weight: {"generate": lambda latents: torch.tanh(latents / 7 @ weight)}
    )


def test_fewer_samples_than_processes_cannot_be_shared() -> None:
    game, _, _ = make_game(make_networks(), "discriminator")
    with pytest.raises(ComponentError, match="gives a network 1 sample, which 2 processes cannot share"):
        WholeGame(game, Processes(0, 2), 6).generate(torch.ones(1, 4))


def test_losses_on_a_whole_batch_and_on_a_microbatch_take_turns_at_the_random_numbers() -> None:
    game, samples, _ = make_game(make_networks(), "discriminator", rows=slice(2, 4))
    whole = WholeGame(game, Processes(0, 2), 6)
    drawn = [game.randn(3), whole.randn(3), game.randn(3)]
    alone = MicrobatchGame(
        "discriminator", make_networks(), samples, rows=slice(0, 6), step=0, latent=LatentSpec(4)
    )
    first, second, third = (alone.randn(3) for _ in range(3))
    assert torch.equal(drawn[0], first[2:4])
    assert torch.equal(drawn[1], second)
    assert torch.equal(drawn[2], third[2:4])
