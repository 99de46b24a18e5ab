"""What surrounds a molecule: a uniform field, point charges, a polarisable continuum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.response.cavity import Cavity
from mlsemi.response.solvents import Solvent
from mlsemi.units import FORCE_EV_ANGSTROM

CLOSEST = 0.5
"""A point charge closer to an atom than this (bohr) is refused."""

STRONGEST = 0.04
"""Fields from here on (atomic units) are warned about."""

CAGE = 20
"""Fewer atoms enclose nothing."""


def numbers_of(name: str, value: ArrayLike) -> np.ndarray:
    """An array of numbers, a copy.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name}: need numbers, not {value!r:.60}") from None


def pair_of(point_charges: Any) -> tuple[np.ndarray, np.ndarray]:
    """Point charges and their positions.

    Raises
    ------
    InputError
        If they are none.
    """
    try:
        charges, positions = point_charges
    except (TypeError, ValueError):
        raise InputError("point charges: give their charges and their positions") from None
    return numbers_of("point charges", charges), numbers_of("point charges", positions)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Field, point charges and solvent around any molecule, atomic units.

    Attributes
    ----------
    field : (3,) array or None
        Uniform electric field.
    charges : (n_charge,) array or None
        Point charges, e.
    charge_positions : (n_charge, 3) array or None
        Where they are, bohr.
    solvent : Solvent or None

    Raises
    ------
    InputError
        If a shape is wrong or a number not finite.
    """

    field: np.ndarray | None = None
    charges: np.ndarray | None = None
    charge_positions: np.ndarray | None = None
    solvent: Solvent | None = None

    def __post_init__(self) -> None:
        if (self.charges is None) != (self.charge_positions is None):
            raise InputError("point charges need their positions, and positions their charges")
        n = 0 if self.charges is None else np.size(self.charges)
        for name, shape in (("field", (3,)), ("charges", (n,)), ("charge_positions", (n, 3))):
            value = getattr(self, name)
            if value is None:
                continue
            words = name.replace("_", " ")
            value = numbers_of(words, value)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"{words}: need finite numbers of shape {shape}")
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return self.field is None and self.charges is None and self.solvent is None

    def doubts(self, structure: Structure) -> tuple[str, ...]:
        """Warnings: of a field that no polarisation linear in it describes, of a solvent in a cage.

        Parameters
        ----------
        structure : Structure
            What they surround.
        """
        out = []
        size = 0.0 if self.field is None else float(np.linalg.norm(self.field))
        if size >= STRONGEST:
            out.append(
                f"a field of {size * FORCE_EV_ANGSTROM:.3g} V/angstrom: polarisation is taken as "
                "linear, and molecules lose electrons from about 2 V/angstrom on"
            )
        caged = self.solvent is not None and structure.n_atom >= CAGE
        if caged and Cavity.of(structure).holes:
            out.append(
                "the molecule encloses a room that the continuum of the solvent fills: its energy "
                "in the solvent is far too low"
            )
        return tuple(out)

    def around(self, structure: Structure) -> Embedding:
        """What they do to one structure."""
        return Embedding(self, structure)


@dataclass(frozen=True, eq=False)
class Embedding:
    """Potentials of the surroundings on the atoms of one structure.

    Attributes
    ----------
    surroundings : Surroundings
    structure : Structure
    """

    surroundings: Surroundings
    structure: Structure

    @cached_property
    def external(self) -> np.ndarray:
        """(n_atom, 4) potential, and minus the field, of what does not answer to the molecule."""
        given, positions = self.surroundings, self.structure.positions
        out = np.zeros((self.structure.n_atom, 4))
        if given.field is not None:
            out[:, 0] -= positions @ given.field
            out[:, 1:] -= given.field
        if given.charges is not None:
            apart, distance = self._apart
            out[:, 0] += (given.charges / distance).sum(axis=1)
            out[:, 1:] -= np.einsum("k,ik,ikx->ix", given.charges, distance**-3, apart)
        return out

    @cached_property
    def _apart(self) -> tuple[np.ndarray, np.ndarray]:
        """Vectors from the point charges to the atoms, and their lengths."""
        apart = self.structure.positions[:, None] - self.surroundings.charge_positions
        distance = np.linalg.norm(apart, axis=2)
        if distance.min(initial=np.inf) < CLOSEST:
            i, k = np.unravel_index(int(distance.argmin()), distance.shape)
            raise InputError(f"point charge {k} lies on atom {i}")
        return apart, distance

    @cached_property
    def cavity(self) -> Cavity | None:
        """The cavity, if there is a solvent."""
        return None if self.surroundings.solvent is None else Cavity.of(self.structure)

    def reaction(self, moments: np.ndarray) -> np.ndarray:
        """(n_atom, 4) potential with which the solvent answers to moments (n_atom, 4)."""
        if self.cavity is None or self.surroundings.solvent is None:
            return np.zeros_like(moments)
        return self.surroundings.solvent.factor * self.cavity.reaction(moments)

    @cached_property
    def nonpolar_energy(self) -> float:
        """Energy of the cavity itself, its area times a tension, hartree."""
        if self.cavity is None or self.surroundings.solvent is None:
            return 0.0
        return self.surroundings.solvent.tension * float(self.cavity.atom_areas.sum())

    def gradient(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Gradient of q.phi + 1/2 q K q at fixed moments q (n_atom, 4), and of the cavity.

        Returns
        -------
        By the positions of the atoms (n_atom, 3), and by those of the point charges or None.
        """
        given = self.surroundings
        out = np.zeros((self.structure.n_atom, 3))
        by_charges = None
        if given.field is not None:
            out -= moments[:, :1] * given.field
        if given.charges is not None:
            apart, distance = self._apart
            along = np.einsum("ix,ikx->ik", moments[:, 1:], apart)
            pull = -moments[:, :1] * distance**-3 + 3.0 * along * distance**-5
            pairs = given.charges[:, None] * (
                pull[:, :, None] * apart - moments[:, None, 1:] * distance[:, :, None] ** -3
            )
            out += pairs.sum(axis=1)
            by_charges = -pairs.sum(axis=0)
        if self.cavity is not None and given.solvent is not None:
            out += given.solvent.factor * self.cavity.reaction_adjoint(moments)
            if given.solvent.tension:
                tension = np.full(self.structure.n_atom, given.solvent.tension)
                out += self.cavity.areas_adjoint(tension)
        return out, by_charges
