"""PairList: the atoms and directed pairs of one or several structures, ready for kernels.

In a cell the second atom of a pair may be an image. Features of an image are those of the atom: a
pair names the atom, with the vector to the image, and what is learned sees no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mlsemi.brief import Brief
from mlsemi.kernels.geometry import (
    count_pairs,
    find_pairs,
    harmonics,
    harmonics_adjoint,
    pair_vectors,
    pair_vectors_adjoint,
)
from mlsemi.lattice.images import Images, neighbour_images
from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.structure import Structure


@dataclass(frozen=True, eq=False, repr=False)
class PairList(Brief):
    """Directed pairs (i, j) of atoms closer than a cutoff, i and j of the same structure.

    Several structures form one list, so that a training batch costs one pass. Atoms are sorted
    by species, which makes every species a contiguous slice.

    Attributes
    ----------
    structures : tuple of Structure
    atom : (n_atom,) int array
        Row of each atom of the concatenated structures in the species-sorted arrays.
    species : (n_atom,) int array
        Species index of each sorted atom.
    groups : tuple of (species index, slice)
        Contiguous rows of each species present.
    first, second : (n_pair,) int arrays
        Sorted rows of atoms i and j; pairs of one structure are contiguous.
    half : (n_pair / 2,) int array
        Pairs with i before j in the structures: each pair in one direction.
    pair_start : (n_structure + 1,) int array
        Where the pairs of each structure start.
    distance : (n_pair,) array
        r_ij, bohr.
    unit : (n_pair, 3) array
        Unit vectors from i to j.
    sphere : (n_pair, 9) array
        Real spherical harmonics of ``unit``.
    orbital : (n_atom,) int array
        First orbital of each sorted atom within its structure.
    n_species : int
        Number of species the model knows.
    shift : (n_pair, 3) int array or None
        Translation of atom j of each pair, in cell vectors; None where no structure has a cell.
    """

    structures: tuple[Structure, ...]
    atom: np.ndarray
    species: np.ndarray
    groups: tuple[tuple[int, slice], ...]
    first: np.ndarray
    second: np.ndarray
    half: np.ndarray
    pair_start: np.ndarray
    distance: np.ndarray
    unit: np.ndarray
    sphere: np.ndarray
    orbital: np.ndarray
    n_species: int
    shift: np.ndarray | None = None

    @classmethod
    def of(
        cls, structures: Sequence[Structure], elements: Sequence[int], cutoff: float
    ) -> PairList:
        """Search all pairs within ``cutoff`` (bohr); ``elements`` are the atomic numbers known."""
        index = {z: n for n, z in enumerate(elements)}
        numbers = [z for s in structures for z in s.numbers.tolist()]
        species = np.array([index[z] for z in numbers])
        positions = np.concatenate([s.positions for s in structures])
        start = np.concatenate([[0], np.cumsum([s.n_atom for s in structures])])
        order = np.argsort(species, kind="stable")
        row = np.empty_like(order)
        row[order] = np.arange(order.size)
        edges = np.searchsorted(species[order], np.arange(len(elements) + 1))
        groups = tuple(
            (n, slice(a, b)) for n, (a, b) in enumerate(pairwise(edges.tolist())) if b > a
        )
        if all(s.cell is None for s in structures):
            count = count_pairs(positions, start, cutoff)
            first, second = find_pairs(positions, start, cutoff, count)
            distance, unit = pair_vectors(positions, first, second)
            half, shift = np.flatnonzero(first < second), None
        else:
            found = _images(structures, start, cutoff)
            first, second, shift = found.first, found.second, found.shift
            distance = np.linalg.norm(found.vector, axis=1)
            unit, half = found.vector / distance[:, None], np.flatnonzero(found.forward)
        sizes = np.array([n_orbital_of(z) for z in numbers])
        orbital = np.cumsum(sizes) - sizes
        orbital -= np.repeat(orbital[start[:-1]], np.diff(start))
        return cls(
            tuple(structures),
            row,
            species[order],
            groups,
            row[first],
            row[second],
            half,
            np.searchsorted(first, start),
            distance,
            unit,
            harmonics(unit),
            orbital[order],
            len(elements),
            shift,
        )

    @property
    def n_atom(self) -> int:
        """Number of atoms in all structures."""
        return self.species.size

    @property
    def pair_species(self) -> np.ndarray:
        """(n_pair,) ordered species pair: species_i * n_species + species_j."""
        return self.species[self.first] * self.n_species + self.species[self.second]

    def atoms_of(self, index: int) -> np.ndarray:
        """Sorted rows of the atoms of structure ``index``, in the order of the structure."""
        start = sum(s.n_atom for s in self.structures[:index])
        return self.atom[start : start + self.structures[index].n_atom]

    def by_structure(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows in the order of the concatenated structures, cut into one array per structure."""
        return np.split(rows, np.cumsum([s.n_atom for s in self.structures])[:-1])

    def part(self, chosen: np.ndarray) -> PairList:
        """The same atoms with some of their pairs, both directions of each; ``chosen`` ascends."""
        number = np.full(self.first.size, -1)
        number[chosen] = np.arange(chosen.size)
        half = number[self.half]
        return replace(
            self,
            first=self.first[chosen],
            second=self.second[chosen],
            half=half[half >= 0],
            pair_start=np.searchsorted(chosen, self.pair_start),
            distance=self.distance[chosen],
            unit=self.unit[chosen],
            sphere=self.sphere[chosen],
            shift=None if self.shift is None else self.shift[chosen],
        )

    def ends(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First and second atoms of some pairs, and translations (n, 3) of the second."""
        if self.shift is None:
            shift = np.zeros((chosen.size, 3), dtype=np.int64)
        else:
            shift = self.shift[chosen]
        return self.first[chosen], self.second[chosen], shift

    def vectors(self, chosen: np.ndarray) -> np.ndarray:
        """r_ij (n, 3) of some pairs."""
        out: np.ndarray = self.unit[chosen] * self.distance[chosen, None]
        return out

    def vectors_adjoint(self, chosen: np.ndarray, vectors_bar: np.ndarray) -> np.ndarray:
        """dL/d positions, rows as in :meth:`adjoint`, of vectors r_ij (n, 3) of some pairs."""
        positions_bar = np.empty((self.n_atom, 3))
        for axis, bar in enumerate(vectors_bar.T):
            positions_bar[:, axis] = np.bincount(self.second[chosen], bar, self.n_atom)
            positions_bar[:, axis] -= np.bincount(self.first[chosen], bar, self.n_atom)
        return positions_bar[self.atom]

    def adjoint(self, distance_bar: np.ndarray, sphere_bar: np.ndarray) -> np.ndarray:
        """dL/d positions (n_atom, 3), rows in the order of the concatenated structures."""
        unit_bar = harmonics_adjoint(self.unit, sphere_bar)
        positions_bar = np.zeros((self.n_atom, 3))
        pair_vectors_adjoint(
            self.first, self.second, self.distance, self.unit, distance_bar, unit_bar, positions_bar
        )
        return positions_bar[self.atom]

    def strain_adjoint(self, distance_bar: np.ndarray, sphere_bar: np.ndarray) -> np.ndarray:
        """dL/d strain (3, 3) of r -> (1 + strain) r, as far as L depends on pairs."""
        unit_bar = harmonics_adjoint(self.unit, sphere_bar)
        n = self.distance.size
        vector_bar = np.zeros((n + 1, 3))
        rows, origin = np.arange(n), np.full(n, n)
        pair_vectors_adjoint(
            origin, rows, self.distance, self.unit, distance_bar, unit_bar, vector_bar
        )
        strain_bar: np.ndarray = vector_bar[:n].T @ (self.distance[:, None] * self.unit)
        return strain_bar


def _images(structures: Sequence[Structure], start: np.ndarray, cutoff: float) -> Images:
    """Pairs with images of every structure, one after the other."""
    parts = []
    for structure, offset in zip(structures, start.tolist(), strict=False):
        x = structure.positions
        if structure.cell is None:
            lone = np.array([0, structure.n_atom])
            first, second = find_pairs(x, lone, cutoff, count_pairs(x, lone, cutoff))
            shift = np.zeros((first.size, 3), dtype=np.int64)
            found = Images(first, second, shift, x[second] - x[first])
        else:
            found = neighbour_images(x, structure.cell, cutoff)
        parts.append(found._replace(first=found.first + offset, second=found.second + offset))
    return Images(*(np.concatenate([part[n] for part in parts]) for n in range(4)))
