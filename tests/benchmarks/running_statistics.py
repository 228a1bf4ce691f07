"""How good a generator is against the number of samples that its running statistics are taken from.

For a run that is there already:

    python tests/benchmarks/running_statistics.py RUN [--checkpoint STEP]

Prints a table of the run's evaluators for the raw and the averaged generator: with the running
averages that training left (0 samples), and with statistics taken afresh, which cost the seconds
that are named. `--grids DIR` draws the same latents for each row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from ganlab.config import load_experiment
from ganlab.data.cache_directory import statistics_directory
from ganlab.data.preparation import prepare
from ganlab.drawing.pictures import grid, write_png
from ganlab.engine.evaluation_generator import estimate_statistics
from ganlab.engine.labels import LabelSampler
from ganlab.engine.latents import draw_latents
from ganlab.engine.sampling import run_for_evaluation, run_generator
from ganlab.evaluation.evaluation import Evaluation
from ganlab.evaluation.reference import ReferenceData
from ganlab.runs.reading import find_run

COUNTS = (0, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--checkpoint", type=int)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--grids", type=Path)
    arguments = parser.parse_args()
    run = find_run(arguments.run, Path("runs"))
    checkpoint = run.checkpoints.load(arguments.checkpoint or "last")
    experiment = load_experiment(run.resolved)
    data = prepare(experiment)
    assert checkpoint.spec is not None
    evaluation = Evaluation(
        experiment.evaluators,
        data.store.spec,
        ReferenceData.of(data),
        device="cpu",
        cache=statistics_directory(),
    )
    labels = None
    if checkpoint.spec.classes and experiment.generator.component.takes_labels:
        labels = LabelSampler(data.store.labels, data.split.training)
    engine = checkpoint.state()["engine"]
    weights = {"raw": engine["players"]["generator"]["networks"]["generator"], "averaged": engine["average"]}
    for which, state in weights.items():
        if state is None:
            continue
        for count in arguments.counts:
            network = experiment.generator.build(checkpoint.spec, experiment.latent)
            network.load_state_dict(state)
            network = network.to(memory_format=torch.channels_last)
            began = time.perf_counter()
            if count:
                estimate_statistics(network, experiment.latent, labels, count, experiment.settings.seed)
            seconds = time.perf_counter() - began

            def generate(rows: slice, network: torch.nn.Module = network) -> Iterator[torch.Tensor]:
                return run_for_evaluation(network, experiment, evaluation.most_samples, labels, rows)

            found = evaluation.run(generate)
            values = "  ".join(f"{each.evaluator}.{each.metric.name} {each.value:.5g}" for each in found)
            print(f"{which:<9} {count:>5} samples {seconds:6.2f} s  {values}", flush=True)
            if arguments.grids:
                arguments.grids.mkdir(parents=True, exist_ok=True)
                latents = draw_latents(experiment.latent, 64, torch.Generator().manual_seed(0))
                shown = None if labels is None else labels.cycle(64)
                samples = torch.cat(list(run_generator(network, latents, shown)))
                write_png(arguments.grids / f"{which}-{count}.png", grid(data.store.spec.quantise(samples)))


if __name__ == "__main__":
    main()
