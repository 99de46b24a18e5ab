"""Periodic cells around molecules: ignored, unless a molecule is cut by its cell."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError

PERIODIC = "the periodic cell is ignored"

BONDED = 1.25
"""Atoms closer than this multiple of the sum of covalent radii count as bonded."""


def check_whole(atoms: Atoms) -> None:
    """Refuse a molecule that is bonded to its own periodic images.

    Parameters
    ----------
    atoms : ase.Atoms

    Raises
    ------
    InputError
        If a bond crosses the boundary of the cell: a wrapped molecule, or a crystal.
    """
    periodic = atoms.pbc & atoms.cell.any(axis=1)
    if not periodic.any() or not np.isfinite(atoms.positions).all():
        return
    from ase.neighborlist import natural_cutoffs, neighbor_list  # slow to import

    looked_at = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=periodic)
    first, second, shift = neighbor_list("ijS", looked_at, natural_cutoffs(looked_at, mult=BONDED))
    across = np.flatnonzero(shift.any(axis=1))
    if across.size:
        i, j = sorted((int(first[across[0]]), int(second[across[0]])))
        raise InputError(
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are bonded across the "
            "boundary of the periodic cell, which is ignored: unwrap the molecule, "
            "or remove the cell"
        )
