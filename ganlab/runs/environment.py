"""`environment.json`: the machine and the versions that made a run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["describe_environment"]


def describe_environment(device: str = "cpu") -> dict[str, Any]:
    """Return what a reader needs to know to repeat a run.

    Args:
        device: where the run computes, as torch names it.
    """
    import torch

    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else _cpu_name(),
        "cuda": torch.version.cuda,
        "command": sys.argv,
        "directory": _directory(),
        "git": _git_state(),
        "packages": _package_versions(),
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _directory() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # it has been removed
        return None


def _git_state() -> dict[str, Any] | None:
    """Return the commit of the working directory's repository, and whether files differ from it."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _package_versions() -> dict[str, str]:
    """Return the version of every installed distribution, by name."""
    # Each time that one asks for `metadata`, or for `version`, the whole of it is parsed.
    described = [distribution.metadata for distribution in metadata.distributions()]
    found = {each["Name"]: each["Version"] for each in described}
    return dict(sorted((name, version) for name, version in found.items() if name))
