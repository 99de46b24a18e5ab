"""The loss of a batch and its gradient, in parts that are computed side by side.

Half of a step is Python's own work on small molecules, and of that two threads do no more than
one. On Linux every part has a process instead, forked when all records are in memory, so that
weights and numbers of records are all that is sent. Results do not depend on where they were made.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlsemi.errors import MlsemiError
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.symmetry.layers import Weights
from mlsemi.training.objective.evaluation import batch_loss
from mlsemi.training.objective.loss import GROUND_STATE, Errors, LossWeights, Target
from mlsemi.training.objective.source import Source
from mlsemi.training.reference.workers import KILLED, start_worker


class Part(NamedTuple):
    """Part of a batch.

    Attributes
    ----------
    rows : (n,) int array
        Records of the reference.
    silent : list of int
        Those whose forces are left out, by their place in ``rows``.
    drawn : list of int arrays
        Rows of each other source.
    sizes : list of int
        Of the whole batch: records, and rows of each other source.
    weights : list of float
        Of each other source.
    """

    rows: np.ndarray
    silent: list[int]
    drawn: list[np.ndarray]
    sizes: list[int]
    weights: list[float]


class PartLoss(NamedTuple):
    """What a part contributes to a batch.

    Attributes
    ----------
    losses, errors : list
        Of its records.
    other_loss : float
        Summed over the rows of the other sources.
    gradient : dict
        Of the mean loss of the batch, by name of weight.
    """

    losses: list[float]
    errors: list[Errors]
    other_loss: float
    gradient: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Examples:
    """Everything that a loss needs beside the weights.

    Attributes
    ----------
    form : ModelForm
    targets : sequence of Target
        Of the first source.
    others : sequence of Source
    loss_weights : LossWeights
    reference_targets : frozenset of str
        What the first source teaches.
    """

    form: ModelForm
    targets: Sequence[Target]
    others: Sequence[Source]
    loss_weights: LossWeights
    reference_targets: frozenset[str] = GROUND_STATE

    def loss(self, weights: Weights, part: Part) -> PartLoss:
        """Loss and gradient of one part: means over the records, and over every other source.

        Raises
        ------
        ConvergenceError
            If the loss has no derivative, where a gap closes.
        """
        model, (size, *other_sizes) = Model(self.form, weights), part.sizes
        targets = [self.targets[row] for row in part.rows]
        own = self.loss_weights.of(self.reference_targets)
        losses, errors, gradient = batch_loss(model, targets, own, silent=part.silent)
        gradient = {name: g / size for name, g in gradient.items()}
        other_loss = 0.0
        others = zip(self.others, part.drawn, other_sizes, part.weights, strict=True)
        for one, rows, n, weight in others:
            if rows.size:
                loss, theirs = one.loss(model, rows.tolist(), self.loss_weights, weight)
                other_loss += loss
                for name, g in theirs.items():
                    gradient[name] += g / n
        return PartLoss(losses, errors, other_loss, gradient)


Losses = Callable[[Weights, Sequence[Part]], list[PartLoss]]

_adopted: list[Examples] = []
"""In a forked process: the examples of the parent."""


@contextmanager
def side_by_side(examples: Examples, number: int) -> Iterator[Losses]:
    """Function of weights and parts that computes so many parts at the same time.

    Parameters
    ----------
    examples : Examples
    number : int

    Raises
    ------
    MlsemiError
        If a process is killed.
    """
    forked = number > 1 and sys.platform == "linux"
    pool: Executor = _forked(examples, number) if forked else ThreadPoolExecutor(number)

    def losses(weights: Weights, parts: Sequence[Part]) -> list[PartLoss]:
        if not forked:
            return list(pool.map(lambda part: examples.loss(weights, part), parts))
        try:
            return list(pool.map(_adopted_loss, [weights] * len(parts), parts))
        except BrokenProcessPool:
            raise MlsemiError(f"{KILLED}; the same command continues the run") from None

    with pool:
        yield losses


def _forked(examples: Examples, number: int) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(
        number,
        mp_context=multiprocessing.get_context("fork"),
        initializer=_adopt,
        initargs=(examples,),
    )
    with warnings.catch_warnings():
        # Python 3.12 warns of threads that hold locks; those of OpenBLAS are stopped before a fork
        warnings.simplefilter("ignore", DeprecationWarning)
        pool.submit(os.getpid).result()
    return pool


def _adopt(examples: Examples) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    start_worker()
    _adopted.append(examples)


def _adopted_loss(weights: Weights, part: Part) -> PartLoss:
    return _adopted[0].loss(weights, part)
