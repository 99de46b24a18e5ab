"""Charges that sum to zero in every molecule, without a step where one becomes two.

    q_i = z_i - sum_j u_ij z_j / sum_k u_kj

with u of theory eq 20 by paths of any length and u_ii = 1: column by column the shares of z_j sum
to one, and so the charges to zero, in every structure and in every molecule with whole bonds. Atoms
joined by whole bonds make a part, within which u = 1; only parts are compared with each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.kernels.connection import connected_parts, connection, connection_adjoint
from mlsemi.molecule.pairs import PairList


class Parts(NamedTuple):
    """Parts of the structures of a pair list, and half-broken bonds between them.

    Attributes
    ----------
    label : (n_atom,) int array
        Part of each atom.
    size : (n_part,) array
        Atoms in each.
    first, second : (n_part (n_part - 1),) int arrays
        All ordered pairs of parts; empty where no bond is half broken.
    strength, connection : arrays
        Of their strongest bond, and by paths of such bonds.
    source : int array
        Pair of atoms that bond belongs to, -1 where there is none.
    """

    label: np.ndarray
    size: np.ndarray
    first: np.ndarray
    second: np.ndarray
    strength: np.ndarray
    connection: np.ndarray
    source: np.ndarray

    @classmethod
    def of(cls, pairs: PairList, strength: np.ndarray) -> Parts:
        """Parts by the strengths (n_pair,) of bonds."""
        whole = (strength == 1.0).astype(float)
        n, label = connected_parts(pairs.first, pairs.second, whole, pairs.n_atom)
        size = np.bincount(label, minlength=n).astype(float)
        one, two = label[pairs.first], label[pairs.second]
        bonds = np.flatnonzero((strength > 0.0) & (one != two))
        none = np.empty(0, dtype=np.int64)
        if not bonds.size:
            return cls(label, size, none, none, np.empty(0), np.empty(0), none)
        table, source = np.zeros((n, n)), np.full((n, n), -1)
        for p in bonds[np.argsort(strength[bonds], kind="stable")].tolist():
            table[one[p], two[p]], source[one[p], two[p]] = strength[p], p
        first, second = np.nonzero(~np.eye(n, dtype=bool))
        strongest = table[first, second]
        u = connection(first, second, strongest, n, n)
        return cls(label, size, first, second, strongest, u, source[first, second])

    def adjoint(self, connection_bar: np.ndarray, strength_bar: np.ndarray) -> None:
        """Adjoint of :meth:`of`: adds to ``strength_bar`` (n_pair,).

        Parameters
        ----------
        connection_bar : (n_part (n_part - 1),) array
        strength_bar : (n_pair,) array
        """
        n = self.size.size
        bonds_bar = connection_adjoint(
            self.first, self.second, self.strength, n, n, self.connection, connection_bar
        )
        some = self.source >= 0
        np.add.at(strength_bar, self.source[some], bonds_bar[some])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """sum_c' u_cc' values_c' over parts (n_part,)."""
        out = values.copy()
        np.add.at(out, self.first, self.connection * values[self.second])
        return out


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
    if parts.first.size:
        i, j = parts.first, parts.second
        parts.adjoint(given_bar[i] * shared[j] + number_bar[i] * parts.size[j], strength_bar)
    charges_bar: np.ndarray = out_bar + (shared_bar / number)[parts.label]
    return charges_bar
