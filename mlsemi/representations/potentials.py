"""Long-range features: potentials of several powers around every atom, times the local density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlsemi.representations.correlations import AtomFeatures, irreps_up_to
from mlsemi.representations.lattice_potentials import Potential
from mlsemi.representations.neighbours import Geometry
from mlsemi.symmetry.contraction import Contraction
from mlsemi.symmetry.products import N_PRODUCT, Product
from mlsemi.symmetry.tensors import (
    Irrep,
    Maps,
    Tensors,
    added,
    joined,
    joined_adjoint,
    mapped,
    mapped_adjoint,
)


@dataclass(frozen=True, eq=False)
class PotentialFeatures:
    """Structures -> V_i of every atom and V_i x rho_i^1, and back to positions.

    |V_i; p> is the density of the whole system seen through 1/r^p, in a sphere around atom i
    (Grisafi and Ceriotti, J. Chem. Phys. 151, 204105 (2019)); its product with the local density
    lets the near structure answer to the far field (Grisafi, Nigam, Ceriotti, Chem. Sci. 12, 2078
    (2021)).

    Attributes
    ----------
    potentials : tuple of Potential
        One per power p.
    contractions : tuple of mapping
        Principal components of each potential, of unit mean square norm.
    atoms : AtomFeatures
        Local density; its first order is used.
    product : Product
    """

    potentials: tuple[Potential, ...]
    contractions: tuple[Maps, ...]
    atoms: AtomFeatures
    product: Product

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        potentials: Sequence[Potential],
        atoms: AtomFeatures,
        l_max: int,
        n_keep: int,
        n_product: int | None = N_PRODUCT,
    ) -> PotentialFeatures:
        """Contractions from the atoms of a dataset.

        Parameters
        ----------
        structures : sequence of Structure or Points
        potentials : sequence of Potential
        atoms : AtomFeatures
        l_max : int
            Highest degree of the products.
        n_keep : int
            Features per irrep, of each potential and of the products.
        n_product : int or None
            Most products per irrep before the contraction; None takes all.
        """
        values = [one(structures) for one in potentials]
        species = atoms.expansion.neighbours(structures).species
        contractions = tuple(Contraction.of(value, species, n_keep).maps for value in values)
        field = joined([mapped(*pair) for pair in zip(values, contractions, strict=True)])
        rho = atoms(structures)[0]
        product = Product.fit(
            field, rho, irreps_up_to(l_max), n_keep, n_product=n_product, labels=species
        )
        return cls(tuple(potentials), contractions, atoms, product)

    def _parts(self, structures: Sequence[Geometry]) -> list[dict[Irrep, np.ndarray]]:
        """Contracted potentials, one by one."""
        return [
            mapped(one(structures), maps)
            for one, maps in zip(self.potentials, self.contractions, strict=True)
        ]

    def __call__(self, structures: Sequence[Geometry]) -> list[dict[Irrep, np.ndarray]]:
        """V_i with all powers side by side, and V_i x rho_i^1, (n_atom, 2l+1, n_feature)."""
        field = joined(self._parts(structures))
        return [field, self.product(field, self.atoms(structures)[0])]

    def adjoint(self, structures: Sequence[Geometry], orders_bar: Sequence[Tensors]) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of both results."""
        parts = self._parts(structures)
        field = joined(parts)
        rho = self.atoms(structures)[0]
        field_bar, rho_bar = self.product.adjoint(field, rho, orders_bar[1])
        bars = joined_adjoint(parts, added([orders_bar[0], field_bar]))
        empty: list[Tensors] = [{} for _ in self.atoms.correlations.steps]
        positions_bar = self.atoms.adjoint(structures, [rho_bar, *empty])
        for one, maps, bar in zip(self.potentials, self.contractions, bars, strict=True):
            positions_bar = positions_bar + one.adjoint(structures, mapped_adjoint(bar, maps))
        return positions_bar
