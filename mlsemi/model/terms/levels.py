"""Levels of the free atoms: the s and p energy of each element, before any neighbour is seen."""

from __future__ import annotations

import numpy as np

from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight
from mlsemi.symmetry.blocks import P_LEVEL
from mlsemi.symmetry.layers import Gradients, Weights


class Levels(Term):
    """H_ii = e_s, e_p of the species: the first half of the physics baseline."""

    serves = frozenset({"hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``level`` (n_species, 2): s and p level, hartree."""
        shape = (len(self.form.elements), 2)
        return {"level": Weight(shape, decays=False, linear=True, shifted=True)}

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Mean on-site elements of the projected Hamiltonians."""
        irreps = known.hamiltonian.atoms
        for species, rows in known.hamiltonian.pairs.groups:
            means = irreps[rows, 0].mean(), irreps[rows, 4].mean() / P_LEVEL
            weights["level"][species] = means

    def forward(self, weights: Weights, out: Prediction) -> None:
        """Onto the scalars of the s and the p shell."""
        levels = weights["level"][out.pairs.species]
        out.hamiltonian.atoms[:, 0] += levels[:, 0]
        out.hamiltonian.atoms[:, 4] += P_LEVEL * levels[:, 1]

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """Sums over the atoms of a species."""
        if gradients is None or bar.hamiltonian is None:
            return
        atoms_bar = bar.hamiltonian.atoms
        for species, rows in out.pairs.groups:
            sums = atoms_bar[rows, 0].sum(), P_LEVEL * atoms_bar[rows, 4].sum()
            gradients["level"][species] += sums
