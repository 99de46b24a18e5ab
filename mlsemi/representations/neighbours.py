"""Neighbours: atoms of several structures, directed pairs within a cutoff, harmonics of any degree.

Unlike the model's own pair list this one keeps the order of the atoms, knows harmonics of every
degree, takes clusters and cells of any element, and reaches any distance. In a cell the second atom
of a pair is any of its images, and an atom has its own images as neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import factorial, pi, sqrt
from typing import NamedTuple, Protocol

import numpy as np

from mlsemi.errors import InputError
from mlsemi.kernels.geometry import count_pairs, find_pairs, pair_vectors, pair_vectors_adjoint
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.images import Images, neighbour_images
from mlsemi.molecule.elements import symbol
from mlsemi.molecule.structure import read_only
from mlsemi.representations.kernels.harmonics import spherical, spherical_adjoint


class Geometry(Protocol):
    """Anything with atoms: a ``Structure``, or :class:`Points`."""

    @property
    def numbers(self) -> np.ndarray:
        """(n_atom,) atomic numbers."""

    @property
    def positions(self) -> np.ndarray:
        """(n_atom, 3) coordinates, bohr."""

    @property
    def cell(self) -> Cell | None:
        """Along what they repeat."""


class Points(NamedTuple):
    """Atoms of any element, without the electronic conditions of a ``Structure``.

    Attributes
    ----------
    numbers : (n_atom,) int array
    positions : (n_atom, 3) array
        Bohr.
    cell : Cell, optional
        Along what they repeat.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: Cell | None = None


def cell_of(structure: Geometry) -> Cell | None:
    """Along what a structure repeats.

    Raises
    ------
    InputError
        For a cell of another library: its unit is another as well.
    """
    cell = getattr(structure, "cell", None)
    if cell is not None and not isinstance(cell, Cell):
        raise InputError(
            f"{type(structure).__name__} is no structure of mlsemi: Structure.from_ase, or Points, "
            "with positions and cell in bohr"
        )
    return cell


