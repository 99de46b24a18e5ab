"""One stage of a run: epochs, steps, and the weights that they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mlsemi.errors import ConvergenceError
from mlsemi.training.fit.batches import Examples, Losses, Part, PartLoss
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.optimizer import direction
from mlsemi.training.fit.recipe import Stage
from mlsemi.training.objective.evaluation import summarise
from mlsemi.training.objective.heads import base_name, facts_of
from mlsemi.training.objective.source import Ramp

LEAST_TRAINED = 0.5
"""Part of the training structures that must have had a gradient in every epoch."""

CHUNKS = 2
"""A batch is always cut into this many parts, so that results do not depend on threads."""


class Trainer:
    """One training run: the state, one epoch, one step.

    Parameters
    ----------
    schedule : Stage
    state : TrainState
    examples : Examples
    rows : mapping of str to bool array
        Of weights of which some rows alone are moved: which. The others stay to the bit.
    """

    def __init__(
        self,
        schedule: Stage,
        state: TrainState,
        examples: Examples,
        rows: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.schedule, self.state, self.examples = schedule, state, examples
        self.rows = rows or {}
        self.facts = facts_of(examples.form)
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
        weights = [self._now(one.weight) for one in others]
        for batch, *more in zip(np.array_split(order, self.n_batch), *drawn, strict=True):
            found += self._step(batch, silent, more, weights, losses_of, pool)
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
        """Of every other source, the entries of each batch of an epoch."""
        drawn = []
        for one in self.examples.others:
            number = round(self._now(one.share) * len(self.examples.targets))
            known = len(one.entries)
            rows = rng.choice(known, number, replace=number > known)
            drawn.append(np.array_split(rows, self.n_batch))
        return drawn

    def _now(self, ramp: Ramp) -> float:
        """A share or weight in this epoch, linear between the first and the last of the stage."""
        done = len(self.state.history) / max(1, self.schedule.epochs - 1)
        return ramp[0] + done * (ramp[1] - ramp[0])

    def _step(
        self,
        batch: np.ndarray,
        silent: np.ndarray,
        drawn: Sequence[np.ndarray],
        weights: list[float],
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
                weights,
            )
            for i in range(n)
        ]
        try:
            found = losses_of(self.state.weights, parts)
        except ConvergenceError:  # a gap that closes early in training has no derivative
            return []
        gradient = {name: sum(p.gradient[name] for p in found) for name in self.state.weights}
        self.update(gradient, pool)
        return found

    def update(self, gradient: dict[str, Any], pool: ThreadPoolExecutor) -> None:
        """One step of the optimizer with a gradient-norm limit, and averaged weights.

        Parameters
        ----------
        gradient : dict
            Of all weights.
        pool : ThreadPoolExecutor
        """
        s, schedule = self.state, self.schedule
        gradient = {name: self._kept(name, g, 0.0) for name, g in gradient.items()}
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
            fact = self.facts[base_name(name)]
            step *= fact.step
            decay = 1.0 - rate * schedule.weight_decay * fact.decays
            moved = decay * s.weights[name] - rate * step
            s.weights[name] = self._kept(name, moved, s.weights[name])
            mean = average * s.averaged[name] + (1 - average) * s.weights[name]
            s.averaged[name] = self._kept(name, mean, s.averaged[name])

        list(pool.map(move, filter(self._moves, gradient)))

    def _kept(self, name: str, moved: np.ndarray, before: np.ndarray | float) -> np.ndarray:
        """The rows that move, and the others as before."""
        if name not in self.rows:
            return moved
        chosen = self.rows[name].reshape(-1, *[1] * (moved.ndim - 1))
        return np.where(chosen, moved, before)

    def _moves(self, name: str) -> bool:
        """Whether a weight is trained in this run."""
        only = self.schedule.only
        chosen = not only or base_name(name).startswith(only)
        return chosen and self.facts[base_name(name)].trained


def is_finished(history: Sequence[dict[str, float]], schedule: Stage) -> bool:
    """Whether all epochs are done, or too many of them without a gain on validation."""
    if len(history) >= schedule.epochs:
        return True
    losses = [row["validation_loss"] for row in history]
    patience = schedule.patience
    return 0 < patience < len(losses) and min(losses[:-patience]) <= min(losses[-patience:])
