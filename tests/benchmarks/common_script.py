"""The example script that everybody copies: a DCGAN on 64×64 faces, its loop written plainly.

    python tests/benchmarks/common_script.py FOLDER_OF_JPEGS --out weights/

Radford et al. (2016) as PyTorch's own DCGAN example trains it: float32, batches of 64, Adam at
2e-4 with β₁ 0.5, JPEG files decoded by two loader workers, no averaged weights. Other benchmarks
hold ganlab against it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

BATCH, SIZE, LATENTS, WIDTH = 64, 64, 100, 64


class JpegFaces(Dataset[torch.Tensor]):
    """JPEG files, decoded, cropped and resized when they are asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as image:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            face = image.convert("RGB").crop((left, top, left + side, top + side))
            face = face.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        pixels = torch.frombuffer(bytearray(face.tobytes()), dtype=torch.uint8).view(SIZE, SIZE, 3)
        return pixels.permute(2, 0, 1).float() / 127.5 - 1


def make_generator(width: int = WIDTH) -> nn.Module:
    """Return latents `(N, 100, 1, 1)` → images `(N, 3, 64, 64)` in [-1, 1]."""
    layers: list[nn.Module] = []
    inputs = LATENTS
    for multiple, stride, padding in ((8, 1, 0), (4, 2, 1), (2, 2, 1), (1, 2, 1)):
        outputs = width * multiple
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, stride, padding, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())


def make_discriminator(width: int = WIDTH) -> nn.Module:
    """Return images → one logit each, `(N, 1, 1, 1)`."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    inputs = width
    for multiple in (2, 4, 8):
        outputs = width * multiple
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers, nn.Conv2d(inputs, 1, 4, 1, 0, bias=False))


def initialise(module: nn.Module) -> None:
    """Draw weights as the paper does."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class Script:
    """The networks and the loop's state.

    Args:
        faces: images to train on, float `(3, 64, 64)` in [-1, 1].
        seed: of everything.
        width: channels of both networks at full size.
        device: where the networks compute.
    """

    def __init__(
        self,
        faces: Dataset[torch.Tensor],
        seed: int = 0,
        *,
        width: int = WIDTH,
        device: torch.device | str = "cpu",
    ) -> None:
        torch.manual_seed(seed)
        self._device = device
        self.generator = make_generator(width).apply(initialise).to(device)
        self._discriminator = make_discriminator(width).apply(initialise).to(device)
        self._generator_adam = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._discriminator_adam = torch.optim.Adam(
            self._discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999)
        )
        self._batches = self._forever(
            DataLoader(faces, batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True)
        )

    @staticmethod
    def _forever(loader: DataLoader[torch.Tensor]) -> Iterator[torch.Tensor]:
        while True:
            yield from loader

    def step(self) -> None:
        """Train on one batch."""
        ones, zeros = torch.ones(BATCH, device=self._device), torch.zeros(BATCH, device=self._device)
        real = next(self._batches).to(self._device)
        self._discriminator.zero_grad()
        real_loss = binary_cross_entropy_with_logits(self._discriminator(real).view(-1), ones)
        real_loss.backward()
        fake = self.generator(torch.randn(BATCH, LATENTS, 1, 1, device=self._device))
        fake_loss = binary_cross_entropy_with_logits(self._discriminator(fake.detach()).view(-1), zeros)
        fake_loss.backward()
        self._discriminator_adam.step()
        self.generator.zero_grad()
        loss = binary_cross_entropy_with_logits(self._discriminator(fake).view(-1), ones)
        loss.backward()
        self._generator_adam.step()
        real_loss.item(), fake_loss.item(), loss.item()


def sample(weights: Path, count: int, seed: int) -> torch.Tensor:
    """Return uint8 images `(count, 3, 64, 64)` of saved weights."""
    generator = make_generator()
    generator.load_state_dict(torch.load(weights, weights_only=True))
    return draw(generator, count, seed)


@torch.no_grad()
def draw(generator: nn.Module, count: int, seed: int) -> torch.Tensor:
    """Return uint8 images `(count, 3, 64, 64)` of a generator, which goes on training afterwards."""
    device = next(generator.parameters()).device
    latents = torch.randn(count, LATENTS, 1, 1, generator=torch.Generator().manual_seed(seed))
    generator.eval()
    images = torch.cat([generator(piece.to(device)).cpu() for piece in latents.split(256)])
    generator.train()
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jpegs", type=Path, help="folder of JPEG files, or a text file that lists some")
    parser.add_argument("--images", type=int, default=80_000, help="how many real images to train on")
    parser.add_argument("--every", type=int, default=8_000, help="images between two files of weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.jpegs.is_dir():
        files = sorted(options.jpegs.rglob("*.jpg"))
    else:
        files = [Path(line) for line in options.jpegs.read_text().splitlines()]
    script = Script(JpegFaces(files), options.seed)
    for step in range(1, -(-options.images // BATCH) + 1):
        script.step()
        if step * BATCH // options.every > (step - 1) * BATCH // options.every:
            unfinished = options.out / "unfinished"
            torch.save(script.generator.state_dict(), unfinished)
            unfinished.rename(options.out / f"{step * BATCH:08}.pth")


if __name__ == "__main__":
    main()
