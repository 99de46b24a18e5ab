"""H_o(k) from the blocks that the model predicts, and the way back (theory eq 24).

    H_o(k) = sum_R exp(i k.R) H_o(0, R)

The frame is orthonormal: Hermitian by construction, an ordinary eigenproblem for every k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mlsemi.brief import Brief
from mlsemi.kernels.blocks import add_atoms, add_atoms_adjoint, add_pairs, add_pairs_adjoint
from mlsemi.lattice.cell import Cell
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import (
    N_ATOM_IRREP,
    N_PAIR_IRREP,
    PP_SCALAR,
    PP_TENSOR,
    PP_VECTOR,
    BlockedOperator,
)


class Translations(NamedTuple):
    """Translations that occur in a list of pairs, zero first, R and -R both.

    Attributes
    ----------
    shifts : (n_R, 3) int array
    image : (n_pair,) int array
        Which of them each pair has.
    opposite : (n_R,) int array
        Where -R stands.
    """

    shifts: np.ndarray
    image: np.ndarray
    opposite: np.ndarray

    @classmethod
    def of(cls, shift: np.ndarray) -> Translations:
        """Number the translations (n_pair, 3) of pairs."""
        every = np.concatenate([np.zeros((1, 3), dtype=np.int64), shift, -shift])
        found, label = np.unique(every, axis=0, return_inverse=True)
        label = label.reshape(-1)
        order = np.concatenate([label[:1], np.delete(np.arange(len(found)), label[0])])
        place = np.argsort(order)
        opposite = np.empty(len(found), dtype=np.int64)
        opposite[place[label[1 : 1 + len(shift)]]] = place[label[1 + len(shift) :]]
        opposite[place[label[1 + len(shift) :]]] = place[label[1 : 1 + len(shift)]]
        opposite[0] = 0
        return cls(found[order], place[label[1 : 1 + len(shift)]], opposite)

    def side_by_side(self, blocks: np.ndarray) -> np.ndarray:
        """(n, n_R n) array from blocks (n_R, n, n)."""
        return np.ascontiguousarray(blocks.transpose(1, 0, 2)).reshape(blocks.shape[1], -1)

    def apart(self, row: np.ndarray) -> np.ndarray:
        """(n_R, n, n) blocks from those side by side (n, n_R n)."""
        n = row.shape[0]
        return np.ascontiguousarray(row.reshape(n, -1, n).transpose(1, 0, 2))

    def symmetric(self, half: np.ndarray) -> np.ndarray:
        """H(R) = h(R) + h(-R)^T, its own adjoint."""
        return half + half[self.opposite].transpose(0, 2, 1)


class _Places:
    """Where the blocks of a pair list of one structure stand, for the kernels."""

    def __init__(self, pairs: PairList, has_p: np.ndarray) -> None:
        structure, n_pair = pairs.structures[0], pairs.first.size
        shift = np.zeros((n_pair, 3), np.int64) if pairs.shift is None else pairs.shift
        self.translations = Translations.of(shift)
        n_image = len(self.translations.shifts)
        columns = np.arange(n_image)[:, None] * structure.n_orbital
        self.shape = structure.n_orbital, n_image * structure.n_orbital
        second = pairs.second + self.translations.image * pairs.n_atom
        orbital, has_p = (columns + pairs.orbital).reshape(-1), np.tile(has_p, n_image)
        self.atoms = pairs.atoms_of(0), orbital, has_p
        self.pairs = pairs.first, second, orbital, has_p


@dataclass(frozen=True, eq=False, repr=False)
class BlochOperator(Brief):
    """A symmetric operator of something periodic, as blocks between cells.

    Attributes
    ----------
    cell : Cell or None
        None for molecules, which have the block of R = 0 alone.
    shifts : (n_R, 3) int array
        Translations R in cell vectors, zero first, R and -R both.
    blocks : (n_R, n_orbital, n_orbital) array
        H(0, R), real.
    """

    cell: Cell | None
    shifts: np.ndarray
    blocks: np.ndarray

    @classmethod
    def of(cls, operator: BlockedOperator) -> BlochOperator:
        """Blocks from the irreps of a pair list of one structure."""
        at = _Places(operator.pairs, operator.has_p)
        half = np.zeros(at.shape)
        add_atoms(*at.atoms, operator.atoms, PP_SCALAR, PP_TENSOR, half)
        add_pairs(*at.pairs, operator.bonds, PP_SCALAR, PP_VECTOR, PP_TENSOR, half)
        blocks = at.translations.symmetric(at.translations.apart(half))
        return cls(operator.pairs.structures[0].cell, at.translations.shifts, blocks)

    @property
    def n_orbital(self) -> int:
        """Orbitals of a cell."""
        return self.blocks.shape[1]

    @cached_property
    def translations(self) -> np.ndarray:
        """(n_R, 3) Cartesian translations, bohr."""
        if self.cell is None:
            return np.zeros((1, 3))
        return np.asarray(self.shifts @ self.cell.vectors)

    def at(self, point: np.ndarray) -> np.ndarray:
        """(n_orbital, n_orbital) H(k) at fractional coordinates; real where all phases are."""
        phase = phases(point[None], self.shifts)[0]
        if np.all(np.abs(2.0 * point - np.round(2.0 * point)) < 1e-12):
            return np.tensordot(np.round(phase.real), self.blocks, 1)
        return np.asarray(np.tensordot(phase, self.blocks, 1))

    def slopes(self, point: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative of H(k) along a Cartesian direction."""
        phase = phases(point[None], self.shifts)[0]
        along = self.translations @ direction
        first = np.tensordot(1j * along * phase, self.blocks, 1)
        return first, np.tensordot(-(along**2) * phase, self.blocks, 1)


