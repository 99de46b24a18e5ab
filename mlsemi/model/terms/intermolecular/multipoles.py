"""Multipoles of the atoms of a molecule (theory eq 21).

    q_i  = sum_j sum_k t_k(r_ij) (chi_ik - chi_jk),   t_k(r) = sum_n (w_kn + w'_kn) B_n(r) u_ij
    mu_i = sum_k v_k rho_i^(1 k),                     T_i = sum_k w_k rho_i^(2 k)

Charges flow between connected atoms and sum to zero in every molecule. A form with ``quadrupoles``
has T, traceless, and reads more of the features: chi is a perceptron of their invariants and not
linear in the nodes, mu and T are linear in the features before the messages as well. What
multipoles do is said in :mod:`mlsemi.model.terms.intermolecular.multipole_energy`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.multipoles import N_MOMENT
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Known, Term, Weight, drawn, faint
from mlsemi.symmetry.blocks import PP_TENSOR
from mlsemi.symmetry.layers import (
    Gradients,
    Weights,
    perceptron,
    perceptron_adjoint,
    unit_scaled,
)
from mlsemi.symmetry.so3 import XYZ, components

N_FLOW = 4
"""Kinds of flows k."""

DIPOLE, QUADRUPOLE = slice(1, 4), slice(4, N_MOMENT)
"""Places among the multipoles of an atom: x, y, z; xx, xy, xz, yy, yz, zz."""

CARTESIAN = PP_TENSOR[XYZ][:, XYZ][np.triu_indices(3)].T
"""(5, 6) quadrupole of every l = 2 component."""


class FlowRecord(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    conductance : (n_pair, N_FLOW) array
        Flow per unit of difference.
    potential : (n_atom, N_FLOW) array
        Chi.
    hidden : tuple of two (n_atom, n_hidden) arrays, or None
        Of the perceptron, and their slopes.
    """

    conductance: np.ndarray
    potential: np.ndarray
    hidden: tuple[np.ndarray, np.ndarray] | None


