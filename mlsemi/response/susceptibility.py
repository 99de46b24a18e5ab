"""Static susceptibility of the orbitals of the neutral molecule to potentials on its atoms.

To first order a potential u changes the moments by Pi u, with

    <v, Pi u> = 4 sum_ia V_ia U_ia / (eps_i - eps_a),   U_ia = C_i^T M(u) C_a

over doubly occupied i and empty a. Pi is negative: charge flows away from a positive potential's
energy. Electrons that do not fill a level are shared by it: with an odd number of them one half of
the molecule has the odd orbital filled and one half has it empty, and Pi is the mean of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.moments import AtomicMoments

LEVEL = 1e-4
"""Orbitals closer than this (hartree) are one level."""


@dataclass(frozen=True, eq=False)
class Filling:
    """Closed shell of the lowest orbitals, with its share in the molecule.

    Attributes
    ----------
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
        Columns in the Loewdin frame.
    gaps : (n_occ, n_vir) array
        eps_i - eps_a, negative, hartree.
    share : float
    """

    occupied: np.ndarray
    virtual: np.ndarray
    gaps: np.ndarray
    share: float

    @property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) share times 2 C_occ C_occ^T."""
        return 2.0 * self.share * self.occupied @ self.occupied.T

    def first_order(self, moments: AtomicMoments, potential: np.ndarray) -> np.ndarray:
        """X_ia = U_ia / (eps_i - eps_a): occupied orbital i becomes i + sum_a X_ia a."""
        return (self.occupied.T @ moments.operate(potential, self.virtual)) / self.gaps

    def density_adjoint(self, density_bar: np.ndarray) -> np.ndarray:
        """Adjoint of :attr:`density` by H_o (theory eq 11)."""
        rotated = self.occupied.T @ (density_bar + density_bar.T) @ self.virtual
        inner = self.occupied @ (self.share * rotated / self.gaps) @ self.virtual.T
        return inner + inner.T

    def second_order(
        self, moments: AtomicMoments, one: np.ndarray, other: np.ndarray
    ) -> np.ndarray:
        """Mixed second derivative of the density by the strengths of two potentials.

        Parameters
        ----------
        moments : AtomicMoments
        one, other : (n_atom, 4) arrays
            Potentials, hartree / e, and their gradients.
        """
        C, V = self.occupied, self.virtual
        x = {k: self.first_order(moments, u) for k, u in ((0, one), (1, other))}
        mixed = np.zeros_like(self.gaps)
        for k, u in ((1, one), (0, other)):
            on_occupied, on_virtual = moments.operate(u, C), moments.operate(u, V)
            mixed += x[k] @ (V.T @ on_virtual) - (C.T @ on_occupied) @ x[k]
        mixed /= self.gaps
        inside = C @ (x[0] @ x[1].T + x[1] @ x[0].T) @ C.T
        outside = V @ (x[0].T @ x[1] + x[1].T @ x[0]) @ V.T
        across = C @ mixed @ V.T
        return 2.0 * self.share * (across + across.T + outside - inside)


