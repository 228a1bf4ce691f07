"""Standard output and standard error that are no UTF-8 terminal: nothing that becomes of them is an error."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganlab.commands.cli import main
from ganlab.outlet import Outlet

pytestmark = pytest.mark.slow

PLUGIN = """
from ganlab import LossComponent, hookimpl

@hookimpl
def ganlab_losses():
    yield LossComponent(name="plain", summary="Grüße → 你 🐢", build=print)
"""

EXPERIMENT = """
title = "Output"
[dataset]
name = "gaussians"
count = 64
[latent]
dim = 2
[generator]
name = "mlp"
[discriminator]
name = "mlp"
[[losses]]
name = "non-saturating"
[training]
steps = 2
batch_size = 8
log_every = 1
"""


def code_of(*arguments: str) -> int:
    """Run a command line on the process's own streams, and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")
    path = tmp_path / "greeting.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("encoding", "summary"),
    [
        ("utf-8", "Grüße → 你 🐢"),
        ("latin-1", r"Grüße \u2192 \u4f60 \U0001f422"),
        ("ascii", r"Gr\xfc\xdfe \u2192 \u4f60 \U0001f422"),
    ],
)
def test_what_the_encoding_lacks_is_escaped(
    plugin: str, monkeypatch: pytest.MonkeyPatch, encoding: str, summary: str
) -> None:
    content = io.BytesIO()
    output = io.TextIOWrapper(content, encoding=encoding)
    monkeypatch.setattr("sys.stdout", output)
    assert code_of("plugins", "--plugin", plugin) == 0
    assert content.getvalue().decode(encoding).splitlines()[1].endswith(summary)
    output.seek(0)
    output.truncate()
    assert code_of("plugins", "--json", "--plugin", plugin) == 0
    assert json.loads(content.getvalue().decode(encoding))["components"][0]["summary"] == "Grüße → 你 🐢"


def test_the_bytes_of_a_name_that_is_not_text_come_through() -> None:
    content = io.BytesIO()
    outlet = Outlet(io.TextIOWrapper(content, encoding="utf-8"))
    outlet.write(os.fsdecode(b"/runs/caf\xe9 \xe2\x89\xa5"))
    outlet.flush()
    assert content.getvalue() == b"/runs/caf\xe9 \xe2\x89\xa5"


def test_a_full_disk_is_told_and_is_no_error(
    plugin: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as output:
        monkeypatch.setattr("sys.stdout", output)
        assert code_of("plugins", "--plugin", plugin) == 0
    assert capsys.readouterr().err == "warning: standard output is lost from now on: the disk is full\n"


@pytest.mark.parametrize("where", ["/dev/full", None])
def test_training_goes_on_without_an_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.toml").write_text(EXPERIMENT)
    with Path(where or os.devnull).open("w", encoding="utf-8") as output:
        monkeypatch.setattr("sys.stdout", output if where else None)
        monkeypatch.setattr("sys.stderr", output if where else None)
        assert code_of("run", "x.toml") == 0
    [state] = Path("runs").glob("*/*/run.json")
    assert json.loads(state.read_text())["status"] == "completed"


def test_a_quiet_run_says_where_it_is_and_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANLAB_CACHE", str(tmp_path / "cache"))  # so that the data is packed
    Path("x.toml").write_text(EXPERIMENT)
    assert code_of("run", "x.toml", "--quiet") == 0
    output = capsys.readouterr()
    assert [line.split(":")[0] for line in output.out.splitlines()[:3]] == [
        "run directory",
        "finished",
        "look at",
    ]
    assert output.err == ""


@pytest.mark.parametrize(
    "arguments", [("plugins",), ("plugins", "--plugin", "absent.py"), ("describe", "nothing")]
)
def test_nowhere_to_write_to_changes_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GANLAB_DISABLE_PLUGINS", "ganlab")
    expected = code_of(*arguments)
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    assert code_of(*arguments) == expected == (0 if arguments == ("plugins",) else 2)


def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ganlab", "schema"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, "")


def test_no_file_takes_the_place_of_a_stream_that_was_closed(tmp_path: Path) -> None:
    script = (
        "import os\n"
        "from ganlab.outlet import open_missing_streams\n"
        "open_missing_streams()\n"
        "with open('kept', 'w') as file:\n"
        "    assert file.fileno() > 2\n"
        "    os.system('echo lost; echo lost >&2')\n"
    )
    closed = 'exec "$0" -c "$1" <&- >&- 2>&-'
    done = subprocess.run(["bash", "-c", closed, sys.executable, script], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert (tmp_path / "kept").read_text() == ""
