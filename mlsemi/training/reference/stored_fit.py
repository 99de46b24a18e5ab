"""Density fitting of molecules with so many basis functions that their integrals exceed memory.

PySCF would keep the fitted integrals in double precision and sort them on disk in a second copy.
Here they go to one temporary file in single precision, and Coulomb and exchange matrices are made
while it is read once: J = sum_P B_P tr(B_P D), K = sum_P (B_P C) (B_P C)^T, with the occupied
orbitals C and B_P = sum_Q (L^-1)_PQ (Q|mn), V = L L^T.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from typing import IO

import numpy as np
from pyscf import df, dft, gto, lib
from pyscf.df.addons import make_auxmol
from pyscf.df.incore import LINEAR_DEP_THR
from scipy.linalg import blas, cholesky

from mlsemi.errors import InputError
from mlsemi.kernels.jit import kernel
from mlsemi.training.reference.kohn_sham import COARSE_GRID, three_center

CONVERGENCE = 1e-6
"""Hartree; what single precision allows in a few hundred atoms' energy."""

COARSE = 1e-4
"""Energy convergence that ends the iterations on the coarse grid, hartree."""

BLOCK_BYTES = 1e9
"""Memory for integrals that are made or read at once."""

NEGLIGIBLE = 1e-10
"""Occupation below which an orbital of a given density matrix is left out."""


def needed(solver: dft.rks.RKS) -> bool:
    """Whether the integrals of a density-fitted calculation exceed PySCF's ``max_memory``.

    A range-separated functional needs them twice.
    """
    mol = solver.mol
    n_aux = make_auxmol(mol, solver.with_df.auxbasis).nao
    n_kind = 2 if solver._numint.rsh_and_hybrid_coeff(solver.xc)[0] else 1
    return bool(4e-6 * n_kind * mol.nao * (mol.nao + 1) * n_aux > solver.max_memory)


def converge(solver: dft.rks.RKS, grid: int, convergence: float) -> None:
    """As :func:`kohn_sham.converge`, with a :class:`StoredFit` and to ``CONVERGENCE`` at best.

    Most iterations use the coarse grid as it is, the last ones the fine one.
    """
    solver.with_df = StoredFit(solver.mol, solver.with_df.auxbasis)
    density = None
    for level, tolerance in ((COARSE_GRID, COARSE), (grid, max(convergence, CONVERGENCE))):
        solver.grids, solver.conv_tol = dft.Grids(solver.mol), tolerance
        solver.grids.level, solver.conv_check = level, level == grid
        solver.kernel(dm0=density)
        density = solver.make_rdm1()


