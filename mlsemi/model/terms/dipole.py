"""Dipoles that charges do not know: atomic dipoles, and transition dipoles between s and p."""

from __future__ import annotations

import numpy as np

from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import components


class Dipole(Term):
    """mu_i = sum_k w_k rho_i^(1 k), and one s-p length per species (theory section 5)."""

    serves = frozenset({"atom_dipoles", "sp_lengths"})

    def weights(self) -> dict[str, Weight]:
        """``dipole.atom`` (n_species, n_on_site), ``dipole.sp`` (n_species,); e bohr."""
        n_species = len(self.form.elements)
        return {
            "dipole.atom": Weight(
                (n_species, self.form.n_on_site), step=0.1, shifted=True, own=True
            ),
            "dipole.sp": Weight((n_species,), decays=False, shifted=True),
        }

    def forward(self, weights: Weights, out: Prediction) -> None:
        """Components y, z, x of the dipoles; lengths by species."""
        species = out.pairs.species
        out.atom_dipoles += np.einsum(
            "imk,ik->im", out.nodes[:, components(1)], weights["dipole.atom"][species]
        )
        out.sp_lengths += weights["dipole.sp"][species]

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the features, the map and the lengths."""
        pairs = out.pairs
        if bar.atom_dipoles is not None:
            head = weights["dipole.atom"][pairs.species]
            bar.nodes[:, components(1)] += bar.atom_dipoles[:, :, None] * head[:, None]
            if gradients is not None:
                per_atom = np.einsum("im,imk->ik", bar.atom_dipoles, out.nodes[:, components(1)])
                for species, rows in pairs.groups:
                    gradients["dipole.atom"][species] += per_atom[rows].sum(axis=0)
        if bar.sp_lengths is not None and gradients is not None:
            as_given = pairs.atom  # in the order of the structures
            np.add.at(gradients["dipole.sp"], pairs.species[as_given], bar.sp_lengths[as_given])
