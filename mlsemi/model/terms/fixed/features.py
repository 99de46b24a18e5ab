"""Features of atoms that are not learned: rho_i^1 and rho_i^2, in which H is linear.

The representation of the linear models of Nigam, Willatt, Ceriotti, J. Chem. Phys. 156, 014115
(2022) and Cignoni et al., ACS Cent. Sci. 10, 637 (2024): fixed radial functions, principal
components per species and degree, products of all pairs of channels (theory eqs 2 to 4), by the
:class:`~mlsemi.representations.correlations.Correlations` of the suite. With
sparse kernels (:mod:`mlsemi.model.terms.fixed.sparse`) the coefficients depend on the environment.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from mlsemi.kernels.density import density_adjoint
from mlsemi.model.terms.density import expansion_of
from mlsemi.model.terms.fixed.sparse import (
    SparseRecord,
    kernel_factors,
    kernel_factors_adjoint,
    kernel_weights,
    place_points,
)
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight
from mlsemi.molecule.pairs import PairList
from mlsemi.representations.correlations import Correlations
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.products import Product
from mlsemi.symmetry.selection import principal_components
from mlsemi.symmetry.so3 import L_MAX, components
from mlsemi.symmetry.tensors import Irrep, Tensors


@cache
def all_products(n_channel: int) -> Product:
    """Recipe of rho^2: the products of all pairs of channels that are true tensors."""
    rho = {Irrep(l, 1): np.zeros((1, 2 * l + 1, n_channel)) for l in range(L_MAX + 1)}
    return Product.all(rho, rho, tuple(rho))


@cache
def n_product(l: int, n_channel: int) -> int:
    """Number of features rho^2 of degree ``l``."""
    terms = all_products(n_channel).terms
    return sum(term.first.size for term in terms if term.out.l == l)


class FeatureRecord(NamedTuple):
    """Fixed features of the atoms in a pair list (rows sorted by species).

    Attributes
    ----------
    nodes : (n_atom, 9, (n_channel + n_component) * n_factor) array
        Components of rho^1, then of rho^2, each times every factor of the kernel.
    invariants : (n_atom, n_channel + n_component) array
        Scalars among them, before the kernel.
    plain : (n_atom, 9, n_channel + n_component) array
        Features before the kernel.
    orders : list of tensors
        rho^1 and rho^2.
    factors : (n_atom, n_factor) array
    sparse : SparseRecord or None
    """

    nodes: np.ndarray
    invariants: np.ndarray
    plain: np.ndarray
    orders: list[dict[Irrep, np.ndarray]]
    factors: np.ndarray
    sparse: SparseRecord | None


def correlations_of(weights: Weights) -> Correlations:
    """The suite's rho^1 and rho^2 with the contractions of a model, one per species.

    ``density.l`` (n_species, n_species n_radial, n_channel), ``node.l`` (n_species, n_product,
    n_component).
    """
    first, second = (
        {Irrep(l, 1): weights[f"{name}.{l}"] for l in range(L_MAX + 1) if f"{name}.{l}" in weights}
        for name in ("density", "node")
    )
    terms = all_products(weights["density.0"].shape[2]).terms
    return Correlations(first, (Product(terms, second or None),))


def as_tensors(rho: np.ndarray) -> dict[Irrep, np.ndarray]:
    """Degrees of one array (n, 9, n_channel) as a set of tensors."""
    return {Irrep(l, 1): np.ascontiguousarray(rho[:, components(l)]) for l in range(L_MAX + 1)}


def as_array(tensors: Tensors) -> np.ndarray:
    """Inverse of :func:`as_tensors`."""
    return np.concatenate([tensors[Irrep(l, 1)] for l in range(L_MAX + 1)], axis=1)


def features_of(pairs: PairList, basis: np.ndarray, weights: Weights) -> FeatureRecord:
    """Fixed features; ``density``, ``node`` and ``sparse.atom`` are set from the training data.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
    weights : mapping
    """
    density = as_tensors(expansion_of(pairs, basis, np.arange(pairs.n_species)))
    orders = correlations_of(weights)(density, pairs.groups)
    plain = np.concatenate([as_array(order) for order in orders], axis=2)
    plain[:, 0, weights["density.0"].shape[2] :] += weights["node.bias"][pairs.species]
    invariants = plain[:, 0]
    factors, sparse = kernel_factors(invariants, pairs.species, weights, "atom")
    nodes = (plain[..., None] * factors[:, None, None]).reshape(*plain.shape[:2], -1)
    return FeatureRecord(nodes, invariants, plain, orders, factors, sparse)


def features_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    features: FeatureRecord,
    weights: Weights,
    nodes_bar: np.ndarray,
    invariants_bar: np.ndarray,
    geometry: GeometryBar,
) -> None:
    """Adjoint of :func:`features_of`; adds to ``geometry``. Nothing in the features is trained."""
    product_bar = nodes_bar.reshape(*features.plain.shape, -1)
    plain_bar = np.einsum("imcq,iq->imc", product_bar, features.factors)
    plain_bar[:, 0] += invariants_bar
    if features.sparse is not None:
        factors_bar = np.einsum("imcq,imc->iq", product_bar, features.plain)
        plain_bar[:, 0] += kernel_factors_adjoint(
            pairs.species, weights, "atom", features.sparse, factors_bar
        )
    n_channel = weights["density.0"].shape[2]
    bars = [as_tensors(part) for part in np.split(plain_bar, [n_channel], axis=2)]
    density_bar = correlations_of(weights).adjoint(features.orders, bars, pairs.groups)
    density_adjoint(
        pairs.first,
        pairs.species[pairs.second],
        basis,
        pairs.sphere,
        as_array(density_bar),
        geometry.basis,
        geometry.sphere,
    )


class FixedFeatures(Term):
    """rho_i^1 and rho_i^2 that are not learned: :func:`features_of`."""

    def weights(self) -> dict[str, Weight]:
        """``density.l``, ``node.l``, ``node.bias``, ``sparse.atom.*``: set once."""
        form = self.form
        s, k, n = len(form.elements), form.n_channel, form.n_node
        out = {"node.bias": Weight((s, n), trained=False)}
        for l in range(L_MAX + 1):
            out[f"density.{l}"] = Weight((s, s * form.n_radial, k), trained=False)
            out[f"node.{l}"] = Weight((s, n_product(l, k), n), trained=False)
        if form.kind == "kernel":
            out |= kernel_weights("atom", s, form.n_sparse, form.n_invariant)
        return out

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Principal components of rho^1, then of all its products, per species and degree.

        Each has unit mean square (scalars of rho^2 about their mean); points of the kernel are
        picked by farthest-point sampling.
        """
        pairs = sample.pairs
        density = as_tensors(expansion_of(pairs, sample.basis, np.arange(pairs.n_species)))
        for (l, _), value in density.items():
            for species, rows in pairs.groups:
                components = principal_components(value[rows], self.form.n_channel)
                weights[f"density.{l}"][species] = components
        first = {name: w for name, w in weights.items() if name.startswith("density.")}
        stacked = correlations_of(first)(density, pairs.groups)[1]
        for (l, _), products in stacked.items():
            for species, rows in pairs.groups:
                mean = products[rows].mean(axis=(0, 1)) if l == 0 else np.zeros(products.shape[2])
                matrix = principal_components(products[rows] - mean, self.form.n_node)
                weights[f"node.{l}"][species] = matrix
                if l == 0:
                    weights["node.bias"][species] = -mean @ matrix
        if self.form.kind == "kernel":
            invariants = features_of(pairs, sample.basis, weights).invariants
            place_points(weights, "atom", invariants, pairs.species)

    def forward(self, weights: Weights, out: Prediction) -> FeatureRecord:
        """Nodes and invariants."""
        record = features_of(out.pairs, out.basis, weights)
        out.nodes, out.invariants = record.nodes, record.invariants
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: FeatureRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the geometry."""
        if bar.geometry is not None:
            features_adjoint(
                out.pairs, out.basis, record, weights, bar.nodes, bar.invariants, bar.geometry
            )
