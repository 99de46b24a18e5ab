"""Auxiliary surfaces: what cheaper methods say of many molecules shapes the model in training.

Large-basis calculations are dear; GFN2-xTB costs milliseconds, the same functional in a small
basis a fifth, so that many more molecules and geometries can be labelled. A second readout on the
same features learns energies, forces, charges and dipoles of each such method beside the first
(multi-task learning: Caruana, Machine Learning 28, 41 (1997)). It teaches the features what
neighbours do to an atom. Where the method is close to the reference, the second readout is only
what its energy differs by, so that every surface teaches the first as well (difference learning:
Ramakrishnan et al., J. Chem. Theory Comput. 11, 2087 (2015)). The parameter set that is released
contains no second readout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.heads import atom_dipoles
from mlsemi.model import Model
from mlsemi.observables import XYZ
from mlsemi.outputs import complete_or_absent
from mlsemi.pairs import PairList
from mlsemi.representation.long_range import conserved_charges
from mlsemi.structure import Structure
from mlsemi.training.force_matching import displaced
from mlsemi.training.loss import (
    CHARGE_WIDTH,
    DIPOLE_WIDTH,
    ENERGY_WIDTH,
    FORCE_WIDTH,
    LossWeights,
    soft_square,
)
from mlsemi.training.regression import atomic_parts

PREFIX = "auxiliary."
"""Of the names of all second readouts' weights; the number of the readout and a dot follow."""

ENERGY = ("energy.atom", "energy.in", "energy.bias", "energy.out")
READOUT = (*ENERGY, "charge", "dipole.atom")
"""What a second readout has of its own (a linear energy has no ``energy.in`` and no bias)."""

HIDDEN_AXIS = {"energy.in": 1, "energy.bias": 1, "energy.out": 0}
"""Where the hidden units of the energy's perceptron are counted."""

PER_ATOM = ("numbers", "positions", "forces", "charges")
PER_GEOMETRY = ("size", "energy", "dipole", "molecule")

DECIMALS = {"positions": 5, "forces": 5, "charges": 4, "dipole": 4}
"""Digits after the point that are stored, atomic units: far below what a surface is used for."""


class Surface(NamedTuple):
    """One geometry of an energy surface.

    Attributes
    ----------
    structure : Structure
    energy : float
        Hartree.
    forces : (n_atom, 3) array
        Hartree / bohr.
    charges : (n_atom,) array
        e.
    dipole : (3,) array
        e bohr.
    molecule : str
        InChIKey.
    """

    structure: Structure
    energy: float
    forces: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    molecule: str


class Readout(NamedTuple):
    """One of the second readouts.

    Attributes
    ----------
    number : int
        Its place among them.
    close : bool
        Whether its energy is the first readout's plus its own.
    """

    number: int
    close: bool = False

    @property
    def prefix(self) -> str:
        """Of the names of its weights."""
        return f"{PREFIX}{self.number}."


class SurfaceSet(NamedTuple):
    """Surfaces of one method in a training run.

    Attributes
    ----------
    name : str
        Of their file.
    readout : Readout
    share : float
        Surfaces in a batch per record.
    surfaces : list of Surface
    checksum : str
        sha256 of their file.
    """

    name: str
    readout: Readout
    share: float
    surfaces: list[Surface]
    checksum: str


def save_surfaces(
    path: Path, surfaces: Sequence[Surface], provenance: Mapping[str, object] | None = None
) -> None:
    """Write an HDF5 file, atoms of all geometries one after the other.

    Positions, forces, charges and dipoles keep ``DECIMALS`` digits; ``provenance`` tells how they
    were made.
    """
    columns = {
        "numbers": np.concatenate([s.structure.numbers for s in surfaces]).astype(np.uint8),
        "positions": np.concatenate([s.structure.positions for s in surfaces]).astype(np.float32),
        "forces": np.concatenate([s.forces for s in surfaces]).astype(np.float32),
        "charges": np.concatenate([s.charges for s in surfaces]).astype(np.float32),
        "size": np.array([s.structure.n_atom for s in surfaces], dtype=np.uint16),
        "energy": np.array([s.energy for s in surfaces]),
        "dipole": np.array([s.dipole for s in surfaces]).astype(np.float32),
        "molecule": np.array([s.molecule for s in surfaces], dtype="S27"),
    }
    with complete_or_absent(path) as temporary, h5py.File(temporary, "w") as file:
        for name, value in columns.items():
            digits = DECIMALS.get(name)
            file.create_dataset(
                name, data=value, scaleoffset=digits, compression="gzip", shuffle=digits is None
            )
        file.attrs["provenance"] = json.dumps(dict(provenance or {}), sort_keys=True)


