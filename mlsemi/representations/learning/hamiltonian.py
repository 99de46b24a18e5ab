"""Direct learning of operators: matrices in, matrices out, one regressor for each kind of block.

Works for the full Fock matrix of any basis, overlap and dipole matrices, and projected valence
Hamiltonians: what there is to predict is in the :class:`OperatorLayout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from mlsemi.errors import InputError
from mlsemi.molecule.elements import symbol
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import MoleculeBlocks
from mlsemi.representations.learning.conventions import check_order
from mlsemi.representations.learning.invariant_products import InvariantProducts
from mlsemi.representations.learning.operators import BlockKey, OperatorLayout
from mlsemi.representations.learning.ridge import SymmetryRidgeCV
from mlsemi.representations.learning.samples import INVARIANTS, label, records
from mlsemi.symmetry.tensors import SCALAR


@dataclass(eq=False, repr=False)
class OperatorRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Symmetric operators from block features.

    Parameters
    ----------
    layout : OperatorLayout
    estimator : estimator of one irrep, optional
        Copied for each key with its ``l`` and ``sigma``; blocks of one atom get a constant where
        they are scalars. Ridge regression with a cross-validated alpha per target by default;
        kernels (``alpha=None`` for a cross-validated one) and the neural readout read the
        invariants of the same atom or pair as well.
    products : InvariantProducts, optional
        Copied for each key; multiplies its features by its invariants before the regression (for
        estimators that do not read invariants themselves).
    """

    layout: OperatorLayout
    estimator: BaseEstimator | None = None
    products: InvariantProducts | None = None

    def fit(self, X: Sequence[MoleculeBlocks], y: Sequence[np.ndarray]) -> OperatorRegressor:
        """Fit to the features X and matrices y of molecules.

        Parameters
        ----------
        X : sequence of MoleculeBlocks
        y : sequence of arrays
            As :meth:`OperatorLayout.decompose` takes them.

        Raises
        ------
        InputError
            If the p orbitals of the matrices are plainly in another order.
        """
        base = SymmetryRidgeCV() if self.estimator is None else self.estimator
        rows_of: dict[BlockKey, list[int]] = {}
        targets: dict[BlockKey, list[np.ndarray]] = {}
        for rows in _same_atoms(X):
            numbers = X[rows[0]].numbers
            blocks = self.layout.decompose(numbers, np.array([y[i] for i in rows]))
            for key in X[rows[0]].features:
                target = blocks[key]
                targets.setdefault(key, []).append(target.reshape(-1, *target.shape[2:]))
                rows_of.setdefault(key, []).extend(rows)
        self.estimators_ = {}
        self.products_: dict[BlockKey, InvariantProducts] = {}
        for key, rows in rows_of.items():
            molecules = [X[i] for i in rows]
            if not any(len(molecule.features[key]) for molecule in molecules):
                continue
            if self.products is not None:
                self.products_[key] = clone(self.products).fit(_with_invariants(molecules, key))
            constant = key.kind == "atom" and key.irrep == SCALAR
            model = clone(base).set_params(l=key.l, sigma=key.sigma, intercept=constant)
            target = np.concatenate(targets[key])
            check_order(self.layout, key, _stacked(molecules, key), target)
            self.estimators_[key] = model.fit(self._features(molecules, key), target)
        return self

    def predict(self, X: Sequence[MoleculeBlocks]) -> list[np.ndarray]:
        """One symmetric matrix per molecule.

        Parameters
        ----------
        X : sequence of MoleculeBlocks

        Raises
        ------
        InputError
            For a pair of elements that the training molecules do not contain.
        """
        check_is_fitted(self, "estimators_")
        out: list[np.ndarray] = [np.empty(0)] * len(X)
        for rows in _same_atoms(X):
            numbers = X[rows[0]].numbers
            molecules = [X[i] for i in rows]
            irreps = {}
            for key in molecules[0].features:
                if not len(molecules[0].features[key]):
                    continue
                if key not in self.estimators_:
                    pair = f"{symbol(key.first)} and {symbol(key.second)}"
                    raise InputError(f"no training molecule has {pair} together")
                flat = self.estimators_[key].predict(self._features(molecules, key))
                irreps[key] = flat.reshape(len(rows), -1, *flat.shape[1:])
            for row, matrix in zip(rows, self.layout.assemble(numbers, irreps), strict=True):
                out[row] = matrix
        return out

    def adjoint(
        self, X: Sequence[MoleculeBlocks], matrices_bar: Sequence[np.ndarray]
    ) -> list[MoleculeBlocks]:
        """Cotangents of the features of every molecule.

        Parameters
        ----------
        X : sequence of MoleculeBlocks
        matrices_bar : sequence of arrays
            Of what :meth:`predict` gives; need not be symmetric.
        """
        check_is_fitted(self, "estimators_")
        out = [
            MoleculeBlocks(m.numbers, {k: np.zeros_like(v) for k, v in m.features.items()})
            for m in X
        ]
        for rows in _same_atoms(X):
            bars = self.layout.assemble_adjoint(
                X[rows[0]].numbers, np.array([matrices_bar[i] for i in rows])
            )
            molecules = [X[i] for i in rows]
            for key in molecules[0].features:
                if not len(molecules[0].features[key]):
                    continue
                flat = bars[key].reshape(-1, *bars[key].shape[2:])
                for where, bar in self._features_adjoint(molecules, key, flat).items():
                    for row, part in zip(rows, np.split(bar, len(rows)), strict=True):
                        out[row].features[where] += part
        return out

    def _features_adjoint(
        self, molecules: Sequence[MoleculeBlocks], key: BlockKey, y_bar: np.ndarray
    ) -> dict[BlockKey, np.ndarray]:
        """Cotangents of what :meth:`_features` reads: features of a key, invariants of another."""
        x_bar = self.estimators_[key].adjoint(self._features(molecules, key), y_bar)
        if self.products is not None:
            pair = self.products_[key].adjoint(_with_invariants(molecules, key), x_bar)
        elif x_bar.dtype.names is not None:
            pair = x_bar[label(key.irrep)], x_bar[INVARIANTS]
        else:
            return {key: x_bar}
        if key == key.invariant:
            return {key: pair[0] + pair[1]}
        return {key: pair[0], key.invariant: pair[1]}

    def _features(self, molecules: Sequence[MoleculeBlocks], key: BlockKey) -> np.ndarray:
        """What the estimator of a key sees."""
        if self.products is not None:
            return self.products_[key].transform(_with_invariants(molecules, key))
        if getattr(self.estimator, "reads_invariants", False):
            features, invariants = _with_invariants(molecules, key)
            return records({key.irrep: features}, invariants)
        return _stacked(molecules, key)

    def score(
        self,
        X: Sequence[MoleculeBlocks],
        y: Sequence[np.ndarray],
        sample_weight: None = None,
    ) -> float:
        """Minus the root mean square error of the matrix elements.

        Parameters
        ----------
        X : sequence of MoleculeBlocks
        y : sequence of arrays
        sample_weight : None
            Not used.
        """
        rest = [a - b for a, b in zip(self.predict(X), y, strict=True)]
        return -float(np.sqrt(sum(np.sum(r**2) for r in rest) / sum(r.size for r in rest)))


