"""The processes that share a run, and what they tell each other.

The batch is global: each process takes its rows of it, and what the rows add up to is
summed. Every collective operation of ganlab is a method here. All processes have to call
the same ones in the same order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, cast

from ganlab.errors import GanlabError, UsageError
from ganlab.processes.checksum import checksum
from ganlab.processes.failure import Peer, first_line, lost_touch, ranks
from ganlab.processes.identity import MEETING_POINT, identity_from_environment, processes_here, rows_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Processes"]

T = TypeVar("T")

_PATIENCE = timedelta(hours=1)
"""How long the others wait for one: the leader may measure for long."""

_GRACE_SECONDS = 3.0
"""How long a process keeps quiet about an error that another is likely to tell of."""

_NAMED = 5
"""How many tensors an error names."""


class Processes:
    """The processes that share a run; one alone is the usual case, for which everything here is free.

    Args:
        rank: this process among all of the run, from 0.
        world: how many there are.
        local_rank: this process among those on this machine, from 0: the GPU that it takes.
        local_world: how many there are on this machine; as many as are known of if left out.
    """

    _alone_with_errors = False

    def __init__(
        self, rank: int = 0, world: int = 1, local_rank: int = 0, local_world: int | None = None
    ) -> None:
        self.rank = rank
        self.world = world
        self.local_rank = local_rank
        self.local_world = local_rank + 1 if local_world is None else local_world
        self._peers: list[Peer] = []

    @classmethod
    def from_environment(cls) -> Processes:
        """Return what `torchrun` says in `RANK`, `WORLD_SIZE` and the like; alone where none is set.

        Raises:
            UsageError: only some of them are set, or they make no sense together.
        """
        rank, world, local_rank = identity_from_environment()
        return cls(rank, world, local_rank, processes_here(local_rank))

    @classmethod
    def let_first_speak(cls) -> None:
        """Call this before telling of an error: return at once in the first process of a machine.

        Before they have joined, what one process finds wrong all of them do, and so they do with
        an error of `run_on_leader`. The others wait a little, in which `torchrun` ends them as soon as the
        first has ended; whoever is still there afterwards has an error of its own. Processes that
        had joined do not wait for anything else: one that fails ends the rest, and the reason is
        its alone.
        """
        if not cls._alone_with_errors and os.environ.get("LOCAL_RANK", "0") != "0":
            time.sleep(_GRACE_SECONDS)

    @property
    def leader(self) -> bool:
        """Whether this is the process that writes: rank 0."""
        return self.rank == 0

    @contextmanager
    def join(
        self, device: torch.device, patience: timedelta = _PATIENCE, *, one_gpu: bool = False
    ) -> Iterator[None]:
        """Stay connected to the others inside the block.

        Args:
            device: where this process trains. A GPU becomes the current one.
            patience: how long the others are waited for, at the start and in every operation.
            one_gpu: whether processes train on the same GPU: told alike in all of them.

        Raises:
            UsageError: processes cannot share a run on this device.
            GanlabError: the others cannot be reached.
        """
        if self.world == 1:
            yield
            return
        import torch.distributed

        backend = _choose_backend(device, one_gpu)
        try:
            torch.distributed.init_process_group(
                backend, timeout=patience, world_size=self.world, rank=self.rank
            )
        except RuntimeError as error:
            place = ":".join(os.environ.get(name, "?") for name in MEETING_POINT)
            raise GanlabError(
                f"rank {self.rank} could not meet the other processes at {place}: {first_line(error)}"
            ) from error
        Processes._alone_with_errors = True
        group = torch.distributed.group.WORLD
        assert group is not None
        try:
            self._peers = self._exchange(Peer.this())
            yield
        except BaseException:
            # An orderly end waits for operations that the others may never finish.
            group.abort()
            raise
        finally:
            torch.distributed.destroy_process_group()
            self._peers = []

    def rows(self, count: int) -> slice:
        """Return this process's rows of a batch of `count`."""
        return rows_of(self.rank, self.world, count)

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace every tensor by its sum over all processes, to the same bytes everywhere.

        Args:
            tensors: float32, all on one device; changed in place.

        Raises:
            LostProcessError: another process is gone.
        """
        if self.world == 1 or not tensors:
            return
        import torch

        with torch.no_grad():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            self._reduce(flat)
            _scatter(flat, tensors)

    def gather_object(self, value: T) -> list[T] | None:
        """Return every process's value in the order of ranks to the leader, and `None` to the others.

        Args:
            value: anything that can be pickled. Of a view, the tensor that it looks at is sent as a whole.

        Raises:
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return [value]
        import torch.distributed

        values: list[T] | None = [value] * self.world if self.leader else None
        with self._expecting_all():
            torch.distributed.gather_object(value, values)
        return values

    def broadcast_object(self, value: T) -> T:
        """Return the leader's value everywhere.

        Args:
            value: anything that can be pickled; only the leader's counts.

        Raises:
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return value
        import torch.distributed

        values = [value]
        with self._expecting_all():
            torch.distributed.broadcast_object_list(values)
        return values[0]

    def run_on_leader(self, find: Callable[[], T]) -> T:
        """Return everywhere what the leader finds, or raise everywhere what it finds wrong.

        Args:
            find: called in the leader alone; returns anything that can be pickled.

        Raises:
            GanlabError: the leader raised it; it is for the first process of a machine to tell.
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return find()
        found: T | None = None
        error: GanlabError | None = None
        if self.leader:
            try:
                found = find()
            except GanlabError as refusal:
                error = refusal
        answer, message = self.broadcast_object((found, None if error is None else str(error)))
        if message is not None:
            Processes._alone_with_errors = False
            raise error or GanlabError(message)
        return cast(T, answer)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Replace every tensor by the leader's, bit for bit, in one message for each dtype and device.

        Args:
            tensors: of any dtype, on any device; changed in place.

        Raises:
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return
        import torch
        import torch.distributed

        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for tensor in tensors:
            groups.setdefault((tensor.device, tensor.dtype), []).append(tensor)
        with torch.no_grad():
            for group in groups.values():
                flat = torch.cat([tensor.reshape(-1) for tensor in group])
                with self._expecting_all():
                    # As bytes, since a backend does not know every dtype.
                    torch.distributed.broadcast(flat.view(torch.uint8), src=0)
                _scatter(flat, group)

    def any(self, flag: bool) -> bool:
        """Return whether any process says so. No accelerator is waited for.

        Raises:
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return flag
        import torch

        said = torch.tensor([int(flag)])
        self._reduce(said)
        return bool(said)

    def all_gather(self, own: Tensor, count: int) -> Tensor:
        """Return the whole batch, put together from every process's rows.

        Gradients flow to the process's own rows alone; summed over all processes they are
        those of the whole batch.

        Args:
            own: `(n, …)`, this process's rows of the batch, as many as `rows(count)` has.
            count: samples of the whole batch.

        Returns:
            `(count, …)`.

        Raises:
            ValueError: `own` has another number of rows.
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return own
        import torch
        import torch.distributed

        parts = [rows_of(rank, self.world, count) for rank in range(self.world)]
        sizes = [part.stop - part.start for part in parts]
        if len(own) != sizes[self.rank]:
            raise ValueError(f"rank {self.rank} has {len(own)} rows of {count}, not {sizes[self.rank]}")
        # Backends gather equal sizes only.
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own.detach()
        gathered = [torch.empty_like(padded) for _ in parts]
        with self._expecting_all():
            torch.distributed.all_gather(gathered, padded)
        batch = [rows[:size] for rows, size in zip(gathered, sizes, strict=True)]
        batch[self.rank] = own
        return torch.cat(batch)

    def require_equal(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Make sure that every process holds the same tensors, bit for bit, by their checksums.

        Args:
            tensors: what is compared, by name; of any dtype, on any device.
            step: completed steps, for the message.

        Raises:
            GanlabError: some differ; it is raised in every process, and names the first of them.
            LostProcessError: another process is gone.
        """
        if self.world == 1:
            return
        # All are queued before the first is waited for.
        pending = {name: checksum(tensor) for name, tensor in tensors.items()}
        sums = self._exchange({name: int(total) for name, total in pending.items()})
        names = dict.fromkeys(name for own in sums for name in own)
        differing = [name for name in names if len({own.get(name) for own in sums}) > 1]
        if not differing:
            return
        apart = [rank for rank, own in enumerate(sums) if own != sums[0]]
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        raise GanlabError(
            f"after step {step} the {self.world} processes no longer hold the same: "
            f"{', '.join(differing[:_NAMED])}{more} of {ranks(apart)} differ from rank 0's. A component "
            "that draws random numbers of its own, or keeps a state that depends on its rows of the batch, "
            "does this; it has to take its randomness from the game"
        )

    def _reduce(self, tensor: Tensor) -> None:
        """Sum a contiguous tensor over all processes, in place."""
        import torch.distributed

        with self._expecting_all():
            torch.distributed.all_reduce(tensor)

    def _exchange(self, value: T) -> list[T]:
        """Return every process's value, everywhere."""
        import torch.distributed

        values = [value] * self.world
        with self._expecting_all():
            torch.distributed.all_gather_object(values, value)
        return values

    @contextmanager
    def _expecting_all(self) -> Iterator[None]:
        """Explain an operation that fails since another process does not take part in it."""
        try:
            yield
        except RuntimeError as error:
            raise lost_touch(self.rank, self.world, self._peers, error) from error


def _choose_backend(device: torch.device, one_gpu: bool) -> str:
    """Return which libraries carry the messages, and make a GPU the current one.

    NCCL refuses two processes on one GPU; gloo carries their messages over the CPU.

    Raises:
        UsageError: there is no library for the device.
    """
    import torch

    if device.type == "cpu":
        return "gloo"
    if device.type != "cuda":
        raise UsageError(f'several processes share a run on "cuda" or "cpu" only, not on "{device.type}"')
    torch.cuda.set_device(device)
    return "gloo" if one_gpu else "cpu:gloo,cuda:nccl"


def _scatter(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """Copy what stands one after the other back to where it came from."""
    start = 0
    for tensor in tensors:
        tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()
