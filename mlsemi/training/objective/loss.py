"""The loss of indirect training (theory eq 12) and its adjoint, one structure at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as entries
from scipy.optimize import linear_sum_assignment

from mlsemi.ground.adjoint import Cotangent
from mlsemi.ground.state import GroundState
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.training.data.dataset import Reference
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

LEVEL_WIDTH = 0.2 / HARTREE_EV
RESIDUAL_WIDTH = 0.5 / HARTREE_EV
DENSITY_WIDTH = 0.1
CHARGE_WIDTH = 0.03
DIPOLE_WIDTH = 0.1
QUADRUPOLE_WIDTH = 0.5
ENERGY_WIDTH = 0.5 / HARTREE_EV
"""Errors beyond these widths (a.u.) count linearly; about twice the typical error."""


NUMBER = Annotated[float, Field(ge=0.0, strict=True, allow_inf_nan=False)]
POSITIVE = Annotated[float, Field(gt=0.0, strict=True, allow_inf_nan=False)]


@entries(frozen=True, config=ConfigDict(extra="forbid"))
class LossWeights:
    """Weights of the terms of theory eq 12; every square is soft (:func:`soft_square`), in a.u.

    Attributes
    ----------
    occupied : float
        Mean square of the errors of occupied valence levels.
    frontier : float
        Squares of the errors of the HOMO and of the matched LUMO.
    virtual : float
        Square per virtual level matched by overlap.
    residual, residual_virtual : float
        Residual |H_o t_p - eps_p t_p|^2 per orbital, t_p the normalised projection of the
        reference's occupied and valence virtual orbitals: the matrix-element target, in a form
        that does not depend on a choice of virtuals.
    density : float
        Squared rows of the error of the density matrix in the minimal frame, per orbital.
    charges, dipole : float
        Mean square of the charges' errors; squared error of the dipole, per atom.
    multipoles : float
        Mean square of the errors of the charges, and squared error of the dipole per atom, of the
        multipoles of a form with ``bonded`` (theory eq 21); with ``quadrupoles`` also those of
        the dipoles of atoms, where a record tells them, and of the molecule's quadrupole.
    energy : float
        Squared error of the total energy, per atom.
    forces : float
        Mean over atoms of the squared error of the force, where a record has forces.
    force_width : float
        Length of the error of a force beyond which it counts linearly, eV/angstrom.
    excitations : float
        Mean square of the errors of excitation energies (theory eq 12a).
    strengths : float
        Square of log f / f(reference) of the bright ones among their valence singlets, eV^2,
        relative to ``excitations``; others count as zero in the mean.
    """

    occupied: NUMBER = 1.0
    frontier: NUMBER = 0.15
    virtual: NUMBER = 0.5
    residual: NUMBER = 1.0
    residual_virtual: NUMBER = 0.1
    density: NUMBER = 0.02
    charges: NUMBER = 0.02
    dipole: NUMBER = 0.02
    multipoles: NUMBER = 0.03
    energy: NUMBER = 0.3
    forces: NUMBER = 1.0
    force_width: POSITIVE = 0.2
    excitations: NUMBER = 0.5
    strengths: NUMBER = 0.05

    def of(self, targets: Collection[str]) -> LossWeights:
        """The same weights, with those of all other targets zero."""
        kept = {term for target in targets for term in TERMS[target]}
        silent = {term for terms in TERMS.values() for term in terms} - kept
        return replace(self, **dict.fromkeys(sorted(silent), 0.0))

    @property
    def read_orbitals(self) -> bool:
        """Whether a term compares levels, or charges and dipole of the density."""
        return any(getattr(self, term) for aim in ORBITAL for term in TERMS[aim])


TERMS = {
    "levels": ("occupied", "frontier", "virtual", "residual", "residual_virtual", "density"),
    "charges": ("charges",),
    "dipole": ("dipole",),
    "multipoles": ("multipoles",),
    "energy": ("energy",),
    "forces": ("forces",),
    "excitations": ("excitations", "strengths"),
}
"""What data can teach, and the terms of the loss that do."""

ORBITAL = frozenset(("levels", "charges", "dipole"))
"""Targets that the model's own head reads from its orbitals."""

GROUND_STATE = frozenset(("levels", "charges", "dipole", "energy", "forces"))
"""What every record can teach, forces where it has some."""

WITHOUT_ORBITALS = frozenset(("energy", "forces"))
"""What surfaces teach the model itself, and what ions and radicals do: of them the energy alone has
a gradient (theory section 13)."""


