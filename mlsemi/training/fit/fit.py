"""Indirect training through the eigenproblem: ``mlsemi train config.toml``."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.model.model import Model
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.fit.batches import Examples, Losses, Part, PartLoss, side_by_side
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.config import Schedule, TrainConfig
from mlsemi.training.fit.optimizer import direction
from mlsemi.training.fit.parts import other_methods, parts_of
from mlsemi.training.fit.progress import TrainingDisplay
from mlsemi.training.fit.regression import initial_model
from mlsemi.training.fit.release import release
from mlsemi.training.fit.ridge import ridge
from mlsemi.training.objective.evaluation import evaluate_model, summarise
from mlsemi.training.objective.excited_levels import ExcitedSet
from mlsemi.training.objective.extra_maps import base_name, released
from mlsemi.training.objective.loss import Target

LEAST_TRAINED = 0.5
"""Part of the training structures that must have had a gradient in every epoch."""

CHUNKS = 2
"""A batch is always cut into this many parts, so that results do not depend on threads."""

STEPS = {
    "energy.atom": 0.03,
    "energy.out": 0.1,
    "onsite": 0.1,
    "bond.out": 0.1,
    "charge": 0.1,
    "dipole.atom": 0.1,
}
"""Steps of the last maps relative to those of the features. What they make is small in atomic
units: with steps as long as the others' they would be noise until the rate has decayed."""


class Trainer:
    """One training run: the state, one epoch, one step.

    Parameters
    ----------
    schedule : Schedule
    state : TrainState
    examples : Examples
    only : tuple of str
        Of :class:`TrainConfig`.
    """

    def __init__(
        self,
        schedule: Schedule,
        state: TrainState,
        examples: Examples,
        only: tuple[str, ...] = (),
    ) -> None:
        self.schedule, self.state, self.examples, self.only = schedule, state, examples, only
        self.n_batch = -(-len(examples.targets) // schedule.batch)

    def epoch(self, losses_of: Losses, pool: ThreadPoolExecutor) -> dict[str, float]:
        """One pass over the training molecules in a fresh random order.

        Parameters
        ----------
        losses_of : callable
            What computes the parts of a batch.
        pool : ThreadPoolExecutor
            What moves the weights.
        """
        n_train, others = len(self.examples.targets), self.examples.others
        rng = np.random.default_rng()
        rng.bit_generator.state = self.state.rng
        order = rng.permutation(n_train)
        silent = self._silent(rng)
        drawn = self._drawn(rng)
        self.state.rng = rng.bit_generator.state
        found: list[PartLoss] = []
        for batch, *more in zip(np.array_split(order, self.n_batch), *drawn, strict=True):
            found += self._step(batch, silent, more, losses_of, pool)
        losses = [loss for part in found for loss in part.losses]
        if len(losses) < LEAST_TRAINED * n_train:
            raise ConvergenceError(
                "training has diverged: most batches have no gradient; lower learning_rate or "
                "raise warmup_steps"
            )
        row = summarise(losses, [error for part in found for error in part.errors])
        if others:
            other = sum(part.other_loss for part in found)
            row["other_loss"] = other / max(1, sum(m.size for some in drawn for m in some))
        return row

    def _silent(self, rng: np.random.Generator) -> np.ndarray:
        """(n_train,) whether the forces of a record are left out in this epoch."""
        n_train = len(self.examples.targets)
        if self.schedule.force_share >= 1.0:
            return np.zeros(n_train, dtype=bool)
        return rng.random(n_train) >= self.schedule.force_share

    def _drawn(self, rng: np.random.Generator) -> list[list[np.ndarray]]:
        """Of every other method, the geometries of each batch of an epoch."""
        drawn = []
        for one in self.examples.others:
            number, known = round(one.share * len(self.examples.targets)), len(one.molecules)
            rows = rng.choice(known, number, replace=number > known)
            drawn.append(np.array_split(rows, self.n_batch))
        return drawn

    def _step(
        self,
        batch: np.ndarray,
        silent: np.ndarray,
        drawn: Sequence[np.ndarray],
        losses_of: Losses,
        pool: ThreadPoolExecutor,
    ) -> list[PartLoss]:
        """One step of the optimizer and what the parts of its batch gave; none without gradient."""
        n = min(CHUNKS, batch.size)
        sizes = [rows.size for rows in (batch, *drawn)]
        parts = [
            Part(
                batch[i::n],
                np.flatnonzero(silent[batch[i::n]]).tolist(),
                [rows[i::n] for rows in drawn],
                sizes,
            )
            for i in range(n)
        ]
        try:
            found = losses_of(self.state.weights, parts)
        except ConvergenceError:  # a gap that closes early in training has no derivative
            return []
        gradient = {name: sum(p.gradient[name] for p in found) for name in self.state.weights}
        self._update(gradient, pool)
        return found

    def _update(self, gradient: dict[str, Any], pool: ThreadPoolExecutor) -> None:
        """One step of the optimizer with a gradient-norm limit, and averaged weights."""
        s, schedule = self.state, self.schedule
        norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradient.values()))
        if not np.isfinite(norm):
            return
        shrink = min(1.0, schedule.clip / (norm + 1e-30))
        rate = schedule.rate(s.step, schedule.epochs * self.n_batch)
        s.step += 1
        average = min(schedule.average, s.step / (s.step + 10.0))
        betas = schedule.beta1, schedule.beta2

        def move(name: str) -> None:
            step = direction(s.moments, name, shrink * gradient[name], s.step, *betas)
            step *= STEPS.get(base_name(name), 1.0)
            decay = 1.0 - rate * schedule.weight_decay * _decays(name)
            s.weights[name] = decay * s.weights[name] - rate * step
            s.averaged[name] = average * s.averaged[name] + (1 - average) * s.weights[name]

        list(pool.map(move, filter(self._moves, gradient)))

    def _moves(self, name: str) -> bool:
        """Whether a weight is trained in this run."""
        chosen = not self.only or base_name(name).startswith(self.only)
        return chosen and self.examples.form.trained(name)


