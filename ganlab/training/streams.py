"""Named streams of randomness, so that one use of it never disturbs another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

__all__ = ["Streams", "derive_seed", "global_state", "isolated_randomness", "restore_global_state"]


def derive_seed(seed: int, name: str) -> int:
    """Return the seed of a named stream, in [0, 2⁶³): a hash, so that no two names are related."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Streams:
    """Independent CPU generators by name, each seeded from the experiment's seed on first use.

    Drawing on the CPU makes a run's randomness the same on every device.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generators: dict[str, torch.Generator] = {}

    def __getitem__(self, name: str) -> torch.Generator:
        """Return the stream, at its current position."""
        if name not in self._generators:
            self._generators[name] = torch.Generator().manual_seed(derive_seed(self._seed, name))
        return self._generators[name]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the position of every stream that was used."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Put every stream back where `state_dict` found it."""
        for name, position in state.items():
            self[name].set_state(position)


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seed the CPU's and CUDA's global generators for a block and give them back untouched.

    For code that cannot be handed a generator: initialisation, and dropout while evaluating.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    with torch.random.fork_rng(devices=devices):
        # Not `torch.manual_seed`: it would seed devices that `fork_rng` does not restore.
        torch.default_generator.manual_seed(seed)
        torch.cuda.manual_seed_all(seed)
        yield


def global_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the state of torch's global generators that a run on `device` uses."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_global_state(state: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Put torch's global generators back where `global_state` found them."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
