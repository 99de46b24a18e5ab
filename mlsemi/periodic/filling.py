"""How electrons fill the bands: Fermi level, occupations, gap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlsemi.brief import Brief
from mlsemi.orbitals import occupation

SAME = 1e-9
"""Levels nearer than this (hartree) to the Fermi level share its electrons at zero temperature."""


@dataclass(frozen=True, eq=False, repr=False)
class Filling(Brief):
    """Bands and the electrons in them.

    Attributes
    ----------
    energies : (n_k, n_orbital) array
        Ascending at each point, hartree.
    weights : (n_k,) array
        Of the points; they sum to one.
    n_electron : int
        Of a cell, even.
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.
    """

    energies: np.ndarray
    weights: np.ndarray
    n_electron: int
    kt: float = 0.0

    @property
    def n_occupied(self) -> int:
        """Bands that the electrons of a cell would fill."""
        return self.n_electron // 2

    @property
    def homo(self) -> float:
        """Top of the valence bands, hartree."""
        return float(self.energies[:, self.n_occupied - 1].max())

    @property
    def lumo(self) -> float:
        """Bottom of the conduction bands, hartree (NaN if all bands are filled)."""
        full = self.n_occupied == self.energies.shape[1]
        return float("nan") if full else float(self.energies[:, self.n_occupied].min())

    @property
    def gap(self) -> float:
        """Smallest difference between conduction and valence bands, zero where they overlap."""
        return float(np.fmax(self.lumo - self.homo, 0.0))

    @property
    def direct_gap(self) -> float:
        """The same at one point (NaN if all bands are filled)."""
        n = self.n_occupied
        if n == self.energies.shape[1]:
            return float("nan")
        return float(np.min(self.energies[:, n] - self.energies[:, n - 1]))

    @property
    def metallic(self) -> bool:
        """Whether valence and conduction bands touch or overlap."""
        return bool(self.lumo - self.homo < SAME)

    @cached_property
    def fermi(self) -> float:
        """Fermi level, hartree: at zero temperature the middle of the gap."""
        if self.kt:
            column = self.weights[:, None]
            return occupation.fermi_level(self.energies, self.n_electron, self.kt, column)
        return self._highest if self.metallic else float(np.nanmean([self.homo, self.lumo]))

    @cached_property
    def _highest(self) -> float:
        """Level at which the lowest states hold all electrons."""
        energies = self.energies.reshape(-1)
        order = np.argsort(energies, kind="stable")
        each = np.repeat(2.0 * self.weights, self.energies.shape[1])[order]
        at = np.searchsorted(np.cumsum(each), self.n_electron * (1.0 - 1e-12))
        return float(energies[order[min(int(at), energies.size - 1)]])

    @cached_property
    def closed(self) -> np.ndarray:
        """(n_k, n_orbital) occupations at zero temperature; levels at the top share the rest."""
        if not self.metallic:
            return np.where(
                np.arange(self.energies.shape[1]) < self.n_occupied, 2.0, 0.0
            ) * np.ones_like(self.energies)
        below = self.energies < self._highest - SAME
        level = np.abs(self.energies - self._highest) <= SAME
        column = self.weights[:, None]
        left = self.n_electron - 2.0 * float(np.sum(column * below))
        share = left / float(np.sum(column * level))
        return 2.0 * below + share * level

    @cached_property
    def occupations(self) -> np.ndarray:
        """(n_k, n_orbital) electrons in each band at each point, from 0 to 2."""
        if not self.kt:
            return self.closed
        from_mu = (self.fermi - self.energies) / self.kt
        return np.asarray(2.0 * occupation.expit(from_mu))

    @property
    def entropy(self) -> float:
        """Entropy of the electrons of a cell over Boltzmann's constant."""
        return occupation.entropy(self.occupations, self.weights[:, None]) if self.kt else 0.0

    @property
    def band_energy(self) -> float:
        """Energy of the electrons of a cell at zero temperature, hartree."""
        return float(self.weights @ np.sum(self.closed * self.energies, axis=1))

    @property
    def smearing_energy(self) -> float:
        """Free energy of a cell less that at zero temperature (theory eq 15), hartree."""
        if not self.kt:
            return 0.0
        change = np.sum((self.occupations - self.closed) * self.energies, axis=1)
        return float(self.weights @ change) - self.kt * self.entropy
