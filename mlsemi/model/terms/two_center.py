"""Two-center functions: the part of a pair block that depends on the distance alone."""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.coupling import radial_irreps
from mlsemi.model.terms.bonds import IRREPS
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, ridge
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import components

COLUMNS = ("ss", "sp", "pp0", "pp2")
"""Irreps of a bond that a function of its length alone can have."""
DEGREES = np.array([IRREPS[name][0] for name in COLUMNS])
PLACES = np.array([IRREPS[name][1].start for name in COLUMNS])

PENALTY = 1e-6
"""Of the regression, per element of the matrices."""


class TwoCenter(Term):
    """H_ij^(lambda mu) += sum_n c_n B_n(r_ij) Y_(lambda mu)(r_ij), the pair feature of order 0.

    The second half of the physics baseline.
    """

    serves = frozenset({"hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``two_center`` (n_species^2, n_radial, 4), hartree."""
        shape = (len(self.form.elements) ** 2, self.form.n_radial, len(COLUMNS))
        return {"two_center": Weight(shape, decays=False, linear=True, shifted=True)}

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Ridge regression on the projected Hamiltonians, one for each species pair and irrep."""
        pairs, target = known.hamiltonian.pairs, known.hamiltonian.bonds
        basis, _ = self.form.radial(pairs.distance)
        label = pairs.pair_species
        for row in np.unique(label):
            chosen = label == row
            for column, name in enumerate(COLUMNS):
                l, span = IRREPS[name]
                sphere = pairs.sphere[chosen, components(l)]
                x = (basis[chosen][:, None, :] * sphere[:, :, None]).reshape(-1, basis.shape[1])
                y = target[chosen, span].ravel()
                weights["two_center"][row, :, column] = ridge(x, y, PENALTY * y.size)

    def forward(self, weights: Weights, out: Prediction) -> np.ndarray:
        """Functions of the distance times the harmonics of the bond; the record is the former."""
        values: np.ndarray = radial_irreps(
            out.basis,
            out.pairs.sphere,
            out.pairs.pair_species,
            weights["two_center"],
            DEGREES,
            PLACES,
            out.hamiltonian.bonds,
        )
        return values

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: np.ndarray,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the coefficients, and to the radial functions and harmonics."""
        if bar.hamiltonian is None:
            return
        pairs, bonds_bar = out.pairs, bar.hamiltonian.bonds
        label = pairs.pair_species
        values_bar = np.stack(
            [
                np.einsum("pm,pm->p", bonds_bar[:, span], pairs.sphere[:, components(l)])
                for l, span in (IRREPS[name] for name in COLUMNS)
            ],
            axis=1,
        )
        if gradients is not None:
            for row in np.unique(label):
                chosen = label == row
                gradients["two_center"][row] += out.basis[chosen].T @ values_bar[chosen]
        if bar.geometry is not None:
            coefficients = weights["two_center"][label]
            bar.geometry.basis[:] += np.einsum("pc,pnc->pn", values_bar, coefficients)
            for column, name in enumerate(COLUMNS):
                l, span = IRREPS[name]
                bar.geometry.sphere[:, components(l)] += (
                    record[:, column : column + 1] * bonds_bar[:, span]
                )
