"""Equivariant kernel ridge regression, with all samples or with few chosen ones.

The kernel of degree l is a matrix in m, made of a scalar kernel and the linear kernel of the
equivariant features (Grisafi, Wilkins, Csanyi, Ceriotti, Phys. Rev. Lett. 120, 036002 (2018)):

    K_im,jm' = (1/2 + p_i . p_j / 2 |p_i| |p_j|)^zeta  sum_q x_imq x_jm'q                    (L2)

The constant 1/2 keeps the linear model, and every power below zeta, inside the nonlinear one.
Samples that are structures have the sum of the kernels between their atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mlsemi.errors import InputError
from mlsemi.representations.learning.ridge import (
    ALPHAS,
    GramPath,
    SymmetryRegressor,
    SymmetryRidge,
    SymmetryRidgeCV,
    dual_errors,
)
from mlsemi.representations.learning.samples import block_of, invariants_of, samples_bar
from mlsemi.symmetry.selection import cur_columns, farthest_points, nystroem_map
from mlsemi.symmetry.tensors import Irrep

N_FOLD = 5
NEGLIGIBLE = 1e-13
"""Eigenvalues of the kernel of the points below this fraction of the largest are noise."""


def environments(x: np.ndarray, irrep: Irrep) -> tuple[np.ndarray, np.ndarray]:
    """Normalised invariants (n, n_atom, p) and equivariants (n, n_atom, 2l+1, q) of records."""
    invariants = invariants_of(x)
    norm = np.linalg.norm(invariants, axis=2, keepdims=True)
    return invariants / np.where(norm > 0.0, norm, 1.0), block_of(x, irrep)


def equivariant_kernel(
    left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray], zeta: int
) -> np.ndarray:
    """Equation L2, summed over the atoms on both sides.

    Parameters
    ----------
    left, right : (invariants, equivariants)
        Results of :func:`environments`.
    zeta : int
        Exponent of the scalar kernel; 0 leaves the linear kernel.

    Returns
    -------
    (n_left (2l+1), n_right (2l+1)) array.
    """
    (p, x), (p_right, x_right) = left, right
    n, n_atom, m, q = x.shape
    k, k_atom = x_right.shape[:2]
    scalar = p.reshape(n * n_atom, -1) @ p_right.reshape(k * k_atom, -1).T
    scalar = (0.5 + 0.5 * scalar) ** zeta
    linear = x.reshape(-1, q) @ x_right.reshape(-1, q).T
    both = linear.reshape(n * n_atom, m, k * k_atom, m) * scalar[:, None, :, None]
    both = both.reshape(n, n_atom, m, k, k_atom, m)
    return both.sum(axis=(1, 4)).reshape(n * m, k * m)


def equivariant_kernel_adjoint(
    left: tuple[np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray],
    zeta: int,
    kernel_bar: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Adjoint of :func:`equivariant_kernel`: cotangents of both arrays on the left."""
    (p, x), (p_right, x_right) = left, right
    n, _, m, _ = x.shape
    bar = kernel_bar.reshape(n, m, x_right.shape[0], m)
    base = 0.5 + 0.5 * np.einsum("nap,kbp->nakb", p, p_right)
    linear = np.einsum("namq,kbrq->namkbr", x, x_right, optimize=True)
    base_bar = np.einsum("nmkr,namkbr->nakb", bar, linear, optimize=True)
    base_bar *= 0.5 * zeta * base ** max(zeta - 1, 0)
    p_bar = np.einsum("nakb,kbp->nap", base_bar, p_right)
    x_bar = np.einsum("nmkr,nakb,kbrq->namq", bar, base**zeta, x_right, optimize=True)
    return p_bar, x_bar


def _from_kernel(
    x: np.ndarray,
    irrep: Irrep,
    right: tuple[np.ndarray, np.ndarray],
    zeta: int,
    kernel_bar: np.ndarray,
) -> np.ndarray:
    """Cotangent of samples from that of their kernel, through :func:`environments`."""
    p, block = environments(x, irrep)
    unit_bar, block_bar = equivariant_kernel_adjoint((p, block), right, zeta, kernel_bar)
    norm = np.linalg.norm(invariants_of(x), axis=2, keepdims=True)
    p_bar = unit_bar - p * np.sum(p * unit_bar, axis=2, keepdims=True)
    return samples_bar(x, irrep, block_bar, p_bar / np.where(norm > 0.0, norm, 1.0))


