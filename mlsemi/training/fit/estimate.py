"""What a run has, what it still needs, and how long that takes: ``mlsemi train --dry-run``.

Times are measured, not guessed: the loss of some entries of every source with a start model of the
recipe's form, one step of the optimizer; processor time, as on a machine that does nothing else.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import ChainMap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from mlsemi.errors import ParameterError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.model.model import Model
from mlsemi.training.data.dataset import Reference
from mlsemi.training.fit.batches import Examples
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.regression import initial_model, thinned
from mlsemi.training.fit.run import Run, finished_set
from mlsemi.training.fit.trainer import CHUNKS, Trainer, is_finished
from mlsemi.training.objective.heads import Head
from mlsemi.training.objective.loss import Target
from mlsemi.training.objective.source import Source

SAMPLE, BATCH = 50, 8
"""Records that a start model is made of, and entries whose loss is timed."""


@dataclass(frozen=True)
class Estimate:
    """Of a run.

    Attributes
    ----------
    seconds : list of float
        Every stage from its first to its last epoch.
    gigabytes : float
        Memory of all processes together.
    missing : list of str
        What is not done yet, one line each.
    """

    seconds: list[float]
    gigabytes: float
    missing: list[str]


def dry_run(path: Path, console: Console | None = None) -> Estimate:
    """Load the data of a recipe, print counts, times and memory; train nothing.

    Parameters
    ----------
    path : Path
        The recipe.
    console : rich.console.Console, optional

    Raises
    ------
    InputError, ParameterError
        As ``mlsemi train`` would.
    """
    console = console or Console()
    run = Run.of(Recipe.load(path), path.resolve().parent)
    console.print(_counts(run))
    with threadpool_limits(1):
        found = estimate(run)
    for number, seconds in enumerate(found.seconds, 1):
        console.print(f"stage {number}: about {_duration(seconds)}", highlight=False)
    console.print(f"memory: about {found.gigabytes:.1f} GB", highlight=False)
    for line in found.missing or ["nothing is missing: the set is finished"]:
        console.print(line, highlight=False)
    return found


def estimate(run: Run) -> Estimate:
    """Time and memory of a run, and what is missing."""
    recipe, before = run.recipe, _peak()
    if not recipe.stage:
        return Estimate([], before / 1e9, missing(run))
    model = initial_model(recipe.form(), thinned(run.parts.train, SAMPLE), recipe.seed)
    first = Source(Head("model", 0), run.data[0].targets, run.parts.train, [])
    seconds = []
    for number, stage in enumerate(recipe.stage):
        train = run.lessons(stage, "train")
        others = run.sources(number, ExcitationParameters())
        few = [
            replace(one, entries=one.entries[:: -(-len(one.entries) // SAMPLE)]) for one in others
        ]
        more = [one.start(model) for one in few]
        weights = dict(ChainMap(*more, dict(model.weights)))
        whole = Model(model.form, weights)

        def each(one: Source, whole: Model = whole, loss=stage.loss) -> float:  # type: ignore[no-untyped-def]
            rows = range(min(BATCH, len(one.entries)))
            return _seconds(lambda: one.loss(whole, rows, loss)) / len(rows)

        per_record = each(replace(first, entries=train[:: -(-len(train) // BATCH)]))
        shares = [float(np.mean(one.share)) * len(train) for one in others]
        losses = per_record * len(train) + sum(
            each(s) * n for s, n in zip(few, shares, strict=True)
        )
        checks = 0.5 * per_record * len(run.lessons(stage, "validation"))
        examples = Examples(model.form, [Target(r) for r in train], others, stage.loss)
        trainer = Trainer(stage, TrainState.start(whole, 0), examples)
        gradient = {name: np.ones_like(value) for name, value in weights.items()}
        with ThreadPoolExecutor(recipe.threads) as pool:
            step = _seconds(lambda t=trainer, g=gradient, p=pool: t.update(g, p))  # type: ignore[misc]
        epoch = losses / min(recipe.threads, CHUNKS) + checks + step * trainer.n_batch
        seconds.append(stage.epochs * epoch)
    working = _peak() - before
    forked = min(recipe.threads, CHUNKS) if recipe.threads > 1 else 0
    return Estimate(seconds, (_peak() + forked * working) / 1e9, missing(run))


def missing(run: Run) -> list[str]:
    """What is not done yet of a run."""
    left = []
    for number, stage in enumerate(run.recipe.stage):
        name, stamp = f"stage-{number + 1}", run.stamp(number)
        checkpoint, done = run.folder / f"{name}.npz", 0
        if checkpoint.exists():
            try:
                history = TrainState.load(checkpoint, stamp).history
            except ParameterError as error:
                left.append(str(error))
                continue
            done = stage.epochs if is_finished(history, stage) else len(history)
        if done < stage.epochs:
            left.append(f"missing: epochs {done + 1} to {stage.epochs} of {name}")
        if finished_set(run.folder / name, stamp) is None:
            left.append(f"missing: the set of {name}, its constants of the excited states included")
    if run.fitted("constants") is None and not (run.start and run.start.calibrated):
        left.append(
            'note: no source has the target "constants": excited states will have the published '
            "constants, and a warning"
        )
    if left or finished_set(run.output, run.stamp(len(run.recipe.stage) - 1)) is None:
        more = ", with committee and errors" if run.recipe.stage else ""
        left.append(f"missing: {run.output}{more}")
    return left


def _counts(run: Run) -> Table:
    """One row per source."""
    table = Table("source", "head", "targets", "molecules", "train", "validation", "share",
                  box=None, pad_edge=False)  # fmt: skip
    for one in run.data:
        sides = {side: 0 for side in ("train", "validation")}
        for entry in one.entries:
            side = entry.split if isinstance(entry, Reference) else "train"
            sides[side] = sides.get(side, 0) + 1
        files = one.table.files
        name = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
        share = [one.table.at("share", k) for k in range(len(run.recipe.stage))]
        molecules = len({entry.molecule for entry in one.entries})
        shown = " ".join(f"{a:g}" if a == b else f"{a:g}-{b:g}" for a, b in share)
        table.add_row(name, one.head.kind, " ".join(sorted(one.targets)), str(molecules),
                      str(sides["train"]), str(sides["validation"]),
                      "" if one is run.data[0] else shown)  # fmt: skip
    return table


def _seconds(work: Callable[[], object]) -> float:
    """Processor time of a call, after one that compiles and warms up."""
    work()
    start = time.process_time()
    work()
    return time.process_time() - start


def _peak() -> float:
    """Largest memory of this process so far, bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2.0 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