class Multipoles(Term):
    """q, mu and T of every atom: ``out.multipoles`` (n_atom, 10); e, e bohr, e bohr^2."""

    serves = frozenset({"atom_energies", "multipoles"})

    def weights(self) -> dict[str, Weight]:
        """``flow.radial`` by pair of species, ``flow.level``, ``flow.dipole``, and ``flow.head``;
        with quadrupoles ``flow.quadrupole``, and ``flow.in``, ``flow.bias``, ``flow.out`` of the
        perceptron in its place.
        """
        form, s = self.form, len(self.form.elements)
        out = {
            "flow.radial": Weight((s * s, form.n_radial, N_FLOW), faint, step=0.1),
            "flow.level": Weight((s, N_FLOW), drawn, step=0.1, decays=False),
        }
        if not form.quadrupoles:
            out["flow.head"] = Weight((s, form.n_node, N_FLOW), faint, step=0.3)
            return out | {"flow.dipole": Weight((s, form.n_node), step=0.1)}
        n, hidden = form.n_channel + form.n_node, form.n_hidden
        return out | {
            "flow.in": Weight((form.n_invariant, hidden), drawn),
            "flow.bias": Weight((s, hidden), faint, decays=False),
            "flow.out": Weight((hidden, N_FLOW), faint),
            "flow.dipole": Weight((s, n), step=0.1),
            "flow.quadrupole": Weight((s, n), step=0.1),
        }

    def fit(self, weights: dict[str, np.ndarray], known: Known, sample: Prediction) -> None:
        """Inputs of the perceptron of unit variance."""
        if self.form.quadrupoles:
            assert sample.bonded is not None
            weights["flow.in"] = unit_scaled(sample.bonded.invariants, weights["flow.in"])

    def forward(self, weights: Weights, out: Prediction) -> FlowRecord:
        """Flows, dipoles and quadrupoles from the features of the molecule alone."""
        inner = out.bonded
        assert inner is not None
        pairs, hidden = inner.pairs, None
        coefficients = _both_ways(weights["flow.radial"], pairs.n_species)[pairs.pair_species]
        conductance = np.einsum("pn,pnk->pk", inner.basis, coefficients)
        if self.form.quadrupoles:
            potential, hidden = perceptron(inner.invariants, pairs.species, weights, "flow")
        else:
            head = weights["flow.head"][pairs.species]
            potential = np.einsum("in,ink->ik", inner.nodes[:, 0], head)
        potential += weights["flow.level"][pairs.species]
        flow = np.einsum("pk,pk->p", conductance, potential[pairs.first] - potential[pairs.second])
        out.multipoles = np.zeros((pairs.n_atom, N_MOMENT))
        out.multipoles[:, 0] = np.bincount(pairs.first, flow, pairs.n_atom)
        features = self._features(inner.density, inner.nodes)
        for name, l, into, change in self._read():
            of_atom = weights[name][pairs.species]
            read = np.einsum("imk,ik->im", features[:, components(l)], of_atom)
            out.multipoles[:, into] = read @ change
        return FlowRecord(conductance, potential, hidden)

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: FlowRecord,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the features and radial functions inside the molecule."""
        inner, inner_bar = out.bonded, bar.bonded
        assert inner is not None
        assert inner_bar is not None
        assert bar.multipoles is not None
        pairs, features = inner.pairs, self._features(inner.density, inner.nodes)
        features_bar = np.zeros_like(features)
        for name, l, into, change in self._read():
            moments_bar = bar.multipoles[:, into] @ change.T
            features_bar[:, components(l)] = (
                moments_bar[:, :, None] * weights[name][pairs.species][:, None]
            )
            if gradients is not None:
                per_atom = np.einsum("im,imk->ik", moments_bar, features[:, components(l)])
                for species, rows in pairs.groups:
                    gradients[name][species] += per_atom[rows].sum(axis=0)
        inner_bar.nodes += features_bar[:, :, -self.form.n_node :]
        if self.form.quadrupoles:
            inner_bar.density += features_bar[:, :, : self.form.n_channel]
        flow_bar = bar.multipoles[pairs.first, 0]
        drop = record.potential[pairs.first] - record.potential[pairs.second]
        conductance_bar = flow_bar[:, None] * drop
        drop_bar = flow_bar[:, None] * record.conductance
        potential_bar = np.empty_like(record.potential)
        for k in range(N_FLOW):
            potential_bar[:, k] = np.bincount(pairs.first, drop_bar[:, k], pairs.n_atom)
            potential_bar[:, k] -= np.bincount(pairs.second, drop_bar[:, k], pairs.n_atom)
        if record.hidden is not None:
            inner_bar.invariants += perceptron_adjoint(
                inner.invariants,
                pairs.species,
                weights,
                "flow",
                record.hidden,
                potential_bar,
                gradients,
            )
        else:
            head = weights["flow.head"][pairs.species]
            inner_bar.nodes[:, 0] += np.einsum("ik,ink->in", potential_bar, head)
        label = pairs.pair_species
        if inner_bar.geometry is not None:
            coefficients = _both_ways(weights["flow.radial"], pairs.n_species)[label]
            inner_bar.geometry.basis[:] += np.einsum("pk,pnk->pn", conductance_bar, coefficients)
        if gradients is None:
            return
        for species, rows in pairs.groups:
            if record.hidden is None:
                gradients["flow.head"][species] += inner.nodes[rows, 0].T @ potential_bar[rows]
            gradients["flow.level"][species] += potential_bar[rows].sum(axis=0)
        by_pair = np.zeros_like(weights["flow.radial"])
        for row in np.unique(label):
            these = label == row
            by_pair[row] = inner.basis[these].T @ conductance_bar[these]
        gradients["flow.radial"] += _both_ways(by_pair, pairs.n_species)

    def _features(self, density: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """What dipoles and quadrupoles are read off, (n_atom, 9, n)."""
        return np.concatenate([density, nodes], axis=2) if self.form.quadrupoles else nodes

    def _read(self) -> list[tuple[str, int, slice, np.ndarray]]:
        """What is read off the features: weight, l, place, and the change to Cartesian."""
        found = [("flow.dipole", 1, DIPOLE, np.eye(3)[:, XYZ])]
        if self.form.quadrupoles:
            found.append(("flow.quadrupole", 2, QUADRUPOLE, CARTESIAN))
        return found


def _both_ways(by_pair: np.ndarray, n_species: int) -> np.ndarray:
    """Sum over both orders of the species of a pair; its own adjoint."""
    table = by_pair.reshape(n_species, n_species, *by_pair.shape[1:])
    out: np.ndarray = (table + table.swapaxes(0, 1)).reshape(by_pair.shape)
    return out