class StoredFit(df.DF):  # type: ignore[misc]
    """PySCF's density fitting with integrals in a temporary file, in single precision.

    For closed shells: density matrices must have no negative occupations.
    """

    def build(self) -> StoredFit:
        """Compute the integrals and write them.

        Raises
        ------
        InputError
            If there is no room for the file in PySCF's temporary directory.
        """
        mol = self.mol
        auxiliary = self.auxmol = make_auxmol(mol, self.auxbasis)
        orthogonalise = _orthogonaliser(auxiliary.intor("int2c2e", hermi=1))
        n_fit = orthogonalise(np.zeros((1, auxiliary.nao), order="F")).shape[1]
        self._cderi = _Strips(n_fit, mol.nao * (mol.nao + 1) // 2)
        for integrals in _three_center_rows(mol, auxiliary):
            self._cderi.append(orthogonalise(integrals))
        return self

    def loop(self, blksize: int | None = None) -> Iterator[np.ndarray]:
        """Blocks (n, n_pair) of the integrals in double precision, as PySCF's."""
        for block in self._blocks(blksize):
            yield block.astype(float)

    def get_naoaux(self) -> int:
        """Number of fitting functions, as PySCF's."""
        return self.build()._cderi.n_fit if self._cderi is None else self._cderi.n_fit

    def _blocks(self, size: int | None) -> Iterator[np.ndarray]:
        if self._cderi is None:
            self.build()
        size = size or max(1, int(BLOCK_BYTES / (4.0 * self.mol.nao**2)))
        for first in range(0, self._cderi.n_fit, size):
            yield self._cderi.read(first, min(size, self._cderi.n_fit - first))

    def get_jk(self, dm, hermi=1, with_j=True, with_k=True, direct_scf_tol=None, omega=None):  # type: ignore[no-untyped-def]
        """Coulomb and exchange matrices of one density matrix, as ``df.DF.get_jk``."""
        if omega is not None:
            with self.range_coulomb(omega) as ranged:
                return ranged.get_jk(dm, hermi, with_j, with_k)
        orbitals = _orbitals(dm).astype(np.float32)
        n_function = len(orbitals)
        lower = np.tril_indices(n_function)
        twice = np.asarray(dm + dm.T)
        np.fill_diagonal(twice, np.diag(dm))
        packed = twice[lower]
        coulomb = np.zeros(packed.size)
        exchange = np.zeros((n_function, n_function))
        for block in self._blocks(None):
            _add_coulomb(block, packed, coulomb)
            if with_k:
                half = _unpacked(block, n_function).reshape(-1, n_function) @ orbitals
                half = half.reshape(len(block), n_function, -1).transpose(1, 0, 2)
                half = half.reshape(n_function, -1)
                exchange += half @ half.T
        if with_j:
            j = np.zeros_like(exchange)
            j[lower] = coulomb
            j += np.tril(j, -1).T
        return j if with_j else None, exchange if with_k else None


class _Strips:
    """Fitted integrals in a temporary file, written by pairs and read by fitting functions.

    Each strip holds some pairs of all fitting functions, (n_fit, n_pair of it): it is written at
    once, and some fitting functions of it are read at once.
    """

    def __init__(self, n_fit: int, n_pair: int) -> None:
        self.n_fit, self.n_pair, self.ends = n_fit, n_pair, [0]
        with tempfile.TemporaryFile(dir=lib.param.TMPDIR) as file:
            _reserve(file, 4 * n_fit * n_pair)
            self._numbers = np.memmap(file, np.float32, "w+", shape=(n_fit * n_pair,))

    def append(self, integrals: np.ndarray) -> None:
        """Write the next pairs (n_pair, n_fit)."""
        begin = self.ends[-1]
        self.ends.append(begin + len(integrals))
        strip = self._numbers[self.n_fit * begin : self.n_fit * self.ends[-1]]
        strip.reshape(self.n_fit, -1)[:] = integrals.T

    def read(self, first: int, n: int) -> np.ndarray:
        """(n, n_pair) integrals of ``n`` fitting functions."""
        out = np.empty((n, self.n_pair), np.float32)
        for begin, end in pairwise(self.ends):
            strip = self._numbers[self.n_fit * begin : self.n_fit * end]
            out[:, begin:end] = strip.reshape(self.n_fit, -1)[first : first + n]
        return out


def _reserve(file: IO[bytes], size: int) -> None:
    """Take the room on the disk now: a mapped file that outgrows it would end the process."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        raise InputError(
            f"the fitted integrals take {1e-9 * size:.0f} GB, more than {lib.param.TMPDIR} has "
            "left: set PYSCF_TMPDIR to a larger folder"
        ) from None


def _orthogonaliser(metric: np.ndarray):  # type: ignore[no-untyped-def]
    """Function that maps integrals (n_pair, n_aux) to fitted ones (n_pair, n_fit).

    With the Cholesky factor of the metric, or its eigenvectors where it is singular.
    """
    try:
        low = np.asfortranarray(cholesky(metric, lower=True))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(metric)
        kept = values > LINEAR_DEP_THR
        factor = vectors[:, kept] / np.sqrt(values[kept])
        return lambda integrals: integrals @ factor
    return lambda integrals: blas.dtrsm(
        1.0, low, integrals, side=1, lower=1, trans_a=1, overwrite_b=1
    )


def _three_center_rows(mol: gto.Mole, auxiliary: gto.Mole) -> Iterator[np.ndarray]:
    """Integrals (mn|P) for a few rows m at a time, n <= m, as (n_pair, n_aux)."""
    integrals = three_center(mol, auxiliary, "int3c2e", 1, "s2ij")
    most = BLOCK_BYTES / (8.0 * auxiliary.nao)
    offset = mol.ao_loc
    pairs = offset * (offset + 1) // 2
    start = 0
    while start < mol.nbas:
        fitting = int(np.searchsorted(pairs, pairs[start] + most, side="right")) - 1
        stop = max(start + 1, fitting)
        shells = (start, stop, 0, mol.nbas, mol.nbas, mol.nbas + auxiliary.nbas)
        yield np.asfortranarray(integrals(shells))
        start = stop


def _orbitals(density: np.ndarray) -> np.ndarray:
    """Orbitals C with D = C C^T."""
    if hasattr(density, "mo_coeff"):
        occupation, orbitals = density.mo_occ, density.mo_coeff  # type: ignore[attr-defined]
    else:
        occupation, orbitals = np.linalg.eigh(density)
    kept = occupation > NEGLIGIBLE
    return np.asarray(orbitals[:, kept] * np.sqrt(occupation[kept]))


@kernel
def _add_coulomb(block, packed, out):  # type: ignore[no-untyped-def]
    """J += sum_P B_P tr(B_P D); sums in double precision, there is much to cancel in them."""
    for row in block:
        fitted = 0.0
        for k in range(row.size):
            fitted += row[k] * packed[k]
        for k in range(row.size):
            out[k] += fitted * row[k]


@kernel
def _unpacked(packed, n):  # type: ignore[no-untyped-def]
    """(n_block, n, n) symmetric matrices of their lower triangles."""
    out = np.empty((packed.shape[0], n, n), packed.dtype)
    for block in range(packed.shape[0]):
        k = 0
        for i in range(n):
            for j in range(i):
                out[block, i, j] = packed[block, k]
                out[block, j, i] = packed[block, k]
                k += 1
            out[block, i, i] = packed[block, k]
            k += 1
    return out
