"""One turn at a loss, with hand-made samples and networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias
from unittest import mock

import torch
from torch import nn

from ganlab import LatentSpec, Loss, Verdict
from ganlab.data.feed import Batch
from ganlab.engine.augmentation import Augmentations
from ganlab.engine.microbatch_game import MicrobatchGame
from ganlab.engine.networks import Networks
from ganlab.engine.turn_samples import Fakes, TurnSamples
from ganlab.engine.whole_game import WholeGame
from ganlab.processes import Processes
from ganlab.processes.identity import rows_of

PlayerName: TypeAlias = Literal["discriminator", "generator"]


class Stub(nn.Module):
    """Anything callable as a network."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: torch.Tensor) -> Any:
        return self.function(*arguments)


@contextmanager
def float64() -> Iterator[None]:
    """Let a game be float64 that is float32, for finite differences."""
    torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.object(torch.Tensor, "float", torch.Tensor.double):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def make_game(
    player: PlayerName,
    loss: Loss,
    *,
    real: torch.Tensor,
    fake: torch.Tensor,
    judge: Any = None,
    encode: Any = None,
    generate: Any = None,
    labels: torch.Tensor | None = None,
    latents: torch.Tensor | None = None,
    latent: LatentSpec | None = None,
    step: int = 0,
    rows: slice | None = None,
    augmentations: Augmentations | None = None,
) -> MicrobatchGame:
    """Return a turn of `player`; latents that are not given are the numbers of the fakes."""
    networks = Networks(
        generator=(
            generate
            if isinstance(generate, nn.Module)
            else Stub(generate or (lambda latents: fake[latents[:, 0].long()]))
        ),
        discriminator=None if judge is None else Stub(judge),
        encoder=None if encode is None else Stub(encode),
        generator_takes_labels=False,
        discriminator_takes_labels=False,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    own = rows or slice(0, len(real))
    drawn = torch.arange(0.0, len(fake))[:, None].expand(-1, 2) if latents is None else latents
    cut = None if labels is None else labels[own]
    samples = TurnSamples(
        lambda: Batch(real[own], cut),
        Fakes(lambda: drawn[own], lambda: cut),
        batch_size=len(real),
        rows=own,
        rng=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
    )
    return MicrobatchGame(
        player,
        networks,
        samples,
        rows=slice(0, own.stop - own.start),
        step=step,
        latent=latent or LatentSpec(2),
        leaves=loss.differentiates,
        augmentations=augmentations,
    )


def play(player: PlayerName, loss: Loss, **table: Any) -> Any:
    """Return what a loss makes of a turn; see `make_game`."""
    return getattr(loss, player)(make_game(player, loss, **table))


def on_logits(player: PlayerName, loss: Loss, real: torch.Tensor, fake: torch.Tensor, **table: Any) -> Any:
    """Return what a loss makes of a turn whose discriminator reads the logits straight off the samples."""
    return play(player, loss, real=real, fake=fake, judge=lambda samples: samples, **table)


def with_features(samples: torch.Tensor) -> Verdict:
    """Read features `(N, d)` off the samples."""
    return Verdict(samples.sum(dim=1), features=samples, outputs={"energy": -samples.sum(dim=1)})


@float64()
def require_right_gradient(make: Callable[[], Loss]) -> None:
    """Hold a penalty's gradient by the discriminator's weights against finite differences.

    Args:
        make: returns the penalty as it is to be played, anew each time.
    """
    draw = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(4, 3, generator=draw) for _ in range(2))
    weights = [torch.randn(*shape, generator=draw, requires_grad=True) for shape in ((3, 5), (5,))]

    def penalty(hidden: torch.Tensor, head: torch.Tensor) -> torch.Tensor:
        def judge(samples: torch.Tensor) -> torch.Tensor:
            return torch.tanh(samples @ hidden) @ head

        value: torch.Tensor = play("discriminator", make(), real=real, fake=fake, judge=judge)
        return value

    assert torch.autograd.gradcheck(penalty, weights)


class Hearsay(Processes):
    """A process that knows of the others what they told when the same was played before.

    Args:
        rank: which one.
        heard: what each told, in order; what is missing is taken to be as here.
    """

    def __init__(self, rank: int, heard: list[list[torch.Tensor]]) -> None:
        super().__init__(rank, len(heard))
        self._heard = heard
        self.told: list[torch.Tensor] = []

    def all_gather(self, own: torch.Tensor, count: int) -> torch.Tensor:
        assert len(own) == len(range(count)[self.rows(count)])
        parts = [
            said[len(self.told)]
            if len(said) > len(self.told)
            else own.detach().repeat(2, *[1] * (own.dim() - 1))[
                : len(range(count)[rows_of(rank, self.world, count)])
            ]
            for rank, said in enumerate(self._heard)
        ]
        self.told.append(own.detach())
        parts[self.rank] = own
        return torch.cat(parts)


def shared(play_as: Callable[[Processes], Any], world: int = 2) -> list[Any]:
    """Return what each of several processes that share a batch makes of it.

    They play in turns, again and again, until each has heard what the others tell in the end: the first
    that is told is right at once, and so the second in the next round.
    """
    heard: list[list[torch.Tensor]] = [[] for _ in range(world)]
    for _ in range(50):
        processes = [Hearsay(rank, heard) for rank in range(world)]
        found = [play_as(each) for each in processes]
        told = [each.told for each in processes]
        if all(
            len(now) == len(before) and all(map(torch.equal, now, before))
            for now, before in zip(told, heard, strict=True)
        ):
            return found
        heard = told
    raise AssertionError("what the processes tell one another never comes to rest")


@float64()
def require_shared_equally(
    make: Callable[[], Loss],
    player: PlayerName,
    networks: Callable[[torch.Tensor], dict[str, Any]] = lambda weight: {},
) -> None:
    """Hold a loss that compares samples, in two processes that share a batch, against itself alone.

    Args:
        make: returns the loss, once for each process.
        player: whose turn it is.
        networks: returns those of `make_game` that are others, from a weight `(2, 2)`.
    """
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 2, generator=draw, requires_grad=True)
    real, fake = (torch.randn(7, 2, generator=draw) for _ in range(2))

    def table() -> dict[str, Any]:
        moved = fake if player == "discriminator" else fake @ weight
        judge = with_features if player == "generator" else lambda x: with_features(torch.tanh(x @ weight))
        return {"real": real, "fake": moved, "judge": judge, "step": 1, **networks(weight)}

    def play_as(processes: Processes) -> tuple[torch.Tensor, torch.Tensor, Any]:
        loss = make()
        own = make_game(player, loss, rows=processes.rows(len(real)), **table())
        game = WholeGame(own, processes, len(real)) if processes.world > 1 else own
        value = getattr(loss, player)(game)
        total = sum(value.values()) if isinstance(value, dict) else value
        return total.detach(), torch.autograd.grad(total, weight)[0], loss.state_dict()

    assert make().couples_samples
    value, gradient, state = play_as(Processes())
    assert gradient.abs().max() > 0
    values, gradients, states = zip(*shared(play_as), strict=True)
    torch.testing.assert_close(torch.stack(values), value.expand(2))
    torch.testing.assert_close(sum(gradients), gradient)
    for own in states:
        torch.testing.assert_close(own, state)
