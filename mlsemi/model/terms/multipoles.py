"""Charges and dipoles of the atoms of a molecule, and their interaction (theory eqs 21, 22).

    q_i  = sum_j sum_k t_k(r_ij) (chi_ik - chi_jk),   t_k(r) = sum_n (w_kn + w'_kn) B_n(r) u_ij
    mu_i = sum_k v_k rho_i^(1 k)

Charges flow between connected atoms and sum to zero in every molecule. Atoms of different molecules
interact as Gaussian charges and dipoles:

    E = sum_(i<j) (1 - U_ij) (q_i + mu_i . d_i) (q_j + mu_j . d_j) erf(r_ij / a_ij) / r_ij

with a_ij^2 = R_i^2 + R_j^2 of covalent radii, d_i = d/dr_i and U the connection by paths of any
length (:mod:`mlsemi.model.terms.neutrality`). What charges do within a molecule the readout knows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.multipoles import (
    add_all_pairs,
    add_all_pairs_adjoint,
    add_chosen_pairs,
    add_chosen_pairs_adjoint,
)
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term, Weight, drawn, faint
from mlsemi.molecule.elements import covalent_radius
from mlsemi.symmetry.layers import Gradients, Weights
from mlsemi.symmetry.so3 import XYZ, components

N_FLOW = 4
"""Kinds of flows k."""


class FlowRecord(NamedTuple):
    """Flow per unit of difference (n_pair, N_FLOW), and the potentials chi (n_atom, N_FLOW)."""

    conductance: np.ndarray
    potential: np.ndarray


class Multipoles(Term):
    """q and mu of every atom: ``out.multipoles`` (n_atom, 4), q first, then x, y, z; e, e bohr."""

    serves = frozenset({"atom_energies", "multipoles"})

    def weights(self) -> dict[str, Weight]:
        """``flow.radial`` by pair of species, ``flow.head``, ``flow.level``; ``flow.dipole``."""
        form = self.form
        s, n = len(form.elements), form.n_node
        return {
            "flow.radial": Weight((s * s, form.n_radial, N_FLOW), faint, step=0.1),
            "flow.head": Weight((s, n, N_FLOW), faint, step=0.3),
            "flow.level": Weight((s, N_FLOW), drawn, step=0.1, decays=False),
            "flow.dipole": Weight((s, n), step=0.1),
        }

    def forward(self, weights: Weights, out: Prediction) -> FlowRecord:
        """Flows and dipoles from the features of the molecule alone."""
        inner = out.bonded
        assert inner is not None
        pairs, nodes = inner.pairs, inner.nodes
        coefficients = _both_ways(weights["flow.radial"], pairs.n_species)[pairs.pair_species]
        conductance = np.einsum("pn,pnk->pk", inner.basis, coefficients)
        potential = np.einsum("in,ink->ik", nodes[:, 0], weights["flow.head"][pairs.species])
        potential += weights["flow.level"][pairs.species]
        flow = np.einsum("pk,pk->p", conductance, potential[pairs.first] - potential[pairs.second])
        moments = np.einsum(
            "imk,ik->im", nodes[:, components(1)], weights["flow.dipole"][pairs.species]
        )
        charges = np.bincount(pairs.first, flow, pairs.n_atom)
        out.multipoles = np.concatenate([charges[:, None], moments[:, XYZ]], axis=1)
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
        moments_bar = np.empty((pairs.n_atom, 3))
        moments_bar[:, XYZ] = bar.multipoles[:, 1:]
        inner_bar.nodes[:, components(1)] += (
            moments_bar[:, :, None] * weights["flow.dipole"][pairs.species][:, None]
        )
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
        per_atom = np.einsum("im,imk->ik", moments_bar, nodes[:, components(1)])
        for species, rows in pairs.groups:
            gradients["flow.dipole"][species] += per_atom[rows].sum(axis=0)
            gradients["flow.head"][species] += nodes[rows, 0].T @ potential_bar[rows]
            gradients["flow.level"][species] += potential_bar[rows].sum(axis=0)
        by_pair = np.zeros_like(weights["flow.radial"])
        for row in np.unique(label):
            these = label == row
            by_pair[row] = inner.basis[these].T @ conductance_bar[these]
        gradients["flow.radial"] += _both_ways(by_pair, pairs.n_species)


def _both_ways(by_pair: np.ndarray, n_species: int) -> np.ndarray:
    """Sum over both orders of the species of a pair; its own adjoint."""
    table = by_pair.reshape(n_species, n_species, *by_pair.shape[1:])
    out: np.ndarray = (table + table.swapaxes(0, 1)).reshape(by_pair.shape)
    return out


class HalfBroken(NamedTuple):
    """Pairs of atoms of parts that half-broken bonds connect.

    Attributes
    ----------
    first, second : (n,) int arrays
        Atoms in the order of the structures.
    link : (n,) int array
        Entry of the connections of the parts.
    """

    first: np.ndarray
    second: np.ndarray
    link: np.ndarray


class MultipoleEnergy(Term):
    """Half of the interaction with all other molecules on every atom; it has no weights."""

    serves = frozenset({"atom_energies"})

    def forward(self, weights: Weights, out: Prediction) -> HalfBroken:
        """All pairs of atoms of different parts, less what half-broken bonds connect."""
        record = self._half_broken(out)
        given = self._given(out)
        energies = np.zeros(out.pairs.n_atom)
        add_all_pairs(*given, energies)
        if record.link.size:
            add_chosen_pairs(*self._chosen(given, record), -self._share(out, record), energies)
        out.atom_energies[out.pairs.atom] += energies
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: HalfBroken,
        bar: PredictionBar,
        gradients: Gradients,
    ) -> None:
        """To the multipoles, the positions and the connection."""
        if bar.atom_energies is None:
            return
        assert bar.multipoles is not None
        assert out.parts is not None
        given, atom = self._given(out), out.pairs.atom
        x_bar, moments_bar = np.zeros_like(given[0]), np.zeros_like(given[4])
        energies_bar = bar.atom_energies[atom]
        add_all_pairs_adjoint(*given, energies_bar, moments_bar, x_bar)
        if record.link.size:
            share = self._share(out, record)
            vectors_bar, share_bar = np.zeros((share.size, 3)), np.zeros(share.size)
            chosen = self._chosen(given, record)
            add_chosen_pairs_adjoint(
                *chosen, -share, energies_bar, moments_bar, vectors_bar, share_bar
            )
            np.add.at(x_bar, record.second, vectors_bar)
            np.subtract.at(x_bar, record.first, vectors_bar)
            links_bar = np.bincount(record.link, -share_bar, out.parts.connection.size)
            out.parts.adjoint(links_bar, bar.strength)
        bar.multipoles[atom] += moments_bar
        if bar.geometry is not None:
            bar.geometry.positions[:] += x_bar

    def _given(self, out: Prediction) -> tuple[np.ndarray, ...]:
        """Positions, starts, squared widths, parts, moments in the order of the structures."""
        pairs = out.pairs
        assert out.parts is not None
        start = np.cumsum([0, *(s.n_atom for s in pairs.structures)])
        x = np.concatenate([s.positions for s in pairs.structures])
        radius = covalent_radius(np.asarray(self.form.elements))[pairs.species]
        label = out.parts.label[pairs.atom]
        return x, start, radius[pairs.atom] ** 2, label, out.multipoles[pairs.atom]

    def _half_broken(self, out: Prediction) -> HalfBroken:
        parts = out.parts
        assert parts is not None
        found: list[np.ndarray] = [np.empty((3, 0), dtype=np.int64)]
        links = np.flatnonzero((parts.connection > 0.0) & (parts.first < parts.second))
        label = parts.label[out.pairs.atom]
        for link in links.tolist():
            one, two = (np.flatnonzero(label == p[link]) for p in (parts.first, parts.second))
            i, j = (grid.ravel() for grid in np.meshgrid(one, two, indexing="ij"))
            found.append(np.stack([i, j, np.full(i.size, link)]))
        return HalfBroken(*np.concatenate(found, axis=1))

    def _share(self, out: Prediction, record: HalfBroken) -> np.ndarray:
        assert out.parts is not None
        share: np.ndarray = out.parts.connection[record.link]
        return share

    def _chosen(
        self, given: tuple[np.ndarray, ...], record: HalfBroken
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """First and second atoms, vectors, squared widths and moments."""
        x, _, squared, _, moments = given
        return record.first, record.second, x[record.second] - x[record.first], squared, moments