def phases(points: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(n_k, n_R) exp(i k.R) of fractional points and whole translations."""
    return np.asarray(np.exp(2j * np.pi * (points @ shifts.T)))


def real_space(points: np.ndarray, shifts: np.ndarray, matrices: list[np.ndarray]) -> np.ndarray:
    """(n_R, n, n) sums over k of Re[exp(-i k.R) M(k)], for matrices with their weights in them.

    Of the densities of all points this is the density matrix between cells, and the adjoint of
    :meth:`BlochOperator.at`: the derivative of sum_k tr(M(k) H(k)) by H(0, R).

    Parameters
    ----------
    points : (n_k, 3) array
        k, in units of the reciprocal vectors.
    shifts : (n_R, 3) array
        R, in units of the cell vectors.
    matrices : list of (n, n) arrays
        One per point.
    """
    phase = phases(points, shifts).conj()
    n = matrices[0].shape[0]
    out = np.zeros((len(shifts), n, n))
    for row, matrix in zip(phase, matrices, strict=True):
        out += np.multiply.outer(row.real, matrix.real)
        if np.iscomplexobj(matrix):
            out -= np.multiply.outer(row.imag, matrix.imag)
    return out


def blocks_adjoint(operator: BlockedOperator, blocks_bar: np.ndarray) -> BlockedOperator:
    """Adjoint of :meth:`BlochOperator.of`: dL/d irreps from dL/d blocks.

    Parameters
    ----------
    operator : BlockedOperator
        What the blocks were made of.
    blocks_bar : (n_R, n_orbital, n_orbital) array
    """
    at = _Places(operator.pairs, operator.has_p)
    half_bar = at.translations.side_by_side(at.translations.symmetric(blocks_bar))
    atoms_bar = np.empty((operator.pairs.n_atom, N_ATOM_IRREP))
    bonds_bar = np.empty((operator.pairs.first.size, N_PAIR_IRREP))
    add_atoms_adjoint(*at.atoms, half_bar, PP_SCALAR, PP_TENSOR, atoms_bar)
    add_pairs_adjoint(*at.pairs, half_bar, PP_SCALAR, PP_VECTOR, PP_TENSOR, bonds_bar)
    return BlockedOperator(operator.pairs, atoms_bar, bonds_bar)
