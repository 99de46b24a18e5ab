"""Auxiliary surfaces: energies and forces of a cheap method that share the features in training.

Large-basis forces are dear; those of GFN2-xTB cost milliseconds, so that many more molecules and
geometries can be labelled. A second energy readout on the same features learns them beside the
first (multi-task learning: Caruana, Machine Learning 28, 41 (1997)). It teaches the features what
neighbours do to an energy; the parameter set that is released does not contain it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.model import Model
from mlsemi.outputs import complete_or_absent
from mlsemi.pairs import PairList
from mlsemi.structure import Structure
from mlsemi.training.force_matching import displaced, energy_gradient
from mlsemi.training.loss import ENERGY_WIDTH, FORCE_WIDTH, LossWeights, soft_square
from mlsemi.training.regression import atomic_parts

PREFIX = "auxiliary."
"""Of the names of the second readout's weights."""

READOUT = ("energy.atom", "energy.in", "energy.bias", "energy.out")
"""What the second readout has of its own, as far as the model has it."""

PER_ATOM, PER_GEOMETRY = ("numbers", "positions", "forces"), ("size", "energy", "molecule")


class Surface(NamedTuple):
    """One geometry of an energy surface.

    Attributes
    ----------
    structure : Structure
    energy : float
        Hartree.
    forces : (n_atom, 3) array
        Hartree / bohr.
    molecule : str
        InChIKey.
    """

    structure: Structure
    energy: float
    forces: np.ndarray
    molecule: str


def save_surfaces(path: Path, surfaces: Sequence[Surface]) -> None:
    """Write an HDF5 file, atoms of all geometries one after the other.

    Positions and forces are in single precision.
    """
    columns = {
        "numbers": np.concatenate([s.structure.numbers for s in surfaces]).astype(np.uint8),
        "positions": np.concatenate([s.structure.positions for s in surfaces]).astype(np.float32),
        "forces": np.concatenate([s.forces for s in surfaces]).astype(np.float32),
        "size": np.array([s.structure.n_atom for s in surfaces], dtype=np.uint16),
        "energy": np.array([s.energy for s in surfaces]),
        "molecule": np.array([s.molecule for s in surfaces], dtype="S27"),
    }
    with complete_or_absent(path) as temporary, h5py.File(temporary, "w") as file:
        for name, value in columns.items():
            file.create_dataset(name, data=value, compression="gzip", shuffle=True)


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
    ends = np.cumsum(data["size"], dtype=np.int64)
    numbers, positions, forces = (np.split(data[name], ends[:-1]) for name in PER_ATOM)
    return [
        Surface(
            Structure(numbers[k], positions[k].astype(np.float64)),
            float(data["energy"][k]),
            forces[k].astype(np.float64),
            data["molecule"][k].decode(),
        )
        for k in range(ends.size)
    ]


def second_readout(model: Model, surfaces: Sequence[Surface]) -> dict[str, np.ndarray]:
    """Start weights of the second readout: energies of the atoms by least squares, no more.

    Parameters
    ----------
    model : Model
        At its own start.
    surfaces : sequence of Surface
    """
    out = {PREFIX + n: np.array(model.weights[n]) for n in READOUT if n in model.weights}
    structures, energies = [s.structure for s in surfaces], [s.energy for s in surfaces]
    out[PREFIX + "energy.atom"], _ = atomic_parts(structures, energies, model.form.elements)
    return out


def without_second_readout(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights that are released."""
    return {name: value for name, value in weights.items() if not name.startswith(PREFIX)}


def surface_loss(
    model: Model, surfaces: Sequence[Surface], weights: LossWeights
) -> tuple[float, dict[str, np.ndarray]]:
    """Summed loss of energies and forces of the second readout, and its gradient.

    The terms are those of theory eq 12, all times ``weights.auxiliary``.

    Parameters
    ----------
    model : Model
        With the weights of the second readout among its own.
    surfaces : sequence of Surface
    weights : LossWeights

    Returns
    -------
    loss (a.u.), gradients of all weights
    """
    own = without_second_readout(model.weights)
    names = [name for name in READOUT if name in own]
    second = Model(
        replace(model.form, energy="readout"),
        own | {name: model.weights[PREFIX + name] for name in names},
    )
    pairs = PairList.of([s.structure for s in surfaces], model.form.elements, model.form.cutoff)
    atom_energies, record = second.predict_energies(pairs)
    forces = pairs.by_structure(-second.energy_slope(pairs, record))
    moved: list[Structure] = []
    energies_bar: list[float] = []
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
        for structure, slope in displaced(surface.structure, bar):
            moved.append(structure)
            # both geometries are the one in the middle as far as its energy is concerned
            energies_bar.append(slope + 0.5 * share * float(energy_bar[0]))
    gradients = energy_gradient(second, moved, energies_bar)
    for name in names:
        gradients[PREFIX + name] = gradients[name]
        gradients[name] = np.zeros_like(gradients[name])
    return loss, gradients
