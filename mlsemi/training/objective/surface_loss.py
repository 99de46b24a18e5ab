"""Energies, forces, charges and dipoles without orbitals: what a readout of the features learns.

The terms of theory eq 12 in E, F, q and mu of surfaces (:mod:`mlsemi.training.data.surfaces`) and
of records whose levels are not asked for. Nothing is diagonalised.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.model.model import Model
from mlsemi.model.terms.prediction import PredictionBar
from mlsemi.symmetry.so3 import XYZ
from mlsemi.training.data.dataset import Reference
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.force_matching import EnergyWalk, displaced, energy_gradient
from mlsemi.training.objective.loss import (
    CHARGE_WIDTH,
    DIPOLE_WIDTH,
    ENERGY_WIDTH,
    LossWeights,
    soft_force_square,
    soft_square,
)


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
        of_read, read_bar.charges, dipoles_bar = _moments_loss(
            walk, *read, surfaces, weights.charges, weights.dipole
        )
        read_bar.atom_dipoles = np.empty_like(dipoles_bar)
        read_bar.atom_dipoles[:, XYZ] = dipoles_bar
        loss += of_read
    if weights.multipoles:
        charges, dipoles = np.split(walk.prediction.multipoles, [1], axis=1)
        of_read, charges_bar, dipoles_bar = _moments_loss(
            walk, charges[:, 0], dipoles, surfaces, weights.multipoles, weights.multipoles
        )
        read_bar.multipoles = np.concatenate([charges_bar[:, None], dipoles_bar], axis=1)
        loss += of_read
    gradients = walk.gradient(energies_bar, read_bar)
    if moved:
        for name, value in energy_gradient(model, moved, slopes).items():
            gradients[name] = gradients[name] + value
    return loss, gradients


def _moments_loss(
    walk: EnergyWalk,
    charges: np.ndarray,
    dipoles: np.ndarray,
    surfaces: Sequence[Surface | Reference],
    of_charges: float,
    of_dipole: float,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss of charges and dipoles (x, y, z) of atoms with its weights, and their cotangents."""
    charges_bar, dipoles_bar = np.empty_like(charges), np.empty_like(dipoles)
    loss = 0.0
    for rows, surface in zip(walk.rows, surfaces, strict=True):
        structure, of_each = surface.structure, 1.0 / surface.structure.n_atom
        dipole = charges[rows] @ structure.positions + dipoles[rows].sum(axis=0)
        value, charge_bar = soft_square(charges[rows] - surface.charges, CHARGE_WIDTH)
        length, dipole_bar = soft_square(dipole - surface.dipole, DIPOLE_WIDTH, axis=0)
        loss += of_each * (of_charges * float(value.sum()) + of_dipole * float(length.sum()))
        dipole_bar = of_each * of_dipole * dipole_bar
        charges_bar[rows] = of_each * of_charges * charge_bar + structure.positions @ dipole_bar
        dipoles_bar[rows] = dipole_bar
    return loss, charges_bar, dipoles_bar
