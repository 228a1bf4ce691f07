"""What a sample is. Each kind of sample says here how it is kept, quantised, laid out and shown.

The rest of ganlab asks the spec and never which kind it is of. A further kind is one more subclass
of `SampleSpec`, here or in a plugin. Nothing here imports torch or numpy before it is called.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ganlab.errors import ComponentError
from ganlab.words import counted

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ImageSpec", "SampleSpec", "UnknownKindError", "VectorSpec", "accepted_kinds"]


@dataclass(frozen=True)
class SampleSpec(ABC):
    """What a sample is; each kind of sample is a direct subclass of this, and a frozen dataclass.

    A batch of samples is met in three forms:

    - as networks see it: float32 `(n, *shape)`;
    - *quantised*, as metrics see it: the same shape, in the type of what is kept;
    - as *rows*, the way it lies in packed data and in `.npy` files: `(n, *row_shape)` of `row_dtype`.

    What is said of all kinds here suits float32 arrays of any shape, which are kept as they are. A
    kind of its own declares `kind`, `word`, `shape`, `classes = 0` as its last field, and `small`.

    Attributes:
        kind: one sample of the kind, in files and messages, such as `image`.
        word: several of them, such as `images`.
        bounded: whether samples lie in [-1, 1], which generators must keep to.
        row_dtype: NumPy's name of the type of what is kept.
        mirror_dim: the dimension of a batch that mirroring reverses; `None` where a mirrored sample
            is none that might have been found.
        is_picture: whether a quantised sample is a picture, uint8 `(1 to 4, H, W)`. Pictures are
            drawn in grids and written as image files; all others are drawn as points.
        is_plane: whether a sample is a point of the plane, over which a discriminator can be drawn.
        sized_by_image_table: whether `[image]` says how large samples are, and datasets are built
            for that.
    """

    kind: ClassVar[str]
    word: ClassVar[str]
    bounded: ClassVar[bool] = False
    row_dtype: ClassVar[str] = "<f4"
    mirror_dim: ClassVar[int | None] = None
    is_picture: ClassVar[bool] = False
    sized_by_image_table: ClassVar[bool] = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Let files and messages know the kind.

        One that is defined again, as by a plugin that is read again, replaces what it was.

        Raises:
            TypeError: it is made from another kind, or lacks `kind` or `word`.
        """
        super().__init_subclass__(**keywords)
        if SampleSpec not in cls.__bases__ or not all(hasattr(cls, name) for name in ("kind", "word")):
            message = "must subclass ganlab.SampleSpec directly and define `kind` and `word`"
            raise TypeError(f"{cls.__name__} {message}")
        _KINDS[cls.kind] = cls

    @classmethod
    @abstractmethod
    def small(cls) -> Self:
        """Return a small one without classes, to try components on."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample as networks see it."""

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number of labels; 0 where the data has none."""

    @property
    def is_plane(self) -> bool:
        """Whether a sample is a point of the plane."""
        return False

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one sample as it is kept."""
        return self.shape

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample as it is kept."""
        import numpy as np

        return math.prod(self.row_shape) * np.dtype(self.row_dtype).itemsize

    @property
    def extent(self) -> str:
        """How large a sample is, in words."""
        return "×".join(map(str, self.shape))

    def __str__(self) -> str:
        labels = f", {counted(self.classes, 'class', 'classes')}" if self.classes else ""
        return f"{self.extent} {self.word}{labels}"

    def with_classes(self, count: int) -> Self:
        """Return the spec of the same samples with so many classes."""
        return replace(self, **{"classes": count})

    def to_json(self) -> dict[str, Any]:
        """Return the kind and the fields, as files hold them."""
        return {"kind": self.kind, **asdict(self)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> SampleSpec:
        """Return the spec that `to_json` described.

        Raises:
            UnknownKindError: there is no such kind of sample.
            KeyError: no kind is given.
            TypeError: the fields are not those of the kind.
        """
        fields = dict(values)
        kind = fields.pop("kind")
        if kind not in _KINDS:
            raise UnknownKindError(kind)
        return _KINDS[kind](**fields)

    def to_rows(self, quantised: Tensor) -> Tensor:
        """Return quantised samples `(n, *shape)` as rows `(n, *row_shape)`; no element is copied."""
        return quantised

    def from_rows(self, rows: Tensor) -> Tensor:
        """Return rows `(n, *row_shape)` as quantised samples `(n, *shape)`; no element is copied."""
        return rows

    def quantise(self, samples: Tensor) -> Tensor:
        """Return samples of any floating type as they are kept and measured; the shape stays."""
        return samples.float()

    def unrounded(self, samples: Tensor) -> Tensor:
        """Return float32 samples on the scale on which they are kept, before `quantise` rounds them.

        Gradients flow through it; the shape stays.
        """
        return samples.float()

    def dequantise(self, quantised: Tensor) -> Tensor:
        """Return quantised samples as networks see them, float32; device and memory format stay."""
        return quantised

    def lay_out(self, network: nn.Module) -> nn.Module:
        """Return a network in the memory format in which its samples pass it."""
        return network

    def noise(self, count: int) -> Tensor:
        """Return float32 `(count, *shape)` of torch's global randomness, in the range of samples.

        It is uniform on [-1, 1] where samples are bounded, and normal elsewhere.
        """
        import torch

        shape = (count, *self.shape)
        return torch.rand(shape) * 2 - 1 if self.bounded else torch.randn(shape)


_KINDS: dict[str, type[SampleSpec]] = {}
"""Every kind that is defined, by what files call it."""


class UnknownKindError(ValueError):
    """A file is of samples of a kind that nobody has defined; its text is what the file calls them."""


def accepted_kinds(accepts: tuple[type[SampleSpec], ...]) -> list[type[SampleSpec]]:
    """Return the kinds of sample that a component accepts, where `SampleSpec` stands for all there are."""
    return [kind for kind in _KINDS.values() if issubclass(kind, accepts)]


@dataclass(frozen=True)
class ImageSpec(SampleSpec):
    """What an image is in this experiment: float `(C, H, W)` in [-1, 1], kept as uint8 `(H, W, C)`.

    Attributes:
        channels: 1 (grayscale), 2 (with alpha), 3 (RGB) or 4 (RGBA).
        height: pixels.
        width: pixels.
        classes: number of labels; 0 where the data has none.
    """

    kind: ClassVar[str] = "image"
    word: ClassVar[str] = "images"
    bounded: ClassVar[bool] = True
    row_dtype: ClassVar[str] = "|u1"
    mirror_dim: ClassVar[int | None] = 3
    is_picture: ClassVar[bool] = True
    sized_by_image_table: ClassVar[bool] = True

    channels: int
    height: int
    width: int
    classes: int = 0

    @classmethod
    def small(cls) -> Self:
        """Return 3×32×32 images."""
        return cls(channels=3, height=32, width=32)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, `(channels, height, width)`."""
        return (self.channels, self.height, self.width)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one sample as it is kept, `(height, width, channels)`."""
        return (self.height, self.width, self.channels)

    def require_sides(self, smallest: int, largest: int, network: str) -> None:
        """Refuse images that a network is not made for.

        Args:
            smallest: pixels that either side has at least.
            largest: pixels that either side has at most.
            network: its component's name.

        Raises:
            ComponentError: a side is shorter or longer.
        """
        if not all(smallest <= side <= largest for side in (self.height, self.width)):
            raise ComponentError(
                f"{network} makes images from {smallest} to {largest} pixels a side, and [image] asks for "
                f"{self.height}×{self.width}"
            )

    def to_rows(self, quantised: Tensor) -> Tensor:
        """Return `(n, C, H, W)` as `(n, H, W, C)`."""
        return quantised.permute(0, 2, 3, 1)

    def from_rows(self, rows: Tensor) -> Tensor:
        """Return `(n, H, W, C)` as `(n, C, H, W)`, which is then in channels-last memory."""
        return rows.permute(0, 3, 1, 2)

    def quantise(self, samples: Tensor) -> Tensor:
        """Return uint8 images: the nearest of the 256 levels, halves to the even one.

        `quantise(dequantise(x)) == x` for every uint8.

        Args:
            samples: float of any precision; what lies outside [-1, 1] is clamped.
        """
        import torch

        levels = samples.to(torch.float32, copy=True).add_(1.0).mul_(127.5)
        return levels.round_().clamp_(0, 255).to(torch.uint8)

    def unrounded(self, samples: Tensor) -> Tensor:
        """Return float32 images from 0 to 255, neither rounded nor clamped."""
        return (samples.float() + 1.0) * 127.5

    def dequantise(self, quantised: Tensor) -> Tensor:
        """Return float32 images in [-1, 1]: x / 127.5 − 1, so that 0 is -1 and 255 is 1."""
        import torch

        return quantised.to(torch.float32, copy=True).div_(127.5).sub_(1.0)

    def lay_out(self, network: nn.Module) -> nn.Module:
        """Return a network in channels-last memory."""
        import torch

        laid_out: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return laid_out


@dataclass(frozen=True)
class VectorSpec(SampleSpec):
    """What a sample is where samples are plain float32 vectors.

    Attributes:
        dimension: elements of a vector.
        classes: number of labels; 0 where the data has none.
    """

    kind: ClassVar[str] = "vector"
    word: ClassVar[str] = "vectors"

    dimension: int
    classes: int = 0

    @classmethod
    def small(cls) -> Self:
        """Return points of the plane."""
        return cls(dimension=2)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, `(dimension,)`."""
        return (self.dimension,)

    @property
    def is_plane(self) -> bool:
        """Whether vectors have two elements."""
        return self.dimension == 2

    @property
    def extent(self) -> str:
        """How large a vector is, in words."""
        return f"{self.dimension}-dimensional"
