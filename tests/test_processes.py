"""Processes that share a run: one alone, and two that tell each other things over gloo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlab.errors import UsageError
from ganlab.processes import Processes
from ganlab.processes.checksum import checksum

pytestmark = pytest.mark.slow

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", *MEETING):
        monkeypatch.delenv(name, raising=False)


def say(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_a_process_is_alone() -> None:
    processes = Processes.from_environment()
    assert (processes.rank, processes.world, processes.local_rank) == (0, 1, 0)
    assert processes.leader


def test_torchrun_says_who_a_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, RANK="3", WORLD_SIZE="4", LOCAL_RANK="1", **MEETING)
    processes = Processes.from_environment()
    assert (processes.rank, processes.world, processes.local_rank) == (3, 4, 1)
    assert not processes.leader


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RANK": "0"}, "RANK is set, but not WORLD_SIZE and LOCAL_RANK"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "but not MASTER_ADDR and MASTER_PORT"),
        ({"RANK": "0", "WORLD_SIZE": "two", "LOCAL_RANK": "0", **MEETING}, "WORLD_SIZE is 'two'"),
        ({"RANK": "-1", "WORLD_SIZE": "2", "LOCAL_RANK": "0", **MEETING}, "RANK is '-1'"),
        ({"RANK": "2", "WORLD_SIZE": "2", "LOCAL_RANK": "0", **MEETING}, "contradict each other"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "1", **MEETING}, "contradict each other"),
    ],
)
def test_half_an_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    say(monkeypatch, **variables)
    with pytest.raises(UsageError, match=message):
        Processes.from_environment()


@given(world=st.integers(1, 40), count=st.integers(0, 500))
def test_rows_cut_a_batch_evenly_and_leave_nothing_out(world: int, count: int) -> None:
    cuts = [Processes(rank, world).rows(count) for rank in range(world)]
    assert [row for cut in cuts for row in range(cut.start, cut.stop)] == list(range(count))
    sizes = {cut.stop - cut.start for cut in cuts}
    assert max(sizes) - min(sizes) <= 1


def test_alone_everything_stays_as_it_is() -> None:
    processes = Processes()
    tensor = torch.tensor([1.0, 2.0])
    with processes.join(torch.device("cpu")):
        processes.all_reduce([tensor])
        processes.broadcast([tensor])
        processes.require_equal({"tensor": tensor}, 0)
        processes.any(False)
        assert processes.gather_object("mine") == ["mine"]
        assert processes.broadcast_object("mine") == "mine"
        assert processes.all_gather(tensor, 2) is tensor
        assert [processes.any(flag) for flag in (False, True)] == [False, True]
    assert tensor.tolist() == [1, 2]


INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
DTYPES = [
    *(torch.float64, torch.float32, torch.bfloat16, torch.float16),
    *(torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8),
]


@st.composite
def numbers(draw: st.DrawFn) -> tuple[torch.Tensor, list[int], torch.dtype]:
    """Draw a tensor of any bits, NaN among them; and the integers with the same bits, and their type."""
    dtype = draw(st.sampled_from(DTYPES))
    integers = INTEGERS[dtype.itemsize]
    limits = torch.iinfo(integers)
    bits = draw(st.lists(st.integers(limits.min, limits.max), min_size=2, max_size=8))
    return torch.tensor(bits, dtype=integers).view(dtype), bits, integers


@given(drawn=numbers(), data=st.data())
def test_a_checksum_notices_any_change_of_one_element(
    drawn: tuple[torch.Tensor, list[int], torch.dtype], data: st.DataObject
) -> None:
    tensor, bits, integers = drawn
    limits = torch.iinfo(integers)
    place = data.draw(st.integers(0, len(bits) - 1))
    other = data.draw(st.integers(limits.min, limits.max).filter(lambda value: value != bits[place]))
    changed = torch.tensor([*bits[:place], other, *bits[place + 1 :]], dtype=integers).view(tensor.dtype)
    assert checksum(tensor) == checksum(tensor.clone())
    assert checksum(tensor) != checksum(changed)


@given(drawn=numbers(), data=st.data())
def test_a_checksum_notices_elements_that_are_swapped(
    drawn: tuple[torch.Tensor, list[int], torch.dtype], data: st.DataObject
) -> None:
    tensor, bits, integers = drawn
    order = data.draw(st.permutations(bits).filter(lambda order: order != bits))
    assert checksum(tensor) != checksum(torch.tensor(order, dtype=integers).view(tensor.dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_checksum_notices_two_signs_that_are_flipped(dtype: torch.dtype) -> None:
    tensor = torch.arange(1.0, 9).to(dtype)
    for one in range(8):
        for two in range(one):
            flipped = tensor.clone()
            flipped[[one, two]] *= -1
            assert checksum(flipped) != checksum(tensor)


def test_a_checksum_tells_a_number_from_its_complement() -> None:
    tensor = torch.zeros(3)
    complement = torch.tensor([-1, 0, 0], dtype=torch.int32).view(torch.float32)
    assert checksum(tensor) != checksum(complement)


def test_a_checksum_looks_at_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganlab.processes.checksum._BLOCK", 1 << 20)
    tensor = torch.randn(11, generator=torch.Generator().manual_seed(0))
    whole = checksum(tensor)
    monkeypatch.setattr("ganlab.processes.checksum._BLOCK", 3)
    assert checksum(tensor) == whole
    for place in range(len(tensor)):
        changed = tensor.clone()
        changed[place] += 1
        assert checksum(changed) != whole


def test_a_checksum_sees_flags_and_copes_with_none_and_with_gaps() -> None:
    flags = torch.tensor([True, False, True])
    assert checksum(flags) != checksum(torch.tensor([True, True, False]))
    assert checksum(torch.zeros(0)) == checksum(torch.zeros(0))
    images = torch.randn(2, 3, 4, 4)
    assert checksum(images.to(memory_format=torch.channels_last)) == checksum(images)


PAIR = """
import json
import torch
from ganlab.errors import GanlabError
from ganlab.processes import Processes

