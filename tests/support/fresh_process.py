"""`python -m ganlab` in processes of its own that need not import torch first.

A server has everything imported, and forks for each command: that has a process id, an environment,
a working directory, signals and an exit code of its own, as one that Python is started for, and
ends by the same way. Where the start itself is tested (imports, `PYTHON…` variables, terminals,
pipes), `subprocess` is the right tool; so it is where two processes must not share what they hash
strings with.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["Process", "ganlab", "processes_in"]

_IMPORTED = (
    "torch._dynamo",  # as soon as there is an optimizer
    "ganlab.training.session",
    "ganlab.commands.run",
    "tensorboard.plugins.hparams.summary_v2",
    "PIL.PngImagePlugin",
)
"""What takes long to import, and what imports the rest of that."""

_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LONGEST_REQUEST = 1 << 17


def ganlab(
    *arguments: str | Path, cwd: Path, timeout: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end, with variables beside those of this process."""
    process = Process(*arguments, cwd=cwd, **environment)
    output, errors = process.communicate(timeout)
    assert process.returncode is not None
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


class Process:
    """A command line that has been started; to be used like a `subprocess.Popen` whose output is text.

    Args:
        arguments: what follows `python -m ganlab`, or the script.
        cwd: its working directory.
        script: what is run instead of ganlab.
        environment: variables beside those of this process.

    Attributes:
        args: the whole command line.
        pid: its process id.
        returncode: its exit code, or minus the signal that ended it; None until it is known.
    """

    def __init__(
        self, *arguments: str | Path, cwd: Path, script: Path | None = None, **environment: str
    ) -> None:
        run = ["-m", "ganlab"] if script is None else [str(script)]
        self.args = [sys.executable, *run, *map(str, arguments)]
        self.returncode: int | None = None
        self._output, self._errors = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        self._news, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {
            "arguments": [*map(str, arguments)],
            "script": script and str(script),
            "cwd": str(cwd),
            "environment": {**os.environ, **environment},
            "ignored": [number for number in _ASKING if signal.getsignal(number) is signal.SIG_IGN],
        }
        with told:
            streams = (self._output.fileno(), self._errors.fileno(), told.fileno())
            socket.send_fds(_server(), [json.dumps(request).encode()], streams)
        self.pid = int(self._news.recv(32))

    def poll(self) -> int | None:
        """Return the exit code, or None while the process lives."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it has not come within so many seconds.
        """
        if self.returncode is None:
            self._news.settimeout(timeout)
            try:
                self.returncode = int(self._news.recv(32))
            except (BlockingIOError, TimeoutError) as error:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from error
            self._news.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end and return what was written on standard output and standard error.

        Raises:
            subprocess.TimeoutExpired: it has not come within so many seconds.
        """
        self.wait(timeout)
        return _text(self._output), _text(self._errors)

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)


def processes_in(directory: Path) -> list[int]:
    """Return the living processes whose working directory it is."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):  # it has ended, or is somebody else's
            if entry.name.isdecimal() and (entry / "cwd").samefile(directory):
                found.append(int(entry.name))
    return found


def _text(file: Any) -> str:
    with file:
        file.seek(0)
        return str(file.read().decode().replace("\r\n", "\n"))


@cache
def _server() -> socket.socket:
    """Return the connection to this process's server; it ends when the connection does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return ours


def _serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for every request; returns it in the process that is to answer it."""
    for number in _ASKING:  # A Ctrl-C is for whoever asks.
        signal.signal(number, signal.SIG_IGN)
    for module in _IMPORTED:
        import_module(module)
    assert len([*Path("/proc/self/task").iterdir()]) == 1, "a process with threads cannot be forked safely"
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody waits for those that wait for commands.
    while True:
        request, streams, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            connection.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _keep(streams)
            return dict(json.loads(request))
        for stream in streams:
            os.close(stream)


def _keep(streams: list[int]) -> None:
    """Fork, and return in the new process, which writes to `streams`; the old one tells how it fares."""
    output, errors, news = streams
    with socket.socket(fileno=news) as told:
        if (command := os.fork()) != 0:
            os.close(output)
            os.close(errors)
            told.send(b"%d" % command)
            _, status = os.waitpid(command, 0)
            told.send(b"%d" % os.waitstatus_to_exitcode(status))
            os._exit(0)
    for stream, number in ((output, 1), (errors, 2)):
        os.dup2(stream, number)
        os.close(stream)


def _become(request: dict[str, Any]) -> None:
    """Put right what a process that is started anew does not have from another."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number in _ASKING:
        ignored, standard = number in request["ignored"], signal.SIG_DFL
        if number == signal.SIGINT:
            standard = signal.default_int_handler
        signal.signal(number, signal.SIG_IGN if ignored else standard)
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()
    sys.path[0] = request["cwd"]
    sys.path.append(sys.path.pop(0))
    sys.argv = ["ganlab", *request["arguments"]]


def _run(script: str | None, codes: list[int]) -> None:
    """Do what `python -m ganlab` or `python script` does, and note the exit code."""
    try:
        if script is None:
            runpy.run_module("ganlab", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        assert isinstance(end.code, int)
        codes.append(end.code)


def _end(codes: list[int]) -> None:
    """End without taking the interpreter apart, which would copy all memory shared with the server."""
    if codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(codes[0])


if __name__ == "__main__":
    codes: list[int] = []
    atexit.register(_end, codes)  # What is registered first is called last.
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    _become(request)
    _run(request["script"], codes)
