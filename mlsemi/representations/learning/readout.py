"""A small neural readout: invariants decide the weights of the equivariant features.

    y_im = sum_a sum_c [ w_c + g_c(p_ia) ] x_iamc,   g(p) = silu(p W1 + b) W2                (L4)

The weights are functions of invariants, so the prediction turns with the features, as in the
nonlinear models of Nigam, Willatt, Ceriotti, J. Chem. Phys. 156, 014115 (2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from sklearn.utils.validation import check_is_fitted

from mlsemi.representations.learning.ridge import GramPath, SymmetryRegressor
from mlsemi.representations.learning.samples import block_of, invariants_of, samples_bar
from mlsemi.symmetry.layers import perceptron, perceptron_adjoint
from mlsemi.symmetry.selection import covariance, principal_maps

NOISE = 1e-6
"""Principal components of the invariants below this fraction of the largest are left out."""

Weights = dict[str, np.ndarray]


def readout(p: np.ndarray, x: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Equation L4.

    Parameters
    ----------
    p : (n_sample, n_atom, n_invariant) array
    x : (n_sample, n_atom, 2l+1, n_channel) array
    weights : mapping
        ``linear`` (n_channel, n_target), and ``gate.in``, ``gate.bias``, ``gate.out`` of the
        perceptron with n_channel * n_target outputs.

    Returns
    -------
    (n_sample, 2l+1, n_target) array.
    """
    return np.einsum("samc,sact->smt", x, _gates(p, weights)[0], optimize=True)


def readout_adjoint(
    p: np.ndarray, x: np.ndarray, weights: Mapping[str, np.ndarray], out_bar: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Weights]:
    """Adjoint of :func:`readout`: cotangents of p and x, gradients of the weights."""
    gates, record = _gates(p, weights)
    gates_bar = np.einsum("samc,smt->sact", x, out_bar, optimize=True)
    gradients = {name: np.zeros_like(value) for name, value in weights.items()}
    gradients["linear"] += gates_bar.sum(axis=(0, 1))
    flat, label = _flat(p)
    p_bar = perceptron_adjoint(
        flat, label, weights, "gate", record, gates_bar.reshape(len(flat), -1), gradients
    )
    x_bar = np.einsum("smt,sact->samc", out_bar, gates, optimize=True)
    return p_bar.reshape(p.shape), x_bar, gradients