@dataclass(eq=False, repr=False)
class EquivariantKernelRidge(SymmetryRegressor):
    """Kernel ridge regression of one irrep on all samples.

    min_c |y - K c|^2 + alpha s c^T K c, s the mean diagonal of K. Needs records with invariants
    (field ``0+``) beside the features of the target's symmetry.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alpha : float or None
        Regularisation; None chooses it by cross-validation, for each target on its own.
    zeta : int
        Exponent of the scalar kernel.
    intercept : bool
        Add a constant; true scalars only.
    """

    reads_invariants = True
    l: int = 0
    sigma: int = 1
    alpha: float | None = 1e-8
    zeta: int = 2
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> EquivariantKernelRidge:
        """Fit to records X and targets y (n_sample, 2l+1[, n_target])."""
        targets = self._targets(y)
        self.environments_ = environments(X, self.irrep)
        kernel = equivariant_kernel(self.environments_, self.environments_, self.zeta)
        flat, n = targets.reshape(-1, targets.shape[2]), kernel.shape[0]
        if self.alpha is None:
            errors = dual_errors(kernel, targets, n, ALPHAS, N_FOLD)
            self.alpha_: float | np.ndarray = np.asarray(ALPHAS)[errors.argmin(axis=0)]
        else:
            self.alpha_ = self.alpha
        self.dual_coef_ = GramPath.of(kernel, flat, n).solve(self.alpha_)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions in the shape of the fitted y."""
        check_is_fitted(self, "dual_coef_")
        kernel = equivariant_kernel(environments(X, self.irrep), self.environments_, self.zeta)
        flat = kernel @ self.dual_coef_
        return self._shaped(flat.reshape(-1, 2 * self.l + 1, flat.shape[1]))

    def adjoint(self, X: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the samples X from that of their predictions."""
        kernel_bar = self._rows_bar(y_bar) @ self.dual_coef_.T
        return _from_kernel(X, self.irrep, self.environments_, self.zeta, kernel_bar)


@dataclass(eq=False, repr=False)
class KernelFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features whose scalar products are the kernel, seen from few points (Nystroem).

    Phi = K_nM U s^-1/2 with K_MM = U s U^T: a linear model on Phi is the subset-of-regressors
    solution (Ceriotti, Willatt, Csanyi, Handbook of Materials Modeling (2020)). The columns
    belong to points that stay as they are, so Phi turns with the sample.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    zeta : int
        Exponent of the scalar kernel.
    n_point : int
        Environments to keep.
    selection : {"fps", "cur"}
        Farthest points, or CUR, of the invariants.
    """

    l: int = 0
    sigma: int = 1
    zeta: int = 2
    n_point: int = 100
    selection: str = "fps"

    def fit(self, X: np.ndarray, y: object = None) -> KernelFeatures:
        """Choose the points among all environments of X.

        Parameters
        ----------
        X : record array
        y : None
            Not used.

        Raises
        ------
        InputError
            For a selection that is not known.
        """
        p, x = environments(X, Irrep(self.l, self.sigma))
        real = np.flatnonzero(np.any(p != 0.0, axis=2))
        p, x = p.reshape(-1, p.shape[2])[real], x.reshape(-1, *x.shape[2:])[real]
        if self.selection == "fps":
            chosen = farthest_points(p, self.n_point)
        elif self.selection == "cur":
            chosen = cur_columns(p.T, self.n_point)
        else:
            raise InputError(f"selection is fps or cur, not {self.selection!r}")
        self.points_ = p[chosen, None], x[chosen, None]
        kernel = equivariant_kernel(self.points_, self.points_, self.zeta)
        self.whitening_ = nystroem_map(kernel, NEGLIGIBLE)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Phi (n_sample, 2l+1, n_column)."""
        check_is_fitted(self, "whitening_")
        irrep = Irrep(self.l, self.sigma)
        flat = equivariant_kernel(environments(X, irrep), self.points_, self.zeta)
        return (flat @ self.whitening_).reshape(len(X), 2 * self.l + 1, -1)

    def adjoint(self, X: np.ndarray, out_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the samples X from that of Phi."""
        kernel_bar = out_bar.reshape(-1, self.whitening_.shape[1]) @ self.whitening_.T
        return _from_kernel(X, Irrep(self.l, self.sigma), self.points_, self.zeta, kernel_bar)


@dataclass(eq=False, repr=False)
class SparseKernelRidge(SymmetryRegressor):
    """Kernel ridge regression on few chosen environments.

    Parameters
    ----------
    l, sigma : int
        Symmetry of the target.
    alpha : float or None
        Regularisation; None chooses it by cross-validation, for each target on its own.
    zeta : int
        Exponent of the scalar kernel.
    n_point : int
        Environments to keep.
    selection : {"fps", "cur"}
        Farthest points, or CUR, of the invariants.
    intercept : bool
        Add a constant; true scalars only.
    """

    reads_invariants = True
    l: int = 0
    sigma: int = 1
    alpha: float | None = 1e-8
    zeta: int = 2
    n_point: int = 100
    selection: str = "fps"
    intercept: bool = False

    def fit(self, X: np.ndarray, y: np.ndarray) -> SparseKernelRidge:
        """Fit to records X and targets y (n_sample, 2l+1[, n_target])."""
        self.features_ = KernelFeatures(
            self.l, self.sigma, self.zeta, self.n_point, self.selection
        ).fit(X)
        self.ridge_ = (
            SymmetryRidgeCV(self.l, self.sigma, intercept=self.intercept)
            if self.alpha is None
            else SymmetryRidge(self.l, self.sigma, self.alpha, self.intercept)
        )
        self.ridge_.fit(self.features_.transform(X), y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions in the shape of the fitted y."""
        check_is_fitted(self, "ridge_")
        return self.ridge_.predict(self.features_.transform(X))

    def adjoint(self, X: np.ndarray, y_bar: np.ndarray) -> np.ndarray:
        """Cotangent of the samples X from that of their predictions."""
        phi_bar = self.ridge_.adjoint(self.features_.transform(X), y_bar)
        return self.features_.adjoint(X, phi_bar)
