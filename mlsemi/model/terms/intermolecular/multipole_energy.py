"""Interaction of the multipoles of different molecules (theory eq 22).

    E = sum_(i<j) (1 - U_ij) O_i O_j erf(r_ij / a_ij) / r_ij,  O = q + mu . d + T : d d

with a_ij^2 = R_i^2 + R_j^2 of covalent radii, d_i = d/dr_i and U the connection by paths of any
length (:mod:`mlsemi.model.terms.neutrality`). What charges do within a molecule the readout knows.
In a cell j runs over images as well (:mod:`mlsemi.lattice.multipoles`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mlsemi.kernels.multipoles import (
    add_all_pairs,
    add_all_pairs_adjoint,
    add_chosen_pairs,
    add_chosen_pairs_adjoint,
)
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.multipoles import multipole_sum, multipole_sum_adjoint
from mlsemi.model.terms.neutrality import Parts
from mlsemi.model.terms.prediction import Prediction, PredictionBar
from mlsemi.model.terms.term import Term
from mlsemi.molecule.elements import covalent_radius
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Gradients, Weights


class Inside(NamedTuple):
    """Pairs of atoms that the sum over all counts, and that should not interact, or not quite.

    Attributes
    ----------
    first, second : (n,) int arrays
        Atoms in the order of the structures.
    vectors : (n, 3) array
        Between them.
    link : (n,) int array
        Which link of the parts connects them, -1 in one part.
    """

    first: np.ndarray
    second: np.ndarray
    vectors: np.ndarray
    link: np.ndarray

    @classmethod
    def of(cls, pairs: PairList, parts: Parts) -> Inside:
        """Pairs of linked parts, and in a cell those of every molecule."""
        x = np.concatenate([s.positions for s in pairs.structures])
        label, translation = parts.label[pairs.atom], parts.translation[pairs.atom]
        links = parts.links
        found = [np.empty((3, 0), dtype=np.int64)]
        vectors = [np.empty((0, 3))]
        for begin, end, cell in _blocks(pairs):
            here, inside = label[begin:end], np.zeros(0, dtype=np.int64)
            if cell is not None:
                inside = np.setdiff1d(here, list(parts.lattices))
            linked = np.flatnonzero(links.forward & np.isin(links.first, here))
            ways = [(part, part, np.zeros(3), -1) for part in inside.tolist()]
            ways += [(links.first[k], links.second[k], links.shift[k], k) for k in linked.tolist()]
            for one, two, shift, link in ways:
                i, j = (begin + np.flatnonzero(here == part) for part in (one, two))
                grid = np.stack([*np.meshgrid(i, j, indexing="ij")]).reshape(2, -1)
                i, j = grid if link >= 0 else grid[:, grid[0] < grid[1]]
                found.append(np.stack([i, j, np.full(i.size, link)]))
                vectors.append(x[j] - x[i])
                if cell is not None:
                    vectors[-1] += (shift + translation[j] - translation[i]) @ cell.vectors
        first, second, link = np.concatenate(found, axis=1)
        return cls(first, second, np.concatenate(vectors), link)


class Sum(NamedTuple):
    """A sum over a lattice: which atoms, the sign it counts with, and what is summed.

    Attributes
    ----------
    rows : (n,) int array
    sign : float
    arguments : tuple
        Of :func:`multipole_sum`.
    """

    rows: np.ndarray
    sign: float
    arguments: tuple[np.ndarray, Cell, np.ndarray, np.ndarray]


class MultipoleEnergy(Term):
    """Half of the interaction with all other molecules on every atom; it has no weights.

    In a cell it is the sum over all atoms and images, less what every part has with itself: a
    molecule a finite sum, a polymer or a network one over its own lattice.
    """

    serves = frozenset({"atom_energies"})

    def forward(self, weights: Weights, out: Prediction) -> Inside:
        """All pairs of atoms of different parts, less what half-broken bonds connect."""
        assert out.parts is not None
        record = Inside.of(out.pairs, out.parts)
        given = self._given(out)
        energies = np.zeros(out.pairs.n_atom)
        add_all_pairs(*given, energies)
        for rows, sign, arguments in _sums(out, given):
            energies[rows] += sign * multipole_sum(*arguments)
        if record.link.size:
            add_chosen_pairs(*_chosen(out, given, record), energies)
        out.atom_energies[out.pairs.atom] += energies
        return record

    def adjoint(
        self,
        weights: Weights,
        out: Prediction,
        record: Inside,
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
        energies_bar, strain_bar = bar.atom_energies[atom], np.zeros((3, 3))
        add_all_pairs_adjoint(*given, energies_bar, moments_bar, x_bar)
        for rows, sign, arguments in _sums(out, given):
            turned = np.zeros_like(arguments[3])
            found = multipole_sum_adjoint(*arguments, sign * energies_bar[rows], turned)
            x_bar[rows] += found[0]
            strain_bar += found[1]
            moments_bar[rows] += turned
        if record.link.size:
            vectors_bar, share_bar = np.zeros_like(record.vectors), np.zeros(record.link.size)
            chosen = _chosen(out, given, record)
            add_chosen_pairs_adjoint(*chosen, energies_bar, moments_bar, vectors_bar, share_bar)
            np.add.at(x_bar, record.second, vectors_bar)
            np.subtract.at(x_bar, record.first, vectors_bar)
            strain_bar += vectors_bar.T @ record.vectors
            linked, n_link = record.link >= 0, out.parts.links.first.size
            links_bar = np.bincount(record.link[linked], -share_bar[linked], n_link)
            out.parts.adjoint(links_bar, bar.strength)
        bar.multipoles[atom] += moments_bar
        if bar.geometry is not None:
            bar.geometry.positions[:] += x_bar
            bar.geometry.strain[:] += strain_bar

    def _given(self, out: Prediction) -> tuple[np.ndarray, ...]:
        """Positions, blocks of atoms without a cell, squared widths, parts, moments.

        All in the order of the structures.
        """
        pairs = out.pairs
        assert out.parts is not None
        x = np.concatenate([s.positions for s in pairs.structures])
        free = [(begin, end) for begin, end, cell in _blocks(pairs) if cell is None]
        blocks = np.array(free, dtype=np.int64).reshape(-1, 2)
        radius = covalent_radius(np.asarray(self.form.elements))[pairs.species]
        label = out.parts.label[pairs.atom]
        return x, blocks, radius[pairs.atom] ** 2, label, out.multipoles[pairs.atom]


def _blocks(pairs: PairList) -> Iterator[tuple[int, int, Cell | None]]:
    """First atom, last atom and cell of every structure."""
    end = 0
    for structure in pairs.structures:
        begin, end = end, end + structure.n_atom
        yield begin, end, structure.cell


def _sums(out: Prediction, given: tuple[np.ndarray, ...]) -> Iterator[Sum]:
    """Sums over lattices: of all in a cell, and of its infinite parts, each alone."""
    parts, (x, _, squared, label, moments) = out.parts, given
    assert parts is not None
    translation = parts.translation[out.pairs.atom]
    for begin, end, cell in _blocks(out.pairs):
        if cell is None:
            continue
        rows = np.arange(begin, end)
        yield Sum(rows, 1.0, (x[rows], cell, squared[rows], moments[rows]))
        for part in np.intersect1d(label[rows], list(parts.lattices)).tolist():
            own, lattice = rows[label[rows] == part], parts.lattices[part]
            vectors = np.zeros((3, 3))
            vectors[: len(lattice)] = lattice @ cell.vectors
            smaller = Cell(vectors, np.arange(3) < len(lattice))
            whole = x[own] + translation[own] @ cell.vectors
            yield Sum(own, -1.0, (whole, smaller, squared[own], moments[own]))


def _chosen(
    out: Prediction, given: tuple[np.ndarray, ...], record: Inside
) -> tuple[np.ndarray, ...]:
    """First and second atoms, vectors, squared widths, moments and shares."""
    assert out.parts is not None
    share = np.ones(record.link.size)
    linked = record.link >= 0
    share[linked] = out.parts.links.connection[record.link[linked]]
    return record.first, record.second, record.vectors, given[2], given[4], -share
