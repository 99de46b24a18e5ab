"""Auxiliary surfaces: what a cheap method says of many molecules shapes the features in training.

Large-basis calculations are dear; GFN2-xTB costs milliseconds, so that many more molecules and
geometries can be labelled. A second readout on the same features learns energies, forces, charges
and dipoles of such a method beside the first (multi-task learning: Caruana, Machine Learning 28, 41
(1997)). It teaches the features what neighbours do to an atom. Methods close to the reference can
teach more: :mod:`mlsemi.training.objective.close_levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mlsemi.model.heads import atom_dipoles
from mlsemi.model.long_range import conserved_charges
from mlsemi.model.model import Model, ModelRecord
from mlsemi.model.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import XYZ
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.atomic_parts import atomic_parts
from mlsemi.training.objective.extra_maps import new_hidden_units, prefix_of, released
from mlsemi.training.objective.force_matching import displaced, energy_gradient
from mlsemi.training.objective.loss import (
    CHARGE_WIDTH,
    DIPOLE_WIDTH,
    ENERGY_WIDTH,
    LossWeights,
    soft_force_square,
    soft_square,
)
from mlsemi.units import HARTREE_EV

READOUT = ("energy.atom", "energy.in", "energy.bias", "energy.out", "charge", "dipole.atom")
"""What a second readout has of its own (a linear energy has no ``energy.in`` and no bias)."""


@dataclass(frozen=True, eq=False)
class SurfaceSet:
    """Surfaces of one method in a training run.

    Attributes
    ----------
    kind : str
        What such sets are called in the header of a parameter set.
    name : str
        Of their file, as in the recipe.
    number : int
        Of their readout.
    share : float
        Surfaces in a batch per record.
    surfaces : list of Surface
    checksum : str
        sha256 of their file.
    """

    kind: ClassVar[str] = "auxiliary"

    name: str
    number: int
    share: float
    surfaces: list[Surface]
    checksum: str

    @property
    def molecules(self) -> list[str]:
        """Molecule of every surface."""
        return [surface.molecule for surface in self.surfaces]

    def start(self, model: Model) -> dict[str, np.ndarray]:
        """Start weights of their readout."""
        return second_readout(model, self.surfaces, self.number)

    def loss(
        self, model: Model, rows: Sequence[int], weights: LossWeights
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Summed loss of some surfaces (eV^2) and its gradient.

        Parameters
        ----------
        model : Model
            With the weights of the readout among its own.
        rows : sequence of int
            Which surfaces.
        weights : LossWeights
        """
        loss, gradients = surface_loss(
            model, [self.surfaces[k] for k in rows], self.number, weights
        )
        scale = HARTREE_EV**2
        return scale * loss, {name: scale * value for name, value in gradients.items()}


def second_readout(model: Model, surfaces: Sequence[Surface], number: int) -> dict[str, np.ndarray]:
    """Start weights of a second readout: energies of the atoms by least squares, no more.

    Parameters
    ----------
    model : Model
        At its start.
    surfaces : sequence of Surface
    number : int
        Of the readout.
    """
    own = {"charge": np.zeros_like(model.weights["dipole.atom"])} | dict(model.weights)
    out = {name: np.array(own[name]) for name in READOUT if name in own}
    structures, energies = [s.structure for s in surfaces], [s.energy for s in surfaces]
    out["energy.atom"], _ = atomic_parts(structures, energies, model.form.elements)
    out |= new_hidden_units(model.weights, 1 + number)
    return {prefix_of("auxiliary", number) + name: value for name, value in out.items()}


