"""BlockedOperator: a symmetric operator as irreps of its atom and pair blocks (theory eq 5)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlsemi.brief import Brief
from mlsemi.kernels.blocks import add_atoms, add_atoms_adjoint, add_pairs, add_pairs_adjoint
from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.so3 import clebsch_gordan

N_ATOM_IRREP = 10
N_PAIR_IRREP = 13
PP_SCALAR = np.ascontiguousarray(clebsch_gordan(1, 1, 0)[:, :, 0])
PP_VECTOR = clebsch_gordan(1, 1, 1)
PP_TENSOR = clebsch_gordan(1, 1, 2)
"""Couplings of two p shells to degree 0, 1 and 2."""

P_LEVEL = float(1.0 / PP_SCALAR[0, 0])
"""The pp0 irrep of a p shell at energy e is P_LEVEL * e."""


@dataclass(frozen=True, eq=False, repr=False)
class BlockedOperator(Brief):
    """Irreps of all blocks of H_o for every structure of a pair list.

    Attributes
    ----------
    pairs : PairList
    atoms : (n_atom, 10) array
        On-site irreps: ss (1), sp (3), pp0 (1), pp2 (5).
    bonds : (n_pair, 13) array
        Irreps of directed pair blocks: ss (1), sp (3), pp0 (1), pp1 (3), pp2 (5).
    """

    pairs: PairList
    atoms: np.ndarray
    bonds: np.ndarray

    @cached_property
    def has_p(self) -> np.ndarray:
        """(n_atom,) whether the atom carries a p shell."""
        return _has_p(self.pairs)

    def matrix(self, index: int = 0) -> np.ndarray:
        """Dense symmetric matrix (n_orbital, n_orbital) of structure ``index``."""
        pairs = self.pairs
        n = pairs.structures[index].n_orbital
        rows = slice(pairs.pair_start[index], pairs.pair_start[index + 1])
        half = np.zeros((n, n))
        add_atoms(
            pairs.atoms_of(index), pairs.orbital, self.has_p, self.atoms, PP_SCALAR, PP_TENSOR, half
        )
        add_pairs(
            pairs.first[rows],
            pairs.second[rows],
            pairs.orbital,
            self.has_p,
            self.bonds[rows],
            PP_SCALAR,
            PP_VECTOR,
            PP_TENSOR,
            half,
        )
        return half + half.T


def matrices_adjoint(pairs: PairList, matrices_bar: list[np.ndarray]) -> BlockedOperator:
    """Adjoint of :meth:`BlockedOperator.matrix` for all structures: cotangents of the irreps."""
    atoms_bar = np.empty((pairs.n_atom, N_ATOM_IRREP))
    bonds_bar = np.empty((pairs.first.size, N_PAIR_IRREP))
    has_p = _has_p(pairs)
    for index, matrix_bar in enumerate(matrices_bar):
        rows = slice(pairs.pair_start[index], pairs.pair_start[index + 1])
        half_bar = matrix_bar + matrix_bar.T
        add_atoms_adjoint(
            pairs.atoms_of(index), pairs.orbital, has_p, half_bar, PP_SCALAR, PP_TENSOR, atoms_bar
        )
        add_pairs_adjoint(
            pairs.first[rows],
            pairs.second[rows],
            pairs.orbital,
            has_p,
            half_bar,
            PP_SCALAR,
            PP_VECTOR,
            PP_TENSOR,
            bonds_bar[rows],
        )
    return BlockedOperator(pairs, atoms_bar, bonds_bar)


def irreps_of(pairs: PairList, matrices: list[np.ndarray]) -> BlockedOperator:
    """Decompose symmetric matrices into irreps; inverse of :meth:`BlockedOperator.matrix`.

    Elements between atoms further apart than the cutoff are left out.
    """
    out = matrices_adjoint(pairs, [0.5 * matrix for matrix in matrices])
    for irreps in (out.atoms, out.bonds):
        irreps[:, 0] *= 2.0
        irreps[:, 4:] *= 2.0
    return out


def symmetric_blocks(irreps: np.ndarray) -> np.ndarray:
    """(..., 4, 4) symmetric matrices over s, p_y, p_z, p_x from (..., 10) on-site irreps."""
    out = np.empty((*irreps.shape[:-1], 4, 4))
    out[..., 0, 0] = irreps[..., 0]
    out[..., 0, 1:] = out[..., 1:, 0] = irreps[..., 1:4]
    out[..., 1:, 1:] = irreps[..., 4, None, None] * PP_SCALAR + np.tensordot(
        irreps[..., 5:], PP_TENSOR, (-1, 2)
    )
    return out


def symmetric_blocks_adjoint(matrices_bar: np.ndarray) -> np.ndarray:
    """Adjoint of :func:`symmetric_blocks`: irreps_bar."""
    out = np.empty((*matrices_bar.shape[:-2], N_ATOM_IRREP))
    p_bar = matrices_bar[..., 1:, 1:]
    out[..., 0] = matrices_bar[..., 0, 0]
    out[..., 1:4] = matrices_bar[..., 0, 1:] + matrices_bar[..., 1:, 0]
    out[..., 4] = np.tensordot(p_bar, PP_SCALAR, 2)
    out[..., 5:] = np.tensordot(p_bar, PP_TENSOR, 2)
    return out


def _has_p(pairs: PairList) -> np.ndarray:
    numbers = np.concatenate([s.numbers for s in pairs.structures])
    out = np.empty(pairs.n_atom, dtype=bool)
    out[pairs.atom] = [n_orbital_of(z) > 1 for z in numbers.tolist()]
    return out
