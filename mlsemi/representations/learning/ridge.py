"""Symmetry-adapted ridge regression: one linear model per irrep.

y_im = sum_q w_q x_imq: the weights carry no m, so the model turns with its features (Glielmo,
Sollich, De Vita, Phys. Rev. B 95, 214302 (2017); Nigam, Willatt, Ceriotti, J. Chem. Phys. 156,
014115 (2022)). Only scalars may have a constant added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import scipy.linalg
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from mlsemi.errors import InputError
from mlsemi.representations.learning.samples import block_of, fit_r2, samples_bar, targets_of
from mlsemi.symmetry.tensors import SCALAR, Irrep

ALPHAS = tuple(10.0 ** np.arange(-12.0, 0.0))


class GramPath(NamedTuple):
    """Ridge solutions for every regularisation from one eigenvalue decomposition.

    With rows of samples X and targets Y: in the primal G = X^T X, b = X^T Y; in the dual
    G = X X^T, b = Y. Solutions are (G + alpha tr(G)/n 1)^-1 b, n the number of features.

    Attributes
    ----------
    vectors : (n, n) array
    values : (n,) array
        Eigenvalues divided by tr(G)/n.
    projected : (n, n_target) array
        vectors^T b.
    scale : float
        tr(G)/n.
    """

    vectors: np.ndarray
    values: np.ndarray
    projected: np.ndarray
    scale: float

    @classmethod
    def of(cls, gram: np.ndarray, right: np.ndarray, n_feature: int) -> GramPath:
        """Decompose; a Gram matrix of zeros gives zero weights.

        Parameters
        ----------
        gram : (n, n) array
            X^T X, or X X^T.
        right : (n, n_target) array
            X^T y, or y.
        n_feature : int
            The penalty is relative to the trace over it.
        """
        scale = float(np.trace(gram)) / n_feature or 1.0
        values, vectors = np.linalg.eigh(gram)
        return cls(vectors, np.maximum(values, 0.0) / scale, vectors.T @ right, scale)

    def solve(self, alpha: float | np.ndarray) -> np.ndarray:
        """Weights (n, n_target); one alpha for all targets, or one each."""
        damping = self.values[:, None] + np.broadcast_to(alpha, self.projected.shape[1:])
        return self.vectors @ (self.projected / (damping * self.scale))


class SymmetryRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What all regressors of one irrep share: shapes, the constant of a scalar, the score."""

    l: int
    sigma: int
    intercept: bool
    reads_invariants: ClassVar[bool] = False
    """Whether records need invariants beside the features of the target's symmetry."""

    def _targets(self, y: np.ndarray) -> np.ndarray:
        """Centred targets (n_sample, 2l+1, n_target); remembers the constant and the shape."""
        if self.intercept and self.irrep != SCALAR:
            raise InputError("only a true scalar (l = 0, sigma = 1) may have a constant added")
        targets = targets_of(y, self.l)
        self.squeeze_ = targets.ndim - np.ndim(y)
        self.intercept_ = np.zeros(targets.shape[2])
        if self.intercept:
            self.intercept_ = targets.mean(axis=(0, 1))
        return targets - self.intercept_

    def _shaped(self, predicted: np.ndarray) -> np.ndarray:
        """Predictions with the constant, in the shape of the targets that were fitted."""
        out = predicted + self.intercept_
        for _ in range(self.squeeze_):
            out = out[..., 0]
        return out

    def _rows_bar(self, y_bar: np.ndarray) -> np.ndarray:
        """(n_sample (2l+1), n_target) cotangents of predictions in the shape of the fitted y."""
        return np.asarray(y_bar, dtype=float).reshape(-1, self.intercept_.size)

    def score(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> float:
        """Coefficient of determination over all components together, the same in every frame.

        Parameters
        ----------
        X : array
        y : array
        sample_weight : None
            Not used; scikit-learn hands it over.
        """
        return fit_r2(np.asarray(y, dtype=float), self.predict(X), self.irrep == SCALAR)

    @property
    def irrep(self) -> Irrep:
        """Symmetry of the target."""
        return Irrep(self.l, self.sigma)


class LinearRegressor(SymmetryRegressor):
    """What the ridge regressions share: features about their mean, the solution, predictions."""

    def _solve(self, rows: np.ndarray, y: np.ndarray, alpha: float | np.ndarray) -> None:
        x, flat = self._centred(rows), y.reshape(-1, y.shape[2])
        if x.shape[0] < x.shape[1]:
            self.coef_ = x.T @ GramPath.of(x @ x.T, flat, x.shape[1]).solve(alpha)
        else:
            self.coef_ = GramPath.of(x.T @ x, x.T @ flat, x.shape[1]).solve(alpha)

    def _centred(self, rows: np.ndarray) -> np.ndarray:
        """(n_sample (2l+1), n_feature) features about the mean that a constant takes care of."""
        self.mean_ = rows.mean(axis=(0, 1)) if self.intercept else np.zeros(rows.shape[2])
        return (rows - self.mean_).reshape(-1, rows.shape[2])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions in the shape of the fitted y."""
        check_is_fitted(self, "coef_")
        return self._shaped((summed(X, self.irrep) - self.mean_) @ self.coef_)

    def adjoint(self, X: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the samples X from that of their predictions."""
        shape = block_of(X, self.irrep).shape
        rows = (self._rows_bar(y_bar) @ self.coef_.T).reshape(shape[0], 1, *shape[2:])
        return samples_bar(X, self.irrep, np.array(np.broadcast_to(rows, shape)))


@dataclass(eq=False, repr=False)
class SymmetryRidge(LinearRegressor):
    """Ridge regression of one irrep.

    min_w sum_im |y_im - sum_q w_q x_imq|^2 + alpha s |w|^2, s the mean diagonal of X^T X, so that
    alpha is a pure number. The smaller of the primal and dual problem is solved.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alpha : float
        Regularisation.
    intercept : bool
        Add a constant; true scalars only.
    """

    l: int = 0
    sigma: int = 1
    alpha: float = 1e-8
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> SymmetryRidge:
        """Fit to blocks X (n_sample, 2l+1, n_feature), or records, and y (n_sample, 2l+1)."""
        rows = summed(X, self.irrep)
        self._solve(rows, self._targets(y), self.alpha)
        return self


@dataclass(eq=False, repr=False)
class SymmetryRidgeCV(LinearRegressor):
    """Ridge regression that chooses alpha by cross-validation, for each target on its own.

    Folds are contiguous runs of samples, so that samples of one structure stay together. All
    alphas of a fold share one decomposition.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alphas : tuple of float
        Candidates, in units of the mean diagonal of X^T X.
    n_fold : int
    intercept : bool
        Add a constant; true scalars only.
    """

    l: int = 0
    sigma: int = 1
    alphas: tuple[float, ...] = ALPHAS
    n_fold: int = 5
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> SymmetryRidgeCV:
        """Fit to blocks X (n_sample, 2l+1, n_feature), or records, and y (n_sample, 2l+1)."""
        rows, targets = summed(X, self.irrep), self._targets(y)
        errors = self._errors(rows, targets)
        self.alpha_ = np.asarray(self.alphas)[errors.argmin(axis=0)]
        self._solve(rows, targets, self.alpha_)
        return self

    def _errors(self, rows: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Held-out squared error (n_alpha, n_target)."""
        x, flat = self._centred(rows), y.reshape(-1, y.shape[2])
        if x.shape[0] < x.shape[1]:
            return dual_errors(x @ x.T, y, x.shape[1], self.alphas, self.n_fold)
        gram, right = x.T @ x, x.T @ flat
        out = np.zeros((len(self.alphas), flat.shape[1]))
        for test in folds(len(y), y.shape[1], self.n_fold):
            xt, yt = x[test], flat[test]
            path = GramPath.of(gram - xt.T @ xt, right - xt.T @ yt, x.shape[1])
            out += [np.sum((yt - xt @ path.solve(alpha)) ** 2, axis=0) for alpha in self.alphas]
        return out


def folds(n_sample: int, m: int, n_fold: int) -> Iterator[np.ndarray]:
    """Rows that are held out together: contiguous runs of samples with all components."""
    for held in np.array_split(np.arange(n_sample), min(n_fold, n_sample)):
        yield (m * held[:, None] + np.arange(m)).ravel()


def dual_errors(
    kernel: np.ndarray, y: np.ndarray, n_feature: int, alphas: Sequence[float], n_fold: int
) -> np.ndarray:
    """Held-out squared error of kernel regression (n_alpha, n_target).

    Parameters
    ----------
    kernel : (n_sample (2l+1), n_sample (2l+1)) array
    y : (n_sample, 2l+1, n_target) array
    n_feature : int
        What alpha counts in: the trace of the kernel over this number.
    alphas : sequence of float
    n_fold : int
    """
    flat = y.reshape(-1, y.shape[2])
    out = np.zeros((len(alphas), flat.shape[1]))
    for test in folds(len(y), y.shape[1], n_fold):
        keep = np.setdiff1d(np.arange(len(flat)), test)
        path = GramPath.of(kernel[np.ix_(keep, keep)], flat[keep], n_feature)
        across = kernel[np.ix_(test, keep)]
        out += [np.sum((flat[test] - across @ path.solve(a)) ** 2, axis=0) for a in alphas]
    return out


@dataclass(eq=False, repr=False)
class SymmetryRidgeHoldout(LinearRegressor):
    """Ridge regression that chooses alpha on samples held out, for each target on its own.

    For thousands of features: one Cholesky decomposition per alpha costs a small part of the
    eigenvalue decompositions of :class:`SymmetryRidgeCV`.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alphas : tuple of float
        Candidates, in units of the mean diagonal of X^T X.
    share : float
        Part of the samples, the last ones, on which alpha is chosen; the final weights see all.
    intercept : bool
        Add a constant; true scalars only.
    """

    l: int = 0
    sigma: int = 1
    alphas: tuple[float, ...] = ALPHAS[2::2]
    share: float = 0.2
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> SymmetryRidgeHoldout:
        """Fit to blocks X (n_sample, 2l+1, n_feature), or records, and y (n_sample, 2l+1)."""
        rows, targets = summed(X, self.irrep), self._targets(y)
        x, flat = self._centred(rows), targets.reshape(-1, targets.shape[2])
        n_seen = rows.shape[1] * min(len(rows) - 1, round((1.0 - self.share) * len(rows)))
        seen, held = slice(0, n_seen), slice(n_seen, None)
        gram, right = x[seen].T @ x[seen], x[seen].T @ flat[seen]
        errors = [
            np.sum((flat[held] - x[held] @ _damped(gram, right, alpha)) ** 2, axis=0)
            for alpha in self.alphas
        ]
        best = np.argmin(errors, axis=0)
        self.alpha_ = np.asarray(self.alphas)[best]
        gram, right = gram + x[held].T @ x[held], right + x[held].T @ flat[held]
        self.coef_ = np.empty_like(right)
        for alpha in np.unique(self.alpha_):
            mine = self.alpha_ == alpha
            self.coef_[:, mine] = _damped(gram, right[:, mine], alpha)
        return self


def _damped(gram: np.ndarray, right: np.ndarray, alpha: float) -> np.ndarray:
    """(G + alpha tr(G)/n 1)^-1 b."""
    damping = alpha * (float(np.trace(gram)) / len(gram) or 1.0)
    factor = scipy.linalg.cho_factor(gram + damping * np.eye(len(gram)), check_finite=False)
    return scipy.linalg.cho_solve(factor, right, check_finite=False)


def summed(x: np.ndarray, irrep: Irrep) -> np.ndarray:
    """(n_sample, 2l+1, n_feature) features, summed over the atoms of a structure."""
    return block_of(x, irrep).sum(axis=1)
