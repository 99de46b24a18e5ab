"""Features of two centers rho_ij^nu (theory eq 4), symmetrised over the two atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlsemi.representations.correlations import AtomFeatures, irreps_up_to
from mlsemi.representations.expansion import RadialFunctions
from mlsemi.representations.neighbours import Geometry, Neighbours
from mlsemi.symmetry.products import N_PRODUCT, Product
from mlsemi.symmetry.so3 import components
from mlsemi.symmetry.tensors import Irrep, Tensors, added, gathered, taken


@dataclass(frozen=True, eq=False)
class Bonds:
    """<a n l m | r_ij> = delta(a, a_j) R_nl(r_ij) Y_lm(r_ij): one neighbour, not their sum.

    Attributes
    ----------
    elements : tuple of int
    radial : RadialTable or LongRangeTable
    by_species : bool
        Whether the species a of atom j is a set of channels; False leaves the label out.
    """

    elements: tuple[int, ...]
    radial: RadialFunctions
    by_species: bool = False

    def neighbours(self, structures: Sequence[Geometry]) -> Neighbours:
        """All pairs on which the radial functions do not vanish."""
        return Neighbours.of(structures, self.elements, self.radial.end, self.radial.n_degree)

    def _columns(self, neighbours: Neighbours) -> tuple[np.ndarray, int]:
        """Channels of each pair (n_pair, n_radial), and how many there are in all."""
        n = self.radial.n_radial
        columns = np.broadcast_to(np.arange(n), (neighbours.first.size, n))
        if not self.by_species:
            return columns, n
        return columns + n * neighbours.neighbour_species[:, None], n * len(self.elements)

    def __call__(self, neighbours: Neighbours) -> dict[Irrep, np.ndarray]:
        """{(l, +1): (n_pair, 2l+1, n_channel)}."""
        values = self.radial(neighbours.distance, neighbours.neighbour_species)
        columns, n_channel = self._columns(neighbours)
        out = {}
        for l in range(self.radial.n_degree):
            spread = np.zeros((neighbours.first.size, n_channel))
            np.put_along_axis(spread, columns, values[:, l], axis=1)
            out[Irrep(l, 1)] = neighbours.sphere[:, components(l), None] * spread[:, None]
        return out

    def adjoint(self, neighbours: Neighbours, out_bar: Tensors) -> np.ndarray:
        """dL/d positions (n_atom, 3); irreps missing from ``out_bar`` count as zero."""
        species = neighbours.neighbour_species
        values = self.radial(neighbours.distance, species)
        columns, _ = self._columns(neighbours)
        values_bar = np.zeros_like(values)
        sphere_bar = np.zeros_like(neighbours.sphere)
        for (l, _), bar in out_bar.items():
            own = np.take_along_axis(bar, columns[:, None], axis=2)
            values_bar[:, l] = np.einsum("pm,pmn->pn", neighbours.sphere[:, components(l)], own)
            sphere_bar[:, components(l)] = np.einsum("pn,pmn->pm", values[:, l], own)
        distance_bar = self.radial.adjoint(neighbours.distance, species, values_bar)
        return neighbours.adjoint(distance_bar, sphere_bar)


class PairTensors(NamedTuple):
    """Features of directed pairs.

    Attributes
    ----------
    neighbours : Neighbours
        ``first``, ``second``, ``reverse`` of every pair.
    orders : list of Tensors
        (n_pair, 2l+1, n_feature) of the orders 0 .. nu; order 0 is the bare bond.
    """

    neighbours: Neighbours
    orders: list[dict[Irrep, np.ndarray]]


def symmetrised(tensors: Tensors, reverse: np.ndarray, sign: int) -> dict[Irrep, np.ndarray]:
    """(f_ij + sign f_ji) / sqrt 2: even (+1) or odd (-1) under exchange of the two atoms.

    The map is its own adjoint, so cotangents pass through the same function.

    Parameters
    ----------
    tensors : mapping
        Features of directed pairs.
    reverse : (n_pair,) int array
        Where (j, i) stands.
    sign : int
    """
    return {i: (f + sign * f[reverse]) / np.sqrt(2.0) for i, f in tensors.items()}


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """Structures -> rho_ij^nu of every directed pair, and back to positions.

    |rho_ij^nu; lambda mu> = sum <l m; l' m' | lambda mu> R_n(r_ij) Y_lm(r_ij) |rho_i^nu; l' m'>

    The neighbours of atom j enter through the reversed pair: :func:`symmetrised` for two atoms of
    one element, both directions side by side for two elements.

    Attributes
    ----------
    bonds : Bonds
    atoms : AtomFeatures
    steps : tuple of Product
        Of the bond with rho_i^1 .. rho_i^nu.
    """

    bonds: Bonds
    atoms: AtomFeatures
    steps: tuple[Product, ...]

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        bonds: Bonds,
        atoms: AtomFeatures,
        nu: int,
        l_max: int,
        n_keep: int,
        n_product: int | None = N_PRODUCT,
    ) -> PairFeatures:
        """Contractions from the pairs of a dataset.

        Parameters
        ----------
        structures : sequence of Structure or Points
        bonds : Bonds
        atoms : AtomFeatures
            Of order ``nu`` at least.
        nu : int
            Highest order; 0 is the bare bond.
        l_max : int
            Highest degree of the result.
        n_keep : int
            Features per irrep and order.
        n_product : int or None
            Most products per irrep before the contraction; None takes all.
        """
        neighbours = bonds.neighbours(structures)
        bond = bonds(neighbours)
        steps = [
            Product.fit(
                bond,
                taken(rho, neighbours.first),
                irreps_up_to(l_max),
                n_keep,
                n_product=n_product,
                labels=neighbours.pair_species,
            )
            for rho in atoms(structures)[:nu]
        ]
        return cls(bonds, atoms, tuple(steps))

    def __call__(self, structures: Sequence[Geometry]) -> PairTensors:
        """Features of the orders 0 .. nu of all directed pairs."""
        neighbours = self.bonds.neighbours(structures)
        bond = self.bonds(neighbours)
        orders = [bond]
        for step, rho in zip(self.steps, self.atoms(structures), strict=False):
            orders.append(step(bond, taken(rho, neighbours.first)))
        return PairTensors(neighbours, orders)

    def adjoint(self, structures: Sequence[Geometry], orders_bar: Sequence[Tensors]) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of all orders."""
        neighbours = self.bonds.neighbours(structures)
        bond = self.bonds(neighbours)
        bond_bar: Tensors = orders_bar[0]
        atoms_bar: list[Tensors] = []
        for step, rho, bar in zip(self.steps, self.atoms(structures), orders_bar[1:], strict=False):
            part, rho_bar = step.adjoint(bond, taken(rho, neighbours.first), bar)
            bond_bar = added([bond_bar, part])
            atoms_bar.append(gathered(rho_bar, neighbours.first, neighbours.n_atom))
        atoms_bar += [{}] * (len(self.atoms.correlations.steps) + 1 - len(atoms_bar))
        return self.bonds.adjoint(neighbours, bond_bar) + self.atoms.adjoint(structures, atoms_bar)
