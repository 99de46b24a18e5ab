"""Charges that sum to zero in every molecule, without a step where one becomes two.

    q_i = z_i - sum_j u_ij z_j / sum_k u_kj

with u of theory eq 20 by paths of any length and u_ii = 1: column by column the shares of z_j sum
to one, and so the charges to zero, in every structure and in every molecule with whole bonds. Atoms
joined by whole bonds make a part, within which u = 1; only parts are compared with each other. In a
cell j runs over images as well. An infinite part, a polymer or a network, is one with all its
images; half-broken bonds between it and others do not count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.connection import connection, connection_adjoint
from mlsemi.lattice.nets import Pieces, Unfolded
from mlsemi.molecule.pairs import PairList

LONGEST = 6
"""Half-broken bonds of the longest path between two parts."""


class Links(NamedTuple):
    """Pairs of parts that half-broken bonds connect, in both directions.

    Attributes
    ----------
    first, second : (n,) int arrays
        Parts.
    shift : (n, 3) int array
        Translation of the second.
    connection : (n,) array
        u of an atom of the first and one of the second.
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    connection: np.ndarray

    @property
    def forward(self) -> np.ndarray:
        """(n,) whether this is the one of both directions of a link that comes first."""
        order = self.second - self.first
        for axis in range(3):
            order = np.where(order == 0, self.shift[:, axis], order)
        return order > 0


class Edges(NamedTuple):
    """What made the links: all half-broken bonds between two parts are one edge.

    Attributes
    ----------
    net : Unfolded
        Of parts and edges.
    strength : (n_edge,) array
        1 - product of (1 - b).
    bond : (n,) int array
        Pairs of atoms that are half-broken bonds.
    given : (n,) array
        Their b.
    edge : (n,) int array
        Which edge they belong to.
    node : (n_link,) int array
        Node of the second part of every link.
    """

    net: Unfolded
    strength: np.ndarray
    bond: np.ndarray
    given: np.ndarray
    edge: np.ndarray
    node: np.ndarray


class Parts(NamedTuple):
    """Parts of the structures of a pair list, and half-broken bonds between them.

    Attributes
    ----------
    label : (n_atom,) int array
        Part of each atom.
    size : (n_part,) array
        Atoms in each.
    translation : (n_atom, 3) int array
        Where each atom is when its part is whole.
    lattices : mapping of int to (dimension, 3) int array
        Of the infinite parts.
    links : Links
    edges : Edges or None
        None where there are no links.
    """

    label: np.ndarray
    size: np.ndarray
    translation: np.ndarray
    lattices: dict[int, np.ndarray]
    links: Links
    edges: Edges | None

    @classmethod
    def of(cls, pairs: PairList, strength: np.ndarray) -> Parts:
        """Parts by the strengths (n_pair,) of bonds."""
        some = np.flatnonzero(strength)
        bonds = pairs.ends(some[strength[some] == 1.0])
        pieces = Pieces.of(*bonds, pairs.n_atom)
        lattices = pieces.lattices(*bonds)
        size = np.bincount(pieces.label, minlength=pieces.number).astype(float)
        half = some[strength[some] < 1.0]
        first, second, _ = ends = pairs.ends(half)
        one, two, around = pieces.label[first], pieces.label[second], pieces.around(*ends)
        apart = (one != two) | around.any(axis=1)
        apart &= ~np.isin(one, list(lattices)) & ~np.isin(two, list(lattices))
        half, ways = half[apart], np.column_stack([one, two, around])[apart]
        linked = _linked(ways, half, strength[half], pieces.number)
        return cls(pieces.label, size, pieces.translation, lattices, *linked)

    def adjoint(self, connection_bar: np.ndarray, strength_bar: np.ndarray) -> None:
        """Adjoint of :meth:`of`: adds to ``strength_bar`` (n_pair,).

        Parameters
        ----------
        connection_bar : (n_link,) array
        strength_bar : (n_pair,) array
        """
        if self.edges is None:
            return
        net, strength, bond, given, edge, node = self.edges
        unfolded_bar = connection_adjoint(
            *(net.first, net.second, strength[net.bond], net.nodes[:, 0]),
            *(self.links.first, node, LONGEST, self.links.connection, connection_bar),
        )
        edge_bar = np.bincount(net.bond, unfolded_bar, strength.size)
        strength_bar[bond] += edge_bar[edge] * (1.0 - strength[edge]) / (1.0 - given)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """sum_c' u_cc' values_c' over parts (n_part,)."""
        out = values.copy()
        np.add.at(out, self.links.first, self.links.connection * values[self.links.second])
        return out


def _linked(
    ways: np.ndarray, bond: np.ndarray, given: np.ndarray, n_part: int
) -> tuple[Links, Edges | None]:
    """Links by half-broken bonds, which are ways (n, 5) from a part to an image of another."""
    if not bond.size:
        none = np.empty(0, dtype=np.int64)
        return Links(none, none, np.empty((0, 3), dtype=np.int64), np.empty(0)), None
    edges, edge = np.unique(ways, axis=0, return_inverse=True)
    edge = edge.ravel()
    rest = np.ones(len(edges))
    np.multiply.at(rest, edge, 1.0 - given)
    strength = 1.0 - rest
    net = Unfolded.of(edges[:, 0], edges[:, 1], edges[:, 2:], n_part, LONGEST)
    n_node = net.nodes.shape[0]
    one = np.repeat(np.arange(n_part), n_node)
    node = np.tile(np.arange(n_node), n_part)
    bonds = net.first, net.second, strength[net.bond], net.nodes[:, 0]
    u = connection(*bonds, one, node, LONGEST)
    one, node, u = one[u > 0.0], node[u > 0.0], u[u > 0.0]
    two, translation = net.nodes[node, 0], net.pieces.translation
    shift = net.nodes[node, 1:] - translation[one] + translation[two]
    return Links(one, two, shift, u), Edges(net, strength, bond, given, edge, node)


def neutral(parts: Parts, charges: np.ndarray) -> np.ndarray:
    """(n_atom,) charges q of any numbers z, as above.

    Parameters
    ----------
    parts : Parts
    charges : (n_atom,) array
    """
    total = np.bincount(parts.label, charges, parts.size.size)
    return charges - parts.spread(total / parts.spread(parts.size))[parts.label]


def neutral_adjoint(
    parts: Parts, charges: np.ndarray, out_bar: np.ndarray, strength_bar: np.ndarray
) -> np.ndarray:
    """Adjoint of :func:`neutral`: charges_bar; adds to ``strength_bar`` (n_pair,).

    Parameters
    ----------
    parts : Parts
    charges, out_bar : (n_atom,) arrays
    strength_bar : (n_pair,) array
    """
    n, number = parts.size.size, parts.spread(parts.size)
    shared = np.bincount(parts.label, charges, n) / number
    given_bar = -np.bincount(parts.label, out_bar, n)
    shared_bar = parts.spread(given_bar)
    number_bar = -shared_bar * shared / number
    i, j = parts.links.first, parts.links.second
    if i.size:
        parts.adjoint(given_bar[i] * shared[j] + number_bar[i] * parts.size[j], strength_bar)
    charges_bar: np.ndarray = out_bar + (shared_bar / number)[parts.label]
    return charges_bar
