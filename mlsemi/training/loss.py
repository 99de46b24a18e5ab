"""The loss of indirect training (theory eq 12) and its adjoint, one structure at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from mlsemi.adjoint import Cotangent
from mlsemi.eigen import ElectronicState
from mlsemi.singlepoint import GroundState
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
    residual, residual_virtual : float
        Squared residual |H_o t_p - eps_p t_p|^2 per orbital, t_p the normalised projection of the
        reference's occupied and valence virtual orbitals: the matrix-element target, in a form
        that does not depend on a choice of virtuals.
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
    residual: float = 1.0
    residual_virtual: float = 0.1
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

    def projected(self, weights: LossWeights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Normalised projected orbitals, their levels, and the weight of each residual."""
        n, virtual = self.record.n_occupied, self.valence_virtuals
        chosen = np.concatenate([np.arange(n), virtual])
        orbitals = self.record.valence_amplitudes[:, chosen]
        share = np.full(chosen.size, weights.residual / n)
        share[n:] = weights.residual_virtual / max(virtual.size, 1)
        return orbitals / np.linalg.norm(orbitals, axis=0), self.record.energies[chosen], share

    @cached_property
    def lumo(self) -> float:
        """Lowest valence virtual level (w_a > 0.5), hartree; NaN if there is none."""
        chosen = self.valence_virtuals
        return float(self.record.energies[chosen[0]]) if chosen.size else float("nan")

    def match(self, state: ElectronicState) -> tuple[np.ndarray, np.ndarray]:
        """Model virtuals matched to valence virtuals by overlap (Hungarian on (C_p . T_a)^2)."""
        n = self.record.n_occupied
        amplitudes = self.record.valence_amplitudes[:, self.valence_virtuals]
        rows, columns = linear_sum_assignment(-((state.orbitals[:, n:].T @ amplitudes) ** 2))
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


def structure_loss(
    target: Target, ground: GroundState, weights: LossWeights
) -> tuple[float, Errors, Cotangent]:
    """Loss of one structure, its errors, and the cotangents that start the reverse walk.

    Parameters
    ----------
    target : Target
    ground : GroundState
        What the model gives for the structure.
    weights : LossWeights

    Returns
    -------
    loss (a.u.), errors, cotangent
    """
    record, state = target.record, ground.state
    n, n_atom = state.n_occupied, record.structure.n_atom
    n_orbital = state.energies.size
    ours, theirs = target.match(state)
    n_matched = max(ours.size, 1)
    lowest = int(np.argmin(ours)) if ours.size else None
    errors = Errors(
        occupied=state.energies[:n] - target.occupied_energies,
        homo=state.homo - float(record.energies[n - 1]),
        lumo=state.lumo - target.lumo,
        virtual=state.energies[ours] - record.energies[theirs],
        charges=ground.charges - record.charges,
        dipole=ground.dipole - record.dipole,
        energy=ground.energy - record.energy,
    )
    orbitals, levels, share = target.projected(weights)
    residual = ground.hamiltonian @ orbitals - orbitals * levels
    density_error = ground.density - record.density
    frontier = 0.0 if lowest is None else float(errors.virtual[lowest])
    loss = (
        weights.occupied * np.mean(errors.occupied**2)
        + weights.frontier * (errors.homo**2 + frontier**2)
        + weights.virtual * np.sum(errors.virtual**2) / n_matched
        + np.sum(share * residual**2)
        + weights.density * np.sum(density_error**2) / n_orbital
        + weights.charges * np.mean(errors.charges**2)
        + weights.dipole * np.sum(errors.dipole**2) / n_atom
        + weights.energy * errors.energy**2 / n_atom
    )
    energies_bar = np.zeros(n_orbital)
    energies_bar[:n] = 2.0 * weights.occupied * errors.occupied / n
    energies_bar[n - 1] += 2.0 * weights.frontier * errors.homo
    energies_bar[ours] += 2.0 * weights.virtual * errors.virtual / n_matched
    if lowest is not None:
        energies_bar[ours[lowest]] += 2.0 * weights.frontier * frontier
    return (
        float(loss),
        errors,
        Cotangent(
            hamiltonian=(2.0 * share * residual) @ orbitals.T,
            energies=energies_bar,
            density=2.0 * weights.density * density_error / n_orbital,
            charges=2.0 * weights.charges * errors.charges / n_atom,
            dipole=2.0 * weights.dipole * errors.dipole / n_atom,
            energy=2.0 * weights.energy * errors.energy / n_atom,
        ),
    )
