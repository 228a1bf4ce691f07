"""Rows encoded by all cores, each written to its own place in one file."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from ganlab.data.encoding import Row
from ganlab.data.source import BadImageError
from ganlab.errors import GanlabError
from ganlab.progress import say

__all__ = ["Bad", "Chunk", "LostWorkerError", "RowWriter", "available_cores", "finished_chunks"]

_LARGEST_CHUNK, _SMALLEST_CHUNK, _CHUNKS_PER_WORKER = 1024, 16, 32
_WRITE_BUFFER = 1 << 20
# Forked workers start in milliseconds with everything imported; spawned ones must be told.
_START: Literal["fork", "spawn"] = "fork" if sys.platform == "linux" else "spawn"


class LostWorkerError(GanlabError):
    """A process that was packing is gone."""


@dataclass(frozen=True, order=True)
class Bad:
    """A row that could not be encoded, and why; `passing` as in `BadImageError`."""

    index: int
    reason: str
    passing: bool


@dataclass(frozen=True)
class Chunk:
    """What became of some consecutive rows.

    Attributes:
        start: the first of them.
        rows: how many they were.
        bad: the index of each bad one, and what is wrong with it.
        enlarged: how many images of each width and height had to be enlarged.
    """

    start: int
    rows: int
    bad: tuple[Bad, ...]
    enlarged: Counter[tuple[int, int]]


@dataclass(frozen=True)
class RowWriter:
    """Encodes rows and writes them where they belong.

    Attributes:
        encode: index -> a row of exactly `row_bytes` bytes; raises `BadImageError`, and never an `OSError`.
        path: an existing file.
        offset: where row 0 begins.
        row_bytes: length of a row.
        keeping: what explains a refusal of the file system.
    """

    encode: Callable[[int], Row]
    path: Path
    offset: int
    row_bytes: int
    keeping: Callable[[], AbstractContextManager[None]] = nullcontext

    def __call__(self, start: int, stop: int) -> Chunk:
        """Write rows `start` to `stop`; a bad one leaves zeros, and is reported."""
        bad = []
        enlarged: Counter[tuple[int, int]] = Counter()
        # Plain writes: into a memory map, a full disk would be a SIGBUS, and pages would count as memory.
        with self.keeping(), self.path.open("r+b", buffering=_WRITE_BUFFER) as file:
            file.seek(self.offset + start * self.row_bytes)
            for index in range(start, stop):
                try:
                    row = self.encode(index)
                except BadImageError as error:
                    bad.append(Bad(index, str(error), error.passing))
                    row = Row(bytes(self.row_bytes))
                file.write(row.content)
                if row.enlarged is not None:
                    enlarged[row.enlarged] += 1
        return Chunk(start, stop - start, tuple(bad), enlarged)


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def finished_chunks(
    write: RowWriter, spans: Sequence[tuple[int, int]], workers: int, progress: bool = True
) -> Iterator[Iterator[Chunk]]:
    """Write the rows of all spans in `workers` processes; yields the chunks as they are done.

    A span is its first row and the one behind its last. Leaving early ends the workers at once,
    whatever they wait for. With one worker there is no other process, and neither where the
    system refuses to start any, which is said (`progress` as in `ganlab.progress.say`).
    """
    count = sum(end - begin for begin, end in spans)
    size = max(_SMALLEST_CHUNK, min(_LARGEST_CHUNK, -(-count // (workers * _CHUNKS_PER_WORKER))))
    bounds = [(start, min(start + size, end)) for begin, end in spans for start in range(begin, end, size)]
    with ExitStack() as cleanup:
        others = multiprocessing.active_children()
        futures = None
        try:
            if workers > 1:
                futures = _submitted(write, bounds, workers, cleanup)
        except (OSError, NotImplementedError) as error:  # the latter where there are no semaphores at all
            _kill_all_but(others)
            limits = "/dev/shm may be full or read-only, or the number of processes limited"
            say(f"packing in one process, since no others can be started: {error}; {limits}", progress)
        if futures is None:
            yield (write(*bound) for bound in bounds)
            return
        try:
            yield (future.result() for future in as_completed(futures))
        except BrokenProcessPool as error:
            message = "a packing process was killed, perhaps for lack of memory; fewer cores need less"
            raise LostWorkerError(message) from error
        except BaseException:
            _kill_all_but(others)
            raise


def _submitted(
    write: RowWriter, bounds: Sequence[tuple[int, int]], workers: int, cleanup: ExitStack
) -> list[Future[Chunk]]:
    """Start workers on all chunks.

    Raises:
        OSError: they cannot be started, as where /dev/shm is full or the number of processes is limited.
    """
    executor = _executor(write, workers)
    cleanup.callback(executor.shutdown, cancel_futures=True)
    with warnings.catch_warnings(), _main_left_alone() if _START == "spawn" else nullcontext():
        # Forking beside torch's idle threads is safe for workers that keep to NumPy and Pillow.
        warnings.simplefilter("ignore", DeprecationWarning)
        return [executor.submit(_call, *bound) for bound in bounds]


@contextmanager
def _main_left_alone() -> Iterator[None]:
    """Let spawned processes not import the script that is running: they need nothing of it.

    Without `if __name__ == "__main__":` it would begin to pack once more there, and wait for this process.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _kill_all_but(others: Sequence[BaseProcess]) -> None:
    for process in multiprocessing.active_children():
        if process not in others:
            process.kill()


def _executor(write: RowWriter, workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context(_START)
    if _START == "fork":
        return ProcessPoolExecutor(workers, context, _begin_forked, (write,))
    encode: Any = write.encode
    modules = tuple(
        (name, file)
        for kind in type(getattr(encode, "source", encode)).__mro__
        if (name := kind.__module__) and (file := getattr(sys.modules.get(name), "__file__", None))
    )
    return ProcessPoolExecutor(workers, context, _begin_spawned, (modules, pickle.dumps(write)))


_write: Callable[[int, int], Chunk]


def _call(start: int, stop: int) -> Chunk:
    return _write(start, stop)


def _begin_forked(write: RowWriter) -> None:
    global _write
    _write = write
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent hears it too, and ends its workers.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.freeze()  # What was inherited is nobody's garbage; looking at it would copy its pages.
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # OpenMP's threads do not survive a fork.


def _begin_spawned(modules: tuple[tuple[str, str], ...], write: bytes) -> None:
    for name, file in modules:
        _import_local(name, file)
    _begin_forked(pickle.loads(write))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _import_local(name: str, file: str) -> None:
    """Import a module by name, or from its file if, like a local plugin, it is on no path."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
