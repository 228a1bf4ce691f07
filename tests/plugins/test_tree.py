"""The soft tree: its probabilities, what it learns, how it is kept in balance, and how it is shown."""

from __future__ import annotations

import dataclasses
import math
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn.functional import softplus

from ganlab import ComponentError, Game, GanlabError, ImageSpec, SampleSpec, VectorSpec, Verdict
from ganlab.commands.cli import run
from ganlab.testing import ConformanceError, check_component
from ganlab_tree import TreeOptions, build_tree, ganlab_discriminators
from ganlab_tree.losses import BalancedSplits
from ganlab_tree.networks import SoftForest
from ganlab_tree.showing import draw_tree, nodes, tell_tree

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "trees.md").read_text()


def tree(samples: SampleSpec, **options: object) -> SoftForest:
    network = build_tree(TreeOptions.model_validate(options), samples)
    assert isinstance(network, SoftForest)
    return network


def by_side(depth: int = 2) -> SoftForest:
    """A hard tree on points in the plane: the first split by x, all others by y."""
    forest = tree(VectorSpec(2), depth=depth, steepness=100.0)
    with torch.no_grad():
        forest.splits.weight.zero_()
        forest.splits.bias.zero_()
        forest.splits.weight[0, 0] = 1
        forest.splits.weight[1:, 1] = 1
        forest.leaves.copy_(torch.arange(2**depth).reshape(1, 1, -1) - 2.0)
    return forest


def test_a_steep_tree_is_a_decision_tree() -> None:
    corners = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    assert torch.allclose(by_side()(corners).logits, torch.tensor([-2.0, -1.0, 0.0, 1.0]), atol=1e-4)


def test_logits_are_the_log_odds_of_the_mean_over_leaves_and_trees() -> None:
    forest = tree(VectorSpec(3), depth=3, trees=4)
    points = torch.randn(5, 3)
    levels = forest.descend(points)
    for level in levels:
        assert torch.allclose(level.exp().sum(dim=2), torch.ones(5, 4), atol=1e-5)
    real = (levels[-1].exp() * forest.leaves[0].sigmoid()).sum(dim=2).mean(dim=1)
    assert torch.allclose(forest(points).logits.sigmoid(), real, atol=1e-5)


def test_each_class_has_leaves_of_its_own() -> None:
    forest = tree(ImageSpec(1, 8, 8, classes=3), depth=2, width=2)
    image = torch.randn(1, 1, 8, 8).expand(3, 1, 8, 8)
    verdict = forest(image, torch.arange(3))
    assert verdict.logits.unique().numel() == 3
    assert torch.equal(verdict.output("splits")[0], verdict.output("splits")[1])


def test_it_learns_what_no_single_split_tells() -> None:
    torch.manual_seed(0)
    forest = tree(VectorSpec(2), depth=3)
    points = torch.randn(400, 2)
    real = points.prod(dim=1) > 0
    for _ in range(200):
        logits = forest(points).logits
        softplus(torch.where(real, -logits, logits)).mean().backward()
        with torch.no_grad():
            for parameter in forest.parameters():
                parameter -= 5 * parameter.grad
                parameter.grad = None
    assert ((forest(points).logits > 0) == real).float().mean() > 0.9


def test_a_size_too_small_for_its_convolutions_is_refused() -> None:
    with pytest.raises(ComponentError, match="halve the sides 4 times") as caught:
        tree(ImageSpec(1, 8, 64), convolutions=4)
    assert caught.value.option == "convolutions"


class Judged:
    """As much of a game as the balance looks at."""

    def __init__(self, real: Verdict, fake: Verdict) -> None:
        self.real_verdict, self.fake_verdict = real, fake


def balance(real: Verdict, fake: Verdict) -> float:
    game: Game = Judged(real, fake)  # type: ignore[assignment]
    return BalancedSplits().discriminator(game).item()


def test_the_balance_is_the_cross_entropy_with_halves() -> None:
    forest = tree(VectorSpec(1), depth=1)
    with torch.no_grad():
        forest.splits.weight.fill_(1.0)
        forest.splits.bias.zero_()
    real, fake = torch.randn(2, 6, 1)
    alpha = torch.cat([real, fake]).sigmoid().mean()
    expected = -(alpha.log() + (1 - alpha).log()) / 2 - math.log(2)
    assert balance(forest(real), forest(fake)) == pytest.approx(expected.item(), abs=1e-5)
    points = torch.tensor([[-3.0], [3.0]])
    assert balance(forest(points), forest(points)) == pytest.approx(0, abs=1e-6)