def _stacked(molecules: Sequence[MoleculeBlocks], key: BlockKey) -> np.ndarray:
    """Features of one key of all molecules, one after the other."""
    return np.concatenate([molecule.features[key] for molecule in molecules])


def _with_invariants(
    molecules: Sequence[MoleculeBlocks], key: BlockKey
) -> tuple[np.ndarray, np.ndarray]:
    """Features of one key and invariants of the same atoms."""
    return _stacked(molecules, key), _stacked(molecules, key.invariant)


def _same_atoms(molecules: Sequence[MoleculeBlocks]) -> Iterator[list[int]]:
    """Rows of molecules with the same atoms in the same order."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for row, molecule in enumerate(molecules):
        groups.setdefault(tuple(molecule.numbers.tolist()), []).append(row)
    yield from groups.values()


def matrices_adjoint(
    model: Pipeline, structures: Sequence[Structure], matrices_bar: Sequence[np.ndarray]
) -> np.ndarray:
    """dL/d positions (n_atom, 3) of all structures from that of their predicted matrices.

    With the adjoints of what is made of a matrix (``mlsemi.orbitals``) it gives the derivatives of
    levels, gaps, populations and dipoles of a predicted Hamiltonian.

    Parameters
    ----------
    model : Pipeline
        ``BlockFeatures``, then ``OperatorRegressor``, fitted.
    structures : sequence of Structure
    matrices_bar : sequence of arrays
        Of what ``model.predict(structures)`` gives; need not be symmetric.
    """
    features, regressor = model[0], model[-1]
    blocks_bar = regressor.adjoint(features.transform(structures), matrices_bar)
    return np.asarray(features.adjoint(structures, blocks_bar))


def levels(
    matrices: Sequence[np.ndarray], overlaps: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Eigenvalues of every matrix, ascending (theory eq 1).

    Parameters
    ----------
    matrices : sequence of (n, n) arrays
    overlaps : sequence of (n, n) arrays, optional
        Metric; orthonormal orbitals by default.
    """
    if overlaps is None:
        return [np.linalg.eigvalsh(matrix) for matrix in matrices]
    return [
        scipy.linalg.eigh(h, s, eigvals_only=True) for h, s in zip(matrices, overlaps, strict=True)
    ]
