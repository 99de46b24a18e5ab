"""The closed-shell ground state of one structure: orbitals, density, charges, dipole, energy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi import eigen, observables
from mlsemi.brief import one_line
from mlsemi.eigen import ElectronicState
from mlsemi.model import Model, Prediction
from mlsemi.observables import XYZ


class GroundState(NamedTuple):
    """Ground-state observables of one structure.

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) array
        H_o, Loewdin frame, hartree.
    state : ElectronicState
    density : (n_orbital, n_orbital) array
        P_o, Loewdin frame.
    charges : (n_atom,) array
        Loewdin charges, e.
    dipole : (3,) array
        e bohr.
    energy : float
        Total energy, hartree; a free energy at a finite electronic temperature (theory eq 15).
    energy_slope : (n_orbital, n_orbital) array or None
        Its derivative by H_o; None where it does not depend on H_o.
    """

    hamiltonian: np.ndarray
    state: ElectronicState
    density: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    energy: float
    energy_slope: np.ndarray | None

    def __repr__(self) -> str:
        """One line."""
        return one_line(self)


def ground_state(model: Model, prediction: Prediction, index: int, kt: float = 0.0) -> GroundState:
    """Diagonalise H_o of structure ``index`` of a prediction and evaluate its observables.

    ``kt`` is the electronic temperature times Boltzmann's constant, hartree.
    """
    pairs = prediction.hamiltonian.pairs
    structure = pairs.structures[index]
    rows = pairs.atoms_of(index)
    hamiltonian = prediction.hamiltonian.matrix(index)
    state = eigen.solve(hamiltonian, structure.n_electron, kt)
    density = state.density
    charges = observables.lowdin_charges(structure, density)
    dipole = observables.dipole(
        structure,
        charges,
        density,
        model.weights["dipole.sp"][pairs.species[rows]],
        prediction.atom_dipoles[rows][:, XYZ],
    )
    energy = float(prediction.atom_energies[rows].sum()) + state.smearing_energy
    slope = density - state.closed_density if kt else None
    if model.form.band:
        energy, slope = energy + state.band_energy, density
    return GroundState(hamiltonian, state, density, charges, dipole, energy, slope)