def test_the_balance_counts_splits_by_what_arrives() -> None:
    forest = by_side()
    left = torch.tensor([[-1.0, 1.0], [-1.0, -1.0]])
    right = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    # The root is even, the left split too; the right one, which sees half of all, sends all one way.
    # (A half more goes the other way than of those two alone: one from the left gets there as rarely.)
    onesided = (100 - math.log(1.5)) / 2 - math.log(2)
    assert balance(forest(left), forest(right)) == pytest.approx(onesided / 2, rel=1e-4)


def test_the_balance_wants_a_tree() -> None:
    logits = torch.zeros(4)
    for features in (None, torch.zeros(4, 8)):
        with pytest.raises(ComponentError, match="looks at `splits`"):
            balance(Verdict(logits, features), Verdict(logits, features))


def test_nodes_tell_what_arrives() -> None:
    points = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [3.0, 1.0]])
    found = {(node.level, node.place): node for node in nodes(by_side(), points)}
    assert len(found) == 7
    assert found[0, 0].share == pytest.approx(1)
    assert found[1, 1].share == pytest.approx(0.75)
    assert torch.allclose(found[2, 3].mean, torch.tensor([2.0, 1.0]), atol=1e-5)
    assert found[2, 3].real == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-4)
    assert tell_tree(by_side(), points, levels=2).splitlines() == [
        "all: 100%, P(real) 0.52",
        "  left: 25%, P(real) 0.12",
        "  right: 75%, P(real) 0.65",
    ]


def test_a_picture_shows_the_mean_image_at_each_node() -> None:
    forest = tree(ImageSpec(1, 8, 8), depth=2, convolutions=0, steepness=100.0)
    with torch.no_grad():
        forest.splits.weight.fill_(1.0)
        forest.splits.bias.zero_()
    images = torch.stack([torch.full((1, 8, 8), -1.0), torch.full((1, 8, 8), 1.0)])
    picture = np.asarray(draw_tree(forest, images, levels=2))
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    root, left, right = (
        # The weights of the splits stand on the right.
        picture[4:12, width - 9 : width - 3],
        *(
            picture[height + 4 : height + 12, middle - 9 : middle - 3]
            for middle in (width // 2, 3 * width // 2)
        ),
    )
    assert [patch.mean().round() for patch in (root, left, right)] == [128, 0, 255]


def test_a_labelled_tree_is_told_by_each_samples_own_label() -> None:
    forest = tree(ImageSpec(1, 8, 8, classes=3), depth=2, convolutions=0)
    images, labels = torch.randn(30, 1, 8, 8), torch.arange(30) % 3
    root = next(iter(nodes(forest, images, labels)))
    with torch.no_grad():
        assert root.real == pytest.approx(forest(images, labels).logits.sigmoid().mean().item(), abs=1e-5)
        assert root.real != pytest.approx(forest(images, 0 * labels).logits.sigmoid().mean().item(), abs=1e-3)
    assert tell_tree(forest, images, labels).startswith("all: 100%")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tree": 5}, "no tree 5: the forest's are 0 to 1"),
        ({"tree": -1}, "no tree -1"),
        ({"levels": 0}, "at least 1 level, not 0"),
        ({"samples": torch.zeros(4, 9)}, r"samples \(N, 1, 8, 8\), not \(4, 9\)"),
        ({"samples": torch.zeros(0, 1, 8, 8)}, r"not \(0, 1, 8, 8\)"),
        ({"labels": None}, "3 classes has leaves of its own: give the samples' labels"),
        ({"labels": torch.tensor([0, 1])}, "for each of 4 samples, and there are 2"),
        ({"labels": torch.tensor([0, 1, 2, 7])}, "from 0 to 2 for each .* from 0 to 7"),
    ],
)
@pytest.mark.parametrize("show", [draw_tree, tell_tree, nodes])
def test_what_cannot_be_shown_is_refused(show: Any, change: dict[str, Any], message: str) -> None:
    forest = tree(ImageSpec(1, 8, 8, classes=3), depth=1, trees=2, convolutions=0)
    given = {"samples": torch.zeros(4, 1, 8, 8), "labels": torch.tensor([0, 1, 2, 0]), **change}
    with pytest.raises(GanlabError, match=message):
        show(forest, given.pop("samples"), given.pop("labels"), **given)


