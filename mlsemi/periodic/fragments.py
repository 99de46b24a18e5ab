"""Molecules in a structure, made whole across the faces of a cell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError
from mlsemi.lattice.images import Images, neighbour_images
from mlsemi.model.applicability import NEAREST
from mlsemi.molecule.elements import covalent_radius, formula
from mlsemi.molecule.structure import Structure


class Fragment(NamedTuple):
    """One molecule.

    Attributes
    ----------
    atoms : (n,) int array
        Of the structure, ascending.
    shift : (n, 3) int array
        Translations, in cell vectors, that make it whole.
    positions : (n, 3) array
        Of the whole molecule, bohr.
    formula : str
    """

    atoms: np.ndarray
    shift: np.ndarray
    positions: np.ndarray
    formula: str

    @property
    def center(self) -> np.ndarray:
        """(3,) mean position."""
        return self.positions.mean(axis=0)


def bonded(structure: Structure) -> Images:
    """Pairs of atoms joined by a bond of a warm molecule, in both directions.

    A hydrogen has one bond, to its nearest neighbour.
    """
    radius = covalent_radius(structure.numbers)
    reach = NEAREST[1] * 2.0 * float(radius.max())
    if structure.cell is None:
        apart = structure.positions[None] - structure.positions[:, None]
        squared = np.sum(apart**2, axis=2)
        first, second = np.nonzero((squared < reach**2) & ~np.eye(structure.n_atom, dtype=bool))
        shift = np.zeros((first.size, 3), dtype=np.int64)
        found = Images(first, second, shift, apart[first, second])
    else:
        found = neighbour_images(structure.positions, structure.cell, reach)
    distance = np.linalg.norm(found.vector, axis=1)
    near = distance < NEAREST[1] * (radius[found.first] + radius[found.second])
    partner = structure.nearest[1]
    for atom, other in ((found.first, found.second), (found.second, found.first)):
        near &= (structure.numbers[atom] != 1) | (partner[atom] == other)
    return Images(*(field[near] for field in found))


def fragments_of(structure: Structure) -> list[Fragment]:
    """Molecules of a structure, in the order of their first atoms.

    Raises
    ------
    InputError
        If atoms are bonded without end, as in a polymer or a network.
    """
    bonds = bonded(structure)
    start = np.searchsorted(bonds.first, np.arange(structure.n_atom + 1))
    shift: dict[int, np.ndarray] = {}
    out = []
    for root in range(structure.n_atom):
        if root in shift:
            continue
        shift[root] = np.zeros(3, dtype=np.int64)
        found, queue = [root], [root]
        while queue:
            i = queue.pop()
            for p in range(start[i], start[i + 1]):
                j, there = int(bonds.second[p]), shift[i] + bonds.shift[p]
                if j not in shift:
                    shift[j] = there
                    found.append(j)
                    queue.append(j)
                elif not np.array_equal(shift[j], there):
                    raise InputError(
                        f"atom {j} ({structure.symbols[j]}) is bonded to its own images: couplings "
                        "are between molecules, and here is a polymer or a network"
                    )
        atoms = np.array(sorted(found))
        moved = np.array([shift[a] for a in atoms.tolist()])
        positions = structure.positions[atoms]
        if structure.cell is not None:
            positions = positions + moved @ structure.cell.vectors
        name = formula([structure.symbols[a] for a in atoms.tolist()])
        out.append(Fragment(atoms, moved, positions, name))
    return out
