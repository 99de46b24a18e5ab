"""Long range: the electrostatic potential of charges that the features predict."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from mlsemi.model.layers import Gradients, Weights
from mlsemi.model.pairs import PairList

SOFTENING = 2.0
"""Width a of the softened Coulomb law 1 / sqrt(r^2 + a^2), bohr; about an inverse hardness."""


class PotentialRecord(NamedTuple):
    """Intermediates of :func:`potential` that its adjoint needs."""

    charges: np.ndarray
    kernels: list[np.ndarray]


def _softened(pairs: PairList) -> list[np.ndarray]:
    """1 / sqrt(r^2 + a^2) between the atoms of each structure, zero on the diagonal."""
    out = []
    for structure in pairs.structures:
        kernel = 1.0 / np.sqrt(
            cdist(structure.positions, structure.positions, "sqeuclidean") + SOFTENING**2
        )
        np.fill_diagonal(kernel, 0.0)
        out.append(kernel)
    return out


def conserved_charges(pairs: PairList, scalars: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom,) charges q_i = w[species] . scalars_i, shifted equally to sum to zero.

    They are those of the neutral molecule, whatever its charge is: H_o depends on the geometry
    alone, and a charge acts through :mod:`mlsemi.response`.

    Parameters
    ----------
    pairs : PairList
    scalars : (n_atom, n_channel) array
    weights : mapping
        ``charge`` (n_species, n_channel).
    """
    charges = np.einsum("ik,ik->i", scalars, weights["charge"][pairs.species])
    for index, structure in enumerate(pairs.structures):
        rows = pairs.atoms_of(index)
        charges[rows] -= charges[rows].sum() / structure.n_atom
    return charges


def conserved_charges_adjoint(
    pairs: PairList,
    scalars: np.ndarray,
    weights: Weights,
    charges_bar: np.ndarray,
    gradients: Gradients,
) -> np.ndarray:
    """Adjoint of :func:`conserved_charges`: scalars_bar; adds to ``gradients``."""
    raw_bar = charges_bar.copy()
    for index in range(len(pairs.structures)):
        rows = pairs.atoms_of(index)
        raw_bar[rows] -= charges_bar[rows].mean()
    if gradients is not None:
        for species, group in pairs.groups:
            gradients["charge"][species] += raw_bar[group] @ scalars[group]
    return raw_bar[:, None] * weights["charge"][pairs.species]


def potential(
    pairs: PairList, scalars: np.ndarray, weights: Weights
) -> tuple[np.ndarray, PotentialRecord]:
    """Potential V_i = sum_j q_j / sqrt(r_ij^2 + a^2) of :func:`conserved_charges`.

    The features enter a field that is felt at any distance, as in long-distance equivariants
    (Grisafi and Ceriotti, J. Chem. Phys. 151, 204105 (2019)).

    Returns
    -------
    (n_atom,) potential in hartree / e, and the record for the adjoint.
    """
    charges = conserved_charges(pairs, scalars, weights)
    out = np.empty_like(charges)
    kernels = _softened(pairs)
    for index, kernel in enumerate(kernels):
        rows = pairs.atoms_of(index)
        out[rows] = kernel @ charges[rows]
    return out, PotentialRecord(charges, kernels)


def potential_adjoint(
    pairs: PairList,
    scalars: np.ndarray,
    weights: Weights,
    record: PotentialRecord,
    out_bar: np.ndarray,
    gradients: Gradients,
    positions_bar: np.ndarray | None,
) -> np.ndarray:
    """Adjoint of :func:`potential`: scalars_bar.

    Adds to ``gradients`` and, when given, to ``positions_bar`` (rows as in the structures).
    """
    charges_bar = np.empty_like(out_bar)
    start = 0
    for index, (structure, kernel) in enumerate(zip(pairs.structures, record.kernels, strict=True)):
        rows = pairs.atoms_of(index)
        charges_bar[rows] = kernel @ out_bar[rows]
        if positions_bar is not None:
            both = np.outer(out_bar[rows], record.charges[rows])
            strength = (both + both.T) * kernel**3
            x = structure.positions
            positions_bar[start : start + structure.n_atom] -= (
                strength.sum(axis=1)[:, None] * x - strength @ x
            )
        start += structure.n_atom
    return conserved_charges_adjoint(pairs, scalars, weights, charges_bar, gradients)
