"""Ridge regression on projected matrix elements: the first of the two stages of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from mlsemi.model.catalogue import weights_of
from mlsemi.model.model import Model
from mlsemi.model.terms.prediction import PredictionBar
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import matrices_adjoint
from mlsemi.training.objective.loss import LossWeights, Target

BATCH = 8

Mapper = Callable[..., Iterable[Any]]


def ridge(
    model: Model,
    targets: Sequence[Target],
    loss: LossWeights,
    steps: int,
    penalty: float,
    mapper: Mapper = map,
) -> Model:
    """Model whose linear weights w minimise, with all others as they are,

        sum_records sum_p s_p |H_o(w) t_p - eps_p t_p|^2 / n_record + penalty |w - w_0|^2,

    the residuals of theory eq 12 as plain squares. Conjugate gradients on the normal equations
    (Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49, 409 (1952)), which never form the matrix
    of all features: one step costs one walk through the model and back. Few steps regularise too.

    Parameters
    ----------
    model : Model
        w_0, and the features.
    targets : sequence of Target
    loss : LossWeights
        Its ``residual`` and ``residual_virtual`` are s_p.
    steps : int
    penalty : float
        Hartree^2.
    mapper : callable
        ``map``, or that of a pool of threads.
    """
    names = [name for name, fact in weights_of(model.form).items() if fact.linear]
    chunks = [targets[i : i + BATCH] for i in range(0, len(targets), BATCH)]

    def descent(w: np.ndarray) -> np.ndarray:
        """Minus half the gradient of the sum of squares at w."""
        moved = with_weights(model, names, w)
        parts = mapper(lambda chunk: residual_gradient(moved, chunk, loss), chunks)
        rows = [np.concatenate([part[name].ravel() for name in names]) for part in parts]
        return -0.5 / len(targets) * np.sum(rows, axis=0)

    start = np.concatenate([model.weights[name].ravel() for name in names])
    constant = descent(start)

    def image(shift: np.ndarray) -> np.ndarray:
        return constant - descent(start + shift) + penalty * shift

    equations = LinearOperator((start.size, start.size), matvec=image, dtype=float)
    shift, _ = cg(equations, constant, rtol=0.0, atol=np.finfo(float).tiny, maxiter=steps)
    return with_weights(model, names, start + shift)


def with_weights(model: Model, names: Sequence[str], flat: np.ndarray) -> Model:
    """The model with the weights ``names`` taken from one flat array.

    Parameters
    ----------
    model : Model
    names : sequence of str
    flat : (n_weight,) array
        One weight after another.
    """
    sizes = [model.weights[name].size for name in names]
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    shaped = {n: p.reshape(model.weights[n].shape) for n, p in zip(names, parts, strict=True)}
    return replace(model, weights=dict(model.weights) | shaped)


def residual_gradient(
    model: Model, targets: Sequence[Target], loss: LossWeights
) -> dict[str, np.ndarray]:
    """Gradient of sum_p s_p |H_o t_p - eps_p t_p|^2, summed over records; no diagonalisation."""
    structures = [target.record.structure for target in targets]
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    prediction, record = model.predict(pairs)
    bars = []
    for index, target in enumerate(targets):
        orbitals, levels, share = target.projected(loss)
        residual = prediction.hamiltonian.matrix(index) @ orbitals - orbitals * levels
        bar = (2.0 * share * residual) @ orbitals.T
        bars.append(0.5 * (bar + bar.T))
    bar = PredictionBar(hamiltonian=matrices_adjoint(pairs, bars))
    return model.adjoint(prediction, record, bar)[0]
