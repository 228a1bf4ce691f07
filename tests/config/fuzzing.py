"""Put experiments that are wrong in thousands of ways through `ganlab validate`, all in one process.

    python tests/config/fuzzing.py --count 10000 --seed 0
    python tests/config/fuzzing.py --seed 0 --only 4711

Each must end in exit code 0 or 2, in few seconds and little memory, with short messages that name the
file, and with nothing written but in the cache. Prints counts, and each kind of failure with the
smallest experiment that was found for it; `--only` shows one case and what is said of it.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))
from mangling import EXPERIMENT, Case, make_case, make_world

SECONDS = 10.0
"""Of the processor's time: a busy machine makes no failure."""
HUNG = 100
"""Seconds after which a case that waits for something is given up."""
MEMORY = 1 << 30
"""Bytes that a case may need beside what the process has."""
DISK = 1 << 23
"""Bytes of the largest file: as if the disk were all but full."""
LONGEST_LINE, LONGEST_MESSAGE = 1050, 2500

_WITHOUT_LINE = (
    "is missing",
    "there is no such file",
    "is a directory",
    "cannot be read",
    "is not a text file",
    "is no experiment file",
    "nested more than",
    "nested too deeply",
    "trackers.0.name",  # a default, where no tracker is installed
)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class _TooSlowError(BaseException):
    """Raised wherever the process is when a case has had its time."""


@dataclass
class Outcome:
    """What a case came to.

    Attributes:
        failures: what is wrong with it, in words that are the same for the same fault.
        seconds: of the processor's time.
    """

    code: int | None
    output: str
    seconds: float
    failures: list[str] = field(default_factory=list)


def survive(directory: Path, *, count: int, seed: int) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Run the cases of a seed.

    Returns:
        Counts by what is counted, and the numbers of the cases by the failure that they show.
    """
    counts: Counter[str] = Counter()
    slowest: list[tuple[float, int]] = []
    failures: dict[str, list[int]] = {}
    with Fuzzer(directory) as fuzzer:
        for number in range(count):
            case = make_case(seed, number)
            outcome = fuzzer.run(case)
            counts[f"exit code {outcome.code}"] += 1
            counts[f"kind: {case.kind}"] += 1
            slowest = sorted([*slowest, (round(outcome.seconds, 2), number)], reverse=True)[:5]
            for failure in outcome.failures:
                failures.setdefault(failure, []).append(number)
    return {"cases": count, **dict(sorted(counts.items())), "slowest (s, case)": slowest}, failures


class Fuzzer:
    """Runs cases in a directory of their own; a context manager that guards the process meanwhile."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._work = self._directory / "case"
        self._written: list[str] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Fuzzer:
        self._directory.mkdir(parents=True, exist_ok=True)
        make_world(self._directory)
        for name in ("home", "cache", "temporary"):
            (self._directory / name).mkdir()
        with contextlib.ExitStack() as stack:
            stack.enter_context(_environment(self._directory))
            stack.enter_context(_limited(resource.RLIMIT_FSIZE, DISK))
            import torch

            stack.enter_context(_limited(resource.RLIMIT_AS, _address_space() + 4 * MEMORY))
            stack.callback(torch.set_warn_always, torch.is_warn_always_enabled())
            torch.set_warn_always(True)
            stack.callback(os.chdir, Path.cwd())
            _watch_files(self._directory, self._written)
            stack.callback(_watching.clear)
            self.run(Case("warming up", make_case(0, 0).files))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, case: Case, *options: str) -> Outcome:
        """Run one case, and say what is wrong with how it ended."""
        os.chdir(self._directory)
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        os.chdir(self._work)
        for name, content in case.files.items():
            Path(name).write_bytes(content)
        self._written.clear()
        before, memory = time.process_time(), _peak_memory()
        with warnings.catch_warnings(record=True) as warned:
            _warn_as_for_a_user()
            code, output = _validate([*options, *case.arguments])
        seconds = time.process_time() - before
        outcome = Outcome(code, output, seconds)
        for category in {warning.category.__name__ for warning in warned}:
            texts = {str(warning.message) for warning in warned if warning.category.__name__ == category}
            outcome.failures.append(f"{category}: {_general(min(texts))}")
        outcome.failures += [f"writes {_general(path)}" for path in self._written]
        if seconds > SECONDS or code is None:
            outcome.failures.append("takes too long")
        if _peak_memory() - memory > MEMORY:
            outcome.failures.append("needs too much memory")
        outcome.failures += _faults(case, outcome)
        return outcome

    def place(self, case: Case) -> str:
        """Return the exception that ends a case, and the deepest line of ganlab's own on the way there."""
        trace = self.run(case, "--traceback").output
        frames = re.findall(r'File "\S*?((?:ganlab|plugins)/\S+)", line \d+, in (\S+)', trace)
        errors = re.findall(r"^[\w.]*(?:Error|Exception|Exit)\b", trace, re.MULTILINE)
        return f"{errors[-1] if errors else '?'} in {':'.join(frames[-1]) if frames else '?'}"

    def smaller(self, case: Case, failure: str) -> Case:
        """Return a case without the lines, files and arguments that the failure does not need."""

        def fails(candidate: Case) -> bool:
            return failure in self.named(candidate, self.run(candidate))

        for index in reversed(range(1, len(case.arguments))):
            shorter = replace(case, arguments=case.arguments[:index] + case.arguments[index + 1 :])
            case = shorter if fails(shorter) else case
        for name in sorted(case.files, key=lambda name: name == EXPERIMENT):
            step = len(case.files[name].splitlines())
            while step:
                lines, start = case.files[name].splitlines(keepends=True), 0
                while start < len(lines):
                    fewer = lines[:start] + lines[start + step :]
                    shorter = replace(case, files={**case.files, name: b"".join(fewer)})
                    if fails(shorter):
                        case, lines = shorter, fewer
                    else:
                        start += step
                step //= 2
        return case

    def named(self, case: Case, outcome: Outcome) -> list[str]:
        """Return the failures of a case, bugs by their place."""
        return [
            f"bug: {self.place(case)}" if failure.startswith("bug") else failure
            for failure in outcome.failures
        ]