def surface_loss(
    model: Model, surfaces: Sequence[Surface], number: int, weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of what a second readout says, and its gradient.

    Energies, forces, charges and dipole (charges times positions, and the dipoles of the atoms)
    have the terms of theory eq 12, all times ``weights.auxiliary``.

    Parameters
    ----------
    model : Model
        With the weights of the second readout among its own.
    surfaces : sequence of Surface
    number : int
        Of the readout.
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    second = _reading(model, number)
    pairs = PairList.of([s.structure for s in surfaces], model.form.elements, model.form.cutoff)
    atom_energies, record = second.predict_energies(pairs)
    loss, energies_bar, beside = energy_and_force_loss(
        second, pairs, record, atom_energies, surfaces, weights, weights.auxiliary
    )
    charges = conserved_charges(pairs, record.features.nodes[:, 0], second.weights)
    dipoles = atom_dipoles(pairs, record.features.nodes, second.weights)
    charges_bar, dipoles_bar = np.empty(pairs.n_atom), np.empty((pairs.n_atom, 3))
    for index, surface in enumerate(surfaces):
        rows, structure = pairs.atoms_of(index), surface.structure
        of_each = weights.auxiliary / structure.n_atom
        dipole = charges[rows] @ structure.positions + dipoles[rows].sum(axis=0)[XYZ]
        of_charges, charge_bar = soft_square(charges[rows] - surface.charges, CHARGE_WIDTH)
        of_dipole, dipole_bar = soft_square(dipole - surface.dipole, DIPOLE_WIDTH, axis=0)
        loss += of_each * (
            weights.charges * float(of_charges.sum()) + weights.dipole * float(of_dipole.sum())
        )
        dipole_bar = of_each * weights.dipole * dipole_bar
        charges_bar[rows] = (
            of_each * weights.charges * charge_bar + structure.positions @ dipole_bar
        )
        dipoles_bar[np.ix_(rows, XYZ)] = dipole_bar
    gradients, _ = second.adjoint(
        pairs, record, None, energies_bar, dipoles_bar, charges_bar=charges_bar
    )
    return loss, _reading_adjoint(model, number, with_forces(second, beside, gradients))


def energy_and_force_loss(
    model: Model,
    pairs: PairList,
    record: ModelRecord,
    atom_energies: np.ndarray,
    surfaces: Sequence[Surface],
    weights: LossWeights,
    scale: float = 1.0,
) -> tuple[float, np.ndarray, list[tuple[Structure, float]]]:
    """Energy and force terms of theory eq 12, summed over surfaces.

    Parameters
    ----------
    model : Model
        Whose energy is a readout of the features.
    pairs : PairList
        Of the structures of the surfaces.
    record, atom_energies
        Results of ``model.predict_energies(pairs)``.
    surfaces : sequence of Surface
    weights : LossWeights
    scale : float
        Of all terms.

    Returns
    -------
    loss (a.u.), cotangents (n_atom,) of the energies of the atoms, and the displaced geometries of
    theory eq 14 with the cotangents of their energies (for :func:`with_forces`)
    """
    forces = pairs.by_structure(-model.energy_slope(pairs, record))
    energies_bar, beside = np.empty(pairs.n_atom), []
    loss = 0.0
    for index, surface in enumerate(surfaces):
        rows, structure = pairs.atoms_of(index), surface.structure
        of_each = scale / structure.n_atom
        error = atom_energies[rows].sum() - surface.energy
        of_energy, energy_bar = soft_square(np.array([error]), ENERGY_WIDTH)
        of_forces, forces_bar = soft_force_square(forces[index] - surface.forces, weights)
        loss += of_each * (
            weights.energy * float(of_energy[0]) + weights.forces * float(of_forces.sum())
        )
        energies_bar[rows] = of_each * weights.energy * float(energy_bar[0])
        if moved := displaced(structure, of_each * weights.forces * forces_bar):
            beside.append(moved)
            energies_bar[rows] -= moved[1]
    return loss, energies_bar, beside


def with_forces(
    model: Model, beside: Sequence[tuple[Structure, float]], gradients: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Gradients of the weights with the part of the displaced geometries added (theory eq 14)."""
    if not beside:
        return gradients
    structures, slopes = zip(*beside, strict=True)
    added = energy_gradient(model, structures, slopes)
    return gradients | {name: gradients[name] + value for name, value in added.items()}


def _reading(model: Model, number: int) -> Model:
    """The model with a second readout in the place of the first."""
    prefix = prefix_of("auxiliary", number)
    theirs = {n: model.weights[prefix + n] for n in READOUT if prefix + n in model.weights}
    return Model(replace(model.form, energy="readout"), released(model.weights) | theirs)


def _reading_adjoint(
    model: Model, number: int, gradients: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Adjoint of :func:`_reading`: gradients of all weights of the model."""
    out = {name: np.zeros_like(value) for name, value in model.weights.items()}
    for name, gradient in gradients.items():
        theirs = prefix_of("auxiliary", number) + name
        out[theirs if theirs in out else name] = gradient
    return out
