"""Heads: what is read directly off the features, and the adjoint of each.

On-site irreps and two-center functions of the Hamiltonian, and atomic dipoles.
"""

from __future__ import annotations

import numpy as np

from mlsemi.model.blocks import N_ATOM_IRREP, P_LEVEL
from mlsemi.model.bonds import IRREPS, N_IRREP
from mlsemi.model.layers import Gradients, Weights
from mlsemi.model.pairs import PairList
from mlsemi.symmetry.so3 import components

TWO_CENTER = ("ss", "sp", "pp0", "pp2")
"""Irreps of a bond that a function of its length alone can have."""


def onsite(pairs: PairList, nodes: np.ndarray, field: np.ndarray | None, w: Weights) -> np.ndarray:
    """On-site irreps (n_atom, 10): levels, node features, potential felt by an electron if any."""
    head = w["onsite"][pairs.species]
    out = np.zeros((pairs.n_atom, N_ATOM_IRREP))
    out[:, 0] = w["level"][pairs.species, 0]
    out[:, 4] = P_LEVEL * w["level"][pairs.species, 1]
    if field is not None:
        out[:, 0] -= field
        out[:, 4] -= P_LEVEL * field
    out[:, 0] += np.einsum("ik,ik->i", nodes[:, 0], head[:, :, 0])
    out[:, 1:4] = np.einsum("imk,ik->im", nodes[:, components(1)], head[:, :, 1])
    out[:, 4] += np.einsum("ik,ik->i", nodes[:, 0], head[:, :, 2])
    out[:, 5:10] = np.einsum("imk,ik->im", nodes[:, components(2)], head[:, :, 3])
    return out


def onsite_adjoint(
    pairs: PairList,
    nodes: np.ndarray,
    w: Weights,
    out_bar: np.ndarray,
    nodes_bar: np.ndarray,
    gradients: Gradients,
) -> np.ndarray:
    """Adjoint of :func:`onsite`: field_bar; adds to ``nodes_bar`` and ``gradients``."""
    head = w["onsite"][pairs.species]
    parts = ((0, slice(0, 1)), (1, slice(1, 4)), (0, slice(4, 5)), (2, slice(5, 10)))
    for column, (l, span) in enumerate(parts):
        bar = out_bar[:, span]
        nodes_bar[:, components(l)] += bar[:, :, None] * head[:, None, :, column]
        if gradients is not None:
            per_atom = np.einsum("im,imk->ik", bar, nodes[:, components(l)])
            for species, rows in pairs.groups:
                gradients["onsite"][species, :, column] += per_atom[rows].sum(axis=0)
    if gradients is not None:
        for species, rows in pairs.groups:
            levels_bar = out_bar[rows, 0].sum(), P_LEVEL * out_bar[rows, 4].sum()
            gradients["level"][species] += levels_bar
    return -(out_bar[:, 0] + P_LEVEL * out_bar[:, 4])


def two_center(pairs: PairList, basis: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Two-center part: sum_n c_n B_n(r_ij) Y_lambda(r_ij), the pair feature of order nu = 0."""
    values = np.einsum("pn,pnc->pc", basis, coefficients[pairs.pair_species])
    out = np.zeros((pairs.first.size, N_IRREP))
    for column, name in enumerate(TWO_CENTER):
        l, span = IRREPS[name]
        out[:, span] = values[:, column : column + 1] * pairs.sphere[:, components(l)]
    return out


def two_center_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    coefficients: np.ndarray,
    out_bar: np.ndarray,
    gradients: Gradients,
    geometry: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> None:
    """Adjoint of :func:`two_center`; adds to ``gradients`` and ``geometry``."""
    label = pairs.pair_species
    values_bar = np.stack(
        [
            np.einsum("pm,pm->p", out_bar[:, span], pairs.sphere[:, components(l)])
            for l, span in (IRREPS[name] for name in TWO_CENTER)
        ],
        axis=1,
    )
    if gradients is not None:
        for row in np.unique(label):
            chosen = label == row
            gradients["two_center"][row] += basis[chosen].T @ values_bar[chosen]
    if geometry is not None:
        chosen_coefficients = coefficients[label]
        geometry[0][:] += np.einsum("pc,pnc->pn", values_bar, chosen_coefficients)
        values = np.einsum("pn,pnc->pc", basis, chosen_coefficients)
        for column, name in enumerate(TWO_CENTER):
            l, span = IRREPS[name]
            geometry[1][:, components(l)] += values[:, column : column + 1] * out_bar[:, span]


def atom_dipoles(pairs: PairList, nodes: np.ndarray, w: Weights) -> np.ndarray:
    """(n_atom, 3) dipoles, components y, z, x: a linear map of the l = 1 features."""
    return np.einsum("imk,ik->im", nodes[:, components(1)], w["dipole.atom"][pairs.species])


def atom_dipoles_adjoint(
    pairs: PairList,
    nodes: np.ndarray,
    w: Weights,
    out_bar: np.ndarray,
    nodes_bar: np.ndarray,
    gradients: Gradients,
) -> None:
    """Adjoint of :func:`atom_dipoles`; adds to ``nodes_bar`` and ``gradients``."""
    nodes_bar[:, components(1)] += out_bar[:, :, None] * w["dipole.atom"][pairs.species][:, None]
    if gradients is not None:
        per_atom = np.einsum("im,imk->ik", out_bar, nodes[:, components(1)])
        for species, rows in pairs.groups:
            gradients["dipole.atom"][species] += per_atom[rows].sum(axis=0)
