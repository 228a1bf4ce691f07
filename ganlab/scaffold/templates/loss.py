"""The loss `scaffold-name`: real against fake, pair by pair."""

from pydantic import Field
from torch.nn.functional import softplus

from ganlab import Loss, LossComponent, Options, hookimpl


class ScaffoldOptions(Options):
    """What an experiment may set under [[losses]]; each string is shown by `ganlab describe`."""

    margin: float = Field(0.0, ge=0)
    """How far a real sample's logit should be above a fake one's."""


class ScaffoldLoss(Loss):
    """A loss for both players; leave a method out, and that player does not hear of it."""

    def __init__(self, margin):
        self.margin = margin

    def discriminator(self, game):
        """Return what the discriminator lowers: a mean over the samples."""
        return softplus(self.margin + game.fake_logits - game.real_logits).mean()

    def generator(self, game):
        """Return what the generator lowers. `game.rand` and `game.randn` are there for random numbers."""
        return softplus(game.real_logits - game.fake_logits).mean()


def build(options: ScaffoldOptions):
    """Return the loss."""
    return ScaffoldLoss(options.margin)


@hookimpl
def ganlab_losses():
    """Offer the loss."""
    yield LossComponent(
        name="scaffold-name",
        summary="Real against fake, pair by pair (Jolicoeur-Martineau, 2019), with a margin",
        options=ScaffoldOptions,
        build=build,
        needs=frozenset({"discriminator"}),
    )
