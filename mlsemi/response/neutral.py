"""The neutral molecule with paired electrons, from which charge and spin are counted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.atomic_polarizability import SCREENING, polarizabilities
from mlsemi.response.moments import AtomicMoments
from mlsemi.response.susceptibility import Induction, Susceptibility


@dataclass(frozen=True, eq=False)
class Neutral:
    """The neutral molecule with paired electrons, of which everything is a change.

    Attributes
    ----------
    structure : Structure
    hamiltonian : (n_orbital, n_orbital) array
        H_o.
    state : ElectronicState
        Its orbitals.
    atom_dipoles : (n_atom, 3) array
        Learned dipoles of the atoms, e bohr.
    moments : AtomicMoments
    """

    structure: Structure
    hamiltonian: np.ndarray
    state: ElectronicState
    atom_dipoles: np.ndarray
    moments: AtomicMoments

    @property
    def n_electron(self) -> int:
        """Valence electrons of the neutral molecule."""
        return int(self.structure.core_charges.sum())

    @cached_property
    def susceptibility(self) -> Susceptibility:
        """Pi."""
        return Susceptibility.of_state(self.moments, self.state, self.n_electron)

    def induction(self, screening: float, closed: bool) -> Induction:
        """What a potential induces in the closed shell, or where electrons came or went."""
        atomic = polarizabilities(self.structure.numbers, closed)
        return Induction(self.susceptibility, SCREENING if closed else screening, atomic)

    @cached_property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) P_0."""
        return self.susceptibility.density

    @cached_property
    def own_moments(self) -> np.ndarray:
        """(n_atom, 4) moments q_0, cores and learned dipoles included."""
        out = self.moments.of(self.density)
        out[:, 0] += self.structure.core_charges
        out[:, 1:] += self.atom_dipoles
        return out
