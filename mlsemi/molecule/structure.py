"""Structure: what is given to the program, checked once.

The only type that a user builds; everything downstream trusts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np
from ase import Atoms

from mlsemi.errors import ElementError, InputError
from mlsemi.kernels.geometry import nearest
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.images import neighbour_images
from mlsemi.molecule.elements import (
    VALENCE,
    covalent_radius,
    formula,
    n_orbital_of,
    symbol,
    valence,
)
from mlsemi.units import BOHR_ANGSTROM

MIN_DISTANCE_FRACTION = 0.4
"""Two atoms closer than this fraction of the sum of their covalent radii overlap."""

LONE = 3.0
"""Atoms of a cell whose nearest neighbour is farther than so many sums of radii count as lone."""

OTHER_UNIT = {BOHR_ANGSTROM: (0.37, 0.68), 1.0 / BOHR_ANGSTROM: (1.40, 2.50)}
"""Nearest neighbours of a molecule in the wrong unit of length, in sums of covalent radii: 0.53 or
1.89 times the 0.77 (N2) to 1.24 (F2) near minima."""


def read_only(array: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """Return a C-contiguous, read-only copy of ``array`` with the given dtype."""
    copy: np.ndarray = np.array(array, dtype=dtype, order="C", copy=True)
    copy.setflags(write=False)
    return copy


@dataclass(frozen=True, eq=False)
class Structure:
    """Atoms of one molecule, or of the cell of something periodic, and its electrons.

    Parameters
    ----------
    numbers : (n_atom,) int array
        Atomic numbers.
    positions : (n_atom, 3) array
        Cartesian coordinates, bohr.
    charge : int
        Total charge, e.
    multiplicity : int
        2 S + 1: 1 for paired electrons, 2 for a radical, 3 for a triplet.
    cell : Cell, optional
        Of a chain, a layer or a crystal, whose atoms may be wrapped or not.

    Raises
    ------
    InputError
        For no atoms, NaN or infinite coordinates, elements without a valence basis, two atoms
        (nearly) on top of each other, a multiplicity that does not fit the number of electrons, or
        a charge that leaves no electrons or more than the valence basis holds; for a cell with a
        charge or unpaired electrons. Atoms are counted from 0.
    """

    numbers: np.ndarray
    positions: np.ndarray
    charge: int = 0
    multiplicity: int = 1
    cell: Cell | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", read_only(self.numbers, np.int64))
        object.__setattr__(self, "positions", read_only(self.positions))
        object.__setattr__(self, "charge", whole(self.charge))
        object.__setattr__(self, "multiplicity", whole(self.multiplicity, "multiplicity"))
        if self.numbers.ndim != 1 or self.numbers.size == 0:
            raise InputError("the structure has no atoms")
        if self.positions.shape != (self.numbers.size, 3):
            raise InputError(
                f"positions have shape {self.positions.shape}, need ({self.numbers.size}, 3)"
            )
        self._check_atoms()
        self._check_electrons()

    def _check_atoms(self) -> None:
        for atom, number in enumerate(self.numbers.tolist()):
            try:
                valence(number)
            except ElementError as error:
                raise ElementError(f"atom {atom}: {error}") from None
        bad = np.flatnonzero(~np.isfinite(self.positions).all(axis=1))
        if bad.size:
            name = symbol(self.numbers[bad[0]])
            raise InputError(f"atom {bad[0]} ({name}) has a coordinate that is not finite")
        ratio, partner = self.nearest
        worst = int(np.argmin(ratio))
        if ratio[worst] < MIN_DISTANCE_FRACTION:
            i, j = sorted((worst, int(partner[worst])))
            radii = covalent_radius(self.numbers[[i, j]]).sum()
            distance = ratio[worst] * radii
            doubt = "".join(f" ({text})" for text in self.unit_doubts())
            raise InputError(
                f"atoms {i} ({symbol(self.numbers[i])}) and {j} ({symbol(self.numbers[j])}) "
                f"overlap: they are {distance * BOHR_ANGSTROM:.3g} angstrom apart{doubt}"
            )

    def _check_electrons(self) -> None:
        if self.cell is not None and self.charge:
            raise InputError(
                f"charge {self.charge:+d} in a periodic cell is not supported: cells are neutral"
            )
        if self.cell is not None and (self.multiplicity > 1 or self.of_odd_parent):
            raise InputError(
                "unpaired electrons in a periodic cell are not supported: if a cell has an odd "
                "number of them, double it"
            )
        if self.multiplicity < 1 or (self.n_electron + self.multiplicity) % 2 == 0:
            fitting = "even" if self.n_electron % 2 else "odd"
            raise InputError(
                f"{self.n_electron} valence electrons at charge {self.charge} do not have "
                f"multiplicity {self.multiplicity}: it must be {fitting} (2 is a radical, 3 a "
                "triplet); check charge and multiplicity"
            )
        if not 0 < self.n_electron <= 2 * self.n_orbital:
            raise InputError(
                f"charge {self.charge} leaves {self.n_electron} valence electrons, "
                f"allowed are 1 to {2 * self.n_orbital}"
            )
        unpaired = self.multiplicity - 1
        if unpaired > min(self.n_electron, 2 * self.n_orbital - self.n_electron):
            raise InputError(
                f"{self.n_electron} valence electrons have no {unpaired} unpaired ones"
            )

    @cached_property
    def nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """Distance of each atom from its nearest neighbour, in sums of their covalent radii, and
        that neighbour; infinity and -1 for a lone atom. In a cell any image counts.
        """
        radius = covalent_radius(self.numbers)
        if self.cell is None:
            ratio, partner = nearest(self.positions, radius)
        else:
            ratio, partner = _nearest_image(self.positions, radius, self.cell)
        return read_only(ratio), read_only(partner, np.int64)

    def unit_doubts(self) -> tuple[str, ...]:
        """A question about the unit of length, if all distances fit the other one."""
        ratio = self.nearest[0]
        for factor, (low, high) in OTHER_UNIT.items():
            if self.n_atom > 1 and np.all((ratio > low) & (ratio < high)):
                times = f"all distances are about {factor:.2f} times the usual ones"
                return (f"{times}: bohr or angstrom?",)
        return ()

    def __repr__(self) -> str:
        """One line."""
        what = f"charge {self.charge}" if self.cell is None else f"cell of {self.cell.kind}"
        return f"Structure({self.formula}, {self.n_atom} atoms, {what})"

    @property
    def formula(self) -> str:
        """Hill formula."""
        return formula(self.symbols)

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return self.numbers.size

    @property
    def n_orbital(self) -> int:
        """Size of the valence minimal basis."""
        return sum(n_orbital_of(z) for z in self.numbers.tolist())

    @cached_property
    def core_charges(self) -> np.ndarray:
        """(n_atom,) charges of the nuclei with their core electrons, e."""
        return read_only(np.array([valence(z).electrons for z in self.numbers.tolist()]))

    @property
    def center(self) -> np.ndarray:
        """(3,) center of the core charges, bohr."""
        return self.core_charges @ self.positions / self.core_charges.sum()

    @property
    def n_electron(self) -> int:
        """Number of valence electrons."""
        return int(self.core_charges.sum()) - self.charge

    @property
    def n_alpha(self) -> int:
        """Number of valence electrons of alpha spin."""
        return (self.n_electron + self.multiplicity - 1) // 2

    @property
    def of_odd_parent(self) -> bool:
        """Whether the neutral molecule would have an odd number of electrons."""
        return bool(self.core_charges.sum() % 2)

    @property
    def symbols(self) -> list[str]:
        """Chemical symbols of the atoms."""
        return [symbol(z) for z in self.numbers]

    @classmethod
    def from_ase(cls, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Structure:
        """Structure of an ``ase.Atoms`` object (angstrom), periodic where it is."""
        cell = Cell.of(np.asarray(atoms.cell) / BOHR_ANGSTROM, atoms.pbc)
        positions = atoms.get_positions() / BOHR_ANGSTROM
        return cls(atoms.numbers, positions, charge, multiplicity, cell)

    def to_ase(self) -> Atoms:
        """``ase.Atoms`` object with the same atoms (angstrom)."""
        atoms = Atoms(self.numbers, self.positions * BOHR_ANGSTROM)
        if self.cell is not None:
            atoms.set_cell(self.cell.vectors * BOHR_ANGSTROM)
            atoms.pbc = self.cell.periodic
        return atoms


def _nearest_image(
    positions: np.ndarray, radius: np.ndarray, cell: Cell
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest image of any atom to each, in sums of radii, as far as :data:`LONE` sums."""
    found = neighbour_images(positions, cell, LONE * 2.0 * float(radius.max()))
    distance = np.linalg.norm(found.vector, axis=1) / (radius[found.first] + radius[found.second])
    ratio, partner = np.full(radius.size, np.inf), np.full(radius.size, -1)
    order = np.lexsort((distance, found.first))
    atoms, at = np.unique(found.first[order], return_index=True)
    ratio[atoms], partner[atoms] = distance[order][at], found.second[order][at]
    return ratio, partner


def lowest_multiplicity(numbers: np.ndarray, charge: int) -> int:
    """1 for an even number of electrons, 2 for an odd one."""
    known = (VALENCE[z].electrons for z in numbers.tolist() if z in VALENCE)
    return 1 + (sum(known) - charge) % 2


def whole(number: float, quantity: str = "charge") -> int:
    """A charge, or another quantity that is one of the integers, as an int.

    Raises
    ------
    InputError
        If it is no whole number.
    """
    numeric = isinstance(number, Real) and not isinstance(number, bool | np.bool_)
    if not numeric or not np.isfinite(number) or number != int(number):
        raise InputError(f"the {quantity} {number!r} is not an integer")
    return int(number)
