"""Nets: graphs of bonds that repeat with a cell, taken to pieces and unfolded.

A bond leads from an atom at home to an image of another, ``shift`` cells away. What hangs together
by bonds is a piece. A piece that no way leads from to an image of itself is finite, a molecule, and
can be made whole; a polymer, a layer or a network is not, and the translations that its ways lead
to are a lattice of their own, of one to three dimensions. That of a piece of another cell, twice as
long, is the same one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.connection import connected_parts


class Pieces(NamedTuple):
    """Pieces of a net.

    Attributes
    ----------
    number : int
    label : (n_atom,) int array
        Piece of each atom.
    translation : (n_atom, 3) int array
        Where each atom is when its piece is whole (an infinite one: where a tree of bonds ends).
    """

    number: int
    label: np.ndarray
    translation: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray, shift: np.ndarray, n_atom: int) -> Pieces:
        """By bonds, both directions of each.

        Parameters
        ----------
        first, second : (n_bond,) int arrays
        shift : (n_bond, 3) int array
        n_atom : int
        """
        return cls(*connected_parts(first, second, shift, n_atom))

    def around(self, first: np.ndarray, second: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(n, 3) translations of whole pieces that pairs of atoms lead to, zero inside one.

        Parameters
        ----------
        first, second : (n,) int arrays
        shift : (n, 3) int array
        """
        out: np.ndarray = shift + self.translation[first] - self.translation[second]
        return out

    def lattices(
        self, first: np.ndarray, second: np.ndarray, shift: np.ndarray
    ) -> dict[int, np.ndarray]:
        """Basis (dimension, 3) of the lattice of each infinite piece, by its label.

        Parameters
        ----------
        first, second : (n_bond,) int arrays
        shift : (n_bond, 3) int array
            The bonds that made the pieces.
        """
        ways = self.around(first, second, shift)
        away = ways.any(axis=1)
        label, ways = self.label[first[away]], ways[away]
        return {piece: basis(ways[label == piece]) for piece in np.unique(label).tolist()}


def basis(vectors: np.ndarray) -> np.ndarray:
    """(dimension, 3) rows that span the same lattice as whole-numbered vectors (n, 3).

    By Euclid's algorithm in each column: Hermite's normal form.
    """
    rows = np.unique(vectors, axis=0)
    found: list[np.ndarray] = []
    for column in range(3):
        while (some := np.flatnonzero(rows[:, column])).size > 1:
            least = some[np.argmin(np.abs(rows[some, column]))]
            others = some[some != least]
            rows[others] -= (rows[others, column] // rows[least, column])[:, None] * rows[least]
        if some.size:
            pivot = rows[some[0]] * np.sign(rows[some[0], column])
            found = [row - row[column] // pivot[column] * pivot for row in found] + [pivot]
            rows = np.delete(rows, some, axis=0)
    return np.array(found, dtype=np.int64).reshape(-1, 3)


class Unfolded(NamedTuple):
    """A net as far as ``longest`` bonds lead from the atoms at home: a graph without a cell.

    Attributes
    ----------
    pieces : Pieces
        Of the net.
    nodes : (n_node, 4) int array
        Atom and translation, counted from whole pieces; atoms at home come first, in order.
    first, second : (n_edge,) int arrays
        Nodes that are bonded, in both directions.
    bond : (n_edge,) int array
        Which bond of the net that is.
    """

    pieces: Pieces
    nodes: np.ndarray
    first: np.ndarray
    second: np.ndarray
    bond: np.ndarray

    @classmethod
    def of(
        cls, first: np.ndarray, second: np.ndarray, shift: np.ndarray, n_atom: int, longest: int
    ) -> Unfolded:
        """Bonds as for :meth:`Pieces.of`.

        Parameters
        ----------
        first, second : (n_bond,) int arrays
        shift : (n_bond, 3) int array
        n_atom : int
        longest : int
        """
        pieces = Pieces.of(first, second, shift, n_atom)
        nodes = np.zeros((n_atom, 4), dtype=np.int64)
        nodes[:, 0] = np.arange(n_atom)
        around = pieces.around(first, second, shift)
        if not around.any():
            return cls(pieces, nodes, first, second, np.arange(first.size))
        order = np.argsort(first, kind="stable")
        start = np.searchsorted(first[order], np.arange(n_atom + 1))

        def neighbours() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            """Every node with each of its bonds, and where they lead."""
            number = np.diff(start)[nodes[:, 0]]
            row = np.repeat(np.arange(number.size), number)
            within = np.arange(row.size) - np.repeat(np.cumsum(number) - number, number)
            bond = order[start[nodes[row, 0]] + within]
            there = nodes[row, 1:] + around[bond]
            return row, bond, np.concatenate([second[bond, None], there], axis=1)

        for _ in range(longest):
            nodes = np.unique(np.concatenate([nodes, neighbours()[2]]), axis=0)
        away = nodes[:, 1:].any(axis=1)
        nodes = np.concatenate([nodes[~away], nodes[away]])
        row, bond, there = neighbours()
        to = places(nodes, there)
        return cls(pieces, nodes, row[to >= 0], to[to >= 0], bond[to >= 0])

    def rows(self, first: np.ndarray, second: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """(n,) nodes of the second atoms of pairs, seen from the first; -1 where there is none.

        Parameters
        ----------
        first, second : (n,) int arrays
        shift : (n, 3) int array
        """
        out = np.full(first.size, -1)
        label = self.pieces.label
        same = np.flatnonzero(label[first] == label[second])
        first, second, shift = first[same], second[same], shift[same]
        around = self.pieces.around(first, second, shift)
        out[same] = places(self.nodes, np.concatenate([second[:, None], around], axis=1))
        return out


def places(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) where each of the rows (n, 4) stands in a table (m, 4) of different ones, or -1.

    Parameters
    ----------
    table : (m, 4) int array
    rows : (n, 4) int array
    """
    low = table.min(axis=0)
    size = tuple((table.max(axis=0) - low + 1).tolist())
    inside = ((rows >= low) & (rows < low + size)).all(axis=1)
    keys = np.ravel_multi_index(tuple((table - low).T), size)
    order = np.argsort(keys)
    asked = np.ravel_multi_index(tuple((rows[inside] - low).T), size)
    at = order[np.minimum(np.searchsorted(keys[order], asked), keys.size - 1)]
    out = np.full(rows.shape[0], -1)
    out[inside] = np.where(keys[at] == asked, at, -1)
    return out
