"""Energy surfaces of many molecules, and the file that holds them (HDF5, with provenance)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.training.data.exclusion import hash_of

PER_ATOM = ("numbers", "positions", "forces", "charges")
PER_GEOMETRY = ("size", "energy", "dipole", "molecule")
ELECTRONS = {"charge": 0, "multiplicity": 1}
"""Written where a geometry has others than these: files of neutral closed shells have neither."""


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


def save_surfaces(
    path: str | os.PathLike[str],
    surfaces: Sequence[Surface],
    provenance: Mapping[str, object] | None = None,
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
    for name, usual in ELECTRONS.items():
        found = np.array([getattr(s.structure, name) for s in surfaces], dtype=np.int16)
        if (found != usual).any():
            columns[name] = found
    with complete_or_absent(path) as temporary, h5py.File(temporary, "w") as file:
        for name, value in columns.items():
            digits = DECIMALS.get(name)
            file.create_dataset(
                name, data=value, scaleoffset=digits, compression="gzip", shuffle=digits is None
            )
        file.attrs["provenance"] = json.dumps(dict(provenance or {}), sort_keys=True)


def load_surfaces(path: str | os.PathLike[str]) -> list[Surface]:
    """Read what :func:`save_surfaces` has written.

    Raises
    ------
    ParameterError
        If the file is missing or no such file.
    """
    try:
        return _surfaces_of(path)
    except Exception as error:  # a damaged file can provoke almost any
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ParameterError(f"{path}: not a file of auxiliary surfaces ({reason})") from None


def holds_surfaces(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of surfaces; what cannot be read is not."""
    try:
        with h5py.File(path, "r") as file:
            return "molecule" in file and "size" in file
    except OSError:
        return False


def by_molecule(
    paths: Iterable[str | os.PathLike[str]], excluded: frozenset[str]
) -> dict[str, list[Surface]]:
    """Surfaces of some files, those of one molecule together.

    Parameters
    ----------
    paths : iterable of path
    excluded : frozenset of str
        sha256(InChIKey) of molecules to leave out.
    """
    found: dict[str, list[Surface]] = {}
    for surface in (surface for path in paths for surface in load_surfaces(path)):
        if hash_of(surface.molecule) not in excluded:
            found.setdefault(surface.molecule, []).append(surface)
    return found


def _surfaces_of(path: str | os.PathLike[str]) -> list[Surface]:
    with h5py.File(path, "r") as file:
        data = {name: file[name][()] for name in PER_ATOM + PER_GEOMETRY}
        for name, usual in ELECTRONS.items():
            data[name] = file[name][()] if name in file else np.full(len(data["size"]), usual)
    for name, value in data.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ParameterError(f"{name} is not finite")
        known = data["size"].sum() if name in PER_ATOM else data["size"].size
        if len(value) != known:
            raise ParameterError(f"{name} has {len(value)} rows, need {known}")
    ends = np.cumsum(data["size"], dtype=np.int64)[:-1]
    numbers, positions, forces, charges = (np.split(data[name], ends) for name in PER_ATOM)
    return [
        Surface(
            Structure(
                numbers[k],
                positions[k].astype(np.float64),
                int(data["charge"][k]),
                int(data["multiplicity"][k]),
            ),
            float(data["energy"][k]),
            forces[k].astype(np.float64),
            charges[k].astype(np.float64),
            data["dipole"][k].astype(np.float64),
            data["molecule"][k].decode(),
        )
        for k in range(data["size"].size)
    ]
