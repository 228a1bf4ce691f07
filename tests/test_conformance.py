"""The conformance kit: every built-in component passes, and each broken promise is named."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import field_validator
from safetensors.torch import save_file
from torch import nn

from ganlab import (
    Augmentation,
    AugmentationComponent,
    ComponentError,
    DatasetComponent,
    DiscriminatorComponent,
    Draws,
    EncoderComponent,
    Estimate,
    Evaluator,
    EvaluatorComponent,
    FeatureExtractor,
    FeaturesComponent,
    Game,
    GeneratorComponent,
    ImageSource,
    ImageSpec,
    LatentSpec,
    Loss,
    LossComponent,
    Metric,
    Options,
    RunInfo,
    SampleSpec,
    Tracker,
    TrackerComponent,
    VectorSource,
    VectorSpec,
    Verdict,
    hookimpl,
)
from ganlab.after_training.feature_training import FORMAT
from ganlab.components import Component
from ganlab.engine.streams import isolated_randomness
from ganlab.registry import load_registry
from ganlab.testing import ConformanceError, check_component, components_of
from ganlab_features.classifier_network import ClassifierNetwork

TESTED_ELSEWHERE = {
    ("tracker", "wandb"),
    *(
        ("features", name)
        for name in ("clip", "dinov2", "efficientnet-lite0", "encoder", "inception", "onnx", "torch-export")
    ),
}
"""Checked in tests of their own: with weights that those make, or with what stands in for a package."""
BUILT_IN = [
    offer.component
    for offer in load_registry().offers
    if offer.provenance.distribution == "ganlab"
    and (offer.component.kind, offer.component.name) not in TESTED_ELSEWHERE
]
OPTIONS: dict[str, dict[str, Any]] = {
    "autoencoder": {"width": 4},
    "dcgan": {"width": 4},
    "dcgan-tutorial": {"width": 4},
    "fastgan": {"width": 2},
    "patchgan": {"width": 2},
    "r3gan": {"width": 4, "widest": 2, "group": 4},
    "resnet": {"width": 2},
    "style": {"width": 2},
    "vit": {"width": 12, "depth": 1},
    "soft-tree": {"width": 2, "depth": 3, "trees": 2},
    "mlp": {"width": 8},
    "faces": {"count": 20, "labels": "smile"},
    "gaussians": {"count": 50, "labels": True},
    "celeba": {"root": ".", "label": "Smiling"},
    "image-folder": {"root": "classes", "labels": True},
    "cifar10": {"root": ".", "labels": True},
    "cifar100": {"root": ".", "labels": "fine"},
    "mnist": {"root": ".", "labels": True},
    "classifier": {"weights": "classifier.safetensors"},
}
SPECS: dict[str, SampleSpec] = {
    "modes": ImageSpec(channels=3, height=32, width=32, classes=3),
    "auxiliary-classifier": VectorSpec(dimension=2, classes=3),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few images as an image folder, as CelebA, as CIFAR and as MNIST, all below one root."""
    root = tmp_path_factory.mktemp("files")
    faces = root / "img_align_celeba"
    faces.mkdir()
    for number in range(1, 4):
        pixels = np.full((218, 178, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(faces / f"{number:06}.jpg")
        folder = root / "classes" / f"shade-{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = "".join(f"{number:06}.jpg {number % 2 * 2 - 1}\n" for number in range(1, 4))
    (root / "list_attr_celeba.txt").write_text(f"3\nSmiling\n{rows}")
    digits = struct.pack(">4B3I", 0, 0, 8, 3, 4, 28, 28) + bytes(range(28)) * 4 * 28
    (root / "train-images-idx3-ubyte").write_bytes(digits)
    (root / "train-labels-idx1-ubyte").write_bytes(struct.pack(">4B1I", 0, 0, 8, 1, 4) + bytes([0, 1, 2, 1]))
    ten, hundred = root / "cifar-10-batches-bin", root / "cifar-100-binary"
    for folder, names in ((ten, ["batches.meta.txt"]), (hundred, ["fine_label_names.txt"])):
        folder.mkdir()
        (folder / names[0]).write_text("a\nb\n")
    (ten / "test_batch.bin").write_bytes((b"\1" + bytes(range(256)) * 12) * 3)
    (hundred / "test.bin").write_bytes((b"\0\1" + bytes(range(256)) * 12) * 3)
    note = {"format": FORMAT, "features": "classifier", "class_names": ["a", "b"]}
    spec = ImageSpec(3, 32, 32, classes=2)
    with isolated_randomness(0):
        network = ClassifierNetwork(spec)
    content = {"ganlab": json.dumps({**note, "spec": asdict(spec)})}
    save_file(network.state_dict(), root / "classifier.safetensors", metadata=content)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("component", BUILT_IN, ids=lambda each: f"{each.kind}-{each.name}")
def test_built_in_components_keep_their_promises(component: Component, files: Path) -> None:
    options = OPTIONS.get(component.name, {})
    options = {key: files / value if key in ("root", "weights") else value for key, value in options.items()}
    before = torch.get_rng_state()
    check_component(component, options=options, spec=SPECS.get(component.name))
    assert torch.equal(before, torch.get_rng_state())


def test_networks_are_tried_on_what_the_author_names() -> None:
    seen = []

    def build(options: Options, image: ImageSpec, latent: LatentSpec) -> nn.Module:
        seen.append((image, latent))
        return Pixelwise(image, latent)

    component = GeneratorComponent(name="good", summary="Fine", build=build)
    check_component(component, spec=ImageSpec(1, 8, 4, classes=2), latent=LatentSpec(5, "uniform"))
    assert set(seen) == {(ImageSpec(1, 8, 4, classes=2), LatentSpec(5, "uniform"))}
    seen.clear()
    check_component(component)
    assert {image.classes for image, _ in seen} == {0, 3}


@pytest.mark.slow
def test_losses_are_tried_on_noise_as_large_as_the_image() -> None:
    image = ImageSpec(3, 218, 178)
    [loss] = [each for each in BUILT_IN if each.name == "non-saturating"]
    check_component(loss, spec=image, latent=LatentSpec(218 * 178 * 3, "uniform"))


# What is broken, one thing at a time.

Case = tuple[Component, str]


def record(**changes: Any) -> Component:
    good = GeneratorComponent(name="good", summary="Fine", build=lambda *_: None)
    return replace(good, **changes)


class Undocumented(Options):
    width: int = 4


class BadDefault(Options):
    width: int = "wide"  # type: ignore[assignment]
    """How wide."""


class Ruled(Options):
    width: int = 4
    """How wide."""

    @field_validator("width")
    @classmethod
    def narrow(cls, width: int) -> int:
        raise ValueError("too wide")


class Required(Options):
    root: Path
    """Where the files are."""


def refuse(*_: Any) -> None:
    raise ComponentError("only squares")


RECORDS: dict[str, Case] = {
    "name": (record(name="Patch_GAN"), "must be lower-case words joined by hyphens"),
    "summary": (record(summary="one\ntwo"), "several lines"),
    "undocumented": (record(options=Undocumented), "option `width` has no description"),
    "default": (record(options=BadDefault), "the default of option `width` is not valid: it must be"),
    "a rule of its own": (record(options=Ruled), "the default of option `width` is not valid: too wide"),
    "required": (record(options=Required), "option `root` has no default; give check_component()"),
    "build raises": (record(build=lambda: None), r"build\(options, 3×32×32 images, .* raises TypeError"),
    "build refuses": (record(build=refuse), "refuses: only squares; give check_component"),
}


class Pixelwise(nn.Module):
    """A sound generator of one layer."""

    def __init__(self, image: ImageSpec, latent: LatentSpec) -> None:
        super().__init__()
        self.shape = image.shape
        self.layer = nn.Linear(latent.dim, int(np.prod(image.shape)))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.finish(torch.tanh(self.layer(latents)).view(-1, *self.shape))

    def finish(self, images: torch.Tensor) -> torch.Tensor:
        return images


class Unbounded(Pixelwise):
    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.layer(latents).view(-1, *self.shape) / 3  # type: ignore[no-any-return]


class Sigmoid(Pixelwise):
    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.layer(latents)).view(-1, *self.shape)


class Spare(Pixelwise):
    def __init__(self, image: ImageSpec, latent: LatentSpec) -> None:
        super().__init__(image, latent)
        self.spare = nn.Parameter(torch.zeros(2))


class Stateful(Pixelwise):
    def __init__(self, image: ImageSpec, latent: LatentSpec) -> None:
        super().__init__(image, latent)
        self.factor = torch.rand(())

    def finish(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.factor


class Counting(Pixelwise):
    calls = 0

    def finish(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return images / self.calls


class Extra(Pixelwise):
    def get_extra_state(self) -> str:
        return "more than a tensor"

    def set_extra_state(self, state: str) -> None: ...


def finishing(function: Callable[[torch.Tensor], torch.Tensor]) -> type[Pixelwise]:
    return type("Finishing", (Pixelwise,), {"finish": lambda self, images: function(images)})


def generator(network: Any, **changes: Any) -> Component:
    return record(build=lambda options, image, latent: network(image, latent), **changes)


GENERATORS: dict[str, Case] = {
    "no module": (generator(lambda *_: "net"), "`build` returned a str, not a torch.nn.Module"),
    "shape": (generator(finishing(lambda x: x[:, :1])), r"it must be \(1, 3, 32, 32\)"),
    "dtype": (generator(finishing(lambda x: x.long())), "must be a float tensor, not torch.int64"),
    "NaN": (generator(finishing(lambda x: x * torch.nan)), "its samples must be finite"),
    "range": (generator(Unbounded), r"its images leave \[-1, 1\] .*; end the network with tanh"),
    "sigmoid": (
        generator(Sigmoid),
        r"its images come out of a sigmoid, and so are never below 0, .*; end the network with tanh",
    ),
    "labels": (generator(Pixelwise, takes_labels=True), r"forward\(\) on latents and labels .* TypeError"),
    "detached": (generator(finishing(torch.detach)), r"has no gradient; leave out detach\(\)"),
    "unused": (generator(Spare), "no gradient reaches the parameter `spare`"),
    "state": (generator(Stateful), r"restored from its state_dict\(\), it gives other outputs"),
    "unsteady": (generator(Counting), "the same network, called again, gives other outputs"),
    "extra state": (generator(Extra), "holds more than tensors"),
}


class SingleEvaluation(nn.Module):
    """A sound discriminator of one layer, with something done to its logits."""

    def __init__(self, image: ImageSpec, finish: Callable[[torch.Tensor], Any] | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(int(np.prod(image.shape)), 1)
        self.finish = finish

    def forward(self, images: torch.Tensor) -> Any:
        logits = self.layer(images.flatten(1))[:, 0]
        return logits if self.finish is None else self.finish(logits)


class Shifting(SingleEvaluation):
    def forward(self, images: torch.Tensor) -> Any:
        if not images.requires_grad:
            images += 1
        return super().forward(images)


class Comparing(SingleEvaluation):
    def forward(self, images: torch.Tensor) -> Any:
        return super().forward(images - images.mean(dim=0))


class Unsaid(SingleEvaluation):
    samples_together = 0


class Blind(SingleEvaluation):
    def forward(self, images: torch.Tensor) -> Any:
        return super().forward(images.detach())


def discriminator(finish: Any = None, network: Any = SingleEvaluation, **changes: Any) -> Component:
    return DiscriminatorComponent(
        name="bad", summary="Bad", build=lambda options, image: network(image, finish), **changes
    )


DISCRIMINATORS: dict[str, Case] = {
    "sigmoid": (discriminator(torch.sigmoid), "come out of a sigmoid; return what goes into it"),
    "hard sigmoid": (discriminator(nn.functional.hardsigmoid), "come out of a hard sigmoid"),
    "log-sigmoid": (discriminator(nn.functional.logsigmoid), "come out of a log-sigmoid"),
    "softmax": (discriminator(lambda x: torch.stack([x, -x], 1).softmax(1)), "come out of a softmax"),
    "reshaped sigmoid": (
        discriminator(lambda x: x.sigmoid().view(-1, 1).squeeze(1)),
        "come out of a sigmoid",
    ),
    "averaged sigmoids": (
        discriminator(lambda x: x.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).sigmoid().mean((1, 2, 3))),
        "come out of a sigmoid",
    ),
    "pooled sigmoids": (
        discriminator(
            lambda x: nn.functional.avg_pool2d(x.view(-1, 1, 1, 1).expand(-1, 1, 4, 4).sigmoid(), 4).flatten()
        ),
        "come out of a sigmoid",
    ),
    "mean": (discriminator(lambda x: x.mean()), r"1 sample gave logits of shape \(\); it must be"),
    "tuple": (discriminator(lambda x: (x, x)), "must return logits or a ganlab.Verdict, not a tuple"),
    "classes": (
        discriminator(lambda x: Verdict(x, class_logits=x[:, None].expand(-1, 9))),
        r"class_logits have shape \(1, 9\)",
    ),
    "infinite": (discriminator(lambda x: x / 0), "its logits must be finite"),
    "undeclared": (
        discriminator(lambda x: Verdict(x, outputs={"energy": -x})),
        r"has the outputs \['energy'\], and its record declares \[\]; set outputs=frozenset",
    ),
    "kept back": (discriminator(outputs=frozenset({"energy"})), r"has the outputs \[\]"),
    "an output for all": (
        discriminator(lambda x: Verdict(x, outputs={"energy": x.mean()}), outputs=frozenset({"energy"})),
        r"gave energy of shape \(\)",
    ),
    "in place": (discriminator(network=Shifting), "changes the samples that it is given"),
    "blind": (discriminator(network=Blind), "no gradient reaches the samples"),
    "comparing": (
        discriminator(network=Comparing),
        "depends on the rest of its batch, or on chance; set samples_together",
    ),
    "none together": (discriminator(network=Unsaid), "its samples_together is 0; it must be"),
    "labels": (discriminator(takes_labels=True), "and labels raises TypeError"),
}


class Encode(nn.Module):
    def __init__(self, image: ImageSpec, dim: int, parts: int) -> None:
        super().__init__()
        self.layer = nn.Linear(int(np.prod(image.shape)), dim)
        self.parts = parts

    def forward(self, images: torch.Tensor) -> Any:
        encoded = self.layer(images.flatten(1))
        return (encoded,) * self.parts if self.parts > 1 else encoded


def encoder(parts: int, factor: int) -> Component:
    return EncoderComponent(
        name="bad",
        summary="Bad",
        build=lambda options, image, latent: Encode(image, latent.dim * factor, parts),
    )


ENCODERS: dict[str, Case] = {
    "tensor": (encoder(1, 1), r"must return a tuple \(mean, log_variance\)"),
    "dimension": (encoder(2, 2), r"the mean of the latents has shape \(1, 32\), not \(1, 16\)"),
}


def loss(
    *needs: str,
    state: Mapping[str, Any] | None = None,
    couples: bool = False,
    **methods: Callable[[Game], Any],
) -> Component:
    """Return a loss whose turns are the given functions."""
    members: dict[str, Any] = {
        name: (lambda self, game, method=method: method(game)) for name, method in methods.items()
    }
    if state is not None:
        members["state_dict"] = lambda self: {key: value() for key, value in state.items()}
    kind = type("Bad", (Loss,), {**members, "couples_samples": couples})
    return LossComponent(
        name="bad",
        summary="Bad",
        build=lambda options: kind(),
        needs=frozenset(needs),  # type: ignore[arg-type]
    )


def gradient_of_real(game: Game) -> torch.Tensor:
    return game.input_gradient(game.discriminate(game.real).logits, game.real).square().mean()


def classify(game: Game) -> torch.Tensor:
    """An auxiliary classifier's loss, which means nothing without labels."""
    if game.real_labels is None:
        raise ComponentError("the data has no labels")
    class_logits = game.real_verdict.class_logits
    assert class_logits is not None
    return nn.functional.cross_entropy(class_logits, game.real_labels)


def backwards(game: Game) -> torch.Tensor:
    game.fake.mean().backward()  # type: ignore[no-untyped-call]
    return game.generate(game.latents).mean()


def root_of_zero(game: Game) -> torch.Tensor:
    return (game.fake - game.fake).abs().sum().sqrt()


CALLS = count(1)


LOSSES: dict[str, Case] = {
    "silent": (loss(), "is a loss for neither player"),
    "no loss": (LossComponent(name="bad", summary="Bad", build=lambda options: 1.0), "not a ganlab.Loss"),
    "a float": (loss(generator=lambda game: 0.5), r"what generator\(\) returns must be a float tensor"),
    "not a scalar": (loss(generator=lambda game: game.fake), "it must be a scalar: take mean"),
    "named": (loss(generator=lambda game: {"near": game.fake}), "returns as `near` has shape"),
    "nothing": (loss(generator=lambda game: {}), "returned no tensor at all"),
    "NaN": (loss(generator=lambda game: game.fake.mean() * torch.nan), "must be finite"),
    "sum": (
        loss(generator=lambda game: game.fake.square().sum()),
        r"take mean\(\) over the samples, not sum",
    ),
    "noisy sum": (
        loss(generator=lambda game: (game.fake + game.randn(*game.fake.shape[1:])).square().sum()),
        "is not the average",
    ),
    "coupled": (loss(generator=lambda game: game.fake.var(0).mean()), "or set couples_samples = True"),
    "needs": (
        loss(discriminator=lambda game: game.real_logits.mean()),
        r"asks for the discriminator, .* needs=frozenset\(\{\"discriminator\"\}\)",
    ),
    "needs outputs": (
        loss("discriminator", discriminator=lambda game: game.real_verdict.output("energy").mean()),
        r"looks at `energy` .* needs_outputs=frozenset\(\{\"energy\"\}\)",
    ),
    "needs encoder": (loss(generator=lambda game: game.encode(game.real)[0].mean()), "asks for the encoder"),
    "differentiates": (
        loss("discriminator", discriminator=gradient_of_real),
        r"set differentiates = frozenset\(\{\"real\"\}\)",
    ),
    "detached": (loss(generator=lambda game: game.fake.detach().mean()), r"no gradient of generator\(\)"),
    "wrong player": (loss("discriminator", discriminator=lambda game: game.fake.mean()), "no gradient"),
    "infinite gradient": (
        loss(generator=root_of_zero, couples=True),
        r"the gradient of generator\(\) must be",
    ),
    "backward": (loss(generator=backwards), r"calls backward\(\)"),
    "randomness": (
        loss(generator=lambda game: (game.fake * torch.rand(())).mean()),
        "torch's global generator, .* draw from game.rand or game.randn",
    ),
    "patches": (
        loss(
            "discriminator",
            generator=lambda game: torch.dot(game.fake_logits, game.fake_logits) / len(game.fake),
        ),
        "generator.. raises RuntimeError",
    ),
    "labels": (
        loss("discriminator", discriminator=classify),
        r"refuses to play with 3×32×32 images: the data has no labels; give .* a `spec`",
    ),
    "state": (
        loss(generator=lambda game: game.fake.mean(), state={"calls": count().__next__}),
        r"load_state_dict\(\) does not restore",
    ),
    "unsavable state": (
        loss(generator=lambda game: game.fake.mean(), state={"rng": lambda: [Path()]}),
        r"its state_dict\(\) holds pathlib.PosixPath at \['rng'\]\[0\]; checkpoints give back tensors",
    ),
    "a number of NumPy's": (
        loss(generator=lambda game: game.fake.mean(), state={"p": lambda: np.float64(0.5)}),
        r"holds numpy.float64 at \['p'\]",
    ),
    "secret state": (
        loss(generator=lambda game: game.fake.mean() * next(CALLS), couples=True),
        r"restored from its state_dict\(\), generator\(\) gives other values than undisturbed",
    ),
    "a slip": (
        loss(generator=lambda game: game.fake.mean(), discriminater=lambda game: game.fake.mean()),
        r"nothing calls its discriminater\(\); did you mean discriminator\(\)\?",
    ),
}


class Points(VectorSource):
    """A sound dataset of labelled points."""

    dimension = 2
    class_names = ("left", "right")

    def __len__(self) -> int:
        return 5

    def fingerprint(self) -> str:
        return "5p"

    def labels(self) -> Any:
        return np.array([0, 1, 0, 1, 0])

    def read(self, index: int) -> Any:
        return np.array([index, 0], np.float32)


class Empty(Points):
    def __len__(self) -> int:
        return 0


class Random(Points):
    def read(self, index: int) -> Any:
        return np.random.default_rng().normal(size=2).astype(np.float32)


class Doubles(Points):
    def read(self, index: int) -> Any:
        return np.zeros(2)


class Infinite(Points):
    def read(self, index: int) -> Any:
        return np.full(2, np.inf, np.float32)


class FewLabels(Points):
    def labels(self) -> Any:
        return np.array([0, 1])


class HighLabels(Points):
    def labels(self) -> Any:
        return np.array([0, 1, 2, 1, 0])


class Unlabelled(Points):
    def labels(self) -> Any:
        return None


class Unnamed(Points):
    def fingerprint(self) -> str:
        return ""


class Hurried(Points):
    def fingerprint(self) -> str:
        return str(random.random())


class Locked(Points):
    def __init__(self) -> None:
        self.function = lambda: None


class Moving(Points):
    """One more point each time it is built."""

    built = count()

    def __init__(self) -> None:
        self.offset = next(Moving.built)

    def read(self, index: int) -> Any:
        return np.array([index, self.offset], np.float32)


class Arrays(ImageSource):
    def __len__(self) -> int:
        return 1

    def fingerprint(self) -> str:
        return "1a"

    def read(self, index: int) -> Any:
        return np.zeros((4, 4, 3), np.uint8)


def dataset(source: Any, *accepts: Any) -> Component:
    return DatasetComponent(
        name="bad", summary="Bad", build=lambda options, image: source(), accepts=accepts or (VectorSpec,)
    )


DATASETS: dict[str, Case] = {
    "two specs": (dataset(Points, ImageSpec, VectorSpec), "`accepts` must have one member"),
    "no source": (
        dataset(list),
        "`build` returned a list, not a ganlab.VectorSource or another ganlab.ArraySource",
    ),
    "empty": (dataset(Empty), "it is empty"),
    "random": (dataset(Random), "is another one when read a second time"),
    "doubles": (dataset(Doubles), r"must return a float32 array of shape \(2,\), not float64"),
    "infinite": (dataset(Infinite), "vector 4 is not finite"),
    "arrays": (dataset(Arrays, ImageSpec), "returned a ndarray, not a PIL image"),
    "few labels": (dataset(FewLabels), r"int64 array of shape \(5,\)"),
    "high labels": (dataset(HighLabels), "labels run from 0 to 2, but there are 2 class_names"),
    "names only": (dataset(Unlabelled), r"it has class_names, but labels\(\) returns None"),
    "no fingerprint": (dataset(Unnamed), r"fingerprint\(\) must return a hex digest"),
    "random fingerprint": (dataset(Hurried), r"fingerprint\(\) differs from one call to the next"),
    "pickle": (dataset(Locked), r"pickle.loads\(pickle.dumps\(source\)\), .* raises"),
    "two builds": (dataset(Moving), "read from a second build of equal fingerprint"),
}


class Means(FeatureExtractor):
    """A sound extractor."""

    def __init__(
        self, function: Callable[[torch.Tensor], Any] = lambda x: x, digest: Any = lambda: "m1"
    ) -> None:
        self.function = function
        self.digest = digest

    def extract(self, samples: torch.Tensor) -> Any:
        return self.function(samples.float().flatten(1)[:, :8])

    def fingerprint(self) -> Any:
        return self.digest()


class Scribbling(Means):
    def extract(self, samples: torch.Tensor) -> Any:
        samples += 1
        return super().extract(samples)


def features(extractor: Any) -> Component:
    return FeaturesComponent(name="bad", summary="Bad", build=lambda options, image: extractor())


class Misnamed(Means):
    """One name for two features."""

    def names(self) -> list[str]:
        return ["mean", "mean"]


FEATURES: dict[str, Case] = {
    "no extractor": (features(list), "not a ganlab.FeatureExtractor"),
    "double": (features(lambda: Means(torch.Tensor.double)), r"must be float32 of shape \(6, d\)"),
    "shape": (features(lambda: Means(lambda x: x.mean(1))), "torch.float32 of shape"),
    "NaN": (features(lambda: Means(lambda x: x * torch.nan)), "features must be finite"),
    "random": (features(lambda: Means(lambda x: x + torch.rand(()))), r"extract\(\) must not be random"),
    "batch": (features(lambda: Means(lambda x: x - x.mean(0))), "depend on the rest of its batch"),
    "scribbling": (features(Scribbling), "changes the samples"),
    "no fingerprint": (features(lambda: Means(digest=str)), r"fingerprint\(\) must return a hex digest"),
    "other fingerprint": (
        features(lambda: Means(digest=lambda: str(random.random()))),
        r"fingerprint\(\) differs from one build to the next",
    ),
    "unseeded": (
        features(lambda: Means(partial(torch.mul, torch.rand(())))),
        "two builds of equal fingerprint give other features",
    ),
    "names": (features(Misnamed), r"names\(\) gives 2 names, 1 of them different, for \d+ features"),
    "network": (
        replace(features(lambda: Means()), network=lambda image: nn.Flatten()),
        r"`network` gives \(6, 3072\) for 6 images of 3 classes; it must give logits \(6, 3\)",
    ),
}


class Dim(Augmentation):
    """Darkens each image by its own random share, or does something else."""

    def __init__(self, change: Callable[..., Any] | None = None) -> None:
        self.change = change
        self.heard = 0.0

    def __call__(self, samples: torch.Tensor, draws: Draws) -> Any:
        if self.change is not None:
            return self.change(samples, draws)
        return samples * draws.rand()[:, None, None, None]

    def observe(self, signs: torch.Tensor, images: int) -> None:
        self.heard += float(signs) * images


class Forgetful(Dim):
    def __call__(self, samples: torch.Tensor, draws: Draws) -> torch.Tensor:
        return samples / (1 + self.heard)


class Talkative(Dim):
    def scalars(self) -> Any:
        return {"heard": self.heard}


def augmentation(build: Callable[[], Any]) -> Component:
    return AugmentationComponent(name="bad", summary="Bad", build=lambda options, image: build())


def dim_in_place(samples: torch.Tensor, draws: Draws) -> torch.Tensor:
    with torch.no_grad():
        return samples.mul_(0.5)


AUGMENTATIONS: dict[str, Case] = {
    "no augmentation": (augmentation(dict), "`build` returned a dict, not a ganlab.Augmentation"),
    "shape": (
        augmentation(lambda: Dim(lambda x, draws: x[:, :1])),
        r"must keep both, and it gave \(6, 1, 32",
    ),
    "double": (augmentation(lambda: Dim(lambda x, draws: x.double())), "must keep both, and it gave"),
    "NaN": (augmentation(lambda: Dim(lambda x, draws: x * torch.nan)), "its output must be finite"),
    "global randomness": (
        augmentation(lambda: Dim(lambda x, draws: x * torch.rand(len(x), 1, 1, 1))),
        "draws from torch's global generator",
    ),
    "impure": (
        augmentation(lambda: Dim(lambda x, draws: x * (1 + 1e-2 * random.random()))),
        "the same draws give other samples the second time",
    ),
    "in place": (augmentation(lambda: Dim(dim_in_place)), "changes the samples that it is given"),
    "batch": (augmentation(lambda: Dim(lambda x, draws: x - x.mean(0))), "depends on the rest of its batch"),
    "no gradient": (augmentation(lambda: Dim(lambda x, draws: x.detach() * 2)), "no gradient reaches"),
    "scalars": (
        augmentation(Talkative),
        r"scalars\(\) gives 400000.0 for 'heard'; it must be a scalar tensor",
    ),
    "state": (augmentation(Forgetful), r"load_state_dict\(\) does not restore what state_dict\(\)"),
}


GAP = (Metric("gap"),)


class Distance(Evaluator):
    """Something done with two banks."""

    def __init__(self, measure: Callable[..., Any]) -> None:
        self.measure = measure
        self.scale = 1.0

    def prepare(self, real: Any, held_out: Any) -> None:
        self.scale = real.moments.mean.norm().item()

    def evaluate(self, real: Any, fake: Any) -> Any:
        return self.measure(self, real, fake)


def evaluator(measure: Callable[..., Any], metrics: Any = GAP, needs: Any = "moments") -> Component:
    return EvaluatorComponent(
        name="bad",
        summary="Bad",
        build=lambda options, image: Distance(measure),
        metrics=metrics,
        needs=needs,
    )


def gap(value: Any, **more: Any) -> dict[str, Estimate]:
    return {"gap": Estimate(value, **more)}


def scribble(self: Distance, real: Any, fake: Any) -> dict[str, Estimate]:
    fake.features[0] = 0
    return gap(1.0)


EVALUATORS: dict[str, Case] = {
    "no metrics": (evaluator(gap, ()), "`metrics` must be a tuple of ganlab.Metric"),
    "two of a name": (evaluator(gap, (Metric("gap"), Metric("gap"))), "two of one name"),
    "no evaluator": (
        EvaluatorComponent(name="bad", summary="Bad", build=lambda *_: 1, metrics=GAP),
        "`build` returned a int, not a ganlab.Evaluator",
    ),
    "a number": (evaluator(lambda *_: 1.0), "must return a dict, not a float"),
    "undeclared": (
        evaluator(lambda *_: {"other": Estimate(1.0)}),
        r"declares the metrics \['gap'\] but yields",
    ),
    "no estimate": (evaluator(lambda *_: {"gap": 1.0}), r"not a ganlab.Estimate; return Estimate\(value\)"),
    "a tensor": (evaluator(lambda *_: gap(torch.ones(()))), r"not a float: use .item\(\)"),
    "infinite": (evaluator(lambda *_: gap(1.0, standard_error=np.inf)), "`gap` is inf for random features"),
    "a list": (evaluator(lambda *_: gap(1.0, warnings=[])), "must be a tuple of strings"),
    "impure": (evaluator(lambda *_: gap(torch.rand(()).item())), "the same banks give other estimates"),
    "greedy": (
        evaluator(lambda self, real, fake: gap(len(fake.features))),
        r"evaluate\(\) on moments .* raises",
    ),
    "scribbling": (evaluator(scribble, needs="features"), "it changes the banks"),
    "state": (evaluator(lambda self, *_: gap(self.scale)), "the state must hold what"),
}


class Witness(Tracker):
    """A tracker that records nothing."""

    def scalars(self, values: Mapping[str, float], step: int) -> None: ...

    def image(self, tag: str, image: Any, step: int) -> None: ...

    def text(self, tag: str, markdown: str, step: int) -> None: ...


class Integers(Witness):
    def scalars(self, values: Mapping[str, float], step: int) -> None:
        [round(value * 100) for value in values.values()]


class Colours(Witness):
    def image(self, tag: str, image: Any, step: int) -> None:
        Image.fromarray(image)


def once(run: RunInfo) -> Tracker:
    (run.directory / "log").mkdir()
    return Witness()


def tracker(build: Callable[[RunInfo], Any]) -> Component:
    return TrackerComponent(name="bad", summary="Bad", build=lambda options, run: build(run))


TRACKERS: dict[str, Case] = {
    "no tracker": (tracker(lambda run: print), "not a ganlab.Tracker"),
    "NaN": (
        tracker(lambda run: Integers()),
        r"scalars\(\) of infinity and NaN \(it must take both\) raises",
    ),
    "gray": (tracker(lambda run: Colours()), r"image\(\) of shape \(4, 6, 1\) raises"),
    "resumed": (
        tracker(once),
        r"build\(options, .*step=10.* raises FileExistsError",
    ),
}

BROKEN = {
    f"{kind}: {what}": case
    for kind, cases in {
        "record": RECORDS,
        "generator": GENERATORS,
        "discriminator": DISCRIMINATORS,
        "encoder": ENCODERS,
        "loss": LOSSES,
        "dataset": DATASETS,
        "features": FEATURES,
        "augmentation": AUGMENTATIONS,
        "evaluator": EVALUATORS,
        "tracker": TRACKERS,
    }.items()
    for what, case in cases.items()
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_promise_is_named(what: str) -> None:
    component, message = BROKEN[what]
    with pytest.raises(ConformanceError, match=message) as caught:
        check_component(component)
    assert str(caught.value).startswith(f"{component.kind} `{component.name}`: ")


SOUND: dict[str, Component] = {
    "generator": generator(Pixelwise),
    "discriminator": discriminator(),
    "encoder": encoder(2, 1),
    "loss": loss(generator=lambda game: (game.fake - game.real).square().mean()),
    "noisy loss": loss(generator=lambda game: (game.fake + game.randn(*game.fake.shape[1:])).square().mean()),
    "coupled loss": loss(generator=lambda game: game.fake.var(0).mean(), couples=True),
    "dataset": dataset(Points),
    "features": features(Means),
    "evaluator": evaluator(
        lambda self, real, fake: gap((real.moments.mean - fake.moments.mean).norm().item())
    ),
    "augmentation": augmentation(Dim),
    "tracker": tracker(lambda run: Witness()),
}


@pytest.mark.parametrize("kind", SOUND)
def test_what_the_broken_ones_were_made_of_is_sound(kind: str) -> None:
    check_component(SOUND[kind])


def test_a_loss_that_needs_labels_is_given_some() -> None:
    check_component(LOSSES["labels"][0], spec=ImageSpec(1, 8, 8, classes=2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"component": Pixelwise}, "takes a record, not <class .*Pixelwise"),
        ({"component": generator(Pixelwise), "spec": VectorSpec(2)}, "`accepts` has only ImageSpec"),
        (
            {"component": record(options=Required), "options": {"root": 3}},
            "the value given for option `root`",
        ),
        ({"component": record(), "options": {"widht": 3}}, "option `widht` is not valid"),
    ],
)
def test_the_kit_used_wrongly(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConformanceError, match=message):
        check_component(**arguments)


def test_all_components_of_a_module_are_found_or_what_is_wrong_is_told() -> None:
    module = ModuleType("own")
    loss = next(each for each in BUILT_IN if each.kind == "loss")
    with pytest.raises(ConformanceError, match="has no hook"):
        components_of(module)
    vars(module)["ganlab_losses"] = hookimpl(lambda: [loss])
    assert components_of(module) == (loss,)
    vars(module)["ganlab_lossez"] = hookimpl(lambda: [])
    with pytest.raises(ConformanceError, match="did you mean"):
        components_of(module)