def load_surfaces(path: Path) -> list[Surface]:
    """Read what :func:`save_surfaces` has written.

    Raises
    ------
    ParameterError
        If the file is missing or no such file.
    """
    try:
        with h5py.File(path, "r") as file:
            data = {name: file[name][()] for name in PER_ATOM + PER_GEOMETRY}
    except (OSError, KeyError) as error:
        raise ParameterError(f"{path}: not a file of auxiliary surfaces ({error})") from None
    ends = np.cumsum(data["size"], dtype=np.int64)[:-1]
    numbers, positions, forces, charges = (np.split(data[name], ends) for name in PER_ATOM)
    return [
        Surface(
            Structure(numbers[k], positions[k].astype(np.float64)),
            float(data["energy"][k]),
            forces[k].astype(np.float64),
            charges[k].astype(np.float64),
            data["dipole"][k].astype(np.float64),
            data["molecule"][k].decode(),
        )
        for k in range(data["size"].size)
    ]


def second_readout(
    model: Model, surfaces: Sequence[Surface], readout: Readout
) -> dict[str, np.ndarray]:
    """Start weights of a second readout: energies of the atoms by least squares, no more.

    Parameters
    ----------
    model : Model
        At its own start, where ``energy.out`` is zero.
    surfaces : sequence of Surface
    readout : Readout
    """
    own = {"charge": np.zeros_like(model.weights["dipole.atom"])} | dict(model.weights)
    out = {name: np.array(own[name]) for name in READOUT if name in own}
    structures, energies = [s.structure for s in surfaces], [s.energy for s in surfaces]
    out["energy.atom"], _ = atomic_parts(structures, energies, model.form.elements)
    if readout.close:
        out["energy.atom"] -= own["energy.atom"]
    # other hidden units than those of the first readout
    rng = np.random.default_rng(1 + readout.number)
    out |= {name: rng.permuted(out[name]) for name in ("energy.in", "energy.bias") if name in out}
    return {readout.prefix + name: value for name, value in out.items()}