processes = Processes.from_environment()
rank = processes.rank
found = {}

with processes.join(torch.device("cpu")):
    tensors = [torch.tensor([0.1, 0.2]) * (rank + 1), torch.full((2, 2), float(rank))]
    processes.all_reduce(tensors)
    found["sum"] = [tensor.tolist() for tensor in tensors]
    found["gather"] = processes.gather_object({"rank": rank})
    found["broadcast"] = processes.broadcast_object(f"said by {rank}")
    found["any"] = [processes.any(flag) for flag in (False, rank == 1, True)]

    shared = [
        torch.tensor([rank, -1], dtype=torch.int32).view(torch.float32),
        torch.full((3,), float(rank), dtype=torch.bfloat16),
        torch.tensor(7 + rank),
        torch.tensor([rank == 0, rank == 1]),
        torch.arange(6.0).view(2, 3).t()[: 3, : 2] + rank,
    ]
    processes.broadcast(shared)
    found["share"] = [shared[0].view(torch.int32).tolist(), *(tensor.tolist() for tensor in shared[1:])]

    rows = processes.rows(5)
    own = torch.arange(10.0).view(5, 2)[rows].requires_grad_()
    whole = processes.all_gather(own, 5)
    found["whole"] = whole.tolist()
    (whole * torch.arange(1.0, 6)[:, None]).sum().backward()
    found["gradient"] = own.grad.tolist()
    found["rows"] = [rows.start, rows.stop]
    try:
        processes.all_gather(torch.zeros(1, 2), 5)
    except ValueError as error:
        found["wrong rows"] = str(error)

    def verdict(step=0, **tensors):
        try:
            processes.require_equal(tensors, step)
        except GanlabError as error:
            return str(error)

    nan = torch.tensor([float("nan"), 1.0])
    found["equal"] = verdict(nan=nan, flags=torch.tensor([True, False]), none=torch.zeros(0))
    bit = torch.tensor([5, 2 + rank], dtype=torch.int32).view(torch.float32)
    found["one bit"] = verdict(step=12, fine=nan, bit=bit)
    found["swapped"] = verdict(swapped=torch.tensor([1.0, 2.0][:: 1 - 2 * rank]))
    found["flag"] = verdict(flag=torch.tensor([rank == 0]))
    found["many"] = verdict(**{f"t{index}": torch.tensor(rank) for index in range(7)})
    found["missing"] = verdict(**({"odd": nan} if rank else {}))
    processes.any(False)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def pair() -> list[dict[str, Any]]:
    """Return what each of two processes found."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PAIR],
            env={**os.environ, **told, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    outputs = [process.communicate(timeout=120) for process in started]
    assert not any(process.returncode for process in started), outputs
    return [json.loads(output) for output, _ in outputs]


def test_two_add_up_to_the_same_bytes(pair: list[dict[str, Any]]) -> None:
    expected = (torch.tensor([0.1, 0.2]) + torch.tensor([0.1, 0.2]) * 2).tolist()
    assert [found["sum"] for found in pair] == [[expected, [[1, 1], [1, 1]]]] * 2


def test_the_leader_gathers_in_order_of_ranks(pair: list[dict[str, Any]]) -> None:
    assert [found["gather"] for found in pair] == [[{"rank": 0}, {"rank": 1}], None]


def test_all_are_told_what_the_leader_says(pair: list[dict[str, Any]]) -> None:
    assert [found["broadcast"] for found in pair] == ["said by 0"] * 2


def test_one_that_says_so_is_enough(pair: list[dict[str, Any]]) -> None:
    assert [found["any"] for found in pair] == [[False, True, True]] * 2


def test_tensors_of_any_kind_are_shared_bit_for_bit(pair: list[dict[str, Any]]) -> None:
    expected = [[0, -1], [0, 0, 0], 7, [True, False], [[0, 3], [1, 4], [2, 5]]]
    assert [found["share"] for found in pair] == [expected] * 2


def test_the_whole_batch_has_gradients_to_the_own_rows(pair: list[dict[str, Any]]) -> None:
    assert [found["rows"] for found in pair] == [[0, 2], [2, 5]]
    assert [found["whole"] for found in pair] == [torch.arange(10.0).view(5, 2).tolist()] * 2
    assert [found["gradient"] for found in pair] == [[[1, 1], [2, 2]], [[3, 3], [4, 4], [5, 5]]]
    assert pair[0]["wrong rows"] == "rank 0 has 1 rows of 5, not 2"


def test_equal_tensors_are_equal_though_they_hold_nan(pair: list[dict[str, Any]]) -> None:
    assert [found["equal"] for found in pair] == [None] * 2


def test_tensors_that_differ_are_named_everywhere(pair: list[dict[str, Any]]) -> None:
    for found in pair:
        assert found["one bit"].startswith(
            "after step 12 the 2 processes no longer hold the same: bit of rank 1"
        )
        assert "the same: swapped of rank 1 differ" in found["swapped"]
        assert "the same: flag of rank 1 differ" in found["flag"]
        assert "the same: t0, t1, t2, t3, t4 and 2 more of rank 1 differ" in found["many"]
        assert "the same: odd of rank 1 differ" in found["missing"]
