"""The penalty that keeps a soft tree's splits in use (Frosst & Hinton, 2017, §4)."""

from __future__ import annotations

import math

import torch

from ganlab import Game, Loss, Verdict

__all__ = ["BalancedSplits"]


class BalancedSplits(Loss):
    """The cross-entropy of one half with the share α of samples that each split sends to the right.

    −½ log α − ½ log(1 − α) − log 2, which is 0 for halves, summed over the splits by the share of
    samples that arrives there. Without it a tree may send everything one way early on, and learn no
    more on the other. α is of the real and the fake samples of a batch together.
    """

    couples_samples = True

    def discriminator(self, game: Game) -> torch.Tensor:
        """Return the penalty.

        Raises:
            ComponentError: the discriminator shows no splits.
        """
        ways = torch.cat([_ways(game.real_verdict), _ways(game.fake_verdict)])
        passed = ways.logsumexp(dim=0)
        arrived = passed.detach().logsumexp(dim=1).exp() / len(ways)
        imbalance = -passed.log_softmax(dim=1).mean(dim=1) - math.log(2)
        return (arrived * imbalance).sum()


def _ways(verdict: Verdict) -> torch.Tensor:
    """Return the log-probabilities of leaving each split either way, `(N, splits, 2)`."""
    splits = verdict.output("splits")
    return splits.reshape(len(splits), -1, 2)
