"""Pairs of an atom in the cell at the origin and an image of an atom anywhere, within a cutoff."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from vesin import NeighborList

from mlsemi.lattice.cell import Cell


class Images(NamedTuple):
    """Directed pairs, sorted by first atom, second atom and translation; each in both directions.

    Attributes
    ----------
    first, second : (n_pair,) int arrays
    shift : (n_pair, 3) int array
        Translation of the second atom, in cell vectors.
    vector : (n_pair, 3) array
        From the first atom to the image of the second.
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    vector: np.ndarray

    @property
    def forward(self) -> np.ndarray:
        """(n_pair,) whether this is the one of both directions of a pair that comes first.

        The first atom before the second; for an atom and its own image the translation decides.
        """
        order = np.where(self.first == self.second, 0, self.second - self.first)
        for axis in range(3):
            order = np.where(order == 0, self.shift[:, axis], order)
        return order > 0


def neighbour_images(positions: np.ndarray, cell: Cell, cutoff: float) -> Images:
    """All pairs closer than a cutoff, an atom and its own images included.

    The search is that of the library ``vesin``.

    Parameters
    ----------
    positions : (n_atom, 3) array
        Wrapped or not: the pairs are the same, their translations follow.
    cell : Cell
    cutoff : float
        In the unit of the positions.
    """
    search = NeighborList(cutoff=cutoff, full_list=True, n_threads=1)
    found = search.compute(
        points=np.asarray(positions),
        box=np.asarray(cell.vectors),
        periodic=cell.periodic.tolist(),
        quantities="ijS",
    )
    first, second, shift = (np.asarray(array, dtype=np.int64) for array in found)
    order = np.lexsort((*shift.T[::-1], second, first))
    first, second, shift = first[order], second[order], shift[order]
    vector = positions[second] + shift @ cell.vectors - positions[first]
    return Images(first, second, shift, vector)