def _flat(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = p.reshape(p.shape[0] * p.shape[1], p.shape[2])
    return flat, np.zeros(len(flat), dtype=np.int64)


def _gates(
    p: np.ndarray, weights: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Weights of the features (n_sample, n_atom, n_channel, n_target), and the record."""
    out, record = perceptron(*_flat(p), weights, "gate")
    return weights["linear"] + out.reshape(*p.shape[:2], *weights["linear"].shape), record


@dataclass(eq=False, repr=False)
class NeuralReadout(SymmetryRegressor):
    """Neural readout of one irrep, started from the ridge solution, fitted with L-BFGS.

    Records need invariants (field ``0+``) beside the features of the target's symmetry. Both are
    reduced to principal components first. A part of the samples is held out and chooses the
    iteration.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alpha : float
        Regularisation of the ridge start and, relative to the sum of squared targets, of the
        perceptron.
    n_hidden : int
        Width of the perceptron.
    n_channel, n_invariant : int
        Principal components of the equivariants and the invariants that are kept.
    n_iteration : int
    held_out : float
        Fraction of the samples that chooses the iteration.
    seed : int
    intercept : bool
        Add a constant; true scalars only.
    """

    reads_invariants = True
    l: int = 0
    sigma: int = 1
    alpha: float = 1e-8
    n_hidden: int = 16
    n_channel: int = 32
    n_invariant: int = 16
    n_iteration: int = 200
    held_out: float = 0.1
    seed: int = 0
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> NeuralReadout:
        """Fit to records X and targets y (n_sample, 2l+1[, n_target])."""
        targets = self._targets(y)
        self._reduce(X)
        p, x = self._inputs(X)
        order = np.random.default_rng(self.seed).permutation(len(targets))
        held, kept = np.split(order, [int(self.held_out * len(order))])
        self.weights_ = self._start(x[kept], targets[kept])
        self._train(
            (p[kept], x[kept], targets[kept]),
            (p[held], x[held], targets[held]) if held.size else (p, x, targets),
        )
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions in the shape of the fitted y."""
        check_is_fitted(self, "weights_")
        return self._shaped(readout(*self._inputs(X), self.weights_))

    def adjoint(self, X: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the samples X from that of their predictions."""
        p, x = self._inputs(X)
        bar = self._rows_bar(y_bar).reshape(len(x), x.shape[2], -1)
        p_bar, x_bar, _ = readout_adjoint(p, x, self.weights_, bar)
        return samples_bar(X, self.irrep, x_bar @ self.channels_.T, p_bar @ self.invariants_.T)

    def _reduce(self, records: np.ndarray) -> None:
        """Principal components of both kinds of features."""
        block = block_of(records, self.irrep)
        flat = block.reshape(-1, *block.shape[2:])
        maps = principal_maps({self.irrep: covariance(flat)}, self.n_channel)
        self.channels_ = maps.get(self.irrep, np.zeros((flat.shape[2], 0)))
        p = invariants_of(records)
        p = p[np.any(p != 0.0, axis=2)] if np.any(p) else p[:1, 0]
        self.center_ = p.mean(axis=0)
        values, vectors = np.linalg.eigh((p - self.center_).T @ (p - self.center_) / len(p))
        values, vectors = values[::-1][: self.n_invariant], vectors[:, ::-1][:, : self.n_invariant]
        kept = values > NOISE * max(values[0], np.finfo(float).tiny)
        self.invariants_ = vectors[:, kept] / np.sqrt(values[kept])

    def _inputs(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = (invariants_of(records) - self.center_) @ self.invariants_
        return p, block_of(records, self.irrep) @ self.channels_

    def _start(self, x: np.ndarray, y: np.ndarray) -> Weights:
        """Ridge solution and a perceptron whose last layer is zero."""
        rng = np.random.default_rng(self.seed)
        rows = x.sum(axis=1).reshape(-1, x.shape[3])
        n_in, n_out = self.invariants_.shape[1], x.shape[3] * y.shape[2]
        path = GramPath.of(rows.T @ rows, rows.T @ y.reshape(-1, y.shape[2]), rows.shape[1])
        return {
            "linear": path.solve(self.alpha),
            "gate.in": rng.normal(size=(n_in, self.n_hidden)) / np.sqrt(max(n_in, 1)),
            "gate.bias": 0.1 * rng.normal(size=(1, self.n_hidden)),
            "gate.out": np.zeros((self.n_hidden, n_out)),
        }

    def _train(
        self,
        training: tuple[np.ndarray, np.ndarray, np.ndarray],
        held: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """L-BFGS on the relative squared error; keeps the iterate that is best on ``held``."""
        names = tuple(self.weights_)
        shapes = [self.weights_[name].shape for name in names]
        cuts = np.cumsum([self.weights_[name].size for name in names])[:-1]
        p, x, y = training
        size = float(np.sum(y**2)) or 1.0

        def unpacked(vector: np.ndarray) -> Weights:
            parts = np.split(vector, cuts)
            return {n: v.reshape(s) for n, v, s in zip(names, parts, shapes, strict=True)}

        def loss(vector: np.ndarray) -> tuple[float, np.ndarray]:
            weights = unpacked(vector)
            rest = readout(p, x, weights) - y
            *_, gradients = readout_adjoint(p, x, weights, 2.0 * rest / size)
            value = float(np.sum(rest**2)) / size
            for name in ("gate.in", "gate.out"):
                value += self.alpha * float(np.sum(weights[name] ** 2))
                gradients[name] += 2.0 * self.alpha * weights[name]
            return value, np.concatenate([gradients[name].ravel() for name in names])

        def held_error(weights: Weights) -> float:
            return float(np.sum((readout(held[0], held[1], weights) - held[2]) ** 2))

        best = held_error(self.weights_)

        def keep_best(vector: np.ndarray) -> None:
            nonlocal best
            error = held_error(unpacked(vector))
            if error < best:
                best, self.weights_ = error, unpacked(vector.copy())

        start = np.concatenate([self.weights_[name].ravel() for name in names])
        minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=keep_best,
            options={"maxiter": self.n_iteration, "maxfun": 2 * self.n_iteration},
        )
