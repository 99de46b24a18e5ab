"""Multipoles of the atoms of a molecule (theory eq 21).

    q_i  = sum_j sum_k t_k(r_ij) (chi_ik - chi_jk),   t_k(r) = sum_n (w_kn + w'_kn) B_n(r) u_ij
    mu_i = sum_k v_k rho_i^(1 k),                     T_i = sum_k w_k rho_i^(2 k)

Charges flow between connected atoms and sum to zero in every molecule. Quadrupoles, traceless, are
those of a form with ``quadrupoles``. What multipoles do is said in
:mod:`mlsemi.model.terms.intermolecular.multipole_energy`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.multipoles import N_MOMENT
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight, drawn, faint
from mlsemi.symmetry.blocks import PP_TENSOR
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import XYZ, components

N_FLOW = 4
"""Kinds of flows k."""

DIPOLE, QUADRUPOLE = slice(1, 4), slice(4, N_MOMENT)
"""Places among the multipoles of an atom: x, y, z; xx, xy, xz, yy, yz, zz."""

CARTESIAN = PP_TENSOR[XYZ][:, XYZ][np.triu_indices(3)].T
"""(5, 6) quadrupole of every l = 2 component."""


class FlowRecord(NamedTuple):
    """Flow per unit of difference (n_pair, N_FLOW), and the potentials chi (n_atom, N_FLOW)."""

    conductance: np.ndarray
    potential: np.ndarray


class Multipoles(Term):
    """q, mu and T of every atom: ``out.multipoles`` (n_atom, 10); e, e bohr, e bohr^2."""

    serves = frozenset({"atom_energies", "multipoles"})

    def weights(self) -> dict[str, Weight]:
        """``flow.radial`` by pair of species, ``flow.head``, ``flow.level``; ``flow.dipole``;
        ``flow.quadrupole`` where the form has it.
        """
        form = self.form
        s, n = len(form.elements), form.n_node
        more = {"flow.quadrupole": Weight((s, n), step=0.1)} if form.quadrupoles else {}
        return {
            "flow.radial": Weight((s * s, form.n_radial, N_FLOW), faint, step=0.1),
            "flow.head": Weight((s, n, N_FLOW), faint, step=0.3),
            "flow.level": Weight((s, N_FLOW), drawn, step=0.1, decays=False),
            "flow.dipole": Weight((s, n), step=0.1),
            **more,
        }

    def forward(self, weights: Weights, out: Prediction) -> FlowRecord:
        """Flows, dipoles and quadrupoles from the features of the molecule alone."""
        inner = out.bonded
        assert inner is not None
        pairs, nodes = inner.pairs, inner.nodes
        coefficients = _both_ways(weights["flow.radial"], pairs.n_species)[pairs.pair_species]
        conductance = np.einsum("pn,pnk->pk", inner.basis, coefficients)
        potential = np.einsum("in,ink->ik", nodes[:, 0], weights["flow.head"][pairs.species])
        potential += weights["flow.level"][pairs.species]
        flow = np.einsum("pk,pk->p", conductance, potential[pairs.first] - potential[pairs.second])
        out.multipoles = np.zeros((pairs.n_atom, N_MOMENT))
        out.multipoles[:, 0] = np.bincount(pairs.first, flow, pairs.n_atom)
        for name, l, into, change in self._read():
            of_atom = weights[name][pairs.species]
            read = np.einsum("imk,ik->im", nodes[:, components(l)], of_atom)
            out.multipoles[:, into] = read @ change
        return FlowRecord(conductance, potential)

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
        pairs, nodes = inner.pairs, inner.nodes
        for name, l, into, change in self._read():
            moments_bar = bar.multipoles[:, into] @ change.T
            inner_bar.nodes[:, components(l)] += (
                moments_bar[:, :, None] * weights[name][pairs.species][:, None]
            )
            if gradients is not None:
                per_atom = np.einsum("im,imk->ik", moments_bar, nodes[:, components(l)])
                for species, rows in pairs.groups:
                    gradients[name][species] += per_atom[rows].sum(axis=0)
        flow_bar = bar.multipoles[pairs.first, 0]
        drop = record.potential[pairs.first] - record.potential[pairs.second]
        conductance_bar = flow_bar[:, None] * drop
        drop_bar = flow_bar[:, None] * record.conductance
        potential_bar = np.empty_like(record.potential)
        for k in range(N_FLOW):
            potential_bar[:, k] = np.bincount(pairs.first, drop_bar[:, k], pairs.n_atom)
            potential_bar[:, k] -= np.bincount(pairs.second, drop_bar[:, k], pairs.n_atom)
        inner_bar.nodes[:, 0] += np.einsum(
            "ik,ink->in", potential_bar, weights["flow.head"][pairs.species]
        )
        label = pairs.pair_species
        if inner_bar.geometry is not None:
            coefficients = _both_ways(weights["flow.radial"], pairs.n_species)[label]
            inner_bar.geometry.basis[:] += np.einsum("pk,pnk->pn", conductance_bar, coefficients)
        if gradients is None:
            return
        for species, rows in pairs.groups:
            gradients["flow.head"][species] += nodes[rows, 0].T @ potential_bar[rows]
            gradients["flow.level"][species] += potential_bar[rows].sum(axis=0)
        by_pair = np.zeros_like(weights["flow.radial"])
        for row in np.unique(label):
            these = label == row
            by_pair[row] = inner.basis[these].T @ conductance_bar[these]
        gradients["flow.radial"] += _both_ways(by_pair, pairs.n_species)

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
