"""The ground state of a cell: bands, density, charges, energy, and the walk back.

The page of :mod:`mlsemi.ground.state` for what is periodic: one diagonalisation for every k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

from mlsemi.brief import Brief
from mlsemi.errors import ConvergenceError
from mlsemi.model.model import Model, ModelRecord
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import observables
from mlsemi.periodic.bloch import BlochOperator, blocks_adjoint, real_space
from mlsemi.periodic.filling import Filling
from mlsemi.periodic.kpoints import KPoints
from mlsemi.symmetry.blocks import BlockedOperator


@dataclass(frozen=True, eq=False, repr=False)
class CellState(Brief):
    """Bloch states of a cell and their occupation.

    Attributes
    ----------
    structure : Structure
    hamiltonian : BlochOperator
    kpoints : KPoints
    filling : Filling
    orbitals : list of (n_orbital, n_orbital) arrays
        Columns C_o(k), orthonormal, in the Loewdin frame.
    """

    structure: Structure
    hamiltonian: BlochOperator
    kpoints: KPoints
    filling: Filling
    orbitals: list[np.ndarray]

    def between(self, occupations: np.ndarray) -> np.ndarray:
        """(n_R, n_orbital, n_orbital) density matrix P_o(0, R) of given occupations."""
        matrices = [
            (weight * occupation * C) @ C.conj().T
            for weight, occupation, C in zip(
                self.kpoints.weights, occupations, self.orbitals, strict=True
            )
        ]
        return real_space(self.kpoints.points, self.hamiltonian.shifts, matrices)

    @cached_property
    def population(self) -> np.ndarray:
        """(n_orbital,) electrons in each orbital of the cell, Loewdin frame."""
        out = np.zeros(self.hamiltonian.n_orbital)
        for weight, occupation, C in zip(
            self.kpoints.weights, self.filling.occupations, self.orbitals, strict=True
        ):
            out += weight * (np.abs(C) ** 2 @ occupation)
        return out

    @cached_property
    def charges(self) -> np.ndarray:
        """(n_atom,) Loewdin charges, e."""
        atom = observables.orbital_atom(self.structure)
        return self.structure.core_charges - np.bincount(
            atom, self.population, self.structure.n_atom
        )


def cell_state(
    operator: BlockedOperator, kpoints: KPoints, kt: float = 0.0, n_electron: int | None = None
) -> CellState:
    """Diagonalise H_o(k) at every point and fill the bands.

    Parameters
    ----------
    operator : BlockedOperator
        Irreps of H_o of one structure with a cell.
    kpoints : KPoints
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    n_electron : int, optional
        Of a cell; by default those of the neutral one.

    Raises
    ------
    ConvergenceError
        If the eigensolver fails.
    """
    structure = operator.pairs.structures[0]
    bloch = BlochOperator.of(operator)
    energies, orbitals = diagonalise(bloch, kpoints.points)
    count = structure.n_electron if n_electron is None else n_electron
    return CellState(
        structure, bloch, kpoints, Filling(energies, kpoints.weights, count, kt), orbitals
    )


def diagonalise(bloch: BlochOperator, points: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Energies (n_k, n_orbital), ascending, and orbitals of H_o(k) at fractional points.

    Raises
    ------
    ConvergenceError
        If the eigensolver fails.
    """
    energies, orbitals = np.empty((len(points), bloch.n_orbital)), []
    for k, point in enumerate(points):
        try:
            values = scipy.linalg.eigh(bloch.at(point), check_finite=False, driver="evd")
        except np.linalg.LinAlgError as error:
            raise ConvergenceError(f"the eigensolver failed: {error}") from None
        energies[k] = values[0]
        orbitals.append(values[1])
    return energies, orbitals


def cell_energy(model: Model, prediction: Prediction, state: CellState) -> float:
    """Energy of a cell without dispersion, hartree (theory eqs 13, 15)."""
    filling = state.filling
    energy = float(prediction.atom_energies.sum()) + filling.smearing_energy
    return energy + filling.band_energy if model.form.band else energy


def energy_slope(model: Model, state: CellState) -> np.ndarray | None:
    """dE/dH_o(0, R), (n_R, n_orbital, n_orbital); None where the energy needs no orbitals."""
    filling, wanted = state.filling, np.zeros_like(state.filling.energies)
    if filling.kt:
        wanted = wanted + filling.occupations - filling.closed
    if model.form.band:
        wanted = wanted + filling.closed
    return state.between(wanted) if filling.kt or model.form.band else None


def energy_gradient(
    model: Model, prediction: Prediction, record: ModelRecord, state: CellState
) -> tuple[np.ndarray, np.ndarray]:
    """dE/d positions (n_atom, 3), dE/d strain (3, 3) of r -> (1 + strain) r for atoms and cell."""
    strain, slope = np.zeros((3, 3)), energy_slope(model, state)
    bar = PredictionBar(
        hamiltonian=None if slope is None else blocks_adjoint(prediction.hamiltonian, slope),
        atom_energies=np.ones(prediction.pairs.n_atom),
    )
    _, positions = model.adjoint(
        prediction, record, bar, with_positions=True, with_weights=False, strain_bar=strain
    )
    assert positions is not None
    return positions, strain
