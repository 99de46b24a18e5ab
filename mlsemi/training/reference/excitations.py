"""Tamm-Dancoff excitations of a converged Kohn-Sham calculation (PySCF): full kernel and ris.

The matrix is applied between molecular orbitals: for molecules of a few heavy atoms all
density-fitted integrals and all orbitals on the grid fit into memory, and a product with one
vector costs a few matrix multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pyscf import df, dft, lib
from pyscf.lib.parameters import BOHR

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.excited.completeness import Linear
from mlsemi.excited.davidson import lowest_eigenpairs

RESIDUAL = 1e-4
"""Tolerance of |A X - w X|, hartree; the energies are then good to its square over the gap."""

EXTRA_ROOTS = 6
"""Roots followed beside the wanted ones, so that none is missed."""

NEAREST = 0.05
"""Least distance (hartree) of a diagonal element from a root in the preconditioner."""

STORED = np.float32
"""Precision of integrals and orbitals on the grid; Davidson and energies are double."""

RIS_THETA = 0.2
"""Exponent times squared radius of the minimal auxiliary functions (Zhou et al. 2023)."""

ABSOLUTE_RADII = {
    "H": 0.5292,
    "B": 0.8141,
    "C": 0.6513,
    "N": 0.5428,
    "O": 0.4652,
    "F": 0.4071,
    "Si": 1.1477,
    "P": 0.9922,
    "S": 0.8739,
    "Cl": 0.7808,
    "Se": 1.0424,
    "Br": 0.9532,
    "I": 1.1141,
}
"""Angstrom; D. C. Ghosh and R. Biswas, Int. J. Mol. Sci. 3, 87 (2002); Se, Br, I: D. C. Ghosh
et al., J. Mol. Struct. THEOCHEM 865, 60 (2008)."""


@dataclass(frozen=True, eq=False, repr=False)
class Excitations(Brief):
    """Tamm-Dancoff states of one multiplicity between valence and all virtual orbitals.

    Attributes
    ----------
    energies : (n_state,) array
        Hartree, ascending.
    amplitudes : (n_state, n_occ, n_vir) array
        X_ia, normalised to one.
    """

    energies: np.ndarray
    amplitudes: np.ndarray


class ReferenceResponse:
    """The Tamm-Dancoff matrix of a restricted Kohn-Sham reference.

    A_(ia,jb) = delta_ij delta_ab (eps_a - eps_i) + s_K (ia|jb) - c (ij|ab) - c_lr (ij|ab)_lr
    + (ia|f_xc|jb), with s_K = 2 and f_xc = f_aa + f_ab for singlets, 0 and f_aa - f_ab for
    triplets; c and c_lr are the functional's global and long-range fractions of exact exchange.

    Parameters
    ----------
    solver : pyscf.dft.rks.RKS
        Converged, with density fitting and a LDA or GGA functional (hybrid, range-separated).
    n_core : int
        Lowest orbitals that are not excited.

    Raises
    ------
    InputError
        If the functional is of another kind.
    """

    def __init__(self, solver: dft.rks.RKS, n_core: int) -> None:
        self.solver = solver
        self.kind = solver._numint.libxc.xc_type(solver.xc)
        if self.kind not in ("LDA", "GGA") or solver.do_nlc():
            raise InputError(f"excitations of {solver.xc!r}: only LDA, GGA and their hybrids")
        valence = slice(n_core, None)
        occupied = solver.mo_occ[valence] > 0
        orbitals, energies = solver.mo_coeff[:, valence], solver.mo_energy[valence]
        self.occupied, self.virtual = orbitals[:, occupied], orbitals[:, ~occupied]
        self.gaps = energies[~occupied][None, :] - energies[occupied][:, None]
        omega, alpha, hybrid = solver._numint.rsh_and_hybrid_coeff(solver.xc)
        self.exchange = [(hybrid, *self._fitted(None))]
        if omega:
            self.exchange.append((alpha - hybrid, *self._fitted(omega)))

    def _fit(self, exchange: bool) -> df.DF:
        """Density fitting of the Coulomb or the exchange integrals."""
        return self.solver.with_df

    def _fitted(self, omega: float | None) -> tuple[np.ndarray, np.ndarray]:
        """(n_aux, n_occ, n_occ) and (n_aux, n_vir, n_vir) factors of (ij|ab)."""
        fit = self._fit(exchange=True)
        if omega is not None:
            with fit.range_coulomb(omega) as ranged:
                return self._between(ranged, self.occupied), self._between(ranged, self.virtual)
        return self._between(fit, self.occupied), self._between(fit, self.virtual)

    def _between(
        self, fit: object, right: np.ndarray, left: np.ndarray | None = None
    ) -> np.ndarray:
        left = right if left is None else left
        blocks = [
            left.T @ (lib.unpack_tril(packed) @ right)
            for packed in fit.loop(100)  # type: ignore[attr-defined]
        ]
        return np.concatenate(blocks).astype(STORED)

    @cached_property
    def coulomb(self) -> np.ndarray:
        """(n_aux, n_occ n_vir) factors of (ia|jb)."""
        fitted = self._between(self._fit(exchange=False), self.virtual, self.occupied)
        return fitted.reshape(fitted.shape[0], -1)

    @cached_property
    def grid(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Occupied and virtual orbitals with derivatives (component, point, orbital), and f_xc.

        The kernel (2, component, component, point) holds f_aa and f_ab times the grid weights.
        """
        solver, numint = self.solver, self.solver._numint
        mol, grids, order = solver.mol, solver.grids, int(self.kind == "GGA")
        occupied, virtual, kernel = [], [], []
        for values, mask, weight, _ in numint.block_loop(mol, grids, mol.nao, order):
            half = 0.5 * numint.eval_rho2(
                mol, values, solver.mo_coeff, solver.mo_occ, mask, self.kind, with_lapl=False
            )
            f = numint.eval_xc_eff(
                solver.xc, np.stack([half, half]), deriv=2, xctype=self.kind, spin=1
            )[2]
            values = values if order else values[None]
            f = f.reshape(2, len(values), 2, len(values), -1)
            occupied.append((values @ self.occupied).astype(STORED))
            virtual.append((values @ self.virtual).astype(STORED))
            kernel.append((f[0].swapaxes(0, 1) * weight).astype(STORED))
        return (
            np.concatenate(occupied, axis=1),
            np.concatenate(virtual, axis=1),
            np.concatenate(kernel, axis=-1),
        )

    def apply(self, vectors: np.ndarray, triplet: bool) -> np.ndarray:
        """A x for the rows of ``vectors`` (n_vector, n_occ n_vir)."""
        X = vectors.reshape(-1, *self.gaps.shape)
        small = X.astype(STORED)
        image = self.gaps * X
        for fraction, between_occupied, between_virtual in self.exchange:
            for k, x in enumerate(small):
                # Y_Paj = sum_b (P|ab) X_jb, then sum_Pj (P|ij) Y_Paj
                half = between_virtual @ x.T
                image[k] -= fraction * np.tensordot(between_occupied, half, ((0, 2), (0, 2)))
        if not triplet:
            flat = small.reshape(len(small), -1)
            image += 2.0 * ((flat @ self.coulomb.T) @ self.coulomb).reshape(image.shape)
        self._add_functional(image, small, triplet)
        return image.reshape(vectors.shape)

    def _add_functional(self, image: np.ndarray, small: np.ndarray, triplet: bool) -> None:
        occupied, virtual, kernels = self.grid
        kernel = kernels[0] - kernels[1] if triplet else kernels[0] + kernels[1]
        for k, x in enumerate(small):
            image[k] += _exchange_correlation(occupied, virtual, kernel, x)

    def solve(self, n_state: int, triplet: bool) -> Excitations:
        """Lowest ``n_state`` excitations.

        Raises
        ------
        ConvergenceError
            If the Davidson iteration does not converge.
        """
        diagonal = self.gaps.copy()
        for fraction, between_occupied, between_virtual in self.exchange:
            ii, aa = (np.einsum("Ppp->Pp", f) for f in (between_occupied, between_virtual))
            diagonal -= fraction * (ii.T @ aa)
        lowest = diagonal.ravel()
        n_block = min(n_state + EXTRA_ROOTS, lowest.size)
        # noise reaches every symmetry species; less of it where the diagonal is high
        start = 0.02 * np.random.default_rng(0).normal(size=(n_block, lowest.size)) / lowest**2
        start[np.arange(n_block), np.argsort(lowest, kind="stable")[:n_block]] += 1.0
        energies, vectors = lowest_eigenpairs(
            lambda x: self.apply(x, triplet),
            _Diagonal(lowest),
            start,
            min(n_state, lowest.size),
            RESIDUAL,
        )
        return Excitations(energies, vectors.reshape(-1, *self.gaps.shape))


