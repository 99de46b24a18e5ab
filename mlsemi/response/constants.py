"""The constants of the difference-density response, atom by atom."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from mlsemi.model.terms.response import START, Start, elementary_hardness


@dataclass(frozen=True, eq=False)
class ResponseConstants:
    """What the orbitals of the neutral molecule do not say themselves.

    Attributes
    ----------
    hardness : (n_atom,) array
        U_A of an atom that has lost no charge, hartree.
    growth : (n_atom,) array
        k_A: an atom that has lost dq electrons has the hardness U_A exp(k_A dq).
    spin : (n_atom,) array
        W_A, hartree, negative: what equal spins on one atom gain.
    odd : (n_atom,) array
        y_A, hartree: what the energy of the closed shell lacks where the neutral molecule has an
        odd number of electrons, by the share of A in the orbital that is half full.
    exchange : float
        c, fraction of exact exchange between changes of the density.
    screening : float
        s, factor of the susceptibility in a minimal basis.
    """

    hardness: np.ndarray
    growth: np.ndarray
    spin: np.ndarray
    odd: np.ndarray
    exchange: float
    screening: float

    @classmethod
    def of_elements(cls, numbers: np.ndarray, known: Start = START) -> ResponseConstants:
        """Those of a set that has learned none: the same for all atoms of an element."""
        element, nothing = elementary_hardness(numbers), np.zeros(numbers.size)
        hardness, spin = known.hardness * element, -known.spin * element
        return cls(hardness, nothing, spin, nothing, known.exchange, known.screening)

    @classmethod
    def of_rows(cls, atoms: np.ndarray, shared: np.ndarray) -> ResponseConstants:
        """Those that a set has read off the features: (n_atom, 4) U, k, W, y and (2,) c, s."""
        return cls(*atoms.T, *shared.tolist())

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as in :meth:`of_rows`."""
        *atoms, exchange, screening = astuple(self)
        return np.stack(atoms, axis=1), np.array([exchange, screening])

    def by_hardness(self, hardness_bar: np.ndarray) -> ResponseConstants:
        """Cotangent of nothing but the hardness of closed shells, (n_atom,)."""
        atoms, shared = map(np.zeros_like, self.rows)
        atoms[:, 0] = hardness_bar
        return self.of_rows(atoms, shared)

    def hardness_at(self, lost: np.ndarray) -> np.ndarray:
        """(n_atom,) hardness of atoms that have lost so many electrons, hartree."""
        return np.asarray(self.hardness * np.exp(self.growth * lost))
