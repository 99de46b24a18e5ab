"""Pair irreps that are linear in features which are not learned: rho_ij^1 of theory eq 4."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.coupling import (
    bond_invariants,
    bond_invariants_adjoint,
    bond_tensors,
    bond_tensors_adjoint,
)
from mlsemi.model.terms.bonds import BOND_INPUTS, N_IRREP, NODE_DEGREE, PATHS, TABLE, by_path
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
from mlsemi.symmetry.layers import Gradients, Weights


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
        invariants = bond_inputs(pairs, basis, nodes, weights)
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


def bond_inputs(
    pairs: PairList, basis: np.ndarray, nodes: np.ndarray, weights: Weights
) -> np.ndarray:
    """Invariants that the kernel of the pairs compares, (n_pair, 6 n_channel + n_radial).

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
    nodes : (n_atom, 9, n_node) array
    weights : mapping
    """
    rho1 = np.ascontiguousarray(nodes[:, :, _first_order_part(nodes, weights)])
    projections = bond_invariants(pairs.first, pairs.second, pairs.sphere, rho1)
    return np.concatenate([projections, basis], axis=1)


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

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Points of the kernel by farthest-point sampling."""
        if self.form.kind == "kernel":
            invariants = bond_inputs(sample.pairs, sample.basis, sample.nodes, weights)
            place_points(weights, "bond", invariants, sample.pairs.pair_species)

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
