"""What it costs to take an electron away, or to turn a spin, at the geometry of a molecule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure

CHANGES = {"cation": (1, 2), "triplet": (0, 3)}
"""Charge and multiplicity."""


@dataclass(frozen=True, eq=False)
class Vertical:
    """One open shell at the geometry of the neutral closed shell, unrestricted.

    Attributes
    ----------
    structure : Structure
        With its charge and multiplicity.
    molecule, label : str
        InChIKey, or what names the molecule.
    name : str
        "cation" or "triplet".
    split : str
    change : float
        Energy less that of the neutral closed shell, hartree.
    alpha, beta : arrays
        Occupied valence levels, hartree.
    spin_populations : (n_atom,) array
        Electrons.
    """

    structure: Structure
    molecule: str
    label: str
    name: str
    split: str
    change: float
    alpha: np.ndarray
    beta: np.ndarray
    spin_populations: np.ndarray


def load_vertical(path: Path) -> list[Vertical]:
    """All open shells of a file that ``parameters/reference/make_vertical.py`` has written.

    Raises
    ------
    InputError
        If it is no such file.
    """
    try:
        entries = json.loads(path.read_text())
        return [
            _of_entry(molecule, entry, name)
            for molecule, entry in entries.items()
            for name in CHANGES
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no file of vertical changes ({error})") from None


def _of_entry(molecule: str, entry: dict[str, Any], name: str) -> Vertical:
    numbers, positions = np.array(entry["numbers"]), np.array(entry["positions_bohr"])
    found = entry[name]
    return Vertical(
        Structure(numbers, positions, *CHANGES[name]),
        molecule,
        entry["label"],
        name,
        entry["split"],
        found["energy"] - entry["neutral"]["energy"],
        *(np.array(found[key]) for key in ("alpha", "beta", "spin_populations")),
    )
