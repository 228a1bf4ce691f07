"""`ganlab check`: the conformance kit, a line for each promise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganlab.commands.common import load, plugin_options, tell_failures
from ganlab.errors import GanlabError, UsageError, printable
from ganlab.kinds import KINDS
from ganlab.registry import Offer, Registry, load_registry
from ganlab.registry.plugin import LoadedPlugin
from ganlab.registry.suggest import did_you_mean, listing

if TYPE_CHECKING:
    from ganlab.components import LatentSpec, SampleSpec
    from ganlab.testing import Finding

__all__ = ["command"]

_LONGEST = 1000


@dataclass(frozen=True)
class _Trial:
    """What components are tried on; the kit's own choice where it is empty."""

    options: dict[str, Any]
    spec: SampleSpec | None = None
    latent: LatentSpec | None = None


@click.command("check", epilog=f"KIND is one of {', '.join(KINDS)}.")
@click.argument("target", metavar="FILE|PACKAGE|KIND")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the component that KIND and NAME say. Repeatable.",
)
@click.option(
    "--experiment",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Try on this experiment's samples and latents, not on the kit's small ones.",
)
@plugin_options
def command(
    target: str,
    name: str | None,
    overrides: tuple[str, ...],
    experiment: Path | None,
    plugins: tuple[str, ...],
    disabled: tuple[str, ...],
) -> None:
    """Hold components against every promise of their kind: a line for each, and how to mend what is broken.

    A FILE of your own (or a package's directory, as in src/mine), an installed PACKAGE (a distribution, or
    a plugin by its entry point), or one component by KIND and NAME.
    """
    if name is None and overrides:
        raise UsageError("--set goes with KIND and NAME: it is one component's option")
    if target.endswith(".toml"):
        raise UsageError(
            f"{printable(target)} is an experiment: `ganlab validate {printable(target)}` tries it. `check` "
            "tries the components of a plugin's .py file, or of a package"
        )
    local = (target,) if name is None and _is_path(target) else ()
    trial, registry = _prepare(experiment, overrides, (*plugins, *local), disabled)
    if name is not None:
        offers, chosen = [registry.get(target, name)], []
        tell_failures(registry)
    else:
        chosen = _chosen(registry, target)
        ids = {plugin.found.id for plugin in chosen}
        offers = [offer for offer in registry.offers if offer.provenance.plugin in ids]
    broken = _report_plugins(registry, chosen, target)
    kept = untried = 0
    for offer in offers:
        findings = _examine(offer, trial)
        _report(offer, findings)
        if not _refused(findings):
            broken += (failed := any(finding.broken for finding in findings))
            kept += not failed
        else:
            untried += 1
    _sum_up(kept, broken, untried)
    if broken or not kept:
        click.get_current_context().exit(GanlabError.exit_code)


def _is_path(target: str) -> bool:
    return target.endswith(".py") or "/" in target


def _prepare(
    experiment: Path | None, overrides: Sequence[str], plugins: tuple[str, ...], disabled: tuple[str, ...]
) -> tuple[_Trial, Registry]:
    from ganlab.config.document import Document
    from ganlab.config.overrides import apply_overrides

    options = apply_overrides(Document(Path("--set"), {}, {}), overrides).values
    if experiment is None:
        return _Trial(options), load_registry(plugins=plugins, disabled=disabled)
    from ganlab.data.preparation import find

    loaded = load(experiment, (), plugins, disabled)
    return _Trial(options, find(loaded).spec, loaded.latent), loaded.registry


def _chosen(registry: Registry, target: str) -> list[LoadedPlugin]:
    """Return the plugins that a path, a distribution or an entry point's name means.

    Raises:
        UsageError: none.
    """
    if target in KINDS:
        raise UsageError(
            f"which {KINDS[target].singular}? `ganlab check {target} NAME`; `ganlab plugins` lists them"
        )
    by_path = [plugin for plugin in registry.plugins if plugin.found.requested == target]
    named = [plugin for plugin in registry.plugins if _plain(target) in map(_plain, _names(plugin))]
    failed = [failure for failure in registry.failures if target in (failure.requested, failure.plugin)]
    if by_path or named or failed:
        return by_path or named
    known = {word for plugin in registry.plugins for word in _names(plugin)}
    distributions = {plugin.found.distribution for plugin in registry.plugins}
    hint = did_you_mean(target, known | set(KINDS))
    raise UsageError(
        f"there is no plugin `{printable(target)}`, and no such file"
        + (f"; {hint}" if hint else "")
        + f"\n    installed: {listing(distributions)}"
    )


