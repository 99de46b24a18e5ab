"""Features of three centers rho_ijk^nu, symmetrised over the atoms (theory eq 4 and beyond)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import NamedTuple

import numpy as np

from mlsemi.representations.centers import Bonds
from mlsemi.representations.correlations import AtomFeatures, irreps_up_to
from mlsemi.representations.neighbours import Geometry, Neighbours
from mlsemi.symmetry.products import N_PRODUCT, Product
from mlsemi.symmetry.tensors import Irrep, Tensors, added, gathered, taken

PERMUTATIONS = tuple(permutations(range(3)))
SIGNS = np.array([round(float(np.linalg.det(np.eye(3)[list(p)]))) for p in PERMUTATIONS])


class Triples(NamedTuple):
    """All ordered triples (i, j, k) with j and k different neighbours, or images, of i.

    Attributes
    ----------
    left : (n_triple,) int array
        Pair (i, j) in the list of neighbours.
    right : (n_triple,) int array
        Pair (i, k).
    """

    left: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, neighbours: Neighbours) -> Triples:
        """Triples of a list of pairs, sorted by both pairs."""
        edges = np.searchsorted(neighbours.first, np.arange(neighbours.n_atom + 1))
        count = np.diff(edges)[neighbours.first]
        left = np.repeat(np.arange(neighbours.first.size), count)
        inside = np.arange(left.size) - np.repeat(np.cumsum(count) - count, count)
        right = edges[neighbours.first[left]] + inside
        return cls(left[left != right], right[left != right])

    def centers(self, neighbours: Neighbours) -> np.ndarray:
        """(n_triple, 3) atoms i, j, k."""
        first, second = neighbours.first, neighbours.second
        return np.stack([first[self.left], second[self.left], second[self.right]], axis=1)

    def shifts(self, neighbours: Neighbours) -> np.ndarray:
        """(n_triple, 6) translations of the atoms j and k, in cell vectors."""
        return np.hstack([neighbours.shift[self.left], neighbours.shift[self.right]])

    def orbit(self, neighbours: Neighbours) -> np.ndarray:
        """(n_triple, 6) where the permutations of each triple stand.

        -1 if the new first atom does not see both others; a smooth cutoff has taken the features
        of that triple to zero.
        """
        n_pair, back = neighbours.first.size, neighbours.reverse
        end, shift = neighbours.second, neighbours.shift
        l, r = self.left, self.right
        across = neighbours.where(end[l], end[r], shift[r] - shift[l])  # from j to k
        returned = np.where(across < 0, -1, back[across]) if n_pair else across
        orders = [(l, r), (r, l), (back[l], across), (across, back[l])]
        orders += [(back[r], returned), (returned, back[r])]
        left, right = (np.stack(side, axis=1) for side in zip(*orders, strict=True))
        keys, wanted = l * n_pair + r, left * n_pair + right
        at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
        found = (left >= 0) & (right >= 0) & (keys[at] == wanted if keys.size else False)
        return np.where(found, at, -1)


class TripleTensors(NamedTuple):
    """Features of ordered triples.

    Attributes
    ----------
    neighbours : Neighbours
    triples : Triples
    tensors : Tensors
        (n_triple, 2l+1, n_feature).
    """

    neighbours: Neighbours
    triples: Triples
    tensors: dict[Irrep, np.ndarray]


def symmetrised_triples(tensors: Tensors, orbit: np.ndarray, sign: int) -> dict[Irrep, np.ndarray]:
    """sum_pi f_pi(ijk) / sqrt 6 over all orders of the three atoms; sign -1: odd under exchanges.

    The map is its own adjoint, so cotangents pass through the same function.

    Parameters
    ----------
    tensors : mapping
        Features of ordered triples.
    orbit : (n_triple, 6) int array
        Result of :meth:`Triples.orbit`.
    sign : int
    """
    factors = (SIGNS if sign < 0 else np.ones(6)) / np.sqrt(6.0)
    out = {}
    for irrep, value in tensors.items():
        padded = np.concatenate([value, np.zeros((1, *value.shape[1:]))])
        out[irrep] = sum(f * padded[orbit[:, n]] for n, f in enumerate(factors))
    return out


def _pairs(bonds: Bonds, structures: Sequence[Geometry], centers: np.ndarray | None) -> Neighbours:
    neighbours = bonds.neighbours(structures)
    return neighbours if centers is None else neighbours.around(centers)


@dataclass(frozen=True, eq=False)
class TripleFeatures:
    """Structures -> rho_ijk^nu of every ordered triple, and back to positions.

    |rho_ijk^nu> = (R_n(r_ik) Y_lm(r_ik)) x (R_n'(r_ij) Y_l'm'(r_ij)) x |rho_i^nu>

    Attributes
    ----------
    bonds : Bonds
    atoms : AtomFeatures or None
        None for nu = 0, the bare triangle.
    inner : Product or None
        Of bond ij with rho_i^nu.
    outer : Product
        Of that with bond ik.
    """

    bonds: Bonds
    atoms: AtomFeatures | None
    inner: Product | None
    outer: Product

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        bonds: Bonds,
        atoms: AtomFeatures | None,
        irreps: Iterable[Irrep],
        n_keep: int,
        n_inner: int,
        n_product: int | None = N_PRODUCT,
        centers: np.ndarray | None = None,
    ) -> TripleFeatures:
        """Contractions from the triples of a dataset.

        Parameters
        ----------
        structures : sequence of Structure or Points
        bonds : Bonds
        atoms : AtomFeatures or None
            The last of its orders decorates the triangle; None leaves it bare.
        irreps : iterable of Irrep
            Wanted results.
        n_keep : int
            Features per irrep.
        n_inner : int
            Features per irrep of the decorated bond ij.
        n_product : int or None
            Most products per irrep before each contraction; None takes all.
        centers : (n_center,) int array, optional
            Atoms that are the first of a triple; all without it.
        """
        wanted = tuple(irreps)
        neighbours = _pairs(bonds, structures, centers)
        triples = Triples.of(neighbours)
        bond = bonds(neighbours)
        first: Tensors = bond
        inner = None
        if atoms is not None:
            highest = max(i.l for i in wanted) + bonds.radial.n_degree - 1
            rho = taken(atoms(structures)[-1], neighbours.first)
            inner = Product.fit(
                bond,
                rho,
                irreps_up_to(highest),
                n_inner,
                n_product=n_product,
                labels=neighbours.pair_species,
            )
            first = inner(bond, rho)
        left, right = taken(first, triples.left), taken(bond, triples.right)
        species = neighbours.species[neighbours.first[triples.left]]
        outer = Product.fit(left, right, wanted, n_keep, n_product=n_product, labels=species)
        return cls(bonds, atoms, inner, outer)

    def _factors(
        self, structures: Sequence[Geometry], neighbours: Neighbours
    ) -> tuple[dict[Irrep, np.ndarray], dict[Irrep, np.ndarray], dict[Irrep, np.ndarray]]:
        """Bonds, rho of their first atoms, and the decorated bonds, all per pair."""
        bond = self.bonds(neighbours)
        if self.atoms is None or self.inner is None:
            return bond, {}, bond
        rho = taken(self.atoms(structures)[-1], neighbours.first)
        return bond, rho, self.inner(bond, rho)

    def __call__(
        self, structures: Sequence[Geometry], centers: np.ndarray | None = None
    ) -> TripleTensors:
        """Features of all ordered triples, or of those that start at ``centers``."""
        neighbours = _pairs(self.bonds, structures, centers)
        triples = Triples.of(neighbours)
        bond, _, first = self._factors(structures, neighbours)
        tensors = self.outer(taken(first, triples.left), taken(bond, triples.right))
        return TripleTensors(neighbours, triples, tensors)

    def adjoint(
        self,
        structures: Sequence[Geometry],
        tensors_bar: Tensors,
        centers: np.ndarray | None = None,
    ) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of the features."""
        neighbours = _pairs(self.bonds, structures, centers)
        triples = Triples.of(neighbours)
        bond, rho, first = self._factors(structures, neighbours)
        left_bar, right_bar = self.outer.adjoint(
            taken(first, triples.left), taken(bond, triples.right), tensors_bar
        )
        n_pair = neighbours.first.size
        first_bar = gathered(left_bar, triples.left, n_pair)
        bond_bar = gathered(right_bar, triples.right, n_pair)
        if self.atoms is None or self.inner is None:
            return self.bonds.adjoint(neighbours, added([bond_bar, first_bar]))
        part, rho_bar = self.inner.adjoint(bond, rho, first_bar)
        positions_bar = self.bonds.adjoint(neighbours, added([bond_bar, part]))
        atoms_bar: list[Tensors] = [{} for _ in self.atoms.correlations.steps]
        atoms_bar.append(gathered(rho_bar, neighbours.first, neighbours.n_atom))
        return positions_bar + self.atoms.adjoint(structures, atoms_bar)