@dataclass(frozen=True, eq=False)
class Susceptibility:
    """Pi of one molecule.

    Attributes
    ----------
    moments : AtomicMoments
    fillings : tuple of Filling
        One, or two where the highest level is not full.
    n_electron : int
    """

    moments: AtomicMoments
    fillings: tuple[Filling, ...]
    n_electron: int

    @classmethod
    def of_state(
        cls, moments: AtomicMoments, state: ElectronicState, n_electron: int
    ) -> Susceptibility:
        """Susceptibility of the lowest orbitals, filled with ``n_electron`` electrons."""
        fillings = []
        for n, share in _shares(state.energies, n_electron):
            gaps = state.energies[:n, None] - state.energies[None, n:]
            occupied, virtual = state.orbitals[:, :n], state.orbitals[:, n:]
            fillings.append(Filling(occupied, virtual, gaps, share))
        return cls(moments, tuple(fillings), n_electron)

    @property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density of the neutral molecule, Loewdin frame."""
        return np.asarray(sum(filling.density for filling in self.fillings))

    def density_adjoint(self, density_bar: np.ndarray) -> np.ndarray:
        """Adjoint of :attr:`density` by H_o."""
        return np.asarray(sum(filling.density_adjoint(density_bar) for filling in self.fillings))

    @property
    def odd_shares(self) -> np.ndarray:
        """(n_atom,) share of every atom in the orbital that an odd electron is in; sums to one.

        Zero where the number of electrons is even.
        """
        densities = [weight * filling.density for filling, weight in self._odd]
        diagonal = np.diag(sum(densities, np.zeros_like(self.density)))
        atoms = self.moments.orbital_atom
        return np.bincount(atoms, diagonal, self.moments.n_atom)

    def odd_shares_adjoint(self, shares_bar: np.ndarray) -> np.ndarray:
        """Adjoint of :attr:`odd_shares` by H_o."""
        bar = np.diag(shares_bar[self.moments.orbital_atom])
        parts = [weight * filling.density_adjoint(bar) for filling, weight in self._odd]
        return np.asarray(sum(parts, np.zeros_like(bar)))

    @property
    def _odd(self) -> list[tuple[Filling, float]]:
        """Closed shells with the odd level empty and full, which differ by twice its orbitals."""
        if not self.n_electron % 2:
            return []
        empty, full = self.fillings
        twice = 2.0 * (full.occupied.shape[1] - empty.occupied.shape[1])
        return [(full, 1.0 / (twice * full.share)), (empty, -1.0 / (twice * empty.share))]

    def __call__(self, potential: np.ndarray) -> np.ndarray:
        """(n_atom, 4) moments Pi u that a potential (n_atom, 4) induces."""
        out = np.zeros_like(potential)
        for filling in self.fillings:
            half = filling.occupied @ filling.first_order(self.moments, potential)
            out += 2.0 * filling.share * self.moments.of_product(half, filling.virtual)
        return out

    def adjoint(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """d<v, Pi u>/dH_o for two potentials: the mixed second-order density."""
        parts = [filling.second_order(self.moments, one, other) for filling in self.fillings]
        return np.asarray(sum(parts))


@dataclass(frozen=True, eq=False)
class Induction:
    """Moments that a potential induces: x = s Pi u - a (0, minus the field).

    Attributes
    ----------
    susceptibility : Susceptibility
        Pi.
    screening : float
        s.
    atomic : (n_atom,) array
        a, polarisabilities of the atoms by themselves, bohr^3.
    """

    susceptibility: Susceptibility
    screening: float
    atomic: np.ndarray

    def __call__(self, potential: np.ndarray) -> np.ndarray:
        """(n_atom, 4) moments that a potential (n_atom, 4) induces."""
        out = self.screening * self.susceptibility(potential)
        out[:, 1:] -= self.atomic[:, None] * potential[:, 1:]
        return out

    def adjoint(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """d<v, x(u)>/dH_o for two potentials."""
        return self.screening * self.susceptibility.adjoint(one, other)


def _shares(energies: np.ndarray, n_electron: int) -> list[tuple[int, float]]:
    """Closed shells (number of orbitals, share) whose mean holds ``n_electron`` electrons."""
    pairs, odd = divmod(n_electron, 2)
    closed = not odd and (
        pairs in (0, energies.size) or energies[pairs] - energies[pairs - 1] > LEVEL
    )
    if closed:
        return [(pairs, 1.0)]
    frontier = energies[pairs] if odd else energies[pairs - 1]
    below = int(np.searchsorted(energies, frontier - LEVEL))
    through = int(np.searchsorted(energies, frontier + LEVEL))
    full = (0.5 * n_electron - below) / (through - below)
    return [(below, 1.0 - full), (through, full)]
