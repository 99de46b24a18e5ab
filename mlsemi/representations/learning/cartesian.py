"""Cartesian targets as irreps: vectors (dipole), symmetric tensors (polarizability).

With real harmonics of degree 1 ordered (y, z, x), T_lm = sum_ab <1 a; 1 b | l m> T_ab: a symmetric
tensor has l = 0 (its trace) and l = 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from mlsemi.errors import InputError
from mlsemi.representations.learning.ridge import SymmetryRidge
from mlsemi.representations.learning.samples import fit_r2
from mlsemi.symmetry.so3 import clebsch_gordan

ORDER = np.array([1, 2, 0])
"""Cartesian axis of m = -1, 0, 1."""
IRREPS = {1: (1,), 2: (0, 2)}
"""Degrees that make up a vector and a symmetric tensor."""


def irreps_of_cartesian(y: np.ndarray) -> dict[int, np.ndarray]:
    """Irreps of vectors or symmetric tensors.

    Parameters
    ----------
    y : (n_sample, 3) or (n_sample, 3, 3) array

    Returns
    -------
    dict of l to (n_sample, 2l+1) array.

    Raises
    ------
    InputError
        For another shape.
    """
    y = np.asarray(y, dtype=np.float64)
    if y.shape[1:] == (3,):
        return {1: y[:, ORDER]}
    if y.shape[1:] == (3, 3):
        sphere = y[:, ORDER[:, None], ORDER]
        return {l: np.einsum("sab,abm->sm", sphere, clebsch_gordan(1, 1, l)) for l in IRREPS[2]}
    raise InputError(f"a vector or a tensor per sample is needed, not shape {y.shape[1:]}")


def cartesian_of_irreps(irreps: dict[int, np.ndarray]) -> np.ndarray:
    """Inverse of :func:`irreps_of_cartesian`."""
    back = np.argsort(ORDER)
    if tuple(irreps) == IRREPS[1]:
        return irreps[1][:, back]
    sphere = sum(np.einsum("sm,abm->sab", v, clebsch_gordan(1, 1, l)) for l, v in irreps.items())
    return np.asarray(sphere)[:, back[:, None], back]


@dataclass(eq=False, repr=False)
class CartesianRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression of vectors (n_sample, 3) or symmetric tensors (n_sample, 3, 3), irrep by irrep.

    Parameters
    ----------
    estimator : estimator of one irrep, optional
        Copied for each irrep of the target, with its ``l`` (all have sigma = +1), and a constant
        for the trace; ridge regression by default.
    """

    estimator: BaseEstimator | None = None

    def fit(self, X: np.ndarray, y: np.ndarray) -> CartesianRegressor:
        """Fit to records X, which need the fields ``1+``, or ``0+`` and ``2+``."""
        base = SymmetryRidge() if self.estimator is None else self.estimator
        self.estimators_ = {
            l: clone(base).set_params(l=l, sigma=1, intercept=l == 0).fit(X, part)
            for l, part in irreps_of_cartesian(y).items()
        }
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Vectors or tensors, x, y, z."""
        check_is_fitted(self, "estimators_")
        return cartesian_of_irreps({l: e.predict(X) for l, e in self.estimators_.items()})

    def adjoint(self, X: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the records X; the map of irreps is orthogonal, so its inverse serves."""
        y_bar = np.asarray(y_bar, dtype=float)
        if y_bar.ndim == 3:
            y_bar = 0.5 * (y_bar + np.swapaxes(y_bar, 1, 2))
        out = np.zeros_like(X)
        for l, part in irreps_of_cartesian(y_bar).items():
            bar = self.estimators_[l].adjoint(X, part)
            for name in bar.dtype.names:
                out[name] += bar[name]
        return out

    def score(self, X: np.ndarray, y: np.ndarray, sample_weight: None = None) -> float:
        """Coefficient of determination over all components; for tensors about their mean trace.

        Parameters
        ----------
        X : record array
        y : array
        sample_weight : None
            Not used.
        """
        y = np.asarray(y, dtype=float)
        isotropic = 0.0
        if y.ndim == 3:
            isotropic = np.eye(3) * np.trace(y, axis1=1, axis2=2).mean() / 3.0
        return fit_r2(y - isotropic, self.predict(X) - isotropic, False)
