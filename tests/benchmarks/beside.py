"""Other people's libraries beside ours in one run, each in its own process and environment.

Peers are never dependencies of ganlab. For the scripts that take `--peers PYTHON`, make a
virtual environment for them and hand over its interpreter:

    python -m venv peers
    peers/bin/pip install torch==2.13.0 "scipy<1.18" numpy tqdm
    peers/bin/pip install --no-deps pytorch-fid==0.3.0 torch-fidelity==0.4.0 torchvision==0.28.0 pillow
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

SERVE = "--serve-as-peer"


class Peer:
    """A script that runs in another interpreter and answers one question at a time.

    Args:
        python: the interpreter.
        script: a script that calls `serve` when it is started with `SERVE`.
    """

    def __init__(self, python: str, script: str) -> None:
        command = [python, script, SERVE]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.ask()["ready"] is not True:
            raise SystemExit("the peer did not start")

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer to a question."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._process.args[0]} lacks the peers; install them:\n{__doc__}")  # type: ignore[index]
        return dict(json.loads(answer))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """Answer questions on standard input until it ends; the first only asks whether we are there."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        answers.write(json.dumps(answer(**question) if question else {"ready": True}) + "\n")
        answers.flush()


def arguments(description: str, rounds: int) -> argparse.Namespace:
    """Return the command line's `peers` and `rounds`."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has the peers installed")
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each")
    return parser.parse_args()


def network_like(n: int, d: int, shift: float, seed: int) -> torch.Tensor:
    """Return `(n, d)` float32 features as a network's last average pool gives: correlated, not negative."""
    mixing = torch.randn(d, d, generator=torch.Generator().manual_seed(0)) / d**0.5
    spread = torch.linspace(1.0, 0.05, d)
    noise = torch.randn(n, d, generator=torch.Generator().manual_seed(seed))
    return ((noise * spread) @ mixing + 0.3 + shift).relu_()


@contextmanager
def shared(*samples: torch.Tensor) -> Iterator[list[str]]:
    """Lend paths of .npy files that hold the samples, for a peer to read."""
    with tempfile.TemporaryDirectory(prefix="ganlab-benchmark-") as directory:
        paths = [str(Path(directory, f"{index}.npy")) for index in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            np.save(path, sample.numpy())
        yield paths


def median(seconds: list[float]) -> str:
    """Return the median and the range, for people."""
    return f"{statistics.median(seconds):7.2f} s  ({min(seconds):.2f} to {max(seconds):.2f})"


def machine() -> str:
    """Return what the times were taken on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, torch {torch.__version__}, {torch.get_num_threads()} threads"