def without_second_readouts(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights that are released."""
    return {name: value for name, value in weights.items() if not name.startswith(PREFIX)}


def base_name(name: str) -> str:
    """Name of a weight without the prefix of a second readout."""
    return name.split(".", 2)[2] if name.startswith(PREFIX) else name


def surface_loss(
    model: Model, surfaces: Sequence[Surface], readout: Readout, weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of what a second readout says, and its gradient.

    Energies, forces, charges and dipole (charges times positions, and the dipoles of the atoms)
    have the terms of theory eq 12, all times ``weights.auxiliary``.

    Parameters
    ----------
    model : Model
        With the weights of the second readout among its own.
    surfaces : sequence of Surface
    readout : Readout
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    second = _reading(model, readout)
    pairs = PairList.of([s.structure for s in surfaces], model.form.elements, model.form.cutoff)
    atom_energies, record = second.predict_energies(pairs)
    forces = pairs.by_structure(-second.energy_slope(pairs, record))
    moved: list[_Moved] = []
    loss = 0.0
    for index, surface in enumerate(surfaces):
        n_atom = surface.structure.n_atom
        error = atom_energies[pairs.atoms_of(index)].sum() - surface.energy
        of_energy, energy_bar = soft_square(np.array([error]), ENERGY_WIDTH)
        of_forces, forces_bar = soft_square(forces[index] - surface.forces, FORCE_WIDTH, axis=1)
        share = weights.auxiliary * weights.energy / n_atom
        loss += share * float(of_energy[0])
        loss += weights.auxiliary * weights.forces * float(np.mean(of_forces))
        bar = weights.auxiliary * weights.forces / n_atom * forces_bar
        around = displaced(surface.structure, bar) or [(surface.structure, 0.0)]
        # all of them are the one in the middle as far as anything but its forces is concerned
        part = 1.0 / len(around)
        middle_bar = part * share * float(energy_bar[0])
        moved += [_Moved(s, surface, slope + middle_bar, part) for s, slope in around]
    of_charges, gradients = _moved_loss(second, moved, weights)
    return loss + of_charges, _reading_adjoint(model, readout, gradients)


def _reading(model: Model, readout: Readout) -> Model:
    """The model with a second readout in the place of the first.

    The sum of two perceptrons is one with the hidden units of both.
    """
    own = without_second_readouts(model.weights)
    theirs = {
        name: model.weights[readout.prefix + name]
        for name in READOUT
        if readout.prefix + name in model.weights
    }
    if readout.close:
        for name in theirs.keys() & set(ENERGY):
            axis, both = _hidden_axis(model, name), (own[name], theirs[name])
            theirs[name] = both[0] + both[1] if axis is None else np.concatenate(both, axis)
    return Model(replace(model.form, energy="readout"), own | theirs)


def _reading_adjoint(
    model: Model, readout: Readout, gradients: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Adjoint of :func:`_reading`: gradients of all weights of the model."""
    out = {name: np.zeros_like(value) for name, value in model.weights.items()}
    for name, gradient in gradients.items():
        theirs = readout.prefix + name
        if theirs not in out:
            out[name] = gradient
        elif not readout.close or name not in ENERGY:
            out[theirs] = gradient
        else:
            axis = _hidden_axis(model, name)
            both = (gradient, gradient) if axis is None else np.split(gradient, 2, axis)
            out[name], out[theirs] = both
    return out


def _hidden_axis(model: Model, name: str) -> int | None:
    """Axis of the hidden units; None for a weight that two linear readouts add up in."""
    return HIDDEN_AXIS.get(name) if "energy.in" in model.weights else None


class _Moved(NamedTuple):
    """A geometry beside one of a surface, dL/d its energy, its part of the other terms."""

    structure: Structure
    surface: Surface
    energy_bar: float
    part: float


def _moved_loss(
    second: Model, moved: Sequence[_Moved], weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Loss of charges and dipoles; gradients of it and of the energies."""
    pairs = PairList.of([m.structure for m in moved], second.form.elements, second.form.cutoff)
    _, record = second.predict_energies(pairs)
    nodes = record.features.nodes
    charges = conserved_charges(pairs, nodes[:, 0], second.weights)
    dipoles = atom_dipoles(pairs, nodes, second.weights)
    energies_bar, charges_bar = np.empty(pairs.n_atom), np.empty(pairs.n_atom)
    dipoles_bar = np.empty((pairs.n_atom, 3))
    loss = 0.0
    for index, (structure, surface, energy_bar, part) in enumerate(moved):
        rows, n_atom = pairs.atoms_of(index), structure.n_atom
        dipole = charges[rows] @ structure.positions + dipoles[rows].sum(axis=0)[XYZ]
        of_charges, charge_bar = soft_square(charges[rows] - surface.charges, CHARGE_WIDTH)
        of_dipole, dipole_bar = soft_square(dipole - surface.dipole, DIPOLE_WIDTH, axis=0)
        of_each = part * weights.auxiliary / n_atom * weights.charges
        of_all = part * weights.auxiliary / n_atom * weights.dipole
        loss += of_each * float(of_charges.sum()) + of_all * float(of_dipole.sum())
        energies_bar[rows] = energy_bar
        charges_bar[rows] = of_each * charge_bar + of_all * (structure.positions @ dipole_bar)
        dipoles_bar[np.ix_(rows, XYZ)] = of_all * dipole_bar
    return loss, second.adjoint(
        pairs, record, None, energies_bar, dipoles_bar, charges_bar=charges_bar
    )[0]
