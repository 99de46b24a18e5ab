"""Pair features rho_ij^nu (theory eq 4) and the irreps of pair blocks made from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.coupling import (
    bond_invariants,
    bond_invariants_adjoint,
    bond_tensors,
    bond_tensors_adjoint,
)
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, drawn, faint, one, zero
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import (
    Gradients,
    Weights,
    perceptron,
    perceptron_adjoint,
    unit_scaled,
)
from mlsemi.symmetry.so3 import L_MAX, CouplingTable

IRREPS = {"ss": (0, slice(0, 1)), "sp": (1, slice(1, 4)), "pp0": (0, slice(4, 5)),
          "pp1": (1, slice(5, 8)), "pp2": (2, slice(8, 13))}  # fmt: skip
"""Irreps of the block of a directed pair (s_i s_j, s_i p_j, p_i p_j): degree and components."""

N_IRREP = 13

_SCALAR = ((0, 0, 0), (1, 1, 0), (2, 2, 0))
_POLAR = ((0, 1, 1), (1, 0, 1), (1, 2, 1), (2, 1, 1))
_AXIAL = ((1, 1, 1), (2, 2, 1))
_TENSOR = ((0, 2, 2), (2, 0, 2), (1, 1, 2), (2, 2, 2))
_BY_IRREP = (("ss", _SCALAR), ("sp", _POLAR), ("pp0", _SCALAR), ("pp1", _AXIAL), ("pp2", _TENSOR))
PATHS = tuple(path for _, paths in _BY_IRREP for path in paths)

BOND_INPUTS = 2 * (L_MAX + 1)
"""Projections on the bond per channel: one per degree of both atoms."""
TABLE = CouplingTable.of(
    PATHS, tuple(IRREPS[name][1].start for name, paths in _BY_IRREP for _ in paths)
)
NODE_DEGREE = np.array([l2 for _, l2, _ in PATHS])


class BondRecord(NamedTuple):
    """Intermediates of :func:`bond_irreps` that its adjoint needs."""

    invariants: np.ndarray
    perceptron: tuple[np.ndarray, np.ndarray]
    raw: np.ndarray
    bare: np.ndarray


def bond_irreps(
    pairs: PairList, basis: np.ndarray, envelope: np.ndarray, nodes: np.ndarray, weights: Weights
) -> tuple[np.ndarray, BondRecord]:
    """Irreps F_ij^(lambda mu) of every directed pair block, corrections part.

    F_ij = sum_paths CG(Y_l(r_ij), sum_k w_k rho_(i|j)^(l' k)): eq 4 with channel weights w that
    are a perceptron of the pair's invariants (bond projections of both atoms' features and the
    radial functions), times the cutoff envelope, times one factor per species pair.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
    envelope : (n_pair,) array
    nodes : (n_atom, 9, n_node_channel) array
    weights : mapping
        ``bond.*`` perceptron and ``bond.scale`` (n_species^2, n_path * 2 n_node_channel).

    Returns
    -------
    (n_pair, 13) array, components as in ``IRREPS``, and the record for the adjoint.
    """
    invariants = np.concatenate(
        [bond_invariants(pairs.first, pairs.second, pairs.sphere, nodes), basis], axis=1
    )
    label = pairs.pair_species
    raw, record = perceptron(invariants, label, weights, "bond")
    bare = bond_tensors(
        pairs.first,
        pairs.second,
        label,
        pairs.sphere,
        by_path(raw),
        by_path(weights["bond.scale"]),
        nodes,
        NODE_DEGREE,
        TABLE.entries,
        TABLE.coefficient,
        N_IRREP,
    )
    return bare * envelope[:, None], BondRecord(invariants, record, raw, bare)


def by_path(flat: np.ndarray) -> np.ndarray:
    """(n, n_path * n_weight) -> (n, n_path, n_weight)."""
    return flat.reshape(flat.shape[0], len(PATHS), flat.shape[1] // len(PATHS))


def bond_irreps_adjoint(
    pairs: PairList,
    envelope: np.ndarray,
    nodes: np.ndarray,
    weights: Weights,
    record: BondRecord,
    irreps_bar: np.ndarray,
    gradients: Gradients,
    geometry: GeometryBar | None,
) -> np.ndarray:
    """Adjoint of :func:`bond_irreps`: nodes_bar.

    Adds to ``gradients`` and, when given, to ``geometry``.
    """
    label = pairs.pair_species
    sphere_bar, raw_bar, scale_bar, nodes_bar = bond_tensors_adjoint(
        pairs.first,
        pairs.second,
        label,
        pairs.sphere,
        by_path(record.raw),
        by_path(weights["bond.scale"]),
        nodes,
        NODE_DEGREE,
        TABLE.entries,
        TABLE.coefficient,
        irreps_bar * envelope[:, None],
    )
    if gradients is not None:
        gradients["bond.scale"] += scale_bar.reshape(gradients["bond.scale"].shape)
    invariants_bar = perceptron_adjoint(
        record.invariants,
        label,
        weights,
        "bond",
        record.perceptron,
        raw_bar.reshape(record.raw.shape),
        gradients,
    )
    n_projection = BOND_INPUTS * nodes.shape[2]
    bond_invariants_adjoint(
        pairs.first,
        pairs.second,
        pairs.sphere,
        nodes,
        np.ascontiguousarray(invariants_bar[:, :n_projection]),
        sphere_bar,
        nodes_bar,
    )
    if geometry is not None:
        geometry.basis[:] += invariants_bar[:, n_projection:]
        geometry.sphere[:] += sphere_bar
        geometry.envelope[:] += np.einsum("pc,pc->p", irreps_bar, record.bare)
    return nodes_bar


class Bonds(Term):
    """Environment of the bond, on top of the two-center functions: :func:`bond_irreps`."""

    serves = frozenset({"hamiltonian"})

    def weights(self) -> dict[str, Weight]:
        """``bond.in``, ``bond.bias``, ``bond.out`` of the perceptron, ``bond.scale``."""
        form = self.form
        labels, hidden = len(form.elements) ** 2, form.n_hidden
        size_in, size_out = BOND_INPUTS * form.n_node + form.n_radial, len(PATHS) * 2 * form.n_node
        return {
            "bond.scale": Weight((labels, size_out), one, decays=False),
            "bond.in": Weight((size_in, hidden), drawn),
            "bond.bias": Weight((labels, hidden), faint, decays=False),
            "bond.out": Weight((hidden, size_out), zero, step=0.1, linear=True, shifted=True),
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Inputs of the perceptron of unit variance."""
        _, record = bond_irreps(sample.pairs, sample.basis, sample.envelope, sample.nodes, weights)
        weights["bond.in"] = unit_scaled(record.invariants, weights["bond.in"])

    def forward(self, weights: Weights, out: Prediction) -> BondRecord:
        """Onto the irreps of the pairs."""
        irreps, record = bond_irreps(out.pairs, out.basis, out.envelope, out.nodes, weights)
        out.hamiltonian.bonds[:] += irreps
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: BondRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the nodes, the weights and the geometry."""
        assert bar.hamiltonian is not None
        bar.nodes += bond_irreps_adjoint(
            out.pairs,
            out.envelope,
            out.nodes,
            weights,
            record,
            bar.hamiltonian.bonds,
            gradients,
            bar.geometry,
        )
