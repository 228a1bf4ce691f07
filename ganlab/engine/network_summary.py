"""Networks in words: layers, shapes and parameter counts."""

from __future__ import annotations

from torch import nn

from ganlab.engine.networks import Networks
from ganlab.words import counted

__all__ = ["count_parameters", "network_summary"]


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable elements."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def network_summary(networks: Networks) -> str:
    """Return a Markdown table of each network's layers and their parameters."""
    parts: list[str] = []
    for kind, network in networks.items():
        parts += [
            f"### {kind}: {counted(count_parameters(network), 'parameter')}",
            "",
            "| layer | what | parameters |",
            "| --- | --- | ---: |",
        ]
        for name, module in network.named_modules():
            if not list(module.children()):
                own = sum(parameter.numel() for parameter in module.parameters())
                what = f"{type(module).__name__}({module.extra_repr()})"
                parts.append(f"| {name or '(the network)'} | `{what}` | {own:,} |")
        parts.append("")
    return "\n".join(parts)
