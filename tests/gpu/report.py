"""Run all that needs a GPU, part by part within a budget of time, and write one report.

    python tests/gpu/report.py --out DIR [--seconds 560] [--only PART …]

`run.sh` calls it. Each file of tests here is a part, and so are the suite's other tests for a GPU and the
measurements of speed and of time to quality. A part runs in a process of its own: one that fails, hangs or
crashes costs no other. The exit status is 1 if something failed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
SPARE_SECONDS = 10.0
"""Kept back for the report itself."""
PART_SHARE = 0.3
"""How much of the time for all parts one of them may take."""
UNHURRIED = 0.8
"""How much of its time a part that is told of it may plan with: it has to start, and to end."""
NO_TEST = 5
"""pytest's exit status where no test was chosen."""

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Part:
    """Something to run in a process of its own.

    Attributes:
        name: what the command line and files call it.
        title: what it looks at.
        command: what is run, after the interpreter.
        tests: whether it is pytest that runs; otherwise it is told how many `--seconds` it has, and what it
            prints, after the last form feed, is Markdown, whose first line says in short what was found.
    """

    name: str
    title: str
    command: list[str]
    tests: bool = True


@dataclass(frozen=True)
class Result:
    """How a part went.

    Attributes:
        outcome: in a word.
        summary: in a line, figures among it.
        body: all that was found, as Markdown.
    """

    outcome: Outcome
    summary: str
    body: str


def parts() -> list[Part]:
    """Return what there is to run."""
    pytest = ["-m", "pytest", "-p", "results", "-m", "gpu", "-p", "no:cacheprovider"]
    elsewhere = sorted(
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "tests").rglob("test_*.py")
        if path.parent != HERE and "pytest.mark.gpu\n" in path.read_text(encoding="utf-8")
    )
    return [
        # What nothing else can find out comes first.
        Part("speed", first_line(HERE / "speed.py"), [str(HERE / "speed.py")], tests=False),
        Part("quality", first_line(HERE / "quality.py"), [str(HERE / "quality.py")], tests=False),
        Part("suite", "The suite's other tests for a GPU.", [*pytest, *elsewhere]),
        *(
            Part(file.stem.removeprefix("test_"), first_line(file), [*pytest, str(file)])
            for file in sorted(HERE.glob("test_*.py"))
        ),
    ]


def first_line(file: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def machine() -> str:
    """Return what everything runs on."""
    import torch

    gpu = torch.cuda.is_available()
    facts: dict[str, object] = {
        "Python": sys.version.split()[0],
        "system": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch": torch.__version__,
        "CUDA of torch": torch.version.cuda or "none",
        "cuDNN": torch.backends.cudnn.version() if gpu else "not asked",
        "devices": ", ".join(torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count()))
        if gpu
        else "no CUDA device: rehearsed on the CPU",
        "nvidia-smi": nvidia_smi(),
        "commit": output(["git", "-C", str(PROJECT), "log", "-1", "--format=%h %s"]),
    }
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def nvidia_smi() -> str:
    """Return the driver and the memory of each GPU."""
    query = "name,driver_version,memory.total,compute_cap"
    return output(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]).replace("\n", "; ")


