"""The constants of the difference-density response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlsemi.molecule.elements import valence


@dataclass(frozen=True)
class ResponseConstants:
    """What the orbitals of the neutral molecule do not say themselves.

    Chosen with ``validation/response.py --fit`` on levels of ions at B3LYP/def2-TZVP that no
    parameter set has seen, and on energies of cations and triplets of the same functional.

    Attributes
    ----------
    hardness : float
        U_A of each atom in hardnesses of its element (:class:`mlsemi.molecule.elements.Valence`).
    exchange : float
        c, fraction of exact exchange between changes of the density.
    screening : float
        s, factor of the susceptibility in a minimal basis.
    spin : float
        -W_A in hardnesses of the element: what equal spins on one atom gain.
    """

    hardness: float = 0.77
    exchange: float = 0.17
    screening: float = 2.2
    spin: float = 0.09

    def hardness_of(self, numbers: np.ndarray) -> np.ndarray:
        """(n_atom,) U_A, hartree."""
        return self.hardness * _elementary(numbers)

    def spin_of(self, numbers: np.ndarray) -> np.ndarray:
        """(n_atom,) W_A, hartree, negative."""
        return -self.spin * _elementary(numbers)


def _elementary(numbers: np.ndarray) -> np.ndarray:
    return np.array([valence(z).hardness for z in numbers.tolist()])
