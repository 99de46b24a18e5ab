"""The energy of each atom: what is read off the features, and pair functions (theory section 10).

    readout:       E_i = e_Z + u(invariants_i)
    band:          E_i = e_Z + 1/2 sum_j sum_n c_n B_n(r_ij),   E = sum_i E_i + tr(P_o H_o)
    band+readout:  E_i = e_Z + u(invariants_i),                  E = sum_i E_i + tr(P_o H_o)

``ModelForm.energy`` chooses. The band energy needs orbitals and is added by
:mod:`mlsemi.ground.state`; where no readout stands in for repulsion and double counting, functions
of each pair do.
"""

from __future__ import annotations

import numpy as np

from mlsemi.model.layers import Gradients, Weights, perceptron, perceptron_adjoint
from mlsemi.model.pairs import PairList

Record = tuple[np.ndarray, np.ndarray] | None


def atom_energies(
    pairs: PairList, basis: np.ndarray, invariants: np.ndarray, w: Weights
) -> tuple[np.ndarray, Record]:
    """(n_atom,) energies and the record for the adjoint.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
        Radial functions.
    invariants : (n_atom, n_invariant) array
    w : mapping
        ``energy.atom`` (n_species,); ``energy.pair`` (n_species^2, n_radial), where the mean of
        both orders of a pair counts; or a readout: ``energy.in``, ``energy.bias``, ``energy.out``
        of a perceptron, or ``energy.out`` (n_species, n_invariant) alone, a linear map.
    """
    energies = w["energy.atom"][pairs.species]
    if "energy.pair" in w:
        halves = 0.5 * np.einsum("pn,pn->p", basis, w["energy.pair"][pairs.pair_species])
        return energies + np.bincount(pairs.first, halves, pairs.n_atom), None
    if "energy.in" in w:
        readout, record = perceptron(invariants, pairs.species, w, "energy")
        return energies + readout[:, 0], record
    return energies + np.einsum("ik,ik->i", invariants, w["energy.out"][pairs.species]), None


def atom_energies_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    invariants: np.ndarray,
    w: Weights,
    record: Record,
    out_bar: np.ndarray,
    gradients: Gradients,
    basis_bar: np.ndarray | None,
) -> np.ndarray:
    """Adjoint of :func:`atom_energies`: invariants_bar; adds to ``gradients`` and ``basis_bar``."""
    if gradients is not None:
        for species, rows in pairs.groups:
            gradients["energy.atom"][species] += out_bar[rows].sum()
    if "energy.pair" in w:
        _pair_adjoint(pairs, basis, w["energy.pair"], out_bar, gradients, basis_bar)
        return np.zeros_like(invariants)
    if record is not None:
        return perceptron_adjoint(
            invariants, pairs.species, w, "energy", record, out_bar[:, None], gradients
        )
    if gradients is not None:
        for species, rows in pairs.groups:
            gradients["energy.out"][species] += out_bar[rows] @ invariants[rows]
    return out_bar[:, None] * w["energy.out"][pairs.species]


def _pair_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    coefficients: np.ndarray,
    out_bar: np.ndarray,
    gradients: Gradients,
    basis_bar: np.ndarray | None,
) -> None:
    label = pairs.pair_species
    halves_bar = 0.5 * out_bar[pairs.first]
    if gradients is not None:
        for row in np.unique(label):
            chosen = label == row
            gradients["energy.pair"][row] += halves_bar[chosen] @ basis[chosen]
    if basis_bar is not None:
        basis_bar += halves_bar[:, None] * coefficients[label]
