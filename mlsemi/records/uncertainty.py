"""Uncertainty of observables: the spread of a committee by first-order perturbation theory.

A member shifts the levels of all shells by d_s. Then, to first order,

    orbital energies    d eps_p = sum_s n_sp d_s,       n_sp = sum_(mu in s) C_mu,p^2
    charges             d q_A   = 4 sum_ia B_A,ia F_ia / (eps_a - eps_i),  F_ia = sum_s B_s,ia d_s,
                        B_s,ia = sum_(mu in s) C_mu,i C_mu,a
    excitations         d w     = sum_s (particle - hole population of s) d_s

(theory eq 16), so that no member is ever diagonalised. Their root mean square over the
members, calibrated, is the uncertainty: 68 % of the errors on validation molecules were smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlsemi.brief import Brief
from mlsemi.excited.analysis import excitation_populations
from mlsemi.excited.states import Excitations
from mlsemi.kernels.response import transition_populations
from mlsemi.model.committee import ENERGY, Calibration
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.orbitals.observables import shell_populations, shells_of
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

SMALLEST_GAP = 1e-6
"""Hartree; first order says nothing of charges where a gap closes, so it counts as this large."""


def charge_response(structure: Structure, state: ElectronicState) -> np.ndarray:
    """(n_atom, n_shell) derivatives of the Loewdin charges with respect to levels of shells."""
    n = state.n_occupied
    atom, _, start = shells_of(structure)
    shell_of = np.repeat(np.arange(atom.size), np.diff(start, append=state.energies.size))
    orbitals = np.ascontiguousarray(state.orbitals)
    shells = transition_populations(orbitals, n, shell_of, atom.size).reshape(atom.size, -1)
    atoms = transition_populations(orbitals, n, atom[shell_of], structure.n_atom)
    gap = state.energies[None, n:] - state.energies[:n, None]
    inverse = 4.0 / np.maximum(gap, SMALLEST_GAP)
    return (atoms * inverse).reshape(structure.n_atom, -1) @ shells.T


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Brief):
    """Uncertainties of one single point, atomic units; each evaluated when first asked for.

    Attributes
    ----------
    structure : Structure
    state : ElectronicState
    shifts : (n_atom, 3, n_member) array
        What every member shifts, atoms in the order of the structure, hartree.
    calibration : mapping
        Of each quantity; without one the spread of the members stands as it is.
    knows_energy : bool
        Whether the members say something about the energy: of ions and of several molecules all
        of them are wrong together.
    """

    structure: Structure
    state: ElectronicState
    shifts: np.ndarray
    calibration: Mapping[str, Calibration]
    knows_energy: bool = True

    @cached_property
    def shell_shifts(self) -> np.ndarray:
        """(n_shell, n_member) shifts of the levels."""
        atom, momentum, _ = shells_of(self.structure)
        return self.shifts[atom, momentum]

    @cached_property
    def level_shifts(self) -> np.ndarray:
        """(n_orbital, n_member) shifts of the orbital energies."""
        return shell_populations(self.structure, self.state.orbitals).T @ self.shell_shifts

    def _of(self, name: str, shifts: np.ndarray) -> np.ndarray:
        """Root mean square over the members, calibrated."""
        calibration = self.calibration.get(name, Calibration())
        return calibration(np.sqrt(np.mean(shifts**2, axis=-1)))

    @cached_property
    def energies(self) -> np.ndarray:
        """(n_orbital,) of the orbital energies."""
        n = self.state.n_occupied
        parts = (("occupied", slice(0, n)), ("virtual", slice(n, None)))
        return np.concatenate([self._of(name, self.level_shifts[rows]) for name, rows in parts])

    @property
    def homo(self) -> float:
        """Of the energy of the highest occupied orbital."""
        return float(self._of("homo", self.level_shifts[self.state.n_occupied - 1]))

    @property
    def lumo(self) -> float:
        """Of the energy of the lowest unoccupied orbital (NaN if every orbital is filled)."""
        n = self.state.n_occupied
        full = n == self.state.energies.size
        return float("nan") if full else float(self._of("lumo", self.level_shifts[n]))

    @property
    def gap(self) -> float:
        """Of the orbital gap (NaN if every orbital is filled)."""
        n = self.state.n_occupied
        if n == self.state.energies.size:
            return float("nan")
        return float(self._of("gap", self.level_shifts[n] - self.level_shifts[n - 1]))

    @cached_property
    def charge_shifts(self) -> np.ndarray:
        """(n_atom, n_member) shifts of the charges."""
        return charge_response(self.structure, self.state) @ self.shell_shifts

    @cached_property
    def charges(self) -> np.ndarray:
        """(n_atom,) of the Loewdin charges."""
        return self._of("charges", self.charge_shifts)

    @property
    def dipole(self) -> float:
        """Of the dipole, the length of its error vector, from the shifted charges alone."""
        moved = self.structure.positions.T @ self.charge_shifts
        return float(self._of("dipole", np.linalg.norm(moved, axis=0)))

    @property
    def energy(self) -> float:
        """Of the total energy (NaN where it is not known)."""
        if not self.knows_energy:
            return float("nan")
        return float(self._of("energy", self.shifts[:, ENERGY].sum(axis=0)))

    def excitations(self, states: Excitations) -> np.ndarray:
        """(n_state,) of the excitation energies, at fixed amplitudes and interaction."""
        populations = excitation_populations(self.structure, self.state, states)
        name = f"{states.multiplicity}s"
        calibrated = name if name in self.calibration else "gap"
        return self._of(calibrated, populations @ self.shell_shifts)

    def to_dict(self) -> dict[str, Any]:
        """Record for JSON, in the units of the quantities it stands beside."""
        return {
            "orbital_energies_ev": (self.energies * HARTREE_EV).tolist(),
            "homo_ev": self.homo * HARTREE_EV,
            "lumo_ev": self.lumo * HARTREE_EV,
            "gap_ev": self.gap * HARTREE_EV,
            "charges_e": self.charges.tolist(),
            "dipole_e_angstrom": self.dipole * BOHR_ANGSTROM,
            "energy_ev": self.energy * HARTREE_EV,
        }
