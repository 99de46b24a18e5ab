"""What atoms polarise by themselves, which orbitals of a minimal basis do not show.

Charge that flows between atoms and s-p mixtures on them make the susceptibility Pi of the orbitals
(:mod:`mlsemi.response.susceptibility`). There is none across a plane or a bond, where polarisation
takes orbitals that a minimal basis does not have, and too much along conjugated bonds. Of a closed
shell in fields and solvents

    x_A = s Pi u - a_A (0, u_A),   u_A = (potential, minus the field) on the atom

so that the atoms add sum_A a_A to the polarisability, which turns with the molecule and is that of
its parts far from each other.
"""

from __future__ import annotations

import numpy as np

SCREENING = 0.4
"""s of closed shells in fields and solvents. Electrons that come or go need a larger one
(:class:`mlsemi.response.constants.ResponseConstants`): atoms swell and shrink with them."""

CLOSED = {
    1: 2.1, 6: 5.7, 7: 4.4, 8: 4.0, 9: 3.1, 16: 16.6, 17: 14.0,
    5: 3.5, 14: 18.0, 15: 21.0, 34: 24.0, 35: 19.0, 53: 30.0,
}  # fmt: skip
"""a, bohr^3, fitted with s to B3LYP/def2-SVPD (``validation/polarizability.py --fit``); those of
the second row of numbers are guesses from the free atoms, within 6 % of published values of SiH4,
PH3, CH3Br, CH3I; boron by BF3."""

OPEN = {
    1: 0.7, 6: 1.4, 7: 1.9, 8: 2.3, 9: 2.7, 16: 9.5, 17: 11.4,
    5: 3.0, 14: 10.0, 15: 13.0, 34: 17.0, 35: 15.0, 53: 24.0,
}  # fmt: skip
"""The same with the s of ions and open shells, which leaves less to the atoms."""


def polarizabilities(numbers: np.ndarray, closed: bool) -> np.ndarray:
    """(n_atom,) a of each atom of a closed shell, or of an ion or open shell, bohr^3."""
    table = CLOSED if closed else OPEN
    return np.array([table.get(z, 0.0) for z in numbers.tolist()])