@cache
def harmonic_norms(n_degree: int) -> np.ndarray:
    """N_lm = ((2l+1) / 4 pi (l-m)! / (l+m)! (2 if m))^1/2, (n_degree, n_degree), 0 for m > l."""
    norm = np.zeros((n_degree, n_degree))
    for l in range(n_degree):
        for m in range(l + 1):
            ratio = factorial(l - m) / factorial(l + m) * (2.0 if m else 1.0)
            norm[l, m] = sqrt((2 * l + 1) / (4.0 * pi) * ratio)
    return read_only(norm)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Directed pairs (i, j) of atoms of the same structure closer than a cutoff.

    Attributes
    ----------
    species : (n_atom,) int array
        Index of the element of each atom, all structures one after the other.
    start : (n_structure + 1,) int array
        First atom of each structure.
    first, second : (n_pair,) int arrays
        Atoms i and j, sorted by i, then j, then ``shift``.
    shift : (n_pair, 3) int array
        Translation of atom j, in cell vectors; zero in a molecule.
    distance : (n_pair,) array
        r_ij, bohr.
    unit : (n_pair, 3) array
        Unit vectors from i to j.
    n_degree : int
        Harmonics run over l < n_degree.
    """

    species: np.ndarray
    start: np.ndarray
    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    distance: np.ndarray
    unit: np.ndarray
    n_degree: int

    @classmethod
    def of(
        cls, structures: Sequence[Geometry], elements: Sequence[int], cutoff: float, n_degree: int
    ) -> Neighbours:
        """Search all pairs.

        Parameters
        ----------
        structures : sequence of Structure or Points
        elements : sequence of int
            Atomic numbers that are known.
        cutoff : float
            Bohr; ``inf`` takes all pairs of a molecule.
        n_degree : int
            Harmonics run over l < n_degree.

        Raises
        ------
        InputError
            For an element that is not known, coordinates that are no numbers, two atoms at one
            place, a cell without a cutoff, or no structures at all.
        """
        if not structures:
            raise InputError("no structures are given: features need one or more")
        index = {z: n for n, z in enumerate(elements)}
        numbers = np.concatenate([s.numbers for s in structures])
        unknown = set(numbers.tolist()) - set(index)
        if unknown:
            known = ", ".join(map(symbol, elements))
            raise InputError(f"these features know {known}, not {symbol(min(unknown))}")
        start = np.concatenate([[0], np.cumsum([len(s.numbers) for s in structures])])
        x = np.ascontiguousarray(np.concatenate([s.positions for s in structures]), dtype=float)
        _check_finite(x, start)
        if any([cell_of(s) is not None for s in structures]):
            first, second, shift, vector = _images(structures, start, cutoff)
            distance = np.linalg.norm(vector, axis=1)
            unit = vector / np.where(distance > 0.0, distance, 1.0)[:, None]
        else:
            first, second = find_pairs(x, start, cutoff, count_pairs(x, start, cutoff))
            shift = np.zeros((first.size, 3), dtype=np.int64)
            distance, unit = pair_vectors(x, first, second)
        _check_apart(start, first[distance == 0.0], second[distance == 0.0])
        species = np.array([index[z] for z in numbers.tolist()])
        return cls(species, start, first, second, shift, distance, unit, n_degree)

    @cached_property
    def sphere(self) -> np.ndarray:
        """(n_pair, n_degree^2) real spherical harmonics of ``unit``."""
        return spherical(self.unit, harmonic_norms(self.n_degree))

    @property
    def n_atom(self) -> int:
        """Number of atoms in all structures."""
        return self.species.size

    @property
    def neighbour_species(self) -> np.ndarray:
        """(n_pair,) species of atom j."""
        return self.species[self.second]

    @property
    def pair_species(self) -> np.ndarray:
        """(n_pair,) one number for every ordered pair of species."""
        return self.species[self.first] * (self.species.max() + 1) + self.neighbour_species

    def where(self, first: np.ndarray, second: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(n,) places of pairs in the list, -1 for those that are not there.

        Parameters
        ----------
        first, second : (n,) int arrays
        shift : (n, 3) int array
            At most twice as long along each vector as the longest one in the list.
        """
        longest = 2 * int(np.abs(self.shift).max(initial=0))

        def key(i: np.ndarray, j: np.ndarray, t: np.ndarray) -> np.ndarray:
            out = i * self.n_atom + j
            for axis in range(3):
                out = out * (2 * longest + 1) + t[:, axis] + longest
            return out

        known, wanted = key(self.first, self.second, self.shift), key(first, second, shift)
        at = np.minimum(np.searchsorted(known, wanted), known.size - 1)
        return np.where(known[at] == wanted, at, -1) if known.size else np.full(wanted.size, -1)

    @cached_property
    def reverse(self) -> np.ndarray:
        """(n_pair,) index of the pair (j, i)."""
        return self.where(self.second, self.first, -self.shift)

    def around(self, centers: np.ndarray) -> Neighbours:
        """Only the pairs whose first atom is one of ``centers``."""
        kept = np.isin(self.first, centers)
        return replace(
            self,
            first=self.first[kept],
            second=self.second[kept],
            shift=self.shift[kept],
            distance=self.distance[kept],
            unit=self.unit[kept],
        )

    def adjoint(self, distance_bar: np.ndarray, sphere_bar: np.ndarray) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of distances and harmonics."""
        unit_bar = spherical_adjoint(self.unit, harmonic_norms(self.n_degree), sphere_bar)
        out = np.zeros((self.n_atom, 3))
        pair_vectors_adjoint(
            self.first, self.second, self.distance, self.unit, distance_bar, unit_bar, out
        )
        return out


def _images(structures: Sequence[Geometry], start: np.ndarray, cutoff: float) -> Images:
    """Pairs of every structure, molecule or cell, one structure after the other."""
    parts = []
    for structure, begin in zip(structures, start.tolist(), strict=False):
        x = np.ascontiguousarray(structure.positions, dtype=float)
        cell = cell_of(structure)
        if cell is None:
            alone = np.array([0, len(x)])
            first, second = find_pairs(x, alone, cutoff, count_pairs(x, alone, cutoff))
            nowhere = np.zeros((first.size, 3), dtype=np.int64)
            found = Images(first, second, nowhere, x[second] - x[first])
        elif np.isfinite(cutoff):
            found = neighbour_images(x, cell, cutoff)
        else:
            raise InputError(
                f"features without a cutoff cannot sum over {cell.kind} pair by pair: "
                "Potential does it Ewald's way"
            )
        parts.append(found._replace(first=found.first + begin, second=found.second + begin))
    return Images(*map(np.concatenate, zip(*parts, strict=True)))


def _place(start: np.ndarray, atom: int) -> tuple[str, int]:
    """Name of an atom for a message, and the first atom of its structure."""
    where = int(np.searchsorted(start, atom, side="right")) - 1
    begin = int(start[where])
    return f"structure {where}: atom {atom - begin}", begin


def _check_finite(x: np.ndarray, start: np.ndarray) -> None:
    """Refuse coordinates that are no numbers."""
    lost = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if lost.size:
        place, _ = _place(start, int(lost[0]))
        raise InputError(f"{place} has coordinates that are no finite numbers")


def _check_apart(start: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    """Refuse pairs (first, second), which are at one place."""
    if first.size:
        place, begin = _place(start, int(first[0]))
        raise InputError(f"{place} and atom {second[0] - begin} are at the same place")
