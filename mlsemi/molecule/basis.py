"""Basis: the valence minimal basis, Slater functions expanded in six Gaussians each (STO-6G).

The basis depends on the elements only; positions enter where integrals are taken. The s and p
shell of an atom share their Gaussian exponents, which the integral kernels rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import gamma, isfinite

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.molecule.elements import symbol, valence
from mlsemi.molecule.structure import Structure, read_only

# fmt: off
SLATER_EXPANSION = {
    1: (
        (2.310302225e+01, 4.235912080e+00, 1.185055163e+00,
         4.070985272e-01, 1.580884158e-01, 6.510958331e-02),
        ((9.163603024e-03, 4.936155293e-02, 1.685385343e-01,
          3.705627541e-01, 4.164911012e-01, 1.303342598e-01),),
    ),
    2: (
        (1.030870763e+01, 2.040360928e+00, 6.341421799e-01,
         2.439772940e-01, 1.059595185e-01, 4.856901240e-02),
        ((-1.325277056e-02, -4.699171010e-02, -3.378539432e-02,
          2.502419790e-01, 5.951170717e-01, 2.407061666e-01),
         (3.759688166e-03, 3.767935336e-02, 1.738968420e-01,
          4.180365353e-01, 4.258593804e-01, 1.017082878e-01)),
    ),
    3: (
        (3.080146530e+00, 8.248931576e-01, 3.093441372e-01,
         1.384683043e-01, 6.852089450e-02, 3.531329273e-02),
        ((-7.943206533e-03, -7.100293980e-02, -1.785025340e-01,
          1.510641949e-01, 7.354920916e-01, 2.760582361e-01),
         (-7.139415008e-03, -1.829269843e-02, 7.621648918e-02,
          4.145100393e-01, 4.889621855e-01, 1.058811483e-01)),
    ),
    4: (
        (1.365345088e+00, 4.393209846e-01, 1.877067297e-01,
         9.360269249e-02, 5.052265577e-02, 2.809355065e-02),
        ((3.775072484e-03, -5.585989186e-02, -3.192947013e-01,
          -2.764751038e-02, 9.049192168e-01, 3.406265892e-01),
         (-7.052083324e-03, -5.259512049e-02, -3.773434883e-02,
          3.874770631e-01, 5.791671041e-01, 1.221820766e-01)),
    ),
    5: (
        (7.701425598e-01, 2.756268701e-01, 1.301846713e-01,
         6.953447977e-02, 4.002548708e-02, 2.348390653e-02),
        ((1.267448501e-02, 3.266542669e-03, -4.307552844e-01,
          -3.231998784e-01, 1.104320854e+00, 4.368519410e-01),
         (-1.105667726e-03, -6.243138056e-02, -1.628478521e-01,
          3.210322030e-01, 6.964580762e-01, 1.493153897e-01)),
    ),
}
# fmt: on
"""Row n -> (exponents, coefficients of normalised Gaussians per l) of Slater functions, zeta = 1.

