"""`ganlab describe`, as a shell sees it."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab.commands.cli import run
from ganlab.config.options import option_descriptions
from ganlab.config.sections import Section, sections
from ganlab.config.settings import Settings
from ganlab.kinds import KINDS
from ganlab.registry import load_registry

Shell = Callable[..., tuple[int, str, str]]


def test_describe_shows_options_and_a_table_to_paste(shell: Shell, tmp_path: Path) -> None:
    code, out, _ = shell("describe", "dataset", "mine", "--plugin", "mine.py")
    assert code == 0
    assert out == textwrap.dedent(f"""\
        dataset mine
        My data.

        from    {tmp_path}/mine.py (mine.py)
        yields  images

        Options:

          root  # path, required
              Where the files are.
          layout = "ring"  # "ring" or "grid"
              Where they lie.
          limit  # whole number
              At most so many.

        Keys that every dataset has:

          holdout = 0.1  # number ≥ 0 and < 1
              Share of the samples kept out of training, for honest reference numbers.
          split_seed = 0  # whole number ≥ 0 and < 9223372036854775808
              Which samples those are: the same ones for every `seed` of the experiment.
          on_bad_image = "fail"  # "fail" or "skip"
              Whether a file that cannot be decoded stops the packing or is left out and reported.
          max_pixels  # whole number ≥ 1
              An image with more pixels is bad, as a decompression bomb would be; 89,478,485 if left out.
          mirror = false  # true or false
              Show each training image flipped left to right half of the time.

        [dataset]
        name = "mine"
        root = "path/to/root"  # required
        layout = "ring"
        # limit = 1
        holdout = 0.1
        split_seed = 0
        on_bad_image = "fail"
        mirror = false
        """)


def test_describe_as_json(shell: Shell) -> None:
    _, out, _ = shell("describe", "dataset", "mine/mine", "--plugin", "mine.py", "--json")
    description = json.loads(out)
    assert description["qualified_name"] == "mine/mine"
    assert description["options"][0] == {
        "name": "root",
        "type": "path",
        "required": True,
        "default": "",
        "description": "Where the files are.",
    }
    assert tomllib.loads(description["toml"])["dataset"]["name"] == "mine/mine"


@pytest.mark.parametrize("kind", KINDS)
def test_every_installed_component_can_be_described(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    offers = load_registry().components(kind)
    assert offers
    for offer in offers:
        assert run(["describe", kind, offer.component.name]) == 0
        assert offer.component.summary in capsys.readouterr().out


def test_features_are_no_key_of_evaluators_that_are_defined_on_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, has in (("mmd", True), ("fid", False)):
        assert run(["describe", "evaluator", name, "--json"]) == 0
        keys = [key["name"] for key in json.loads(capsys.readouterr().out)["keys"]]
        assert keys == ["label", "every", "samples", *(["features"] if has else [])]


def test_features_are_a_key_of_losses_that_look_through_some(capsys: pytest.CaptureFixture[str]) -> None:
    for name, looks in (("mmd", True), ("hinge", False)):
        assert run(["describe", "loss", name]) == 0
        assert ("\n  features  #" in capsys.readouterr().out) == looks
    for name, said in (("pixels", "pass"), ("wavelet", "do not pass")):
        assert run(["describe", "features", name]) == 0
        assert f"gradients  {said}" in capsys.readouterr().out


def test_describe_of_the_unknown(shell: Shell) -> None:
    code, out, err = shell("describe", "loss", "plane", "--plugin", "mine.py")
    assert (code, out) == (2, "")
    assert err.splitlines()[:3] == [
        "error: there is no loss `plane`",
        "    did you mean `plain`?",
        "    installed: plain",
    ]
    assert "no kind of component `los`\n    did you mean `loss`?" in shell("describe", "los", "x")[2]


def test_describe_alone_is_an_overview_of_the_experiment_file(shell: Shell) -> None:
    code, out, _ = shell("describe")
    assert code == 0
    for kind in KINDS.values():
        assert re.search(rf"^{kind.name} +{re.escape(kind.header)} +\w.*\.$", out, re.MULTILINE)
    for section in sections().values():
        assert re.search(rf"^{re.escape(section.header)} +\w.*\.$", out, re.MULTILINE)
    assert "  seed = 0  # whole number ≥ 0" in out and "ganlab describe loss r1" in out
    listed = json.loads(shell("describe", "--json")[1])
    told = [key["name"] for key in listed["keys"]] + [part["section"] for part in listed["sections"]]
    told += [KINDS[kind["kind"]].section for kind in listed["kinds"]]
    assert set(told) == {*Settings.model_fields, "extends"}


@pytest.mark.parametrize("section", sections().values(), ids=sections())
def test_every_section_explains_its_keys_and_can_be_pasted(shell: Shell, section: Section) -> None:
    code, out, _ = shell("describe", section.name)
    assert code == 0
    keys, _, table = out.partition(f"\n\n{section.header}\n")
    for name, text in option_descriptions(section.model).items():
        assert re.search(rf"^  {name}( = |  #).*\n      {re.escape(text)}$", keys, re.MULTILINE)
    pasted = tomllib.loads(table)
    given = section.model.model_validate_json(json.dumps(pasted))
    required = {name for name, field in section.model.model_fields.items() if field.is_required()}
    assert required <= set(pasted)
    assert given == section.model(**{name: getattr(given, name) for name in required})


def test_a_kind_shows_what_is_installed_and_what_all_of_it_have(shell: Shell) -> None:
    for word in ("loss", "losses", "[[losses]]"):
        code, out, _ = shell("describe", word, "--plugin", "mine.py")
        assert code == 0
        assert "chosen in  [[losses]]\n" in out and "\nplain  Has no options.\n" in out
        assert "\n  every = 1  # whole number ≥ 1\n" in out
    assert "None is installed." in shell("describe", "encoder")[1]


def test_networks_say_whether_they_take_labels(capsys: pytest.CaptureFixture[str]) -> None:
    for name, answer in (("dcgan", "yes"), ("autoencoder", "no")):
        assert run(["describe", "discriminator", name]) == 0
        assert ("it takes none" in capsys.readouterr().out) == (answer == "no")
        assert run(["describe", "discriminator"]) == 0
        assert re.search(rf"^{name} +{answer} ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("trainig", "did you mean `training`?"),
        ("batch_size", "it is a key of [training]: `ganlab describe training`"),
        ("weight", "it is a key of [[losses]]: `ganlab describe loss`"),
        ("seed", "it is a key of the file itself, whole number ≥ 0"),
        ("plain", "it is one of the losses: `ganlab describe loss plain`"),
    ],
)
def test_a_word_that_is_something_else_is_found(shell: Shell, word: str, hint: str) -> None:
    code, out, err = shell("describe", word, "--plugin", "mine.py")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: there is no section and no kind of component `{word}`\n    {hint}")


@pytest.mark.slow
def test_in_a_terminal_all_that_is_described_is_wrapped(terminal: Callable[..., tuple[int, str]]) -> None:
    pages = [[], ["training"], ["generator"], ["evaluator", "mmd"]]
    code, text = terminal(
        "-c",
        f"from ganlab.commands.cli import run\nfor page in {pages}: run(['describe', *page])",
        columns=60,
    )
    lines = re.sub(r"\x1b\[\d*m", "", text).splitlines()
    assert code == 0 and len(lines) > 100
    assert max(map(len, lines)) <= 60
