"""Densities of states, whole and by atom and shell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.molecule.basis import Basis
from mlsemi.periodic.state import CellState


class DensityOfStates(NamedTuple):
    """States per hartree and cell, both spins.

    Attributes
    ----------
    energies : (n,) array
        Hartree.
    total : (n,) array
    parts : dict of (n,) arrays
        By element and shell (``C s``, ``C p``); they add up to the total.
    """

    energies: np.ndarray
    total: np.ndarray
    parts: dict[str, np.ndarray]


def density_of_states(state: CellState, energies: np.ndarray, width: float) -> DensityOfStates:
    """Every state a Gaussian of unit area, shared by the orbitals with |C_mu|^2 (Loewdin).

    Parameters
    ----------
    state : CellState
    energies : (n,) array
        Where, hartree.
    width : float
        Standard deviation, hartree.
    """
    basis = Basis.of(state.structure)
    symbols = np.array(state.structure.symbols)[basis.orbital_atom]
    names = np.array([f"{x} {'sp'[l]}" for x, l in zip(symbols, basis.orbital_l, strict=True)])
    parts = {name: np.zeros_like(energies) for name in sorted(set(names.tolist()))}
    norm = 2.0 / (width * np.sqrt(2.0 * np.pi))
    for weight, levels, C in zip(
        state.kpoints.weights, state.filling.energies, state.orbitals, strict=True
    ):
        peaks = np.exp(-0.5 * ((energies[:, None] - levels) / width) ** 2) * (norm * weight)
        shares = np.abs(C) ** 2
        for name, part in parts.items():
            part += peaks @ shares[names == name].sum(axis=0)
    return DensityOfStates(energies, np.sum(list(parts.values()), axis=0), parts)
