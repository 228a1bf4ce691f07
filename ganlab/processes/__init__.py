"""Several processes as one: who shares a run, and all that they tell each other."""

from ganlab.processes.collectives import Processes

__all__ = ["Processes"]
