"""The README of an exported generator: what it is, and how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganlab.after_training.exported import ExportLayout
from ganlab.components import SampleSpec
from ganlab.hookspecs import PROJECT
from ganlab.metrics import floor_text, with_error

__all__ = ["model_card"]

_LISTED = 20
"""Classes that are named."""

_NOISE = {
    "normal": ("normal, N(0, 1)", "torch.randn(16, {dim})", "np.random.normal(size=(16, {dim}))"),
    "uniform": (
        "uniform on [-1, 1]",
        "torch.rand(16, {dim}) * 2 - 1",
        "np.random.uniform(-1, 1, (16, {dim}))",
    ),
    "sphere": (
        "uniform on the sphere of radius √dim",
        "torch.nn.functional.normalize(torch.randn(16, {dim})) * {dim}**0.5",
        "np.random.normal(size=(16, {dim}))",  # brought onto the sphere in the next line
    ),
}
"""Distribution of the latents -> what it is, and how it is drawn with torch and with NumPy."""


def model_card(described: Mapping[str, Any], layout: ExportLayout, place: str) -> str:
    """Return the text, in Markdown.

    Args:
        described: the description, as it was written.
        layout: where everything is; what is not there is not spoken of.
        place: what the directory will be called.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("ganlab.after_training", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    latent = described["latent"]
    categories = latent.get("categories", [])
    continuous = latent["dim"] - sum(categories)
    noise, *drawn = _NOISE[latent["distribution"]]
    torch_latents, numpy_latents = (each.format(dim=continuous) for each in drawn)
    if categories:
        listed = ", ".join(map(str, categories))
        noise = f"one-hot codes of lengths {listed}, then {continuous} {noise}"
    return templates.get_template("card.md").render(
        described=described,
        layout=layout,
        place=place,
        spec=SampleSpec.from_json(described["spec"]),
        latent=latent,
        continuous=continuous,
        categories=categories,
        noise=noise,
        torch_latents=torch_latents,
        numpy_latents=numpy_latents,
        classes=_listed(described["class_names"]),
        measured=[
            (f"{each['evaluator']}.{each['metric']}", _measured(each)) for each in described["measurements"]
        ],
        package=_package(described["provenance"]["components"][0]),
    )


def _listed(names: list[str]) -> str:
    named = ", ".join(f"{number} {name}" for number, name in enumerate(names[:_LISTED]))
    return f"{named} …" if len(names) > _LISTED else named


def _measured(each: Mapping[str, Any]) -> str:
    """Return a number with what stands beside it; numbers that are not finite are text."""
    error, floor, floor_error = (
        None if each.get(key) is None else float(each[key])
        for key in ("standard_error", "floor", "floor_standard_error")
    )
    parts = [with_error(float(each["value"]), error)]
    parts += [f"(of {each['n_fake']:,} samples, on {each['features']})"]
    parts += [] if floor is None else [f"; held-out real ones: {floor_text(floor, floor_error)}"]
    return " ".join(parts).replace(") ;", ");")


def _package(component: Mapping[str, str]) -> str:
    """Return the package that a generator is of, and its version; nothing for ganlab's own and local ones."""
    distribution = component["component"].rpartition("/")[0]
    return (
        f"{distribution} {component['version']}" if component["version"] and distribution != PROJECT else ""
    )