def _decays(name: str) -> bool:
    name = base_name(name)
    baseline = ("level", "two_center", "energy.atom", "bond.scale", "dipole.sp")
    return name not in baseline and not name.endswith("bias")


def train(config_path: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """Fit a parameter set: initial regression, then indirect training with checkpoints.

    Parameters
    ----------
    config_path : Path
        TOML file, see :class:`TrainConfig`.
    resume : bool
        Continue from the checkpoint beside the output if there is one.
    quiet : bool
        No progress display.

    Returns
    -------
    fitted : Parameters
        The finished set, also written to the output folder with its learning curve.
    """
    return fit(TrainConfig.load(config_path), config_path.resolve().parent, resume, quiet)


def fit(config: TrainConfig, base: Path, resume: bool = True, quiet: bool = False) -> Parameters:
    """The run behind :func:`train`; file names in ``config`` are relative to ``base``."""
    output = base / config.output
    known = known_set(config, base)
    others = other_methods(config, base, known)
    dataset = ReferenceDataset.load(*(base / name for name in config.datasets))
    parts = parts_of(dataset, config)
    validation = [Target(r) for r in parts.validation]
    form = config.form()
    checkpoint = output.with_name(output.name + ".checkpoint.npz")
    output.mkdir(parents=True, exist_ok=True)
    stamp = json.dumps(
        [
            asdict(replace(config, threads=1)),
            dataset.checksum,
            [one.checksum for one in others],
            known.checksum if known else "",
        ],
        sort_keys=True,
        default=list,
    )
    with threadpool_limits(1), ThreadPoolExecutor(config.threads) as pool:
        if resume and checkpoint.exists():
            state = TrainState.load(checkpoint, stamp)
        else:
            start = known.model if known else start_model(config, parts.train, pool)
            more = [one.start(start) for one in others]
            start = replace(start, weights=dict(ChainMap(*more, dict(start.weights))))
            state = TrainState.start(start, config.seed)
            state.save(checkpoint, stamp)
        excited = [one for one in others if isinstance(one, ExcitedSet)]
        examples = Examples(form, [Target(r) for r in parts.train], others, config.loss)
        trainer = Trainer(config.schedule, state, examples, config.only)
        with (
            side_by_side(examples, min(config.threads, CHUNKS)) as losses_of,
            TrainingDisplay(config.schedule.epochs, len(state.history), quiet) as display,
        ):
            while not is_finished(state.history, config.schedule):
                row = trainer.epoch(losses_of, pool)
                averaged = Model(form, state.averaged)
                checked = evaluate_model(averaged, validation, config.loss)
                checked["loss"] += sum(s.validation_loss(averaged, config.loss) for s in excited)
                row |= {f"validation_{k}": v for k, v in checked.items()}
                if row["validation_loss"] <= min(
                    (h["validation_loss"] for h in state.history), default=np.inf
                ):
                    state.best = dict(state.averaged)
                state.history.append(row | {"epoch": len(state.history) + 1})
                state.save(checkpoint, stamp)
                display.update(row)
        state.best = released(state.best)
        return release(config, state, dataset, parts, others, output, known)


def known_set(config: TrainConfig, base: Path) -> Parameters | None:
    """The parameter set that a run starts from, if it does.

    Raises
    ------
    ParameterError
        If there is no such set.
    InputError
        If it has other elements or another form than the recipe.
    """
    if not config.start:
        return None
    folder = base / config.start
    known = Parameters.load(folder if folder.is_dir() else config.start)
    if known.model.form != config.form():
        raise InputError(f"start = {config.start!r}: a set of other elements or another form")
    return known


def start_model(config: TrainConfig, records: list[Reference], pool: ThreadPoolExecutor) -> Model:
    """Closed-form start values, then ridge regression on matrix elements if asked for."""
    model = initial_model(config.form(), records, config.seed)
    schedule = config.schedule
    if not schedule.ridge_steps:
        return model
    targets = [Target(r) for r in records]
    return ridge(
        model, targets, config.loss, schedule.ridge_steps, schedule.ridge_penalty, pool.map
    )


def is_finished(history: Sequence[dict[str, float]], schedule: Schedule) -> bool:
    """Whether all epochs are done, or too many of them without a gain on validation."""
    if len(history) >= schedule.epochs:
        return True
    losses = [row["validation_loss"] for row in history]
    patience = schedule.patience
    return 0 < patience < len(losses) and min(losses[:-patience]) <= min(losses[-patience:])
