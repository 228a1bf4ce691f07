"""The InceptionV3 that FID is defined on: TensorFlow's graph of 2015-12-05, for inference alone.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016, as it was
published with 1008 outputs and as Heusel et al. (2017) used it: average pools do not count their
padding, and the last block pools by maximum. Names are torchvision's, by which the weights
are published.

It computes the same function in fewer operations. Batch normalisation is folded into the
convolutions. The 1×1 convolutions that a block begins with read its input together, as one
convolution; that of the average-pooled branch too, since pooling commutes with it, and then has
a quarter of the channels to pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["CLASSES", "FEATURES", "Inception", "parameter_shapes"]

FEATURES = 2048
CLASSES = 1008
BN_EPSILON = 1e-3


class Convolution(nn.Module):
    """A convolution, its batch normalisation, and a ReLU; padded to keep the size unless `valid`."""

    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], stride: int = 1, *, valid: bool = False
    ) -> None:
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        self.shape = (outputs, inputs, height, width)
        self._stride = stride
        self._padding = (0, 0) if valid else (height // 2, width // 2)
        self.register_buffer("weight", torch.empty(self.shape, memory_format=torch.channels_last))
        self.register_buffer("bias", torch.empty(outputs))
        self.weight: torch.Tensor
        self.bias: torch.Tensor

    def load(self, state: Mapping[str, torch.Tensor], name: str) -> None:
        """Take the published weights of that name."""
        gain, offset, mean, variance = (
            state[f"{name}.bn.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / (variance + BN_EPSILON).sqrt()
        self.weight.copy_(state[f"{name}.conv.weight"].double() * factor[:, None, None, None])
        self.bias.copy_(offset - mean * factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, inputs, H, W)` to `(N, outputs, H', W')`."""
        return F.conv2d(x, self.weight, self.bias, self._stride, self._padding).relu_()


class Block(nn.Module):
    """Branches side by side; those that begin with a 1×1 convolution of the input share it."""

    heads: tuple[str, ...]
    """The branches' first convolutions, where they are 1×1 and read the block's input."""
    pooled = False
    """Whether the last of the heads reads the input through an average pool."""

    def join(self) -> None:
        """Make one convolution of the heads; called once, when they are loaded."""
        heads: list[Convolution] = [getattr(self, name) for name in self.heads]
        self._sizes = [len(head.bias) for head in heads]
        weight = torch.cat([head.weight for head in heads])
        self.register_buffer("weight", weight.contiguous(memory_format=torch.channels_last))
        self.register_buffer("bias", torch.cat([head.bias for head in heads]))
        self.weight: torch.Tensor
        self.bias: torch.Tensor
        for name in self.heads:
            delattr(self, name)

    def begin(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return what the heads make of the block's input."""
        parts = list(torch.split(F.conv2d(x, self.weight, self.bias), self._sizes, dim=1))
        if self.pooled:
            parts[-1] = F.avg_pool2d(parts[-1], 3, stride=1, padding=1, count_include_pad=False)
        return [part.relu() for part in parts]


class BlockA(Block):
    """35×35: 1×1, 5×5, two 3×3, and an average pool."""

    heads = ("branch1x1", "branch5x5_1", "branch3x3dbl_1", "branch_pool")
    pooled = True

    def __init__(self, inputs: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3)
        self.branch_pool = Convolution(inputs, pool, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, inputs, 35, 35)` to `(N, 224 + pool, 35, 35)`."""
        single, five, three, pool = self.begin(x)
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(three))
        return torch.cat([single, self.branch5x5_2(five), three, pool], dim=1)


class BlockB(Block):
    """From 35×35 to 17×17."""

    heads = ("branch3x3dbl_1",)

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, stride=2, valid=True)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, stride=2, valid=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, inputs, 35, 35)` to `(N, 480 + inputs, 17, 17)`."""
        (double,) = self.begin(x)
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(double))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockC(Block):
    """17×17: 1×1, 7×7 and two 7×7, each as a row and a column, and an average pool."""

    heads = ("branch1x1", "branch7x7_1", "branch7x7dbl_1", "branch_pool")
    pooled = True

    def __init__(self, width: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Convolution(768, 192, 1)
        self.branch7x7_1 = Convolution(768, width, 1)
        self.branch7x7_2 = Convolution(width, width, row)
        self.branch7x7_3 = Convolution(width, 192, column)
        self.branch7x7dbl_1 = Convolution(768, width, 1)
        self.branch7x7dbl_2 = Convolution(width, width, column)
        self.branch7x7dbl_3 = Convolution(width, width, row)
        self.branch7x7dbl_4 = Convolution(width, width, column)
        self.branch7x7dbl_5 = Convolution(width, 192, row)
        self.branch_pool = Convolution(768, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, 768, 17, 17)` to the same shape."""
        single, seven, double, pool = self.begin(x)
        seven = self.branch7x7_3(self.branch7x7_2(seven))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(double))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([single, seven, double, pool], dim=1)


