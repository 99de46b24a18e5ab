"""Connection: whether two atoms belong to one molecule, without a step (theory eq 20).

    b_ij = 1 - h((x_ij - BOND) / (CONTACT - BOND)),   x_ij = r_ij / (R_i + R_j)
    u_ij = max over paths of at most LONGEST bonds from i to j of the product of their b

with covalent radii R and the smooth step h. In a molecule every bond has b = 1 and u is 1 or 0; two
molecules in contact have u = 0, however strong their hydrogen bonds; in between lie bonds that
break. What reads u instead of distances alone sees a molecule as it would see it alone.
"""

from __future__ import annotations

import numpy as np

from mlsemi.kernels.connection import connection, connection_adjoint
from mlsemi.model.terms.neutrality import Parts
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import EVERYTHING, Term
from mlsemi.molecule.elements import covalent_radius
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.radial import smooth_step

BOND, CONTACT = 1.3, 1.65
"""Sums of covalent radii up to which atoms are bonded (warm molecules reach 1.31, once in all
reference data) and from which they are not (a hydrogen bond O-H...O of 1.6 angstrom)."""

LONGEST = 6
"""Bonds of the longest path: of zigzag chains it is as long as the cutoff of the features."""


class Connection(Term):
    """b and u of every pair: ``out.strength``, ``out.connection``; parts by paths of any length.

    It has no weights.
    """

    serves = EVERYTHING | {"atom_energies", "multipoles"}

    def forward(self, weights: Weights, out: Prediction) -> np.ndarray:
        """Strengths of bonds, then the best paths."""
        pairs = out.pairs
        radius = covalent_radius(np.asarray(self.form.elements))[pairs.species]
        length = radius[pairs.first] + radius[pairs.second]
        step, slope = smooth_step((pairs.distance / length - BOND) / (CONTACT - BOND))
        out.strength = 1.0 - step
        out.connection = connection(pairs.first, pairs.second, out.strength, pairs.n_atom, LONGEST)
        out.parts = Parts.of(pairs, out.strength)
        return -slope / (length * (CONTACT - BOND))

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: np.ndarray,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the distances."""
        if bar.geometry is None:
            return
        pairs = out.pairs
        strength_bar = bar.strength + connection_adjoint(
            pairs.first,
            pairs.second,
            out.strength,
            pairs.n_atom,
            LONGEST,
            out.connection,
            bar.connection,
        )
        bar.geometry.distance[:] += strength_bar * record
