"""Energies, forces, charges and dipoles without orbitals: what a readout of the features learns.

The terms of theory eq 12 in E, F, q and mu of surfaces (:mod:`mlsemi.training.data.surfaces`) and
of records whose levels are not asked for. Nothing is diagonalised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.model.model import Model
from mlsemi.model.terms.intermolecular.multipoles import DIPOLE, QUADRUPOLE
from mlsemi.model.terms.prediction import PredictionBar
from mlsemi.symmetry.so3 import XYZ
from mlsemi.training.data.dataset import Reference
from mlsemi.training.data.projection import atomic_dipoles
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.force_matching import EnergyWalk, displaced, energy_gradient
from mlsemi.training.objective.loss import (
    CHARGE_WIDTH,
    DIPOLE_WIDTH,
    ENERGY_WIDTH,
    QUADRUPOLE_WIDTH,
    LossWeights,
    soft_force_square,
    soft_square,
)

OF_QUADRUPOLE = 0.3
"""What the squared error of a molecule's quadrupole (e bohr^2) counts beside that of a dipole."""


def surface_loss(
    model: Model, surfaces: Sequence[Surface | Reference], weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of some surfaces, and its gradient.

    Parameters
    ----------
    model : Model
        With weights of charges or dipole one whose readout gives these too, see
        :mod:`mlsemi.training.objective.heads`.
    surfaces : sequence of Surface or Reference
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    more = {"charges", "atom_dipoles"} if weights.charges or weights.dipole else set()
    if weights.multipoles:
        more.add("multipoles")
    walk = EnergyWalk(model, [s.structure for s in surfaces], frozenset(more))
    energies_bar, moved, slopes = [], [], []
    loss = 0.0
    for surface, energy, forces in zip(surfaces, walk.energies, walk.forces(), strict=True):
        of_each = 1.0 / surface.structure.n_atom
        of_energy, bar = soft_square(np.array([energy - surface.energy]), ENERGY_WIDTH)
        loss += of_each * weights.energy * float(of_energy[0])
        energy_bar = of_each * weights.energy * float(bar[0])
        if surface.forces is not None and weights.forces:
            of_forces, forces_bar = soft_force_square(forces - surface.forces, weights)
            loss += of_each * weights.forces * float(of_forces.sum())
            beside = displaced(surface.structure, of_each * weights.forces * forces_bar)
            if beside:
                moved.append(beside[0])
                slopes.append(beside[1])
                energy_bar -= beside[1]
        energies_bar.append(energy_bar)
    read_bar = PredictionBar()
    if weights.charges or weights.dipole:
        read = walk.prediction.charges, walk.prediction.atom_dipoles[:, XYZ]
        of_read, read_bar.charges, dipoles_bar = moments_loss(
            walk.rows, *read, surfaces, weights.charges, weights.dipole
        )
        read_bar.atom_dipoles = np.empty_like(dipoles_bar)
        read_bar.atom_dipoles[:, XYZ] = dipoles_bar
        loss += of_read
    if weights.multipoles:
        of_read, read_bar.multipoles = multipoles_loss(
            walk.rows, walk.prediction.multipoles, surfaces, weights, model.form.quadrupoles
        )
        loss += of_read
    gradients = walk.gradient(energies_bar, read_bar)
    if moved:
        for name, value in energy_gradient(model, moved, slopes).items():
            gradients[name] = gradients[name] + value
    return loss, gradients


def multipoles_loss(
    rows: Sequence[np.ndarray],
    multipoles: np.ndarray,
    surfaces: Sequence[Surface | Reference],
    weights: LossWeights,
    quadrupoles: bool,
) -> tuple[float, np.ndarray]:
    """Loss of multipoles that contacts read, summed, and its cotangents (n_atom, 10).

    Atoms' dipoles and the molecule's quadrupole take part where the form has quadrupoles and a
    record tells them.

    Parameters
    ----------
    rows : sequence of (n,) int arrays
        Atoms of every structure.
    multipoles : (n_atom, 10) array
    surfaces : sequence of Surface or Reference
    weights : LossWeights
    quadrupoles : bool
        Whether the form has them.
    """
    weight, bar = weights.multipoles, np.zeros_like(multipoles)
    loss, bar[:, 0], bar[:, DIPOLE] = moments_loss(
        rows, multipoles[:, 0], multipoles[:, DIPOLE], surfaces, weight, weight
    )
    if quadrupoles:
        for mine, record in zip(rows, surfaces, strict=True):
            if isinstance(record, Reference):
                of_each = weight / record.structure.n_atom
                value, slope = _distributed_loss(multipoles[mine], record)
                loss += of_each * value
                bar[mine] += of_each * slope
    return loss, bar


def _distributed_loss(multipoles: np.ndarray, record: Reference) -> tuple[float, np.ndarray]:
    """Squared errors of atoms' dipoles and of the quadrupole about the center; cotangents."""
    bar, loss = np.zeros_like(multipoles), 0.0
    if record.dipole_matrix is not None:
        own = atomic_dipoles(record.structure, record.density, record.dipole_matrix)
        value, bar[:, DIPOLE] = soft_square(multipoles[:, DIPOLE] - own, DIPOLE_WIDTH, axis=1)
        loss += float(value.sum())
    x = record.structure.positions
    center = x.mean(axis=0)
    apart, row, column = x - center, *np.triu_indices(3)
    both = np.outer(center, record.dipole)
    expected = record.quadrupole - both - both.T
    expected += record.structure.charge * np.outer(center, center)
    weighted = multipoles[:, :1] * apart
    weighted += multipoles[:, DIPOLE]
    error = apart.T @ weighted + multipoles[:, DIPOLE].T @ apart - expected
    error[row, column] += 2.0 * multipoles[:, QUADRUPOLE].sum(axis=0)
    error = np.triu(error) + np.triu(error, 1).T
    error -= np.eye(3) * np.trace(error) / 3.0
    value, slope = soft_square(error.ravel(), QUADRUPOLE_WIDTH, axis=0)
    slope = OF_QUADRUPOLE * slope.reshape(3, 3)
    bar[:, 0] += np.einsum("ix,xy,iy->i", apart, slope, apart)
    bar[:, DIPOLE] += 2.0 * apart @ slope
    twice = np.where(row == column, 2.0, 4.0)
    bar[:, QUADRUPOLE] += twice * slope[row, column]
    return loss + OF_QUADRUPOLE * float(value.sum()), bar


def moments_loss(
    rows: Sequence[np.ndarray],
    charges: np.ndarray,
    dipoles: np.ndarray,
    surfaces: Sequence[Surface | Reference],
    of_charges: float,
    of_dipole: float,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss of charges and dipoles of atoms, summed, and the cotangents of both.

    Parameters
    ----------
    rows : sequence of (n,) int arrays
        Atoms of every structure.
    charges : (n_atom,) array
    dipoles : (n_atom, 3) array
        x, y, z.
    surfaces : sequence of Surface or Reference
    of_charges, of_dipole : float
        Weights of the squared errors of charges, and of the dipole of the molecule.
    """
    charges_bar, dipoles_bar = np.empty_like(charges), np.empty_like(dipoles)
    loss = 0.0
    for mine, surface in zip(rows, surfaces, strict=True):
        structure, of_each = surface.structure, 1.0 / surface.structure.n_atom
        dipole = charges[mine] @ structure.positions + dipoles[mine].sum(axis=0)
        value, charge_bar = soft_square(charges[mine] - surface.charges, CHARGE_WIDTH)
        length, dipole_bar = soft_square(dipole - surface.dipole, DIPOLE_WIDTH, axis=0)
        loss += of_each * (of_charges * float(value.sum()) + of_dipole * float(length.sum()))
        dipole_bar = of_each * of_dipole * dipole_bar
        charges_bar[mine] = of_each * of_charges * charge_bar + structure.positions @ dipole_bar
        dipoles_bar[mine] = dipole_bar
    return loss, charges_bar, dipoles_bar