def _faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with an exit code and what was said."""
    if outcome.code is None:
        return
    if "Traceback" in outcome.output or re.search(r"\bbug\b", outcome.output):
        yield f"bug: {_general(outcome.output)}"
        return
    if outcome.code not in (0, 2):
        yield f"exit code {outcome.code}"
    if "Usage: " in outcome.output or re.search(r"^Error: ", outcome.output, re.MULTILINE):
        return  # click's own words about the command line
    if control := _CONTROL.search(outcome.output):
        yield f"prints {control.group()!r}"
    messages = re.split(r"^(?=error: )", outcome.output, flags=re.MULTILINE)[1:]
    if outcome.code == 2 and not messages:
        yield "refuses without a word"
    if any(len(line) > LONGEST_LINE for line in outcome.output.splitlines()):
        yield "prints a very long line"
    if any(len(message) > LONGEST_MESSAGE for message in messages):
        yield "prints a very long message"
    for message in messages:
        yield from _place_faults(case, message)


def _place_faults(case: Case, message: str) -> Iterator[str]:
    """Yield what is missing of file and line in one message."""
    if case.kind == "command line" or any(option in message for option in ("--set", "--plugin", "plugin `")):
        return
    if "cannot keep" in message:  # the full disk that the fuzzer pretends
        return
    if not any(name in message for name in case.files):
        yield f"names no file: {_general(message)}"
    elif not re.search(r"\.toml:\d", message) and not any(words in message for words in _WITHOUT_LINE):
        yield f"names no line: {_general(message)}"


def _general(message: str) -> str:
    """Return the first line of a message without what differs from case to case."""
    first = next(iter(message.strip().splitlines()), "")
    return re.sub(r"\d+", "N", re.sub(r"(['\"`]).*?\1", "…", first))[:150]


def _validate(arguments: list[str]) -> tuple[int | None, str]:
    """Return exit code and all output of `ganlab validate`, that of C++ too; no code if it took too long."""
    from ganlab.commands.cli import run

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooSlowError

    handlers = {number: signal.signal(number, give_up) for number in (signal.SIGPROF, signal.SIGALRM)}
    with tempfile.TemporaryFile() as file, _both_into(file.fileno()):
        code: int | None = None
        try:
            signal.setitimer(signal.ITIMER_PROF, SECONDS + 1)
            signal.alarm(HUNG)
            code = run(["validate", *arguments])
        except _TooSlowError:
            pass
        except SystemExit as error:
            print(f"Traceback: SystemExit({error.code})")
            code = 1
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            sys.stdout.flush()
            sys.stderr.flush()
        file.seek(0)
        return code, file.read().decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _both_into(descriptor: int) -> Iterator[None]:
    """Let standard output and error, Python's and the system's, go into a file."""
    kept = [os.dup(number) for number in (1, 2)]
    streams = sys.stdout, sys.stderr
    for stream in streams:
        stream.flush()
    try:
        for number in (1, 2):
            os.dup2(descriptor, number)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for number, descriptor in zip((1, 2), kept, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _warn_as_for_a_user() -> None:
    """Show every warning that Python's own filters show, and each time."""
    warnings.resetwarnings()
    warnings.simplefilter("always")
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)


