"""Atomic moments: the charge and the s-p dipole of each atom in the Loewdin frame.

What a potential does to electrons, and what electrons do to a potential, goes through these four
numbers per atom. With u = (potential, minus the field) on each atom,

    U = sum_A q_A u_A + mu_A . u_A,     q_A = - sum_(m in A) P_mm,   mu_A = -2 d_A P(s_A, p_A)

so that the operator of the potential is M(u) = dU/dP and ``operator`` is the adjoint of ``of``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import orbital_atom, sp_rows
from mlsemi.symmetry.so3 import XYZ


@dataclass(frozen=True, eq=False)
class AtomicMoments:
    """Moments of densities, and operators of potentials, of one structure.

    Attributes
    ----------
    orbital_atom : (n_orbital,) int array
    s, with_p : (n_heavy,) int arrays
        First orbital of every atom that carries a p shell, and those atoms.
    sp_length : (n_heavy,) array
        d_A = <s|r|p> of these atoms, bohr.
    n_atom : int
    """

    orbital_atom: np.ndarray
    s: np.ndarray
    with_p: np.ndarray
    sp_length: np.ndarray
    n_atom: int

    @classmethod
    def of_structure(cls, structure: Structure, sp_length: np.ndarray) -> AtomicMoments:
        """Moments of a structure with s-p lengths (n_atom,), bohr."""
        s, with_p = sp_rows(structure)
        return cls(orbital_atom(structure), s, with_p, sp_length[with_p], structure.n_atom)

    @property
    def p(self) -> np.ndarray:
        """(n_heavy, 3) orbitals p_x, p_y, p_z."""
        return self.s[:, None] + 1 + XYZ

    def of(self, density: np.ndarray) -> np.ndarray:
        """(n_atom, 4) charge and dipole x, y, z of the electrons of a density matrix, e, e bohr."""
        between = 0.5 * (density[self.s[:, None], self.p] + density[self.p, self.s[:, None]])
        return self._join(np.diag(density), between)

    def of_product(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Moments of left right^T + right left^T, (n_orbital, m) each, without that matrix."""
        s, p = self.s, self.p
        between = np.einsum("ak,axk->ax", left[s], right[p]) + np.einsum(
            "ak,axk->ax", right[s], left[p]
        )
        return self._join(2.0 * np.einsum("mk,mk->m", left, right), between)

    def _join(self, diagonal: np.ndarray, between: np.ndarray) -> np.ndarray:
        out = np.zeros((self.n_atom, 4))
        out[:, 0] = -np.bincount(self.orbital_atom, diagonal, self.n_atom)
        out[self.with_p, 1:] = -2.0 * self.sp_length[:, None] * between
        return out

    def operator(self, potential: np.ndarray) -> np.ndarray:
        """(n_orbital, n_orbital) M(u), symmetric, hartree; adjoint of :meth:`of`.

        Parameters
        ----------
        potential : (n_atom, 4) array
            Potential and minus the field on each atom, atomic units.
        """
        out = np.diag(-potential[self.orbital_atom, 0])
        coupling = -self.sp_length[:, None] * potential[self.with_p, 1:]
        out[self.s[:, None], self.p] = coupling
        out[self.p, self.s[:, None]] = coupling
        return out

    def operate(self, potential: np.ndarray, orbitals: np.ndarray) -> np.ndarray:
        """M(u) times columns (n_orbital, m), without the matrix."""
        out = -potential[self.orbital_atom, 0, None] * orbitals
        coupling = -self.sp_length[:, None] * potential[self.with_p, 1:]
        out[self.s] += np.einsum("ax,axk->ak", coupling, orbitals[self.p])
        out[self.p] += coupling[:, :, None] * orbitals[self.s][:, None, :]
        return out
