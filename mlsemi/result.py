"""What a single point returns: typed records, atomic units, and the JSON made from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import mlsemi
from mlsemi import eigen, observables
from mlsemi.basis import Basis
from mlsemi.eigen import ElectronicState
from mlsemi.excitations import ExcitedStates
from mlsemi.integrals import overlap
from mlsemi.parameters import Parameters
from mlsemi.structure import Structure
from mlsemi.units import BOHR_ANGSTROM, BOLTZMANN, EV_NM, FORCE_EV_ANGSTROM, HARTREE_EV


@dataclass(frozen=True, eq=False)
class AtomicOrbitals:
    """Atomic orbitals behind the Loewdin frame of a structure; evaluated when first asked for."""

    structure: Structure

    @cached_property
    def basis(self) -> Basis:
        """Valence minimal basis."""
        return Basis.of(self.structure)

    @cached_property
    def overlap(self) -> np.ndarray:
        """(n_orbital, n_orbital) overlap S of the atomic orbitals."""
        return overlap(self.basis, self.structure.positions)

    @cached_property
    def inverse_root(self) -> np.ndarray:
        """(n_orbital, n_orbital) S^-1/2."""
        return eigen.inverse_root(self.overlap)


@dataclass(frozen=True, eq=False)
class Result:
    """Everything computed for one structure, atomic units.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    state : ElectronicState
        Orbital energies (hartree) and orbitals in the Loewdin frame.
    frame : AtomicOrbitals
        Basis, overlap and S^-1/2.
    charges : (n_atom,) array
        Loewdin charges, e.
    dipole : (3,) array
        e bohr, about the origin of the coordinates.
    energy : float
        Total energy with dispersion, hartree; a free energy at a finite electronic temperature.
    dispersion : float or None
        What D4 contributes to the energy, hartree; None if it was left out.
    forces : (n_atom, 3) array or None
        Hartree / bohr.
    singlets, triplets : ExcitedStates or None
    warnings : tuple of str
    timings : dict of str to float
        Wall time of each step, s.
    """

    structure: Structure
    parameters: Parameters
    state: ElectronicState
    frame: AtomicOrbitals
    charges: np.ndarray
    dipole: np.ndarray
    energy: float
    dispersion: float | None
    forces: np.ndarray | None
    singlets: ExcitedStates | None
    triplets: ExcitedStates | None
    warnings: tuple[str, ...]
    timings: dict[str, float]

    @property
    def basis(self) -> Basis:
        """Valence minimal basis."""
        return self.frame.basis

    @property
    def overlap(self) -> np.ndarray:
        """(n_orbital, n_orbital) overlap S of the atomic orbitals."""
        return self.frame.overlap

    @property
    def inverse_root(self) -> np.ndarray:
        """(n_orbital, n_orbital) S^-1/2."""
        return self.frame.inverse_root

    @cached_property
    def orbitals(self) -> np.ndarray:
        """(n_orbital, n_orbital) columns C = S^-1/2 C_o over atomic orbitals."""
        return self.inverse_root @ self.state.orbitals

    @cached_property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix over atomic orbitals."""
        return self.inverse_root @ self.state.density @ self.inverse_root

    @cached_property
    def mulliken_charges(self) -> np.ndarray:
        """(n_atom,) Mulliken charges, e."""
        return observables.mulliken_charges(self.structure, self.density, self.overlap)

    @cached_property
    def bond_orders(self) -> np.ndarray:
        """(n_atom, n_atom) Mayer bond orders."""
        return observables.mayer_bond_orders(self.structure, self.density, self.overlap)

    def to_dict(self, bond_order_threshold: float = 0.1) -> dict[str, Any]:
        """Record of one structure for JSON (eV, angstrom, e); keys not asked for are absent."""
        n = self.state.n_occupied
        orders = np.triu(self.bond_orders)
        record: dict[str, Any] = {
            "mlsemi_version": mlsemi.__version__,
            "parameters": {"name": self.parameters.name, "checksum": self.parameters.checksum},
            "structure": {
                "symbols": self.structure.symbols,
                "positions_angstrom": (self.structure.positions * BOHR_ANGSTROM).tolist(),
                "charge": self.structure.charge,
            },
            "orbital_energies_ev": (self.state.energies * HARTREE_EV).tolist(),
            "n_occupied": n,
            "homo_ev": self.state.homo * HARTREE_EV,
            "lumo_ev": self.state.lumo * HARTREE_EV,
            "gap_ev": (self.state.lumo - self.state.homo) * HARTREE_EV,
            "charges_e": self.charges.tolist(),
            "dipole_e_angstrom": (self.dipole * BOHR_ANGSTROM).tolist(),
            "bond_orders": [
                [int(i), int(j), float(orders[i, j])]
                for i, j in np.argwhere(orders > bond_order_threshold)
            ],
            "energy_ev": self.energy * HARTREE_EV,
        }
        if self.dispersion is not None:
            record["dispersion_ev"] = self.dispersion * HARTREE_EV
        if self.state.kt:
            record["electronic_temperature_k"] = self.state.kt / BOLTZMANN
            record["occupations"] = self.state.occupations.tolist()
            record["electronic_entropy_term_ev"] = -self.state.kt * self.state.entropy * HARTREE_EV
        if self.forces is not None:
            record["forces_ev_per_angstrom"] = (self.forces * FORCE_EV_ANGSTROM).tolist()
        excited = {"singlets": self.singlets, "triplets": self.triplets}
        if any(excited.values()):
            record["excitations"] = {k: _states(v) for k, v in excited.items() if v is not None}
        return record | {"warnings": list(self.warnings), "timings_s": self.timings}


def _states(states: ExcitedStates) -> list[dict[str, Any]]:
    from mlsemi.spectrum import ROTATORY_CGS

    return [
        {
            "energy_ev": float(states.energies[k]) * HARTREE_EV,
            "wavelength_nm": EV_NM / (float(states.energies[k]) * HARTREE_EV),
            "oscillator_strength": float(states.oscillator_strengths[k]),
            "rotatory_strength_1e40_cgs": float(states.rotatory_strengths[k]) * ROTATORY_CGS,
            "transition_dipole_e_angstrom": (states.transition_dipoles[k] * BOHR_ANGSTROM).tolist(),
            "contributions": [
                {"from": i, "to": a, "weight": weight} for i, a, weight in states.contributions(k)
            ],
        }
        for k in range(states.n_state)
    ]
