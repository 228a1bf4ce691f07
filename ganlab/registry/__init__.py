"""Find plugins, hold their components, and explain what went wrong with the rest."""

from ganlab.registry.plugin import (
    LocalFile,
    Offer,
    PluginError,
    PluginFailure,
    Provenance,
    UnknownComponentError,
)
from ganlab.registry.registry import Registry, load_registry

__all__ = [
    "LocalFile",
    "Offer",
    "PluginError",
    "PluginFailure",
    "Provenance",
    "Registry",
    "UnknownComponentError",
    "load_registry",
]