@dataclass(frozen=True, eq=False)
class Target:
    """What the loss needs of one reference record, computed once."""

    record: Reference

    @cached_property
    def occupied_energies(self) -> np.ndarray:
        """Occupied valence levels, hartree."""
        return self.record.energies[: self.record.n_occupied]

    def projected(self, weights: LossWeights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Normalised projected orbitals, their levels, and the weight of each residual."""
        n, virtual = self.record.n_occupied, self.record.valence_virtuals
        chosen = np.concatenate([np.arange(n), virtual])
        orbitals = self.record.valence_amplitudes[:, chosen]
        share = np.full(chosen.size, weights.residual / n)
        share[n:] = weights.residual_virtual / max(virtual.size, 1)
        return orbitals / np.linalg.norm(orbitals, axis=0), self.record.energies[chosen], share

    @cached_property
    def lumo(self) -> float:
        """Lowest valence virtual level (w_a > 0.5), hartree; NaN if there is none."""
        chosen = self.record.valence_virtuals
        return float(self.record.energies[chosen[0]]) if chosen.size else float("nan")

    def match(self, state: ElectronicState) -> tuple[np.ndarray, np.ndarray]:
        """Model virtuals matched to valence virtuals by overlap (Hungarian on (C_p . T_a)^2)."""
        n = self.record.n_occupied
        amplitudes = self.record.valence_amplitudes[:, self.record.valence_virtuals]
        rows, columns = linear_sum_assignment(-((state.orbitals[:, n:].T @ amplitudes) ** 2))
        return n + rows, self.record.valence_virtuals[columns]


class Errors(NamedTuple):
    """Errors of one structure, model minus reference, atomic units; None if not compared."""

    occupied: np.ndarray
    homo: float
    lumo: float
    virtual: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    energy: float
    forces: np.ndarray | None = None


def soft_square(
    error: np.ndarray, width: float, axis: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Square that grows linearly beyond a width, and its derivative.

    2 w^2 ((1 + s / w^2)^1/2 - 1) with s = e^2, or the sum of e^2 along ``axis``: equal to s when
    small; outliers pull with a bounded force (pseudo-Huber loss).

    Parameters
    ----------
    error : (...) array
    width : float
        w, in the unit of the error.
    axis : int, optional
        Components of one vector lie along this axis.

    Returns
    -------
    value, with ``axis`` removed, and derivative, in the shape of ``error``
    """
    squared = error * error if axis is None else np.sum(error * error, axis=axis, keepdims=True)
    root = np.sqrt(1.0 + squared / width**2)
    value = 2.0 * width**2 * (root - 1.0)
    return value if axis is None else value.squeeze(axis), 2.0 * error / root


def soft_force_square(errors: np.ndarray, weights: LossWeights) -> tuple[np.ndarray, np.ndarray]:
    """:func:`soft_square` of the errors of forces, (n_atom, 3), one value per atom."""
    return soft_square(errors, weights.force_width / FORCE_EV_ANGSTROM, axis=1)


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
    frontier = np.array([errors.homo, 0.0 if lowest is None else float(errors.virtual[lowest])])

    occupied_loss, occupied_bar = soft_square(errors.occupied, LEVEL_WIDTH)
    frontier_loss, frontier_bar = soft_square(frontier, LEVEL_WIDTH)
    virtual_loss, virtual_bar = soft_square(errors.virtual, LEVEL_WIDTH)
    residual_loss, residual_bar = soft_square(residual, RESIDUAL_WIDTH, axis=0)
    density_loss, density_bar = soft_square(density_error, DENSITY_WIDTH, axis=1)
    charge_loss, charges_bar = soft_square(errors.charges, CHARGE_WIDTH)
    dipole_loss, dipole_bar = soft_square(errors.dipole, DIPOLE_WIDTH, axis=0)
    energy_loss, energy_bar = soft_square(np.array([errors.energy]), ENERGY_WIDTH)
    loss = (
        weights.occupied * np.mean(occupied_loss)
        + weights.frontier * np.sum(frontier_loss)
        + weights.virtual * np.sum(virtual_loss) / n_matched
        + np.sum(share * residual_loss)
        + weights.density * np.mean(density_loss)
        + weights.charges * np.mean(charge_loss)
        + weights.dipole * float(dipole_loss.sum()) / n_atom
        + weights.energy * float(energy_loss[0]) / n_atom
    )
    energies_bar = np.zeros(n_orbital)
    energies_bar[:n] = weights.occupied * occupied_bar / n
    energies_bar[n - 1] += weights.frontier * frontier_bar[0]
    energies_bar[ours] += weights.virtual * virtual_bar / n_matched
    if lowest is not None:
        energies_bar[ours[lowest]] += weights.frontier * frontier_bar[1]
    return (
        float(loss),
        errors,
        Cotangent(
            hamiltonian=_unless_zero((share * residual_bar) @ orbitals.T),
            energies=_unless_zero(energies_bar),
            density=_unless_zero(weights.density * density_bar / n_orbital),
            charges=_unless_zero(weights.charges * charges_bar / n_atom),
            dipole=_unless_zero(weights.dipole * dipole_bar / n_atom),
            energy=weights.energy * float(energy_bar[0]) / n_atom,
        ),
    )


def _unless_zero(bar: np.ndarray) -> np.ndarray | None:
    """What no term asks for has no cotangent."""
    return bar if bar.any() else None


def force_loss(
    target: Target, forces: np.ndarray, weights: LossWeights
) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss of the forces on the atoms of one structure (theory eq 12).

    Parameters
    ----------
    target : Target
        Of a record with forces.
    forces : (n_atom, 3) array
        Of the model.
    weights : LossWeights

    Returns
    -------
    loss (a.u.), errors (n_atom, 3), dL/d forces
    """
    error = forces - np.asarray(target.record.forces)
    loss, bar = soft_force_square(error, weights)
    return weights.forces * float(np.mean(loss)), error, weights.forces * bar / loss.size