Least-squares fit after Hehre, Stewart and Pople, J. Chem. Phys. 51, 2657 (1969), made by
``validation/slater_expansion.py``; ns is the nodeless Slater function r^(n-1) exp(-r).
"""

# fmt: off
SLATER_EXPONENT = {
    1: 1.24, 5: 1.50, 6: 1.72, 7: 1.95, 8: 2.25, 9: 2.55, 14: 1.75, 15: 1.90, 16: 2.05, 17: 2.10,
    34: 2.22, 35: 2.38, 53: 2.42,
}
# fmt: on
"""Standard molecular valence exponents zeta, 1/bohr: Hehre, Stewart and Pople (1969);
Si, P, S, Cl: Hehre, Ditchfield, Stewart and Pople, J. Chem. Phys. 52, 2769 (1970); Se, Br: Pietro,
Levi, Hehre and Stewart, Inorg. Chem. 19, 2225 (1980); I: Pietro, Blurock, Hout, Hehre, DeFrees
and Stewart, Inorg. Chem. 20, 3650 (1981)."""


@dataclass(frozen=True, eq=False, repr=False)
class Basis(Brief):
    """Contracted Gaussians on the atoms of a structure: s, or s and p with shared exponents.

    Orbitals are ordered by atom, shell (s, then p) and m = -l..l, so p is y, z, x. With Racah's
    solid harmonics Y (1 for s; y, z, x for p), an orbital is

        phi(r) = Y_lm(r - R) sum_k coefficients[shell, k] exp(-exponents[shell, k] |r - R|^2).

    Use :meth:`of` to make one. All arrays are read-only.

    Attributes
    ----------
    orbital_atom, orbital_l, orbital_m : (n_orbital,) int arrays
        Atom, l and m of each orbital.
    shell_atom, shell_l, shell_offset : (n_shell,) int arrays
        Atom, l and first orbital of each shell.
    atom_offset : (n_atom + 1,) int array
        First orbital of each atom, and at the end ``n_orbital``.
    atom_species : (n_atom,) int array
        Row of each atom in the two species arrays.
    species_exponents : (n_species, n_primitive) array
        Gaussian exponents, 1/bohr^2.
    species_coefficients : (n_species, 2, n_primitive) array
        Coefficients of the s and the p shell, normalisation included; zero where no p shell is.
    """

    orbital_atom: np.ndarray
    orbital_l: np.ndarray
    orbital_m: np.ndarray
    shell_atom: np.ndarray
    shell_l: np.ndarray
    shell_offset: np.ndarray
    atom_offset: np.ndarray
    atom_species: np.ndarray
    species_exponents: np.ndarray
    species_coefficients: np.ndarray

    @classmethod
    def of(cls, structure: Structure, exponents: Mapping[int, float] | None = None) -> Basis:
        """Basis of a structure.

        Parameters
        ----------
        structure : Structure
        exponents : mapping of atomic number to float, optional
            Slater exponents zeta (1/bohr) that replace those of ``SLATER_EXPONENT``.

        Raises
        ------
        InputError
            If an exponent is not a positive number or an element has no Slater expansion.
        """
        zeta = SLATER_EXPONENT if exponents is None else {**SLATER_EXPONENT, **exponents}
        elements, atom_species = np.unique(structure.numbers, return_inverse=True)
        rows = [species_row(z, zeta.get(z, float("nan"))) for z in elements.tolist()]
        n_shell_of = np.array([len(valence(z).shells) for z in elements.tolist()])[atom_species]
        n_atom = structure.n_atom
        shell_atom = np.repeat(np.arange(n_atom), n_shell_of)
        shell_l = _count_up(n_shell_of)
        orbital_shell = np.repeat(np.arange(shell_l.size), 2 * shell_l + 1)
        orbital_l = shell_l[orbital_shell]
        atom_offset = np.concatenate(([0], np.cumsum(n_shell_of**2)))
        integers = {
            "orbital_atom": shell_atom[orbital_shell],
            "orbital_l": orbital_l,
            "orbital_m": _count_up(2 * shell_l + 1) - orbital_l,
            "shell_atom": shell_atom,
            "shell_l": shell_l,
            "shell_offset": atom_offset[shell_atom] + shell_l**2,
            "atom_offset": atom_offset,
            "atom_species": atom_species,
        }
        return cls(
            **{name: read_only(array, np.int64) for name, array in integers.items()},
            species_exponents=read_only(np.array([row[0] for row in rows])),
            species_coefficients=read_only(np.array([row[1] for row in rows])),
        )

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return self.atom_species.size

    @property
    def n_orbital(self) -> int:
        """Number of orbitals."""
        return self.orbital_atom.size

    @property
    def exponents(self) -> np.ndarray:
        """(n_shell, n_primitive) Gaussian exponents of each shell, 1/bohr^2."""
        return self.species_exponents[self.atom_species[self.shell_atom]]

    @property
    def coefficients(self) -> np.ndarray:
        """(n_shell, n_primitive) coefficients of each shell, normalisation included."""
        return self.species_coefficients[self.atom_species[self.shell_atom], self.shell_l]


def primitive_norm(exponents: np.ndarray, l: int) -> np.ndarray:
    """Norm N of N Y_lm(r) exp(-a r^2) with Racah's solid harmonics (r^l-normalised, Y_00 = 1).

    N^-2 = 4 pi / (2l + 1) int r^(2l+2) exp(-2 a r^2) dr
    """
    integral = 0.5 * gamma(l + 1.5) / (2.0 * exponents) ** (l + 1.5)
    return np.sqrt((2 * l + 1) / (4.0 * np.pi * integral))


@lru_cache(maxsize=1024)
def species_row(number: int, zeta: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians of one element with Slater exponent ``zeta``.

    A Slater function with zeta is the one with zeta = 1 in scaled coordinates, so all Gaussian
    exponents scale by zeta^2. Coefficients are rescaled to norm 1 at machine precision.

    Parameters
    ----------
    number : int
        Atomic number.
    zeta : float
        Slater exponent, 1/bohr.

    Returns
    -------
    exponents : (n_primitive,) array
    coefficients : (2, n_primitive) array
        s and p, normalisation included.

    Raises
    ------
    InputError
        If zeta is not a positive number or the shells are not ns, or ns and np.
    """
    if not (isfinite(zeta) and zeta > 0.0):
        raise InputError(f"Slater exponent of {symbol(number)} is {zeta}, need a positive number")
    shells = valence(number).shells
    n = shells[0][0]
    if shells not in (((n, 0),), ((n, 0), (n, 1))) or n not in SLATER_EXPANSION:
        raise InputError(f"no Slater expansion for the shells {shells} of {symbol(number)}")
    unit_exponents, unit_coefficients = SLATER_EXPANSION[n]
    exponents = zeta**2 * np.array(unit_exponents)
    p = exponents[:, None] + exponents[None, :]
    coefficients = np.zeros((2, exponents.size))
    for _, l in shells:
        row = np.array(unit_coefficients[l]) * primitive_norm(exponents, l)
        norm_squared = row @ (primitive_norm(0.5 * p, l) ** -2) @ row
        coefficients[l] = row / np.sqrt(norm_squared)
    exponents.setflags(write=False)
    coefficients.setflags(write=False)
    return exponents, coefficients


def _count_up(sizes: np.ndarray) -> np.ndarray:
    """0, 1, .., size - 1 for each of ``sizes``, one after the other."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
