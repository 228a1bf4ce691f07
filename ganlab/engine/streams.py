"""Named streams of randomness, so that one use of it never disturbs another."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = [
    "Streams",
    "derive_seed",
    "global_state",
    "isolated_randomness",
    "restore_global_state",
    "seed_global_state",
]


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
    """Seed all global generators for a block and give them back untouched.

    For code that cannot be handed a generator: initialisation, and dropout while evaluating.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
    python, legacy = random.getstate(), np.random.get_state(legacy=True)
    with torch.random.fork_rng(devices=devices), _isolated_mps(seed):
        # Not `torch.manual_seed`: it would seed devices that `fork_rng` does not restore.
        torch.default_generator.manual_seed(seed)
        if devices:  # Without one, torch would note each call with the whole stack, for when there is.
            torch.cuda.manual_seed_all(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


@contextmanager
def _isolated_mps(seed: int) -> Iterator[None]:
    """Do the same with the generator of Apple's GPUs, of which `fork_rng` knows none by number."""
    if not torch.backends.mps.is_available():
        yield
        return
    before = torch.mps.get_rng_state()
    torch.mps.manual_seed(seed)
    try:
        yield
    finally:
        torch.mps.set_rng_state(before)


def seed_global_state(seed: int) -> None:
    """Seed the global generators of torch, NumPy and Python, for components that draw from those."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def global_state(device: torch.device) -> dict[str, Any]:
    """Return the state of the global generators that components of a run on `device` may use."""
    _, keys, *position = np.random.get_state(legacy=True)
    state = {
        "python": random.getstate(),
        "numpy": [torch.from_numpy(np.asarray(keys, dtype=np.int64)), *position],
        "cpu": torch.get_rng_state(),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_global_state(state: Mapping[str, Any], device: torch.device) -> None:
    """Put the global generators back where `global_state` found them."""
    random.setstate(state["python"])
    keys, *position = state["numpy"]
    np.random.set_state(("MT19937", keys.numpy().astype(np.uint32), *position))
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
