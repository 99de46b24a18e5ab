"""Operators over shells of any angular momentum as irreps of their blocks (theory eq 5).

For shells (i, l_i), (j, l_j) and an operator that is a tensor of degree k itself (k = 0
Hamiltonian and overlap, k = 1 position),

    B_ij^(lambda; L M) = sum <l_i m; l_j m' | lambda mu> <lambda mu; k q | L M> B_ij^(m m' q)   (L6)

with sigma = (-1)^(l_i + l_j + k + L). Blocks are grouped by what their features look like:

- ``atom``: one atom; of two equal shells only even lambda survive,
- ``pair``: two elements, in the order of their atomic numbers,
- ``even`` and ``odd``: one element, (B_ij + B_ji) / 2^1/2 and (B_ij - B_ji) / 2^1/2, where B_ji has
  the same shells with the atoms exchanged. Of two equal shells B_ji is the transpose, so even
  lambda appear in ``even`` and odd ones in ``odd`` only.

Every element of a symmetric operator is held exactly once, and any values give a symmetric one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement, product
from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError
from mlsemi.molecule.elements import symbol
from mlsemi.symmetry.so3 import clebsch_gordan
from mlsemi.symmetry.tensors import Irrep

SIGN = {"even": 1.0, "odd": -1.0}
"""What exchanging the two atoms does."""


class BlockKey(NamedTuple):
    """Blocks that share their features.

    Attributes
    ----------
    first, second : int
        Atomic numbers, ``first <= second``; equal for ``atom``, ``even`` and ``odd``.
    kind : str
        ``atom``, ``pair``, ``even`` or ``odd``.
    l, sigma : int
        Symmetry.
    """

    first: int
    second: int
    kind: str
    l: int
    sigma: int

    @property
    def irrep(self) -> Irrep:
        """Symmetry of features and targets."""
        return Irrep(self.l, self.sigma)

    @property
    def invariant(self) -> BlockKey:
        """Key of the invariants of the same atoms."""
        return self._replace(kind="even" if self.kind == "odd" else self.kind, l=0, sigma=1)


class Column(NamedTuple):
    """One target of a key: shell a of the first atom, b of the second, coupled to lambda."""

    a: int
    b: int
    coupled: int


@cache
def coupling(la: int, lb: int, coupled: int, rank: int, l: int) -> np.ndarray:
    """(2la+1, 2lb+1, 2k+1, 2L+1) coefficients of equation L6."""
    inner = clebsch_gordan(la, lb, coupled)
    return np.einsum("abm,mqM->abqM", inner, clebsch_gordan(coupled, rank, l))


@dataclass(frozen=True)
class OperatorLayout:
    """Where the shells of each element stand, and how blocks become irreps and back.

    Attributes
    ----------
    shells : mapping of int to tuple of int
        Angular momenta of the shells of each element, in the order of the orbitals, which are
        ordered by atom, shell and m = -l..l.
    rank : int
        Degree k of the operator.
    """

    shells: Mapping[int, tuple[int, ...]]
    rank: int = 0

    def size(self, numbers: np.ndarray) -> int:
        """Number of orbitals."""
        return int(sum(self._width[z] for z in np.asarray(numbers).tolist()))

    def columns(self, numbers: np.ndarray) -> dict[BlockKey, tuple[Column, ...]]:
        """All keys that molecules of these elements need, each with its targets.

        Raises
        ------
        InputError
            For an element without shells.
        """
        elements = sorted(set(np.asarray(numbers).tolist()))
        missing = [z for z in elements if z not in self.shells]
        if missing:
            raise InputError(f"no shells are given for element {symbol(missing[0])}")
        found: dict[BlockKey, list[Column]] = {}
        for z1, z2 in combinations_with_replacement(elements, 2):
            for key, column in self._of_elements(z1, z2):
                found.setdefault(key, []).append(column)
        return {key: tuple(found[key]) for key in sorted(found)}

    def _of_elements(self, z1: int, z2: int) -> Iterator[tuple[BlockKey, Column]]:
        for (a, la), (b, lb) in product(enumerate(self.shells[z1]), enumerate(self.shells[z2])):
            if z1 == z2 and a > b:
                continue
            for coupled in range(abs(la - lb), la + lb + 1):
                kinds = ["pair"] if z1 != z2 else ["atom", "even", "odd"]
                if z1 == z2 and a == b:
                    kinds = ["odd"] if coupled % 2 else ["atom", "even"]
                for l in range(abs(coupled - self.rank), coupled + self.rank + 1):
                    sigma = (-1) ** (la + lb + self.rank + l)
                    for kind in kinds:
                        yield BlockKey(z1, z2, kind, l, sigma), Column(a, b, coupled)

    def samples(self, numbers: np.ndarray, key: BlockKey) -> np.ndarray:
        """(n_sample, 2) atoms i, j of the samples of a key; i = j for ``atom``, else no pair twice.

        Parameters
        ----------
        numbers : (n_atom,) int array
        key : BlockKey
        """
        numbers = np.asarray(numbers)
        left, right = np.flatnonzero(numbers == key.first), np.flatnonzero(numbers == key.second)
        if key.kind == "atom":
            return np.stack([left, left], axis=1)
        pairs = np.stack([x.ravel() for x in np.meshgrid(left, right, indexing="ij")], axis=1)
        return pairs if key.kind == "pair" else pairs[pairs[:, 0] < pairs[:, 1]]

    def decompose(self, numbers: np.ndarray, matrices: np.ndarray) -> dict[BlockKey, np.ndarray]:
        """Irreps of symmetric matrices of molecules with the same atoms.

        Parameters
        ----------
        numbers : (n_atom,) int array
        matrices : (n, n_orbital, n_orbital) or (n, n_orbital, n_orbital, 2k+1) array

        Returns
        -------
        dict of BlockKey to (n, n_sample, 2L+1, n_column) array.
        """
        matrices = self._with_rank(matrices, self.size(numbers))
        out = {}
        for key, columns in self.columns(numbers).items():
            i, j = self.samples(numbers, key).T
            parts = []
            for a, b, coupled in columns:
                block = self._gather(numbers, matrices, (key.first, i, a), (key.second, j, b))
                if key.kind in SIGN:
                    other = self._gather(numbers, matrices, (key.first, j, a), (key.second, i, b))
                    block = (block + SIGN[key.kind] * other) / np.sqrt(2.0)
                parts.append(np.einsum("xsabq,abqM->xsM", block, self._table(key, a, b, coupled)))
            out[key] = np.stack(parts, axis=3)
        return out

    def assemble(self, numbers: np.ndarray, irreps: Mapping[BlockKey, np.ndarray]) -> np.ndarray:
        """Inverse of :meth:`decompose`; keys that are missing count as zero.

        Parameters
        ----------
        numbers : (n_atom,) int array
        irreps : mapping of BlockKey to (n, n_sample, 2L+1, n_column) array

        Returns
        -------
        (n, n_orbital, n_orbital) array, or with a last axis of 2k+1 for k > 0.
        """
        (n,) = {value.shape[0] for value in irreps.values()}
        size = self.size(numbers)
        half = np.zeros((n, size, size, 2 * self.rank + 1))
        for key, columns in self.columns(numbers).items():
            if key not in irreps:
                continue
            i, j = self.samples(numbers, key).T
            for column, (a, b, coupled) in enumerate(columns):
                table = self._table(key, a, b, coupled)
                block = np.einsum("xsM,abqM->xsabq", irreps[key][..., column], table)
                left, right = (key.first, i, a), (key.second, j, b)
                if key.kind == "atom" and a == b:
                    block = 0.5 * block
                elif key.kind in SIGN:
                    block = block / np.sqrt(2.0)
                    if a != b:
                        back = (key.first, j, a), (key.second, i, b)
                        self._add(numbers, half, *back, SIGN[key.kind] * block)
                self._add(numbers, half, left, right, block)
        whole = half + half.transpose(0, 2, 1, 3)
        return whole if self.rank else whole[..., 0]

    def assemble_adjoint(
        self, numbers: np.ndarray, matrices_bar: np.ndarray
    ) -> dict[BlockKey, np.ndarray]:
        """Adjoint of :meth:`assemble`: what stands once in a matrix counts half, what twice whole.

        Parameters
        ----------
        numbers : (n_atom,) int array
        matrices_bar : (n, n_orbital, n_orbital) or (n, n_orbital, n_orbital, 2k+1) array
            Need not be symmetric.
        """
        out = self.decompose(numbers, matrices_bar + np.swapaxes(matrices_bar, 1, 2))
        for key, columns in self.columns(numbers).items():
            once = [key.kind != "pair" and a == b for a, b, _ in columns]
            out[key] *= np.where(once, 0.5, 1.0)
        return out

    def _table(self, key: BlockKey, a: int, b: int, coupled: int) -> np.ndarray:
        la, lb = self.shells[key.first][a], self.shells[key.second][b]
        return coupling(la, lb, coupled, self.rank, key.l)

    def _with_rank(self, matrices: np.ndarray, size: int) -> np.ndarray:
        matrices = np.asarray(matrices, dtype=np.float64)
        matrices = matrices if self.rank else matrices[..., None]
        if matrices.shape[1:] != (size, size, 2 * self.rank + 1):
            raise InputError(f"matrices have shape {matrices.shape[1:]}, need {size} x {size}")
        return matrices

    @cached_property
    def _width(self) -> dict[int, int]:
        return {z: sum(2 * l + 1 for l in shells) for z, shells in self.shells.items()}

    def _orbitals(self, numbers: np.ndarray, place: tuple[int, np.ndarray, int]) -> np.ndarray:
        """(n_sample, 2l+1) orbitals of one shell on the given atoms of an element."""
        number, atoms, shell = place
        widths = np.array([self._width[z] for z in np.asarray(numbers).tolist()])
        start = np.cumsum(widths) - widths
        before = sum(2 * l + 1 for l in self.shells[number][:shell])
        inner = np.arange(2 * self.shells[number][shell] + 1)
        return start[atoms][:, None] + before + inner

    def _gather(
        self,
        numbers: np.ndarray,
        matrices: np.ndarray,
        left: tuple[int, np.ndarray, int],
        right: tuple[int, np.ndarray, int],
    ) -> np.ndarray:
        """(n, n_sample, 2la+1, 2lb+1, 2k+1) blocks."""
        rows, columns = self._orbitals(numbers, left), self._orbitals(numbers, right)
        return matrices[:, rows[:, :, None], columns[:, None, :]]

    def _add(
        self,
        numbers: np.ndarray,
        half: np.ndarray,
        left: tuple[int, np.ndarray, int],
        right: tuple[int, np.ndarray, int],
        blocks: np.ndarray,
    ) -> None:
        """Inverse of :meth:`_gather`, adding; no element is met twice in one call."""
        rows, columns = self._orbitals(numbers, left), self._orbitals(numbers, right)
        half[:, rows[:, :, None], columns[:, None, :]] += blocks