@contextlib.contextmanager
def _environment(directory: Path) -> Iterator[None]:
    """Give the process a home, a cache and a temporary directory of its own."""
    changed = {
        "HOME": str(directory / "home"),
        "GANLAB_CACHE": str(directory / "cache"),
        "TMPDIR": str(directory / "temporary"),
    }
    before = {name: os.environ.get(name) for name in changed}
    bytecode, path, temporary = sys.dont_write_bytecode, list(sys.path), tempfile.tempdir
    os.environ.update(changed)
    sys.dont_write_bytecode, tempfile.tempdir = True, None
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        sys.dont_write_bytecode, sys.path[:], tempfile.tempdir = bytecode, path, temporary


@contextlib.contextmanager
def _limited(what: int, bytes_: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(what)
    bounded = bytes_ if hard == resource.RLIM_INFINITY else min(bytes_, hard)
    resource.setrlimit(what, (bounded, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_watching: list[tuple[Path, list[str]]] = []
"""Where files may be written, and what was written elsewhere; an audit hook cannot be taken back."""

_WRITERS = {"os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.symlink", "os.link", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def _watch_files(directory: Path, written: list[str]) -> None:
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    _watching[:] = [(directory, written)]


_hooked: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or (event != "open" and event not in _WRITERS):
        return
    path = arguments[0]
    if event == "open" and not arguments[2] & _WRITING:
        return
    # Below a directory's descriptor names are relative to what was opened before.
    if isinstance(path, int) or (event != "open" and arguments[-1] not in (-1, None)):
        return
    directory, written = _watching[0]
    absolute = str(Path(os.fsdecode(path)).absolute())
    device = absolute.startswith("/dev/") and not absolute.startswith("/dev/shm/")
    if not device and not absolute.startswith(f"{directory}/"):
        written.append(absolute)


def _show(case: Case) -> None:
    for name, content in case.files.items():
        lines = content.decode("utf-8", "backslashreplace").splitlines()
        print("\n".join([f"--- {name}", *(line[:200] for line in lines[:100])]))
    shown = [argument[:200] for argument in case.arguments]
    print(f"--- ganlab validate {shown}")


def main() -> None:
    """Run all cases, or one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case alone, and show it")
    arguments = parser.parse_args()
    faulthandler.enable()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary, "work")
        if arguments.only is not None:
            case = make_case(arguments.seed, arguments.only)
            _show(case)
            with Fuzzer(directory) as fuzzer:
                outcome = fuzzer.run(case)
                names = fuzzer.named(case, outcome)
            print(f"{outcome.output}exit code {outcome.code}, {outcome.seconds:.2f} s")
            print(*(names or ["no failure"]), sep="\n")
            return
        counts, failures = survive(directory, count=arguments.count, seed=arguments.seed)
        for name, value in counts.items():
            print(f"{name:30}{value}")
        _report(directory.with_name("again"), arguments.seed, failures)
        sys.exit(bool(failures))


def _report(directory: Path, seed: int, failures: dict[str, list[int]]) -> None:
    """Print each failure that is not another's, with the smallest case that shows it."""
    print(f"{'cases with failures':30}{len({number for numbers in failures.values() for number in numbers})}")
    with Fuzzer(directory) as fuzzer:
        named: dict[str, list[int]] = {}
        for failure, numbers in failures.items():
            for number in numbers if failure.startswith("bug") else []:
                case = make_case(seed, number)
                named.setdefault(f"bug: {fuzzer.place(case)}", []).append(number)
            if not failure.startswith("bug"):
                named[failure] = numbers
        for failure, numbers in sorted(named.items()):
            print(f"\n=== {failure}\n{len(numbers)} cases: {numbers[:8]}")
            smallest = min(numbers[:40], key=lambda number: make_case(seed, number).size)
            case = make_case(seed, smallest)
            if not failure.startswith("takes"):
                case = fuzzer.smaller(case, failure)
            outcome = fuzzer.run(case)
            _show(case)
            print(f"case {smallest}: {outcome.output[:1500]}exit code {outcome.code}")


if __name__ == "__main__":
    main()
