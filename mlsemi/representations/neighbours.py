"""Neighbours: atoms of several structures, directed pairs within a cutoff, harmonics of any degree.

Unlike the model's own pair list this one keeps the order of the atoms, knows harmonics of every
degree, takes clusters of any element, and reaches any distance.
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


class Points(NamedTuple):
    """Atoms of any element, without the electronic conditions of a ``Structure``.

    Attributes
    ----------
    numbers : (n_atom,) int array
    positions : (n_atom, 3) array
        Bohr.
    """

    numbers: np.ndarray
    positions: np.ndarray


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
        Atoms i and j, sorted by i, then j.
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
            Bohr; ``inf`` takes all pairs of a structure.
        n_degree : int
            Harmonics run over l < n_degree.

        Raises
        ------
        InputError
            For an element that is not known, coordinates that are no numbers, two atoms at one
            place, or no structures at all.
        """
        if not structures:
            raise InputError("no structures are given: features need one or more")
        if any(getattr(s, "cell", None) is not None for s in structures):
            raise InputError("features of molecules only: periodic cells are not supported")
        index = {z: n for n, z in enumerate(elements)}
        numbers = np.concatenate([s.numbers for s in structures])
        unknown = set(numbers.tolist()) - set(index)
        if unknown:
            known = ", ".join(map(symbol, elements))
            raise InputError(f"these features know {known}, not {symbol(min(unknown))}")
        start = np.concatenate([[0], np.cumsum([len(s.numbers) for s in structures])])
        x = np.ascontiguousarray(np.concatenate([s.positions for s in structures]), dtype=float)
        first, second = find_pairs(x, start, cutoff, count_pairs(x, start, cutoff))
        distance, unit = pair_vectors(x, first, second)
        _check(x, start, first[distance == 0.0], second[distance == 0.0])
        species = np.array([index[z] for z in numbers.tolist()])
        return cls(species, start, first, second, distance, unit, n_degree)

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

    @cached_property
    def reverse(self) -> np.ndarray:
        """(n_pair,) index of the pair (j, i)."""
        by_second = np.lexsort((self.first, self.second))
        reverse = np.empty_like(by_second)
        reverse[by_second] = np.arange(by_second.size)
        return reverse

    def around(self, centers: np.ndarray) -> Neighbours:
        """Only the pairs whose first atom is one of ``centers``; pairs then have no ``reverse``."""
        kept = np.isin(self.first, centers)
        return replace(
            self,
            first=self.first[kept],
            second=self.second[kept],
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


def _check(x: np.ndarray, start: np.ndarray, first: np.ndarray, second: np.ndarray) -> None:
    """Refuse coordinates that are no numbers, and pairs (first, second) at one place."""
    lost = np.flatnonzero(~np.isfinite(x).all(axis=1))
    atom = lost[0] if lost.size else first[0] if first.size else None
    if atom is None:
        return
    where = int(np.searchsorted(start, atom, side="right")) - 1
    begin = int(start[where])
    place = f"structure {where}: atom {atom - begin}"
    if lost.size:
        raise InputError(f"{place} has coordinates that are no finite numbers")
    raise InputError(f"{place} and atom {second[0] - begin} are at the same place")
