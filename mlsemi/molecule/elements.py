"""Facts about elements: valence shells, electron counts, radii, hardnesses.

Adding an element to the minimal basis means adding one row to ``VALENCE``; nothing else in
the code knows which elements exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii, vdw_radii

from mlsemi.errors import ElementError, InputError
from mlsemi.units import BOHR_ANGSTROM


@dataclass(frozen=True)
class Valence:
    """Valence minimal basis of one element.

    Attributes
    ----------
    shells : tuple of (n, l)
        Principal and angular quantum numbers, in basis order.
    electrons : int
        Number of valence electrons of the neutral atom (the core charge seen by them).
    core_orbitals : int
        Doubly occupied core orbitals of the reference calculation that the valence basis leaves
        out. Iodine has 4s, 4p and 4d: the other 28 core electrons are in the effective core
        potential of the def2 sets.
    hardness : float
        Chemical hardness (second derivative of the energy with respect to charge), hartree;
        values of Ghosh and Islam, Int. J. Quantum Chem. 110, 1206 (2010), as used by
        Grimme's simplified TDA, J. Chem. Phys. 138, 244104 (2013).
    """

    shells: tuple[tuple[int, int], ...]
    electrons: int
    core_orbitals: int
    hardness: float


VALENCE = {
    1: Valence(((1, 0),), 1, 0, 0.47259288),
    5: Valence(((2, 0), (2, 1)), 3, 1, 0.33949086),
    6: Valence(((2, 0), (2, 1)), 4, 1, 0.42195412),
    7: Valence(((2, 0), (2, 1)), 5, 1, 0.50438193),
    8: Valence(((2, 0), (2, 1)), 6, 1, 0.58691863),
    9: Valence(((2, 0), (2, 1)), 7, 1, 0.66931351),
    14: Valence(((3, 0), (3, 1)), 4, 5, 0.30539645),
    15: Valence(((3, 0), (3, 1)), 5, 5, 0.34734014),
    16: Valence(((3, 0), (3, 1)), 6, 5, 0.38924725),
    17: Valence(((3, 0), (3, 1)), 7, 5, 0.43115670),
    34: Valence(((4, 0), (4, 1)), 6, 14, 0.40273549),
    35: Valence(((4, 0), (4, 1)), 7, 14, 0.43445776),
    53: Valence(((5, 0), (5, 1)), 7, 9, 0.41040808),
}


def valence(number: int) -> Valence:
    """Valence basis of the element with atomic number ``number``.

    Raises
    ------
    ElementError
        If the element has no row in the valence table.
    """
    try:
        return VALENCE[int(number)]
    except KeyError:
        raise ElementError(f"element {symbol(number)} has no valence basis") from None


@cache
def n_orbital_of(number: int) -> int:
    """Number of valence orbitals of one element."""
    return sum(2 * l + 1 for _, l in valence(number).shells)


def relative_of(number: int, known: Iterable[int]) -> int:
    """The known element most like another: as many valence electrons, the nearest in number."""
    electrons = valence(number).electrons
    return min(known, key=lambda z: (abs(valence(z).electrons - electrons), abs(z - number)))


def symbol(number: int) -> str:
    """Chemical symbol of an atomic number (``"X"`` for anything that is not an element)."""
    return chemical_symbols[int(number)] if 0 < int(number) < len(chemical_symbols) else "X"


def number_of(symbol_text: str) -> int:
    """Atomic number of a chemical symbol; D and T are hydrogen.

    Raises
    ------
    InputError
        If the text is not the symbol of an element.
    """
    number = 1 if symbol_text in ("D", "T") else atomic_numbers.get(symbol_text.capitalize(), 0)
    if number < 1:
        raise InputError(f"unknown element symbol {symbol_text!r}")
    return number


def covalent_radius(numbers: np.ndarray) -> np.ndarray:
    """Covalent radii in bohr (Cordero et al., Dalton Trans. 2832 (2008), through ASE)."""
    return covalent_radii[np.asarray(numbers, dtype=int)] / BOHR_ANGSTROM


def van_der_waals_radius(numbers: np.ndarray) -> np.ndarray:
    """Van der Waals radii in bohr (Bondi, J. Phys. Chem. 68, 441 (1964), through ASE)."""
    return vdw_radii[np.asarray(numbers, dtype=int)] / BOHR_ANGSTROM


def formula(symbols: Iterable[str]) -> str:
    """Hill formula: C, H, then alphabetical; alphabetical throughout without carbon."""
    count = Counter(symbols)
    first = ["C", "H"] if "C" in count else []
    order = [s for s in first if s in count] + sorted(set(count) - set(first))
    return "".join(f"{s}{count[s] if count[s] > 1 else ''}" for s in order)
