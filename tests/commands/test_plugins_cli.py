"""`ganlab`, `ganlab plugins`, `describe` and `schema`, as a shell sees them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab import __version__
from ganlab.commands.cli import VERBS, run
from ganlab.commands.common import load
from ganlab.commands.sample import _arriving_whole
from ganlab.config.options import option_descriptions
from ganlab.config.sections import Section, sections
from ganlab.config.settings import Settings
from ganlab.errors import ExperimentError
from ganlab.kinds import KINDS
from ganlab.registry import Registry, load_registry

HEAVY = ("torch", "numpy", "PIL", "scipy", "rich", "tensorboard")

PLUGIN = '''
from pathlib import Path
from typing import Literal
from ganlab import ComponentError, DatasetComponent, LossComponent, Options, hookimpl

class DataOptions(Options):
    root: Path
    """Where the files are."""
    layout: Literal["ring", "grid"] = "ring"
    """Where they lie."""
    limit: int | None = None
    """At most so many."""

@hookimpl
def ganlab_datasets():
    yield DatasetComponent(name="mine", summary="My data.", build=print, options=DataOptions)

@hookimpl
def ganlab_losses():
    yield LossComponent(name="plain", summary="Has no options.", build=print)

def ganlab_trackers():
    return []
'''

Shell = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Run a command line in a directory with the plugin `mine.py`; no built-in is loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")
    (tmp_path / "mine.py").write_text(PLUGIN)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_help_lists_every_verb(shell: Shell) -> None:
    code, out, _ = shell("--help")
    assert code == 0
    for verb, (_, summary) in VERBS.items():
        assert f"  {verb} " in out
        assert summary in out


def test_version(shell: Shell) -> None:
    assert shell("--version") == (0, f"ganlab, version {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments", [(), ("no-such-verb",), ("plugins", "--no-such-option"), ("new", "loss")]
)
def test_wrong_usage_exits_2(shell: Shell, arguments: tuple[str, ...]) -> None:
    code, out, err = shell(*arguments)
    assert code == 2
    assert "Usage: ganlab" in err
    assert "Traceback" not in out + err


def test_help_imports_nothing_heavy() -> None:
    code = textwrap.dedent(f"""
        import sys
        from ganlab.commands.cli import VERBS, run
        for line in (["--help"], *([verb, "--help"] for verb in VERBS)):
            code = run(line)
            heavy = [name for name in {HEAVY!r} if name in sys.modules]
            assert code == 0 and not heavy, (line, code, heavy)
    """)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_help_of_all_imports_no_verb_and_nothing_of_plugins() -> None:
    code = "import sys; from ganlab.commands.cli import run; run(['--help']); print(sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    modules = result.stdout.splitlines()[-1]
    assert "ganlab.commands.cli" in modules
    for module in ("pydantic", "pluggy", "importlib.metadata", *(module for module, _ in VERBS.values())):
        assert repr(module) not in modules


def test_listing_plugins_imports_nothing_heavy() -> None:
    code = textwrap.dedent(f"""
        import sys
        from ganlab.commands.cli import run
        run(["plugins"])
        print("HEAVY", [name for name in {HEAVY!r} if name in sys.modules and name != "rich"])
    """)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.endswith("HEAVY []\n"), result.stdout + result.stderr
    assert "hinge" in result.stdout


def test_plugins_in_a_pipe_are_whole_lines(shell: Shell) -> None:
    code, out, err = shell("plugins", "--plugin", "mine.py")
    assert code == 2  # half of what was asked for is not there
    lines = out.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "FROM", "SUMMARY"]
    assert [line.split()[:2] for line in lines[1:]] == [["dataset", "mine"], ["loss", "plain"]]
    assert lines[1].endswith("mine.py  My data.")
    assert err.splitlines()[0].startswith("warning: plugin mine.py: ganlab_trackers() has no @hookimpl")
    assert len(err.splitlines()) == 2


def test_plugins_as_json(shell: Shell) -> None:
    code, out, _ = shell("plugins", "--plugin", "mine.py", "--json")
    listing = json.loads(out)
    assert code == 2  # half of what was asked for is not there
    assert [plugin["id"] for plugin in listing["plugins"]] == ["mine.py"]
    assert [component["qualified_name"] for component in listing["components"]] == ["mine/mine", "mine/plain"]
    assert [failure["stage"] for failure in listing["failures"]] == ["hooks"]


def test_errors_shows_the_whole_traceback(shell: Shell, tmp_path: Path) -> None:
    assert shell("plugins", "--errors") == (0, "no plugin failed\n", "")
    (tmp_path / "sick.py").write_text("def f():\n    return 1 / 0\nf()\n")
    _, out, _ = shell("plugins", "--plugin", "sick.py", "--errors")
    assert out.startswith(f"plugin sick.py: {tmp_path}/sick.py:2: ZeroDivisionError: division by zero\n")
    assert "    Traceback (most recent call last):\n" in out
    assert "return 1 / 0" in out


def test_a_plugin_asked_for_by_name_must_be_there(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell("plugins", "--plugin", "nosuch.py")
    assert code == 2
    assert f"there is no file {tmp_path}/nosuch.py" in err


def test_strict_mode_fails_the_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLAB_STRICT_PLUGINS", "1")
    code, out, err = shell("plugins", "--plugin", "mine.py")
    assert (code, out) == (2, "")
    assert err.startswith("error: plugin mine.py: ganlab_trackers() has no @hookimpl")


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


def test_schema_prints_json(shell: Shell) -> None:
    code, out, _ = shell("schema", "--plugin", "mine.py")
    assert code == 0
    assert json.loads(out)["$defs"]["dataset"]["oneOf"][0]["properties"]["name"]["enum"] == [
        "mine",
        "mine/mine",
    ]


def test_disabling_by_option(shell: Shell) -> None:
    assert "mine" not in shell("plugins", "--plugin", "mine.py", "--no-plugin", "mine")[1]
    code, _, err = shell("plugins", "--no-plugin", "adversariall")
    assert code == 2
    assert "error: there is no plugin `adversariall` to turn off" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("plugins", "--plugin", "bug.py"),
        ("--traceback", "plugins", "--plugin", "bug.py"),
        ("plugins", "--plugin", "bug.py", "--traceback"),
    ],
)
def test_a_bug_is_told_in_a_line_and_traced_on_request(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("a bolt is loose")

    monkeypatch.setattr("ganlab.commands.plugins.load_registry", broken)
    code, out, err = shell(*arguments)
    assert (code, out) == (1, "")
    assert "error: this is a bug in ganlab or in a plugin: RuntimeError: a bolt is loose" in err
    assert ("Traceback" in err) == ("--traceback" in arguments)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"),
        OSError(24, "Too many open files", "/runs"),
    ],
)
def test_what_the_system_refuses_is_no_bug(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refused(**_: object) -> None:
        raise error

    monkeypatch.setattr("ganlab.commands.plugins.load_registry", refused)
    code, out, err = shell("plugins")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: the operating system refused: {error}\n")


def test_an_explained_error_is_traced_on_request(shell: Shell) -> None:
    _, _, err = shell("--traceback", "describe", "loss", "nothing")
    assert "Traceback" in err
    assert "error: there is no loss `nothing`" in err


def test_an_interrupt_exits_75(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ganlab.commands.plugins.load_registry", interrupted)
    code, _, err = shell("plugins")
    assert code == 75
    assert "interrupted" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("heard_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_is_an_interrupt_while_a_command_runs(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr("ganlab.commands.plugins.load_registry", lambda **_: signal.raise_signal(number))
    code, _, err = shell("plugins")
    assert (code, err.strip().partition(";")[0]) == (75, "interrupted")
    assert signal.getsignal(number) == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # as `nohup` and a shell's background do
    try:
        registry = Registry(())

        def loaded(**_: object) -> Registry:
            from ganlab.training.interrupt import StopRequest

            with StopRequest() as stop:
                signal.raise_signal(number)
                stop.check()
            return registry

        monkeypatch.setattr("ganlab.commands.plugins.load_registry", loaded)
        assert shell("plugins")[0] == 0
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_pictures_of_an_earlier_call_do_not_stay(tmp_path: Path) -> None:
    out = tmp_path / "faces"
    out.mkdir()
    for name in ("000000.png", "000007.png", "mine.png", "000007.txt"):
        (out / name).write_text("old")
    with _arriving_whole(out) as directory:
        (directory / "000000.png").write_text("new")
    assert sorted(path.name for path in out.iterdir()) == ["000000.png", "000007.txt", "mine.png"]
    assert (out / "000000.png").read_text() == "new"


def test_loading_tells_of_failed_plugins_and_of_changes(
    tmp_path: Path, shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "")
    (tmp_path / "sick.py").write_text("1/0\n")
    (tmp_path / "experiment.toml").write_text(
        'title = "x"\n[dataset]\nname = "gaussians"\n[generator]\nname = "mlp"\n[[losses]]\nname = "mmd"\n'
        '[training]\nsteps = 1\n[provenance]\nganlab = "0.0.0"\n'
    )
    experiment = load(Path("experiment.toml"), ("training.steps=2",), (), ())
    assert experiment.settings.training.steps == 2
    assert f"warning: resolved by ganlab 0.0.0; this is {__version__}\n" in capsys.readouterr().err
    with pytest.raises(ExperimentError, match="ZeroDivisionError"):
        load(Path("experiment.toml"), (), ("sick.py",), ())


def test_every_problem_of_an_experiment_is_one_error_line(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text('titel = "x"\n[training]\nsteps = 0\n')
    code, out, err = shell("validate", "experiment.toml", "--plugin", "mine.py")
    assert (code, out) == (2, "")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert "error: experiment.toml:1: titel: there is no such key" in errors
    assert "error: experiment.toml:3: training.steps: must be a whole number ≥ 1, not 0" in errors
    assert "Traceback" not in err
