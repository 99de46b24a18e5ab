"""The ground state of one structure: orbitals, density, charges, dipole, energy.

The neutral closed shell follows from one diagonalisation of H_o. Charge, unpaired electrons and
surroundings change it by :mod:`mlsemi.response`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlsemi.brief import one_line
from mlsemi.machine.memory import check_memory
from mlsemi.model.model import Model
from mlsemi.model.terms.prediction import Prediction
from mlsemi.model.terms.response import ATOMS, SHARED, START, Start
from mlsemi.orbitals import eigen, observables
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.constants import ResponseConstants
from mlsemi.response.difference_density import Response, respond
from mlsemi.response.moments import AtomicMoments
from mlsemi.response.neutral import Neutral
from mlsemi.response.surroundings import Surroundings
from mlsemi.symmetry.so3 import XYZ

MATRICES = 8
"""Square matrices over all orbitals that are there at once, with forces (7.3 at 2400 orbitals)."""

WITHOUT_ORBITALS = (
    "energy and forces alone (mlsemi.MLSemi) need none; or compute where there is more"
)

NOTHING = Surroundings()
"""Empty space."""


class GroundState(NamedTuple):
    """Ground-state observables of one structure.

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) array
        H_o of the neutral closed shell, Loewdin frame, hartree.
    state : ElectronicState
        Of both spins, or of alpha where ``beta`` differs.
    density : (n_orbital, n_orbital) array
        P_o of both spins, Loewdin frame.
    charges : (n_atom,) array
        Loewdin charges, e.
    dipole : (3,) array
        e bohr.
    energy : float
        Total energy, hartree; a free energy at a finite electronic temperature (theory eq 15).
    energy_slope : (n_orbital, n_orbital) array or None
        Its derivative by H_o, but for the part of the response; None where there is none.
    response : Response or None
        Of charge, spin and surroundings; None for a neutral closed shell in empty space.
    """

    hamiltonian: np.ndarray
    state: ElectronicState
    density: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    energy: float
    energy_slope: np.ndarray | None
    response: Response | None = None

    @property
    def whole_slope(self) -> np.ndarray | None:
        """Derivative of the energy by H_o, with the response's, which takes a gap."""
        if self.response is None:
            return self.energy_slope
        by_response = self.response.cotangent.hamiltonian
        return by_response if self.energy_slope is None else self.energy_slope + by_response

    @property
    def beta(self) -> ElectronicState | None:
        """Orbitals of the beta electrons where they differ from ``state``."""
        return None if self.response is None else self.response.beta

    def __repr__(self) -> str:
        """One line."""
        return one_line(self)


def ground_state(
    model: Model,
    prediction: Prediction,
    index: int,
    kt: float = 0.0,
    surroundings: Surroundings = NOTHING,
    constants: Start = START,
) -> GroundState:
    """Diagonalise H_o of structure ``index`` of a prediction and evaluate its observables.

    Parameters
    ----------
    model : Model
    prediction : Prediction
    index : int
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    surroundings : Surroundings
    constants : Start
        Of the response, where there is a charge, a spin or something around the molecule, of a
        model that has none of its own.

    Raises
    ------
    InputError
        If the matrices of the orbitals do not fit into the memory that is free.
    """
    structure = prediction.hamiltonian.pairs.structures[index]
    n = structure.n_orbital
    check_memory(8 * MATRICES * n * n, f"{n} orbitals", WITHOUT_ORBITALS)
    if structure.charge == 0 and structure.multiplicity == 1 and surroundings.empty:
        return _neutral(model, prediction, index, kt)
    return _changed(model, prediction, index, kt, surroundings, constants)


def _neutral(model: Model, prediction: Prediction, index: int, kt: float) -> GroundState:
    """One diagonalisation, all electrons in pairs."""
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
        prediction.sp_lengths[rows],
        prediction.atom_dipoles[rows][:, XYZ],
    )
    energy = float(prediction.atom_energies[rows].sum()) + state.smearing_energy
    slope = density - state.closed_density if kt else None
    if model.form.band:
        energy, slope = energy + state.band_energy, density
    return GroundState(hamiltonian, state, density, charges, dipole, energy, slope)


def response_of(
    model: Model,
    prediction: Prediction,
    index: int,
    kt: float = 0.0,
    surroundings: Surroundings = NOTHING,
    constants: Start = START,
) -> Response:
    """What charge, spin and surroundings change in structure ``index`` of a prediction.

    Parameters
    ----------
    model : Model
    prediction : Prediction
    index : int
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    surroundings : Surroundings
    constants : Start
        Of a model that has none of its own.
    """
    structure = prediction.hamiltonian.pairs.structures[index]
    return respond(
        neutral_of(prediction, index),
        surroundings.around(structure),
        structure.charge,
        structure.multiplicity,
        constants_of(prediction, index, constants),
        kt,
    )


def neutral_of(prediction: Prediction, index: int) -> Neutral:
    """The neutral molecule with paired electrons of structure ``index`` of a prediction."""
    pairs = prediction.hamiltonian.pairs
    structure, rows = pairs.structures[index], pairs.atoms_of(index)
    hamiltonian = prediction.hamiltonian.matrix(index)
    return Neutral(
        structure,
        hamiltonian,
        eigen.solve(hamiltonian, int(structure.core_charges.sum())),
        prediction.atom_dipoles[rows][:, XYZ],
        AtomicMoments.of_structure(structure, prediction.sp_lengths[rows]),
    )


def constants_of(prediction: Prediction, index: int, otherwise: Start = START) -> ResponseConstants:
    """Constants of the response of structure ``index``: learned ones, or those of the elements."""
    if ATOMS not in prediction.extra:
        numbers = prediction.hamiltonian.pairs.structures[index].numbers
        return ResponseConstants.of_elements(numbers, otherwise)
    rows = prediction.hamiltonian.pairs.atoms_of(index)
    return ResponseConstants.of_rows(prediction.extra[ATOMS][rows], prediction.extra[SHARED])


def _changed(
    model: Model, prediction: Prediction, index: int, kt: float, *around: Any
) -> GroundState:
    """The neutral closed shell, and what charge, spin and surroundings change."""
    response = response_of(model, prediction, index, kt, *around)
    neutral, (alpha, beta) = response.neutral, response.states
    rows = prediction.hamiltonian.pairs.atoms_of(index)
    energy = float(prediction.atom_energies[rows].sum()) + response.energy
    slope = None
    if model.form.band:
        energy = energy + float(np.sum(neutral.density * neutral.hamiltonian))
        slope = neutral.density
    density = 0.5 * (alpha.density + beta.density)
    charges = observables.lowdin_charges(neutral.structure, density)
    return GroundState(
        neutral.hamiltonian, alpha, density, charges, response.dipole, energy, slope, response
    )
