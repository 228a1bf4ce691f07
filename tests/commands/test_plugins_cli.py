"""`ganlab`, `ganlab plugins` and `schema`, as a shell sees them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab import __version__
from ganlab.commands.cli import VERBS

HEAVY = ("torch", "numpy", "PIL", "scipy", "rich", "tensorboard")

Shell = Callable[..., tuple[int, str, str]]


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