def output(command: list[str]) -> str:
    """Return what a command prints; why it could not if it could not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not there ({type(error).__name__})"
    return done.stdout.strip() or f"not there (exit status {done.returncode})"


def run(part: Part, seconds: float, out: Path) -> Result:
    """Run a part for so long at the most; its log stays in a folder."""
    log, results = out / f"{part.name}.log", out / f"{part.name}.jsonl"
    results.unlink(missing_ok=True)
    environment = {
        "OMP_NUM_THREADS": "1",  # as for the suite: threads would only wait for each other
        **os.environ,
        "GANLAB_GPU_RESULTS": str(results),
        "GANLAB_REHEARSE_GPU_TESTS": "1",
        "PYTHONPATH": f"{HERE}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }
    started = time.monotonic()
    timed = [] if part.tests else ["--seconds", f"{UNHURRIED * seconds:.1f}"]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *part.command, *timed],
            cwd=PROJECT,
            env=environment,
            stdout=errors if part.tests else subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=seconds)
            ended = f"exit status {process.returncode}" if process.returncode else ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
            printed, _ = process.communicate()
            ended = f"stopped after {seconds:.0f} s"
    if part.tests:
        result = told_of_tests(results)
        none_chosen = process.returncode == NO_TEST
        well = result.outcome != "failed" and (not ended or none_chosen)
        ended = "no test was chosen" if none_chosen else ended
    else:
        text = (printed or b"").decode(errors="replace").rpartition("\f")[2].strip()
        result = Result("passed", text.partition("\n")[0], text)
        well = not ended
    summary = "; ".join(filter(None, [ended, result.summary, f"{time.monotonic() - started:.0f} s"]))
    if well:
        return Result(result.outcome, summary, result.body)
    tail = log.read_text(errors="replace").strip().splitlines()[-15:]
    end_of_log = "\n\nThe end of its log:\n\n" + "\n".join(f"    {line}" for line in tail)
    return Result("failed", summary, result.body + end_of_log)


def told_of_tests(results: Path) -> Result:
    """Return what the plugin `results` wrote down of some tests."""
    lines: list[dict[str, Any]] = []
    if results.is_file():
        lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    told: list[str] = []
    for line in lines:
        name = line["test"].removeprefix("tests/").removeprefix("gpu/")
        reason = f": {line['reason']}" if line["outcome"] == "skipped" else f" ({line['seconds']:.1f} s)"
        told.append(f"- {line['outcome']}: `{name}`{reason}")
        told += [f"    - {what}: {figure(value)}" for what, value in line["found"].items()]
        if line["outcome"] == "failed":
            told += ["", *(f"        {row}" for row in line["reason"].splitlines()), ""]
    counts = Counter(line["outcome"] for line in lines)
    outcome: Outcome = "failed" if counts["failed"] else "passed" if counts["passed"] else "skipped"
    skipped = dict.fromkeys(line["reason"] for line in lines if line["outcome"] == "skipped")
    figures = [f"{what} {figure(value)}" for line in lines for what, value in line["found"].items()]
    summary = "; ".join(
        [
            *(f"{count} {each}" for each, count in sorted(counts.items())),
            *skipped,
            *(each for each in figures if len(each) < 100),
        ]
    )
    return Result(outcome, summary, "\n".join(told))


def figure(value: object) -> str:
    """Return what a test found, in a line."""
    return f"{value:.3g}" if isinstance(value, float) else " ".join(str(value).split())


def write(out: Path, sections: Sequence[str], results: Sequence[tuple[Part, Result]], took: float) -> Path:
    """Write the report and return its file."""
    counts = Counter(result.outcome for _, result in results)
    overview = [
        f"- **{result.outcome}** {part.name}: {part.title} {result.summary}" for part, result in results
    ]
    details = [f"## {part.name}: {part.title}\n\n{result.body}" for part, result in results if result.body]
    file = out / "report.md"
    report = [
        f"# ganlab on a GPU, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}",
        ", ".join(f"{count} {each}" for each, count in sorted(counts.items())) + f"; {took:.0f} s in all",
        "\n".join(overview),
        *sections,
        *details,
    ]
    file.write_text("\n\n".join(report) + "\n", encoding="utf-8")
    return file


def main() -> None:
    """Run the parts and write the report."""
    chosen = {part.name: part for part in parts()}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="where the report and the logs go")
    parser.add_argument("--seconds", type=float, default=560.0, help="for all parts together")
    parser.add_argument("--only", nargs="+", choices=chosen, default=list(chosen), help="these parts alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        sections = [f"## Machine\n\n{machine()}"]
    except Exception as error:
        sections = [f"## Machine\n\ncould not be described: {error!r}"]
    results: list[tuple[Part, Result]] = []
    for name in options.only:
        part = chosen[name]
        left = options.seconds - SPARE_SECONDS - (time.monotonic() - started)
        if left > 0:
            result = run(part, min(PART_SHARE * options.seconds, left), options.out)
        else:
            result = Result("failed", "not run: the time was up", "")
        results.append((part, result))
        print(f"{result.outcome}: {name}: {result.summary}", file=sys.stderr, flush=True)
        # After each part, so that a report is there whatever ends this.
        report = write(options.out, sections, results, time.monotonic() - started)
    print(report.read_text(encoding="utf-8"), end="")
    sys.exit(any(result.outcome == "failed" for _, result in results))


if __name__ == "__main__":
    main()
