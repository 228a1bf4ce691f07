"""The weights in an engine's state, apart from what else it remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["AVERAGED", "digest_of_networks", "digest_of_weights", "weights_in"]

AVERAGED = "averaged generator"


def weights_in(state: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the weights of each kind of network, and of the averaged generator where there is one.

    Args:
        state: what an engine's `state_dict` returned.
    """
    players = state["players"].values()
    weights = {kind: each for player in players for kind, each in player["networks"].items()}
    return weights if state["average"] is None else {**weights, AVERAGED: state["average"]}


def digest_of_weights(state: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all weights by their names, in hex: the same wherever they are the same.

    Args:
        state: what an engine's `state_dict` returned.
    """
    return digest_of_networks(weights_in(state))


def digest_of_networks(networks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the SHA-256 of the weights of each kind of network by their names, in hex."""
    digest = hashlib.sha256()
    for kind, weights in sorted(networks.items()):
        for name, tensor in sorted(weights.items()):
            if isinstance(tensor, torch.Tensor):
                digest.update(f"{kind}.{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
                digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
