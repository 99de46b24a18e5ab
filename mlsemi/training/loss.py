"""The loss of indirect training (theory eq 12) and its adjoint, one structure at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from mlsemi import eigen, observables
from mlsemi.training.dataset import Reference


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of theory eq 12; atomic units inside each term.

    Attributes
    ----------
    occupied : float
        Mean squared error of occupied valence levels.
    frontier : float
        Squared error of the HOMO and of the matched LUMO.
    virtual : float
        Squared error of virtual levels matched by overlap, per matched level.
    density : float
        Squared error of the density matrix in the minimal frame, per orbital.
    charges, dipole : float
        Mean squared error of charges; squared error of the dipole, per atom.
    energy : float
        Squared error of the total energy, per atom.
    """

    occupied: float = 1.0
    frontier: float = 0.15
    virtual: float = 0.5
    density: float = 0.02
    charges: float = 0.02
    dipole: float = 0.005
    energy: float = 0.02


@dataclass(frozen=True, eq=False)
class Target:
    """What the loss needs of one reference record, computed once."""

    record: Reference

    @cached_property
    def valence_virtuals(self) -> np.ndarray:
        """Indices of virtual levels whose projection weight w_a exceeds one half."""
        weight = np.einsum("mp,mp->p", *(2 * [self.record.valence_amplitudes]))
        n = self.record.n_occupied
        return n + np.flatnonzero(weight[n:] > 0.5)

    @cached_property
    def occupied_energies(self) -> np.ndarray:
        """Occupied valence levels, hartree."""
        return self.record.energies[: self.record.n_occupied]

    @cached_property
    def lumo(self) -> float:
        """Lowest valence virtual level (w_a > 0.5), hartree; NaN if there is none."""
        chosen = self.valence_virtuals
        return float(self.record.energies[chosen[0]]) if chosen.size else float("nan")

    def match(self, state: eigen.ElectronicState) -> tuple[np.ndarray, np.ndarray]:
        """Model virtuals matched to valence virtuals by overlap (Hungarian on (C_p . T_a)^2)."""
        n = self.record.n_occupied
        amplitudes = self.record.valence_amplitudes[:, self.valence_virtuals]
        rows, columns = linear_sum_assignment(
            -((state.orbitals[:, n:].T @ amplitudes) ** 2)
        )
        return n + rows, self.valence_virtuals[columns]


class Errors(NamedTuple):
    """Errors of one structure, model minus reference, atomic units."""

    occupied: np.ndarray
    homo: float
    lumo: float
    virtual: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    energy: float


def evaluate(
    target: Target, state: eigen.ElectronicState, charges: np.ndarray, dipole: np.ndarray,
    energy: float,
) -> tuple[Errors, np.ndarray]:  # fmt: skip
    """Errors of one structure and the (model index, reference index) pairs of matched virtuals."""
    record = target.record
    n = record.n_occupied
    occupied = state.energies[:n] - target.occupied_energies
    ours, theirs = target.match(state)
    virtual = state.energies[ours] - record.energies[theirs]
    errors = Errors(
        occupied,
        float(occupied[-1]),
        state.lumo - target.lumo,
        virtual,
        charges - record.charges,
        dipole - record.dipole,
        energy - record.energy,
    )
    return errors, np.stack([ours, theirs])


def structure_loss(
    target: Target,
    hamiltonian: np.ndarray,
    sp_length: np.ndarray,
    atom_dipoles: np.ndarray,
    energy: float,
    weights: LossWeights,
) -> tuple[float, Errors, np.ndarray, np.ndarray, np.ndarray, float]:
    """Loss of one structure and its adjoint.

    Parameters
    ----------
    target : Target
    hamiltonian : (n_orbital, n_orbital) array
        H_o.
    sp_length : (n_atom,) array
    atom_dipoles : (n_atom, 3) array
        Cartesian.
    energy : float
    weights : LossWeights

    Returns
    -------
    loss, errors, hamiltonian_bar, sp_length_bar, dipole_bar (3,), energy_bar
    """
    structure = target.record.structure
    state = eigen.solve(hamiltonian, structure.n_electron)
    density = state.density
    charges = observables.lowdin_charges(structure, density)
    dipole = observables.dipole(structure, charges, density, sp_length, atom_dipoles)
    errors, (ours, _) = evaluate(target, state, charges, dipole, energy)
    n, n_atom = state.n_occupied, structure.n_atom

    density_error = density - target.record.density
    per_atom = 1.0 / n_atom
    loss = (
        weights.occupied * np.mean(errors.occupied**2)
        + weights.frontier * (errors.homo**2 + _frontier(errors, ours) ** 2)
        + weights.virtual * np.sum(errors.virtual**2) / max(errors.virtual.size, 1)
        + weights.density * np.sum(density_error**2) / density.shape[0]
        + weights.charges * np.mean(errors.charges**2)
        + weights.dipole * np.sum(errors.dipole**2) * per_atom
        + weights.energy * errors.energy**2 * per_atom
    )

    energies_bar = np.zeros_like(state.energies)
    energies_bar[:n] = 2.0 * weights.occupied * errors.occupied / n
    energies_bar[n - 1] += 2.0 * weights.frontier * errors.homo
    energies_bar[ours] += 2.0 * weights.virtual * errors.virtual / max(errors.virtual.size, 1)
    if ours.size:
        lowest = int(np.argmin(ours))
        energies_bar[ours[lowest]] += 2.0 * weights.frontier * _frontier(errors, ours)
    dipole_bar = 2.0 * weights.dipole * per_atom * errors.dipole
    charges_bar, density_bar, sp_bar, _ = observables.dipole_adjoint(
        structure, charges, density, sp_length, dipole_bar
    )
    charges_bar = charges_bar + 2.0 * weights.charges * errors.charges / n_atom
    density_bar += 2.0 * weights.density * density_error / density.shape[0]
    density_bar += observables.lowdin_charges_adjoint(structure, charges_bar)
    hamiltonian_bar = eigen.solve_adjoint(state, energies_bar, density_bar)
    energy_bar = 2.0 * weights.energy * errors.energy * per_atom
    return float(loss), errors, hamiltonian_bar, sp_bar, dipole_bar, energy_bar


def _frontier(errors: Errors, ours: np.ndarray) -> float:
    """Error of the matched level that is lowest in the model, zero when nothing is matched."""
    return float(errors.virtual[int(np.argmin(ours))]) if ours.size else 0.0
