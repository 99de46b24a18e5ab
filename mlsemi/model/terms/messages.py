"""One message-passing step: features of the neighbours, coupled with the bond, summed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mlsemi.kernels.density import (
    open_gates,
    open_gates_adjoint,
    scalar_products,
    scalar_products_adjoint,
)
from mlsemi.kernels.messages import Entry, message_kernels
from mlsemi.model.terms.prediction import GeometryBar, Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, drawn, faint
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.gates import mixed, mixed_adjoint
from mlsemi.symmetry.layers import (
    Gradients,
    Weights,
    perceptron,
    perceptron_adjoint,
    root_mean_square,
    unit_scaled,
)
from mlsemi.symmetry.so3 import L_MAX, NATURAL_PATHS, CouplingTable, components

PATHS = NATURAL_PATHS
_COUPLING = CouplingTable.of(PATHS, tuple(l * l for _, _, l in PATHS))
TABLE = tuple(
    Entry(m, node, message, path, coefficient)
    for (m, node, message, path), coefficient in zip(
        _COUPLING.entries.tolist(), _COUPLING.coefficient.tolist(), strict=True
    )
)


@cache
def kernels_of(n_channel: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The kernels of a message and of its adjoint for so many channels."""
    return message_kernels(TABLE, n_channel)


class MessageRecord(NamedTuple):
    """Intermediates of :func:`message_features` that its adjoint needs.

    ``both`` holds the channels of the atom, then those of its message.
    """

    radial: np.ndarray | None
    both: np.ndarray
    invariants: np.ndarray
    linear: np.ndarray
    perceptron: tuple[np.ndarray, np.ndarray]
    gate: np.ndarray


def _by_degree(features: np.ndarray) -> list[np.ndarray]:
    return [features[:, components(l)] for l in range(L_MAX + 1)]


def message_features(
    pairs: PairList, basis: np.ndarray, atoms: np.ndarray, weights: Weights
) -> tuple[np.ndarray, MessageRecord]:
    """Atom features that have seen the features of their neighbours.

    M_i = sum_j CG(w(r_ij) Y(r_ij), rho_j), the contraction of rho_ij (x) rho_j over j of
    Nigam et al., J. Chem. Phys. 156, 204115 (2022); then a linear map per species of (rho_i, M_i),
    gated by a perceptron on their invariants. Without the weights of a message only rho_i is
    mapped.

    Parameters
    ----------
    pairs : PairList
    basis : (n_pair, n_radial) array
    atoms : (n_atom, 9, n_channel) array
        Result of :func:`atom_features`.
    weights : mapping
        Perhaps ``message.radial``, ``node.l``, ``node.bias``, ``node.gate.*``.

    Returns
    -------
    (n_atom, 9, n_node_channel) array and the record for the adjoint.
    """
    radial, both = None, atoms
    if "message.radial" in weights:
        half = pairs.half
        radial = basis[half] @ weights["message.radial"]
        messages, _ = kernels_of(atoms.shape[2])
        message = messages(
            pairs.first[half],
            pairs.second[half],
            pairs.sphere[half],
            radial,
            atoms.reshape(atoms.shape[0], -1),
        ).reshape(atoms.shape)
        both = np.concatenate([atoms, message], axis=2)
    invariants = scalar_products(both, atoms.shape[2])
    linear = mixed(pairs, _by_degree(both), weights, "node")
    gate, record = perceptron(invariants, pairs.species, weights, "node.gate")
    nodes = open_gates(linear, gate)
    return nodes, MessageRecord(radial, both, invariants, linear, record, gate)


def message_features_adjoint(
    pairs: PairList,
    basis: np.ndarray,
    weights: Weights,
    record: MessageRecord,
    nodes_bar: np.ndarray,
    invariants_bar: np.ndarray,
    gradients: Gradients,
    geometry: GeometryBar | None,
) -> np.ndarray:
    """Adjoint of :func:`message_features`: atoms_bar; adds to ``gradients`` and ``geometry``.

    ``invariants_bar`` is the cotangent of ``record.invariants``, which the energy reads as well.
    """
    linear_bar, gate_bar = open_gates_adjoint(record.linear, record.gate, nodes_bar)
    invariants_bar = invariants_bar + perceptron_adjoint(
        record.invariants,
        pairs.species,
        weights,
        "node.gate",
        record.perceptron,
        gate_bar,
        gradients,
    )
    both_bar = np.concatenate(
        mixed_adjoint(pairs, _by_degree(record.both), weights, "node", linear_bar, gradients),
        axis=1,
    )
    n_channel = weights["node.0"].shape[1] if record.radial is None else record.both.shape[2] // 2
    scalar_products_adjoint(record.both, n_channel, invariants_bar, both_bar)
    if record.radial is None:
        return both_bar
    half = pairs.half
    _, messages_adjoint = kernels_of(n_channel)
    sphere_bar, radial_bar, atoms_bar = messages_adjoint(
        pairs.first[half],
        pairs.second[half],
        pairs.sphere[half],
        record.radial,
        record.both[:, :, :n_channel].reshape(pairs.n_atom, -1),
        both_bar[:, :, n_channel:].reshape(pairs.n_atom, -1),
    )
    if gradients is not None:
        gradients["message.radial"] += basis[half].T @ radial_bar
    if geometry is not None:
        geometry.basis[half] += radial_bar @ weights["message.radial"].T
        geometry.sphere[half] += sphere_bar
    return atoms_bar.reshape(-1, both_bar.shape[1], n_channel) + both_bar[:, :, :n_channel]


class Messages(Term):
    """Node features that have seen the neighbours, and their invariants: :func:`message_features`.

    Without message passing only the map of the atom's own features is left.
    """

    def weights(self) -> dict[str, Weight]:
        """``node.l``, ``node.bias``, ``node.gate.*``; ``message.radial`` with message passing."""
        form = self.form
        s, k, n, hidden = len(form.elements), form.n_channel, form.n_node, form.n_hidden
        out = {"node.bias": Weight((s, n), drawn, decays=False)}
        if form.message_passing:
            out["message.radial"] = Weight((form.n_radial, len(PATHS) * k), drawn)
        for l in range(L_MAX + 1):
            out[f"node.{l}"] = Weight((s, 2 * k if form.message_passing else k, n), drawn)
        return out | {
            "node.gate.in": Weight((form.n_invariant, hidden), drawn),
            "node.gate.bias": Weight((s, hidden), faint, decays=False),
            "node.gate.out": Weight((hidden, 3 * n), faint),
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Messages and inputs of the gate of unit variance."""
        if self.form.message_passing:
            _, record = message_features(sample.pairs, sample.basis, sample.density, weights)
            message = record.both[:, :, self.form.n_channel :]
            weights["message.radial"] /= root_mean_square(message)
        _, record = message_features(sample.pairs, sample.basis, sample.density, weights)
        weights["node.gate.in"] = unit_scaled(record.invariants, weights["node.gate.in"])

    def forward(self, weights: Weights, out: Prediction) -> MessageRecord:
        """Nodes and invariants."""
        out.nodes, record = message_features(out.pairs, out.basis, out.density, weights)
        out.invariants = record.invariants
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: MessageRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the features before, the weights and the geometry."""
        bar.density += message_features_adjoint(
            out.pairs,
            out.basis,
            weights,
            record,
            bar.nodes,
            bar.invariants,
            gradients,
            bar.geometry,
        )
