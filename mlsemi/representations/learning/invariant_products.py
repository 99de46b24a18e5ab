"""Products of a block's features with its own invariants: nonlinear, yet of the same symmetry.

    x_imq -> x_imq,  z_imr s_ik                                                              (L7)

with z the leading principal components of the features x and s those of the invariants of the same
atom or pair, about their mean; both keep their relative sizes, which tells a regularised model that
the large ones matter most. A product of features of order nu with invariants of order nu' is one of
order nu + nu', so a linear model on the result reaches twice the order at a cost that does not
depend on it (the leading, polynomial terms of the nonlinear models of Nigam, Willatt, Ceriotti,
J. Chem. Phys. 156, 014115 (2022)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from mlsemi.symmetry.selection import covariance, principal_maps
from mlsemi.symmetry.tensors import SCALAR

WEIGHT = 0.1
"""Size of the products against the features: a prior for smoothness."""


@dataclass(eq=False, repr=False)
class InvariantProducts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features and invariants of the samples of one key -> features with products (L7).

    Parameters
    ----------
    n_feature : int
        Principal components z of the features.
    n_invariant : int
        Principal components s of the invariants.
    """

    n_feature: int = 60
    n_invariant: int = 40

    def fit(self, X: tuple[np.ndarray, np.ndarray], y: object = None) -> InvariantProducts:
        """Principal components.

        Parameters
        ----------
        X : ((n_sample, 2l+1, q) array, (n_sample, 1, p) array)
            Features and invariants.
        y : None
            Not used.
        """
        features, invariants = X
        self.scale_ = 1.0 / (np.sqrt(np.mean(np.sum(features**2, axis=(1, 2)))) or 1.0)
        self.components_ = _leading(features, self.n_feature)
        self.mean_ = invariants.mean(axis=0)
        self.invariant_components_ = _leading(invariants - self.mean_, self.n_invariant)
        return self

    def transform(self, X: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """(n_sample, 2l+1, q + n_feature n_invariant) features."""
        check_is_fitted(self, "components_")
        features, invariants = X
        z = features @ self.components_
        s = (invariants - self.mean_) @ self.invariant_components_
        products = (z[:, :, :, None] * s[:, :, None, :]).reshape(*z.shape[:2], -1)
        return np.concatenate([self.scale_ * features, WEIGHT * products], axis=2)

    def adjoint(
        self, X: tuple[np.ndarray, np.ndarray], out_bar: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cotangents of features and invariants."""
        features, invariants = X
        z = features @ self.components_
        s = (invariants - self.mean_) @ self.invariant_components_
        split = features.shape[2]
        products_bar = WEIGHT * out_bar[:, :, split:].reshape(*z.shape, s.shape[2])
        z_bar = np.einsum("smrk,sk->smr", products_bar, s[:, 0])
        s_bar = np.einsum("smrk,smr->sk", products_bar, z)[:, None]
        features_bar = self.scale_ * out_bar[:, :, :split] + z_bar @ self.components_.T
        return features_bar, s_bar @ self.invariant_components_.T


def _leading(x: np.ndarray, n_keep: int) -> np.ndarray:
    """(q, n) map to leading principal components; none where nothing varies."""
    maps = principal_maps({SCALAR: covariance(x)}, n_keep)  # one set: its label is of no account
    return maps.get(SCALAR, np.zeros((x.shape[2], 0)))