def test_alpha_is_shown_over_white_and_vectors_in_words_alone() -> None:
    rgba = tree(ImageSpec(4, 8, 8), depth=1, convolutions=1, width=2)
    clear = torch.full((2, 4, 8, 8), -1.0)
    picture = np.asarray(draw_tree(rgba, clear))
    assert (picture[4:12, picture.shape[1] // 2 - 3 : picture.shape[1] // 2 + 3] == 255).all()
    words = draw_tree(tree(VectorSpec(3), depth=2), torch.randn(5, 3), levels=99)
    assert words.height < 3 * 30 and np.asarray(words).min() < 255


def test_splits_of_pixels_show_their_weights() -> None:
    forest = tree(ImageSpec(1, 8, 8), depth=1, convolutions=0)
    with torch.no_grad():
        forest.splits.weight.copy_(torch.cat([torch.ones(32), -torch.ones(32)]))
    root, *leaves = nodes(forest, torch.zeros(2, 1, 8, 8))
    assert root.weights is not None and root.weights.shape == (1, 8, 8)
    assert [leaf.weights for leaf in leaves] == [None, None]
    drawn = forest.draw(torch.zeros(2, 1, 8, 8))["tree"]
    middle = drawn.shape[1] // 2
    # The mean image, and behind a margin the weights: red above, blue below.
    above, below = drawn[5, middle + 6].astype(int), drawn[11, middle + 6].astype(int)
    assert above[0] > above[2] + 100 and below[2] > below[0] + 100
    assert tree(ImageSpec(1, 8, 8), depth=1, convolutions=1, width=2).pixel_weights(0) is None


@pytest.mark.parametrize("drawn", [{"a": np.zeros((2, 2, 3))}, {"a/b": np.zeros((2, 2, 3), np.uint8)}, None])
def test_what_a_discriminator_draws_is_held_against_its_promise(drawn: object) -> None:
    class Wrong(SoftForest):
        def draw(self, samples: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            return drawn

    def build(options: TreeOptions, samples: SampleSpec) -> Wrong:
        return Wrong(samples, 2, 1, steepness=1.0, convolutions=0, width=1)

    (component,) = ganlab_discriminators()
    check_component(component, options={"depth": 2, "width": 2}, spec=ImageSpec(1, 16, 16))
    with pytest.raises(ConformanceError, match="draw\\(\\) must return"):
        check_component(dataclasses.replace(component, build=build), spec=ImageSpec(1, 16, 16))


@pytest.mark.slow
def test_the_page_shows_the_tree_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (folder := tmp_path / "digits").mkdir()
    for number in range(20):
        (folder / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.new("L", (16, 16), 12 * number).save(folder / "ab"[number % 2] / f"{number}.png")
    (tmp_path / "x.toml").write_text(
        f"""
title = "Trees"
[image]
size = 16
channels = 1
[dataset]
name = "image-folder"
root = "{folder}"
labels = true
[latent]
dim = 4
[generator]
name = "dcgan"
width = 2
[discriminator]
name = "soft-tree"
depth = 4
width = 2
[[losses]]
name = "non-saturating"
[[losses]]
name = "balanced-splits"
[[losses]]
name = "r1"
[training]
steps = 2
batch_size = 8
[samples]
count = 4
"""
    )
    assert run(["run", "x.toml", "--quiet"]) == 0
    (recipe,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "recipe.py").write_text(recipe)
    judge = runpy.run_path("recipe.py")["judge"]
    samples, labels = judge.samples()
    assert len(samples) == 2 * 18 and labels is not None and judge.network.depth == 4
    assert torch.equal(labels[:18], labels[18:])
    with Image.open("tree.png") as picture:
        assert picture.size[0] % 8 == 0
    (directory,) = (tmp_path / "runs").glob("*/*/")
    assert (directory / "samples" / "discriminator_tree-00000002.png").is_file()
    events = EventAccumulator(str(directory / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    assert [event.step for event in events.Images("samples/discriminator_tree")] == [0, 2]
