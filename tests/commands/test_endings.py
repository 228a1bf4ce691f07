"""How commands end: bugs, errors, interrupts and signals."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ganlab import __version__
from ganlab.commands.common import load
from ganlab.commands.sample import _arriving_whole
from ganlab.errors import ExperimentError
from ganlab.registry import Registry

Shell = Callable[..., tuple[int, str, str]]


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


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("rum", "there is no command `rum`; did you mean `run`?"),
        ("xyzzy", "`xyzzy`; there are run, resume, "),
    ],
)
def test_a_command_that_is_not_there_is_told_what_may_be_meant(shell: Shell, given: str, told: str) -> None:
    code, _, error = shell(given, "x.toml")
    assert code == 2 and told in error


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
