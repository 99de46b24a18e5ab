"""Features that are not learned: rho_i^2 on site and rho_ij^1 between sites, H linear in both.

The representation of the linear models of Nigam, Willatt, Ceriotti, J. Chem. Phys. 156, 014115
(2022) and Cignoni et al., ACS Cent. Sci. 10, 637 (2024): fixed radial functions, principal
components per species and degree, products of all pairs of channels (theory eqs 2 to 4), by the
:class:`~mlsemi.representations.correlations.Correlations` of the suite. With
sparse kernels (:mod:`mlsemi.model.terms.sparse`) the coefficients depend on the environment.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from mlsemi.kernels.coupling import (
    bond_invariants,
    bond_invariants_adjoint,
    bond_tensors,
    bond_tensors_adjoint,
)
from mlsemi.kernels.density import density, density_adjoint
from mlsemi.model.terms.bonds import N_IRREP, NODE_DEGREE, PATHS, TABLE, by_path
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.model.terms.sparse import (
    SparseRecord,
    kernel_factors,
    kernel_factors_adjoint,
    kernel_weights,
)
from mlsemi.model.terms.term import Term, Weight
from mlsemi.molecule.pairs import PairList
from mlsemi.representations.correlations import Correlations
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.products import Product
from mlsemi.symmetry.so3 import L_MAX, components
from mlsemi.symmetry.tensors import Irrep, Tensors

BOND_INPUTS = 2 * (L_MAX + 1)
"""Projections on the bond per channel: one per degree of both atoms."""


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


def expansion_of(pairs: PairList, basis: np.ndarray) -> np.ndarray:
    """(n_atom, 9, n_species * n_radial) neighbour density (theory eq 2)."""
    neighbour = pairs.species[pairs.second]
    return density(pairs.first, neighbour, basis, pairs.sphere, pairs.n_atom, pairs.n_species)


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
    density = as_tensors(expansion_of(pairs, basis))
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


class FixedBondRecord(NamedTuple):
    """Intermediates of :func:`bond_irreps` that its adjoint needs."""

    rho1: np.ndarray
    basis: np.ndarray
    factors: np.ndarray
    sparse: SparseRecord | None
    raw: np.ndarray


def bond_irreps(
    pairs: PairList, basis: np.ndarray, nodes: np.ndarray, weights: Weights
) -> tuple[np.ndarray, FixedBondRecord]:
    """Irreps F_ij^(lambda mu) of every directed pair block, linear in rho_ij^1 (theory eq 4).

    F_ij = sum_paths CG(Y_l(r_ij), sum_k w_k rho_(i|j)^(l' k)), w_k = sum_nf c_nfk psi_f B_n(r_ij):
    coefficients c per species pair, factors psi of the sparse kernel. The radial functions end at
    the cutoff, so no envelope is needed.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
    nodes : (n_atom, 9, n_node) array
        Of :func:`features_of`; the components of rho^1 are read.
    weights : mapping
        ``bond.out`` (n_species^2, n_factor * n_radial, n_path * 2 n_channel), ``sparse.bond.*``.

    Returns
    -------
    (n_pair, 13) array, components as in ``IRREPS``, and the record for the adjoint.
    """
    label = pairs.pair_species
    rho1 = np.ascontiguousarray(nodes[:, :, _first_order_part(nodes, weights)])
    factors, sparse = np.ones((label.size, 1)), None
    if "sparse.bond.points" in weights:
        projections = bond_invariants(pairs.first, pairs.second, pairs.sphere, rho1)
        invariants = np.concatenate([projections, basis], axis=1)
        factors, sparse = kernel_factors(invariants, label, weights, "bond")
    inputs = (factors[:, :, None] * basis[:, None]).reshape(label.size, -1)
    raw = np.empty((label.size, weights["bond.out"].shape[2]))
    for row in np.unique(label):
        chosen = label == row
        raw[chosen] = inputs[chosen] @ weights["bond.out"][row]
    irreps = bond_tensors(
        pairs.first,
        pairs.second,
        np.zeros_like(label),
        pairs.sphere,
        by_path(raw),
        np.ones((1, *by_path(raw).shape[1:])),
        rho1,
        NODE_DEGREE,
        TABLE.entries,
        TABLE.coefficient,
        N_IRREP,
    )
    return irreps, FixedBondRecord(rho1, basis, factors, sparse, raw)


def _first_order_part(nodes: np.ndarray, weights: Weights) -> slice:
    """Channels of the nodes that are rho^1 times the factor one."""
    n_channel, n_component = weights["density.0"].shape[2], weights["node.0"].shape[2]
    n_factor = nodes.shape[2] // (n_channel + n_component)
    return slice(0, n_channel * n_factor, n_factor)


def bond_irreps_adjoint(
    pairs: PairList,
    nodes: np.ndarray,
    weights: Weights,
    record: FixedBondRecord,
    irreps_bar: np.ndarray,
    gradients: Gradients,
    geometry: GeometryBar | None,
) -> np.ndarray:
    """Adjoint of :func:`bond_irreps`: nodes_bar.

    Adds to ``gradients`` and, when given, to ``geometry``.
    """
    label, basis = pairs.pair_species, record.basis
    raw = by_path(record.raw)
    sphere_bar, raw_bar, _, rho1_bar = bond_tensors_adjoint(
        pairs.first,
        pairs.second,
        np.zeros_like(label),
        pairs.sphere,
        raw,
        np.ones((1, *raw.shape[1:])),
        record.rho1,
        NODE_DEGREE,
        TABLE.entries,
        TABLE.coefficient,
        irreps_bar,
    )
    raw_bar = raw_bar.reshape(record.raw.shape)
    inputs = (record.factors[:, :, None] * basis[:, None]).reshape(label.size, -1)
    inputs_bar = np.empty_like(inputs)
    for row in np.unique(label):
        chosen = label == row
        if gradients is not None:
            gradients["bond.out"][row] += inputs[chosen].T @ raw_bar[chosen]
        if geometry is not None:
            inputs_bar[chosen] = raw_bar[chosen] @ weights["bond.out"][row].T
    nodes_bar = np.zeros_like(nodes)
    if geometry is not None:
        products_bar = inputs_bar.reshape(label.size, -1, basis.shape[1])
        geometry.basis[:] += np.einsum("pfn,pf->pn", products_bar, record.factors)
        if record.sparse is not None:
            factors_bar = np.einsum("pfn,pn->pf", products_bar, basis)
            _bond_kernel_adjoint(
                pairs, weights, record, factors_bar, rho1_bar, sphere_bar, geometry.basis
            )
        geometry.sphere[:] += sphere_bar
    nodes_bar[:, :, _first_order_part(nodes, weights)] = rho1_bar
    return nodes_bar


def _bond_kernel_adjoint(
    pairs: PairList,
    weights: Weights,
    record: FixedBondRecord,
    factors_bar: np.ndarray,
    rho1_bar: np.ndarray,
    sphere_bar: np.ndarray,
    basis_bar: np.ndarray,
) -> None:
    """Walk through the kernel of the pairs; adds to the last three."""
    assert record.sparse is not None
    invariants_bar = kernel_factors_adjoint(
        pairs.pair_species, weights, "bond", record.sparse, factors_bar
    )
    n_projection = BOND_INPUTS * record.rho1.shape[2]
    basis_bar += invariants_bar[:, n_projection:]
    bond_invariants_adjoint(
        pairs.first,
        pairs.second,
        pairs.sphere,
        record.rho1,
        np.ascontiguousarray(invariants_bar[:, :n_projection]),
        sphere_bar,
        rho1_bar,
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


class FixedBonds(Term):
    """Environment of the bond, linear in rho_ij^1: :func:`bond_irreps`."""

    serves = frozenset({"hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``bond.out``; ``sparse.bond.*``, set once."""
        form = self.form
        labels, k, r = len(form.elements) ** 2, form.n_channel, form.n_radial
        shape = (labels, form.n_factor * r, len(PATHS) * 2 * k)
        out = {"bond.out": Weight(shape, step=0.1, linear=True, shifted=True)}
        if form.kind == "kernel":
            out |= kernel_weights("bond", labels, form.n_sparse, BOND_INPUTS * k + r)
        return out

    def forward(self, weights: Weights, out: Prediction) -> FixedBondRecord:
        """Onto the irreps of the pairs."""
        irreps, record = bond_irreps(out.pairs, out.basis, out.nodes, weights)
        out.hamiltonian.bonds[:] += irreps
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: FixedBondRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the nodes, the coefficients and the geometry."""
        assert bar.hamiltonian is not None
        bar.nodes += bond_irreps_adjoint(
            out.pairs,
            out.nodes,
            weights,
            record,
            bar.hamiltonian.bonds,
            gradients,
            bar.geometry,
        )
