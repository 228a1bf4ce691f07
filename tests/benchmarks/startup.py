"""How long the light commands take, in fresh processes.

python tests/benchmarks/startup.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = (["--help"], ["plugins"], ["validate", "--help"])
LIMIT = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    program = Path(sys.executable).with_name("ganlab")
    bare = measure([sys.executable, "-c", "pass"], rounds)
    print(f"python -c pass            {bare:.3f} s (median of {rounds})")
    for arguments in COMMANDS:
        seconds = measure([str(program), *arguments], rounds)
        words = " ".join(arguments)
        print(f"ganlab {words:<18} {seconds:.3f} s   {seconds / LIMIT:.2f} × the limit of {LIMIT} s")


def measure(command: list[str], rounds: int) -> float:
    """Return the median of a command's wall-clock seconds, after one run to warm the file cache."""
    seconds = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
