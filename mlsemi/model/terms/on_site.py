"""On-site irreps read off the features of an atom: what its neighbours do to its levels."""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.coupling import read_irreps
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import components

PARTS = ((0, slice(0, 1)), (1, slice(1, 4)), (0, slice(4, 5)), (2, slice(5, 10)))
"""Degree and components of the irreps ss, sp, pp0, pp2."""
DEGREES = np.array([l for l, _ in PARTS])


class OnSite(Term):
    """H_ii^(lambda mu) += sum_k w_k rho_i^(lambda mu k), w by species and irrep."""

    serves = frozenset({"hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``onsite`` (n_species, n_on_site, 4)."""
        shape = (len(self.form.elements), self.form.n_on_site, len(PARTS))
        return {"onsite": Weight(shape, step=0.1, linear=True, shifted=True)}

    def forward(self, weights: Weights, out: Prediction) -> None:
        """A linear map of the features of the same degree."""
        read_irreps(out.nodes, out.pairs.species, weights["onsite"], DEGREES, out.hamiltonian.atoms)

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the features and the map."""
        if bar.hamiltonian is None:
            return
        head = weights["onsite"][out.pairs.species]
        for column, (l, span) in enumerate(PARTS):
            atoms_bar = bar.hamiltonian.atoms[:, span]
            bar.nodes[:, components(l)] += atoms_bar[:, :, None] * head[:, None, :, column]
            if gradients is not None:
                per_atom = np.einsum("im,imk->ik", atoms_bar, out.nodes[:, components(l)])
                for species, rows in out.pairs.groups:
                    gradients["onsite"][species, :, column] += per_atom[rows].sum(axis=0)
