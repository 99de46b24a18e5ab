"""Electrostatics: charges that the features predict, and the potential that they make.

The features enter a field that is felt at any distance, as in long-distance equivariants (Grisafi
and Ceriotti, J. Chem. Phys. 151, 204105 (2019)). In a cell the charges of all images count
(:mod:`mlsemi.lattice.ewald`).
"""

from __future__ import annotations

import numpy as np

from mlsemi.lattice.ewald import softened_sum, softened_sum_adjoint
from mlsemi.model.terms.neutrality import neutral, neutral_adjoint
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight
from mlsemi.molecule.structure import Structure
from mlsemi.symmetry.blocks import P_LEVEL
from mlsemi.symmetry.layers import Gradients, Weights

SOFTENING = 2.0
"""Width a of the softened Coulomb law 1 / sqrt(r^2 + a^2), bohr; about an inverse hardness."""


class Charges(Term):
    """q_i = w[species] . scalars_i, shifted equally to sum to zero.

    In a form with ``bonded`` they do so in every molecule (:mod:`mlsemi.model.terms.neutrality`).
    They are those of the neutral molecule, whatever its charge is: H_o depends on the geometry
    alone, and a charge acts through :mod:`mlsemi.response`.
    """

    serves = frozenset({"charges", "hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``charge`` (n_species, n_on_site), e."""
        shape = (len(self.form.elements), self.form.n_on_site)
        return {"charge": Weight(shape, step=0.1, linear=True, shifted=True, own=True)}

    def forward(self, weights: Weights, out: Prediction) -> np.ndarray | None:
        """Charges of the neutral molecule."""
        pairs = out.pairs
        charges = np.einsum("ik,ik->i", out.nodes[:, 0], weights["charge"][pairs.species])
        if self.form.bonded:
            assert out.parts is not None
            out.charges = neutral(out.parts, charges)
            return charges
        for index, structure in enumerate(pairs.structures):
            rows = pairs.atoms_of(index)
            charges[rows] -= charges[rows].sum() / structure.n_atom
        out.charges = charges
        return None

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: np.ndarray | None,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the scalars and the map, and to the bonds that decide what a molecule is."""
        assert bar.charges is not None
        pairs, raw_bar = out.pairs, bar.charges.copy()
        if record is not None:
            assert out.parts is not None
            raw_bar = neutral_adjoint(out.parts, record, bar.charges, bar.strength)
        else:
            for index in range(len(pairs.structures)):
                rows = pairs.atoms_of(index)
                raw_bar[rows] -= bar.charges[rows].mean()
        if gradients is not None:
            for species, group in pairs.groups:
                gradients["charge"][species] += raw_bar[group] @ out.nodes[group, 0]
        bar.nodes[:, 0] += raw_bar[:, None] * weights["charge"][pairs.species]


class Potential(Term):
    """V_i = sum_j q_j / sqrt(r_ij^2 + a^2): an electron on atom i feels -V_i on all its levels."""

    serves = frozenset({"hamiltonian"})

    def forward(self, weights: Weights, out: Prediction) -> list[np.ndarray]:
        """Onto the scalars of the s and the p shell."""
        potential = np.empty_like(out.charges)
        kernels = [softened(structure) for structure in out.pairs.structures]
        for index, kernel in enumerate(kernels):
            rows = out.pairs.atoms_of(index)
            potential[rows] = kernel @ out.charges[rows]
        out.hamiltonian.atoms[:, 0] -= potential
        out.hamiltonian.atoms[:, 4] -= P_LEVEL * potential
        return kernels

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: list[np.ndarray],
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the charges and the positions."""
        assert bar.hamiltonian is not None
        assert bar.charges is not None
        pairs, atoms_bar = out.pairs, bar.hamiltonian.atoms
        potential_bar = -(atoms_bar[:, 0] + P_LEVEL * atoms_bar[:, 4])
        start = 0
        for index, (structure, kernel) in enumerate(zip(pairs.structures, record, strict=True)):
            rows = pairs.atoms_of(index)
            bar.charges[rows] += kernel @ potential_bar[rows]
            if bar.geometry is not None:
                both = np.outer(potential_bar[rows], out.charges[rows])
                moved, strained = softened_adjoint(structure, kernel, both)
                bar.geometry.positions[start : start + structure.n_atom] += moved
                bar.geometry.strain[:] += strained
            start += structure.n_atom


def softened(structure: Structure) -> np.ndarray:
    """1 / sqrt(r^2 + a^2) between the atoms of a structure, zero on the diagonal."""
    x = structure.positions
    if structure.cell is not None:
        return softened_sum(x, structure.cell, SOFTENING)
    a, b, c = ((column[:, None] - column) ** 2 for column in x.T)
    kernel: np.ndarray = 1.0 / np.sqrt(a + b + c + SOFTENING**2)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def softened_adjoint(
    structure: Structure, kernel: np.ndarray, bar: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Adjoint of :func:`softened`: positions_bar (n_atom, 3), strain_bar (3, 3)."""
    x = structure.positions
    if structure.cell is not None:
        return softened_sum_adjoint(x, structure.cell, SOFTENING, bar)
    strength = (bar + bar.T) * kernel**3
    moved = -(strength.sum(axis=1)[:, None] * x - strength @ x)
    return moved, moved.T @ x