def _names(plugin: LoadedPlugin) -> tuple[str, str, str]:
    return plugin.found.distribution, plugin.found.name, plugin.found.id


def _plain(name: str) -> str:
    """Return a name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _examine(offer: Offer, trial: _Trial) -> tuple[Finding, ...]:
    """Return what became of a component's promises; it is tried on classes where it refuses to do without."""
    from ganlab.samples import accepted_kinds
    from ganlab.testing import examine
    from ganlab.testing.subject import CLASSES

    component = offer.component
    spec = trial.spec if component.kind != "dataset" and isinstance(trial.spec, component.accepts) else None
    findings = examine(component, options=trial.options, spec=spec, latent=trial.latent)
    if not _refused(findings) or spec is not None or component.kind == "dataset":
        return findings
    labelled = accepted_kinds(component.accepts)[0].small().with_classes(CLASSES)
    again = examine(component, options=trial.options, spec=labelled, latent=trial.latent)
    return findings if _refused(again) else again


def _refused(findings: Sequence[Finding]) -> str:
    """Return what a component asks for where it refused to be tried as it was; empty where it did not."""
    from ganlab.testing.subject import RefusedError

    broken = (finding.broken for finding in findings)
    return next((error.refusal for error in broken if isinstance(error, RefusedError)), "")


def _report_plugins(registry: Registry, chosen: Sequence[LoadedPlugin], target: str) -> int:
    """Print what is wrong with plugins as a whole; return how many are at fault."""
    from ganlab.testing.hook_modules import heavy_imports

    ids = {plugin.found.id for plugin in chosen}
    wrong = {
        str(failure)
        for failure in registry.failures
        if failure.plugin in ids or target in (failure.requested, failure.plugin)
    }
    # A file may import torch at its top: it is imported where an experiment names it.
    packages = {
        plugin.module.__name__: plugin
        for plugin in chosen
        if plugin.found.file is None or plugin.found.file.is_dir()
    }
    for module, place in heavy_imports(list(packages)).items() if packages else ():
        wrong.add(f"plugin {packages[module].found.id}: {place}")
    for message in sorted(wrong):
        _line("FAILED", message)
    if packages and not wrong:
        _line("passed", "hook modules import neither torch nor NumPy nor Pillow")
    return len(wrong)


def _report(offer: Offer, findings: Sequence[Finding]) -> None:
    component = offer.component
    click.secho(f"{component.kind} {component.name}", bold=True, nl=False)
    click.echo(f"  ({offer.provenance})")
    if refusal := _refused(findings):
        _line("untried", printable(refusal, _LONGEST))
        click.echo(
            f"          ganlab check {component.kind} {component.name} with --set OPTION=VALUE, or with "
            "--experiment FILE for other samples"
        )
        return
    for finding in findings:
        _line("FAILED" if finding.broken else "passed", finding.promise)
        if finding.broken:
            reason = str(finding.broken).removeprefix(f"{component.kind} `{component.name}`: ")
            click.echo(f"          {printable(reason, _LONGEST)}")


def _line(status: str, text: str) -> None:
    colour = {"passed": "green", "FAILED": "red"}.get(status, "yellow")
    click.echo(f"  {click.style(f'{status:<7}', fg=colour)} {text}")


def _sum_up(kept: int, broken: int, untried: int) -> None:
    parts = [
        f"{kept} {'keeps its promises' if kept == 1 else 'keep their promises'}" if kept else "",
        f"{broken} {'does not keep its' if broken == 1 else 'do not keep their'} promises" if broken else "",
        f"{untried} {'was' if untried == 1 else 'were'} not tried" if untried else "",
    ]
    click.echo(", ".join(part for part in parts if part) or "nothing to check")
