"""The whole plugin API on one page: one hook for each kind of component.

A plugin is any module with one or more hooks. A hook takes no arguments, is marked by
`ganlab.hookimpl`, and yields records, which `ganlab.components` describes:

    from ganlab import LossComponent, hookimpl

    @hookimpl
    def ganlab_losses():
        yield LossComponent(name="mine", summary="What it is", build=build)

The hooks are `ganlab_datasets`, `ganlab_generators` and so on: `ganlab_` and the plural of each kind in
`ganlab.kinds`, whose `record` they yield. Their order never carries meaning, and two plugins may offer the
same name (`distribution/name` tells them apart).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pluggy

from ganlab.components import Component
from ganlab.kinds import KINDS, Kind

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "ganlab"
"""Name of the pluggy project and of the entry-point group."""

hookimpl = pluggy.HookimplMarker(PROJECT)
hookspec = pluggy.HookspecMarker(PROJECT)


def _specification(kind: Kind) -> Callable[[], Iterable[Component]]:
    def specification() -> Iterable[Component]:
        return ()

    specification.__name__ = kind.hook
    specification.__doc__ = (
        f"Yield a `{kind.record.__name__}` for each {kind.singular} that this plugin offers."
    )
    return hookspec(specification)


globals().update({kind.hook: _specification(kind) for kind in KINDS.values()})
