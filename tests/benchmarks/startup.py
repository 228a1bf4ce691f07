"""How long the light commands take, in fresh processes: medians of wall-clock and CPU seconds.

python tests/benchmarks/startup.py [--rounds 20]

On a busy machine the CPU seconds say more, though they grow too where processes share a core.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMITS = {"--help": 0.15, "plugins": 0.25, "validate --help": 0.15}
"""Command line -> seconds that it may take on a core of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    program = Path(sys.executable).with_name("ganlab")
    wall, cpu = measure([sys.executable, "-c", "pass"], rounds)
    print(f"{'python -c pass':<24} {wall:.3f} s, {cpu:.3f} s of CPU (medians of {rounds})")
    for words, limit in LIMITS.items():
        wall, cpu = measure([str(program), *words.split()], rounds)
        print(f"{'ganlab ' + words:<24} {wall:.3f} s, {cpu:.3f} s of CPU; may take {limit} s")


def measure(command: list[str], rounds: int) -> tuple[float, float]:
    """Return the medians of a command's wall-clock and CPU seconds, after one run to warm the file cache."""
    costs = [_cost(command) for _ in range(rounds + 1)][1:]
    return statistics.median(wall for wall, _ in costs), statistics.median(cpu for _, cpu in costs)


def _cost(command: list[str]) -> tuple[float, float]:
    before, started = _cpu_of_children(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started, _cpu_of_children() - before


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
