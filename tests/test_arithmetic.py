"""Metrics are computed alike whatever is switched on around them."""

from __future__ import annotations

import multiprocessing
from functools import reduce
from typing import Any

import pytest
import torch

from ganlab.arithmetic import exact_arithmetic

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_it_is_left_on_errors() -> None:
    with pytest.raises(KeyError), exact_arithmetic(CPU):
        raise KeyError
    assert torch.is_grad_enabled()


def test_cudnn_stays_on_and_is_deterministic() -> None:
    cudnn = torch.backends.cudnn
    before = (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    with exact_arithmetic(CUDA):
        inside = (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32)
    assert inside == (True, False, True, False)
    assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32) == before


def products() -> list[str]:
    """Return what each kind of product is computed in."""
    backends: Any = torch.backends
    kinds = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
    kinds += [backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]
    return [kind.fp32_precision for kind in kinds]


SWITCHES: list[tuple[str, object]] = [
    ("fp32_precision", "tf32"),
    ("cuda.matmul.fp32_precision", "tf32"),
    ("cudnn.fp32_precision", "tf32"),
    ("cudnn.conv.fp32_precision", "ieee"),
    ("mkldnn.matmul.fp32_precision", "bf16"),
    ("cuda.matmul.allow_tf32", True),
    ("cudnn.allow_tf32", False),
]


def check(switch: str, value: object) -> None:
    *path, name = switch.split(".")
    setattr(reduce(getattr, path, torch.backends), name, value)
    before = products()
    for _ in range(2):
        with exact_arithmetic(CUDA):
            assert set(products()) <= {"ieee", "none"}
        assert products() == before


@pytest.mark.parametrize(("switch", "value"), SWITCHES)
def test_no_switch_of_torch_is_too_new_or_too_old(switch: str, value: object) -> None:
    # In a process of its own: what some of them change can never be quite undone.
    process = multiprocessing.get_context("fork").Process(target=check, args=(switch, value))
    process.start()
    process.join()
    assert process.exitcode == 0