class BlockD(Block):
    """From 17×17 to 8×8."""

    heads = ("branch3x3_1", "branch7x7x3_1")

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(768, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, stride=2, valid=True)
        self.branch7x7x3_1 = Convolution(768, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1))
        self.branch7x7x3_4 = Convolution(192, 192, 3, stride=2, valid=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, 768, 17, 17)` to `(N, 1280, 8, 8)`."""
        three, seven = self.begin(x)
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(seven)))
        return torch.cat([self.branch3x3_2(three), seven, F.max_pool2d(x, 3, stride=2)], dim=1)


class BlockE(Block):
    """8×8: 1×1, branches that fork into a row and a column, and a pool."""

    heads: tuple[str, ...] = ("branch1x1", "branch3x3_1", "branch3x3dbl_1", "branch_pool")
    pooled = True

    def __init__(self, inputs: int) -> None:
        super().__init__()
        row, column = (1, 3), (3, 1)
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, row)
        self.branch3x3_2b = Convolution(384, 384, column)
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3)
        self.branch3x3dbl_3a = Convolution(384, 384, row)
        self.branch3x3dbl_3b = Convolution(384, 384, column)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map `(N, inputs, 8, 8)` to `(N, 2048, 8, 8)`."""
        single, three, double, pool = self.begin(x)
        double = self.branch3x3dbl_2(double)
        forks = [
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
        ]
        return torch.cat([single, *forks, pool], dim=1)


class LastBlock(BlockE):
    """The one that pools by maximum, an oddity of the published graph."""

    heads = BlockE.heads[:-1]
    pooled = False

    def begin(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return what the heads make of the block's input, and the pooled branch."""
        return [*super().begin(x), self.branch_pool(F.max_pool2d(x, 3, stride=1, padding=1))]


class Inception(nn.Module):
    """Maps images `(N, 3, 299, 299)` to `(N, 2048)`: the features that FID and KID compare.

    Args:
        state: the published state dict, checked (`weights.read_weights`).
    """

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._lay_out()
        for name, convolution in self._convolutions():
            convolution.load(state, name)
        for block in [module for module in self.modules() if isinstance(module, Block)]:
            block.join()
        # Without the bias, as Salimans et al. (2016) compute the Inception Score.
        self.register_buffer("classifier", state["fc.weight"].float())
        self.classifier: torch.Tensor

    def _lay_out(self) -> None:
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2, valid=True)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, valid=True)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, valid=True)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = BlockA(192, pool=32)
        self.Mixed_5c = BlockA(256, pool=64)
        self.Mixed_5d = BlockA(288, pool=64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(128)
        self.Mixed_6c = BlockC(160)
        self.Mixed_6d = BlockC(160)
        self.Mixed_6e = BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b = BlockE(1280)
        self.Mixed_7c = LastBlock(2048)

    def _convolutions(self) -> Iterator[tuple[str, Convolution]]:
        for name, module in self.named_modules():
            if isinstance(module, Convolution):
                yield name, module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map float32 images `(N, 3, 299, 299)` in [-1, 1] to `(N, 2048)`."""
        x = images.contiguous(memory_format=torch.channels_last)
        for layer in self.children():
            x = layer(x)
        return x.mean(dim=(2, 3))

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Map `(N, 2048)` to logits `(N, 1008)`, without the bias."""
        return features @ self.classifier.T


def parameter_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor of the published state dict that a feature depends on, by name."""
    with torch.device("meta"):
        network = Inception.__new__(Inception)
        nn.Module.__init__(network)
        network._lay_out()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, convolution in network._convolutions():
        shapes[f"{name}.conv.weight"] = convolution.shape
        for key in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.bn.{key}"] = convolution.shape[:1]
    return {**shapes, "fc.weight": (CLASSES, FEATURES), "fc.bias": (CLASSES,)}
