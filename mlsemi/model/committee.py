"""Committee: many last layers on the features of one model, and how far they differ.

Each member shifts the s and p level and the energy of every atom, linearly in the invariants of
its surroundings. The shifts stand for what the model might have learned from other molecules of
the same kind (:mod:`mlsemi.training.calibration.committee_fit`); :mod:`mlsemi.records.uncertainty`
makes errors of observables of them. The idea of shared features with many outputs: Kellner and
Ceriotti, Mach. Learn.: Sci. Technol. 5, 035006 (2024).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlsemi.brief import Brief
from mlsemi.model.terms.domain import standardised
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.layers import Weights

S_LEVEL, P_LEVEL, ENERGY = range(3)
"""What a member shifts."""

QUANTITIES = (
    "occupied",
    "homo",
    "lumo",
    "virtual",
    "gap",
    "charges",
    "dipole",
    "energy",
    "singlets",
    "triplets",
)
"""What has a calibration of its own."""


class Calibration(NamedTuple):
    """From the spread s of the members to an uncertainty: ((factor s)^2 + floor^2)^1/2.

    Attributes
    ----------
    factor : float
    floor : float
        What is uncertain however well the features are known, in the unit of the quantity (a.u.).
    """

    factor: float = 1.0
    floor: float = 0.0

    def __call__(self, spread: np.ndarray) -> np.ndarray:
        """Uncertainty of every spread."""
        return np.hypot(self.factor * spread, self.floor)


@dataclass(frozen=True, eq=False, repr=False)
class Committee(Brief):
    """Shifts of all members, and the calibration of their spread.

    Attributes
    ----------
    shifts : (n_species, 1 + n_invariant, 3, n_member) array
        Per species, for a constant and each standardised invariant: shift of the s level, of the
        p level and of the atomic energy, hartree.
    calibration : mapping of str to Calibration
        For each of ``QUANTITIES``; those that were not calibrated are absent.
    limit : (n_species,) array
        Largest distance of an atom inside the training domain, hartree; see :func:`distances`.
    """

    shifts: np.ndarray
    calibration: Mapping[str, Calibration]
    limit: np.ndarray

    @property
    def n_member(self) -> int:
        """Number of members."""
        return self.shifts.shape[3]

    @property
    def checksum(self) -> str:
        """sha256 of the shifts, the limits and the calibration."""
        digest = hashlib.sha256()
        for value in (self.shifts, self.limit):
            digest.update(f"{value.shape}".encode())
            digest.update(np.ascontiguousarray(value, dtype=np.float64).tobytes())
        digest.update(json.dumps(self.plain_calibration(), sort_keys=True).encode())
        return digest.hexdigest()

    def plain_calibration(self) -> dict[str, dict[str, float]]:
        """The calibration as JSON holds it."""
        return {name: entry._asdict() for name, entry in self.calibration.items()}

    def atom_shifts(self, pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
        """(n_atom, 3, n_member) shifts of every (species-sorted) atom, hartree.

        Parameters
        ----------
        pairs : PairList
        invariants : (n_atom, n_invariant) array
        weights : mapping
            ``domain.center``, ``domain.spread``.
        """
        return shifts_of(committee_inputs(pairs, invariants, weights), pairs.species, self.shifts)

    def relative_distance(self, pairs: PairList, atom_shifts: np.ndarray) -> np.ndarray:
        """(n_atom,) distances of the species-sorted atoms, 1 where the training domain ends.

        Arguments as of :meth:`outside`.
        """
        distance, limit = distances(atom_shifts), self.limit[pairs.species]
        return np.divide(distance, limit, out=np.zeros_like(distance), where=limit > 0.0)

    def outside(self, pairs: PairList, atom_shifts: np.ndarray) -> np.ndarray:
        """Atoms of a one-structure pair list (in its order) that lie outside the training domain.

        Parameters
        ----------
        pairs : PairList
        atom_shifts : (n_atom, 3, n_member) array
            Result of :meth:`atom_shifts`.
        """
        return np.flatnonzero((self.relative_distance(pairs, atom_shifts) > 1.0)[pairs.atom])


def shifts_of(inputs: np.ndarray, species: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """(n_atom, 3, n_member) shifts of atoms from what the members are linear in.

    Parameters
    ----------
    inputs : (n_atom, 1 + n_invariant) array
    species : (n_atom,) int array
    shifts : (n_species, 1 + n_invariant, 3, n_member) array
        Hartree.
    """
    out = np.empty((len(inputs), *shifts.shape[2:]))
    for row in np.unique(species):
        mine = species == row
        flat = inputs[mine] @ shifts[row].reshape(inputs.shape[1], -1)
        out[mine] = flat.reshape(-1, *shifts.shape[2:])
    return out


def distances(atom_shifts: np.ndarray) -> np.ndarray:
    """(n_atom,) root mean square of the shifts of the levels over the members, hartree.

    It grows with the distance of the surroundings from those of training, in a metric that counts
    what matters to the levels and how well it was learned.
    """
    return np.sqrt(np.mean(atom_shifts[:, :ENERGY] ** 2, axis=(1, 2)))


def committee_inputs(pairs: PairList, invariants: np.ndarray, weights: Weights) -> np.ndarray:
    """(n_atom, 1 + n_invariant) what the members are linear in: one, and the invariants.

    Parameters
    ----------
    pairs : PairList
    invariants : (n_atom, n_invariant) array
    weights : mapping
        Of the model, with those of its domain.
    """
    ones = np.ones((pairs.n_atom, 1))
    return np.concatenate([ones, standardised(pairs.species, invariants, weights)], axis=1)
