"""Mangled experiments, a few; `python tests/config/fuzzing.py` has many."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fuzzing import Fuzzer, survive
from mangling import BASES, EXPERIMENT, Case, make_case


@pytest.mark.slow
def test_mangled_experiments_are_refused_in_words(tmp_path: Path) -> None:
    counts, failures = survive(tmp_path / "fuzzing", count=200, seed=0)
    assert not failures
    assert counts["exit code 0"] + counts["exit code 2"] == counts["cases"] == 200


def test_a_case_can_be_made_again_alone() -> None:
    cases = [make_case(0, number) for number in range(40)]
    assert cases == [make_case(0, number) for number in range(40)]
    assert len({case.kind for case in cases}) > 5


@pytest.mark.slow
def test_the_fuzzer_sees_what_it_looks_for(tmp_path: Path) -> None:
    plugin = f"""
import pathlib, warnings
from ganlab import DiscriminatorComponent, hookimpl

def build(options, image):
    warnings.warn("tight")
    pathlib.Path({str(tmp_path / "elsewhere")!r}).write_text("x")
    raise ValueError("odd")

@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="mine", summary="Mine.", build=build)
"""
    text = 'plugins = ["mine.py"]\n' + BASES["gan"].replace(
        '[discriminator]\nname = "dcgan"\nwidth = 2\nnormalisation = "spectral"',
        '[discriminator]\nname = "mine"',
    )
    with Fuzzer(tmp_path / "fuzzing") as fuzzer:
        bad = fuzzer.run(Case("", {EXPERIMENT: text.encode(), "mine.py": plugin.encode()}))
        good = fuzzer.run(Case("", {EXPERIMENT: BASES["gan"].encode()}))
    assert bad.code == 1
    assert len(bad.failures) == 3
    for failure, words in zip(bad.failures, ("UserWarning: tight", "writes /", "bug: "), strict=True):
        assert failure.startswith(words)
    assert (good.code, good.failures) == (0, [])
    assert good.output.endswith("valid\n")