@dataclass(frozen=True, eq=False)
class _Diagonal:
    """Preconditioner from the diagonal of the matrix."""

    diagonal: np.ndarray

    def __call__(self, residual: np.ndarray, energies: np.ndarray) -> np.ndarray:
        distance = self.diagonal[None, :] - energies[:, None]
        return -residual / np.where(np.abs(distance) < NEAREST, NEAREST, distance)

    def definite(self, energy: float, kind: np.dtype) -> Linear:
        near = (1.0 / np.maximum(np.abs(self.diagonal - energy), NEAREST)).astype(kind)
        return lambda residual: residual * near


def _exchange_correlation(
    occupied: np.ndarray, virtual: np.ndarray, kernel: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """(ia|f_xc|rho_x) with rho_x and its gradient on the grid."""
    half = virtual @ x.T
    density = np.einsum("xri,ri->xr", occupied, half[0])
    density[1:] += np.einsum("ri,xri->xr", occupied[0], half[1:])
    potential = np.einsum("xyr,yr->xr", kernel, density)
    image = occupied[0].T @ np.einsum("xr,xra->ra", potential, virtual)
    if len(potential) > 1:
        image += np.einsum("xr,xri->ri", potential[1:], occupied[1:]).T @ virtual[0]
    return image


class MinimalResponse(ReferenceResponse):
    """The Tamm-Dancoff matrix with the minimal auxiliary kernel, TDA-ris.

    Coulomb integrals are fitted with one s and one p shell per atom, exchange integrals with one
    s function, all of exponent theta / R_A^2, and the exchange-correlation kernel is left out:
    Z. Zhou, F. Della Sala, S. M. Parker, J. Phys. Chem. Lett. 14, 1968 (2023).
    """

    def _fit(self, exchange: bool) -> df.DF:
        mol = self.solver.mol
        shells = (0,) if exchange else (0, 1)
        exponent = {
            symbol: RIS_THETA / (ABSOLUTE_RADII[symbol] / BOHR) ** 2 for symbol in set(mol.elements)
        }
        basis = {symbol: [[l, [a, 1.0]] for l in shells] for symbol, a in exponent.items()}
        return df.DF(mol, auxbasis=basis)

    def _add_functional(self, image: np.ndarray, small: np.ndarray, triplet: bool) -> None:
        if triplet:
            raise InputError("the minimal auxiliary kernel is defined for singlets only")
