"""Atom-centered correlations rho_i^nu of any order (theory eqs 2, 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mlsemi.errors import InputError
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.neighbours import Geometry
from mlsemi.symmetry.contraction import Contraction, Kept
from mlsemi.symmetry.layers import Groups
from mlsemi.symmetry.products import N_PRODUCT, Product
from mlsemi.symmetry.tensors import (
    SCALAR,
    Irrep,
    Maps,
    Tensors,
    added,
    mapped,
    mapped_adjoint,
)


def irreps_up_to(l_max: int) -> tuple[Irrep, ...]:
    """Both parities of every degree up to ``l_max``."""
    return tuple(Irrep(l, sigma) for l in range(l_max + 1) for sigma in (1, -1))


@dataclass(frozen=True, eq=False)
class Correlations:
    """rho^1 -> (rho^1, rho^2, .., rho^nu), each contracted to principal components.

    Attributes
    ----------
    first : mapping
        Contraction of rho^1: species and radial channels of one degree are mixed.
    steps : tuple of Product
        Step nu multiplies rho^nu by rho^1.
    kept : mapping
        Fraction of the variance of rho^1 that each species keeps, per irrep.
    """

    first: Maps
    steps: tuple[Product, ...]
    kept: Kept = field(default_factory=dict)

    @property
    def discarded(self) -> list[dict[Irrep, np.ndarray]]:
        """Fraction of the variance that each order loses, (n_species,) per irrep.

        Relative to what was there before the contraction of this order; nan where a species had
        none. ``cur`` and ``fps`` keep no account.
        """
        orders = [self.kept, *(step.kept or {} for step in self.steps)]
        return [{irrep: 1.0 - kept for irrep, kept in order.items()} for order in orders]

    @classmethod
    def fit(
        cls,
        rho: Tensors,
        nu: int,
        l_max: int,
        n_keep: int | Sequence[int],
        n_product: int | None = N_PRODUCT,
        method: str = "pca",
        invariant: bool = False,
        species: np.ndarray | None = None,
    ) -> Correlations:
        """Contractions from the density coefficients of a dataset.

        Iterative contraction of N-body equivariants (Nigam, Pozdnyakov, Ceriotti,
        J. Chem. Phys. 153, 121101 (2020)).

        Parameters
        ----------
        rho : mapping
            Coefficients of the atoms of a dataset.
        nu : int
            Highest order.
        l_max : int
            Highest degree of the orders from 2 on.
        n_keep : int or sequence of int
            Features per irrep, for all orders or for each.
        n_product : int or None
            Most products per irrep before each contraction; None takes all.
        method : str
            ``pca``, ``cur`` or ``fps``.
        invariant : bool
            Compute only proper scalars at the last order.
        species : (n_atom,) int array, optional
            Each keeps a part of its variance, however rare it is.

        Raises
        ------
        InputError
            If no atom has a neighbour.
        """
        keep = [n_keep] * nu if isinstance(n_keep, int) else list(n_keep)
        if not any(value.any() for value in rho.values()):
            raise InputError("no atom has a neighbour within the cutoff: nothing to fit to")
        labels = np.zeros(len(next(iter(rho.values()))), int) if species is None else species
        first, kept = Contraction.of(rho, labels, keep[0])
        rho1 = mapped(rho, first)
        last: Tensors = rho1
        steps = []
        for order in range(2, nu + 1):
            irreps = (SCALAR,) if invariant and order == nu else irreps_up_to(l_max)
            step = Product.fit(last, rho1, irreps, keep[order - 1], method, n_product, labels)
            steps.append(step)
            last = step(last, rho1)
        return cls(first, tuple(steps), kept)

    def __call__(self, rho: Tensors, groups: Groups = ()) -> list[dict[Irrep, np.ndarray]]:
        """Features of every order from 1 on, contracted.

        Parameters
        ----------
        rho : mapping
        groups : sequence of (species, slice)
            Rows of each species, for contractions that differ between species.
        """
        orders = [mapped(rho, self.first, groups)]
        for step in self.steps:
            orders.append(step(orders[-1], orders[0], groups))
        return orders

    def adjoint(
        self, orders: Sequence[Tensors], orders_bar: Sequence[Tensors], groups: Groups = ()
    ) -> dict[Irrep, np.ndarray]:
        """Cotangent of rho.

        Parameters
        ----------
        orders : sequence of mapping
            Result of the forward call.
        orders_bar : sequence of mapping
            Cotangents of them; irreps missing count as zero.
        groups : sequence of (species, slice)
        """
        bars = [dict(bar) for bar in orders_bar]
        for n in range(len(self.steps), 0, -1):
            step = self.steps[n - 1]
            below_bar, rho1_bar = step.adjoint(orders[n - 1], orders[0], bars[n], groups)
            bars[n - 1] = added([bars[n - 1], below_bar])
            bars[0] = added([bars[0], rho1_bar])
        maps = {irrep: matrix for irrep, matrix in self.first.items() if irrep in bars[0]}
        return mapped_adjoint(bars[0], maps, groups)


@dataclass(frozen=True, eq=False)
class AtomFeatures:
    """Structures -> rho_i^nu of every atom, and back to positions.

    Attributes
    ----------
    expansion : Expansion
    correlations : Correlations
    """

    expansion: Expansion
    correlations: Correlations

    @classmethod
    def fit(
        cls,
        structures: Sequence[Geometry],
        expansion: Expansion,
        nu: int,
        l_max: int,
        n_keep: int | Sequence[int],
        n_product: int | None = N_PRODUCT,
        invariant: bool = False,
    ) -> AtomFeatures:
        """Contractions from the atoms of a dataset; see :meth:`Correlations.fit`.

        Parameters
        ----------
        structures : sequence of Structure or Points
        expansion : Expansion
        nu : int
        l_max : int
        n_keep : int or sequence of int
        n_product : int or None
        invariant : bool
        """
        neighbours = expansion.neighbours(structures)
        correlations = Correlations.fit(
            expansion(neighbours),
            nu,
            l_max,
            n_keep,
            n_product,
            invariant=invariant,
            species=neighbours.species,
        )
        return cls(expansion, correlations)

    @property
    def discarded(self) -> list[dict[Irrep, np.ndarray]]:
        """Fraction of the variance that each order loses, (n_species,) per irrep; nan: none."""
        return self.correlations.discarded

    def __call__(self, structures: Sequence[Geometry]) -> list[dict[Irrep, np.ndarray]]:
        """Features (n_atom, 2l+1, n_feature) of the orders 1 .. nu; atoms as in the structures."""
        return self.correlations(self.expansion(self.expansion.neighbours(structures)))

    def adjoint(self, structures: Sequence[Geometry], orders_bar: Sequence[Tensors]) -> np.ndarray:
        """dL/d positions (n_atom, 3) from the cotangents of the features."""
        neighbours = self.expansion.neighbours(structures)
        orders = self.correlations(self.expansion(neighbours))
        return self.expansion.adjoint(neighbours, self.correlations.adjoint(orders, orders_bar))
