"""One molecule, from coordinates to observables: the page to read first.

``singlepoint`` is the method section of the theory, one call per arrow:

    structure -> pairs -> features -> irreps of H -> H_o -> orbitals -> charges, dipole, energy
              -> forces (reverse walk) -> excited states -> spectrum
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from threadpoolctl import ThreadpoolController

import mlsemi
from mlsemi import eigen, observables
from mlsemi.basis import Basis
from mlsemi.eigen import ElectronicState
from mlsemi.errors import InputError
from mlsemi.excitations import ExcitedStates, build_interaction, excite_with, intensities
from mlsemi.formats import iter_frames
from mlsemi.integrals import angular_integrals, dipole_integrals, overlap, velocity_integrals
from mlsemi.model import Model, ModelRecord, Prediction
from mlsemi.monopoles import ExcitationParameters
from mlsemi.observables import XYZ
from mlsemi.pairs import PairList
from mlsemi.parameters import DEFAULT, Parameters
from mlsemi.structure import Structure
from mlsemi.units import BOHR_ANGSTROM, EV_NM, FORCE_EV_ANGSTROM, HARTREE_EV


class GroundState(NamedTuple):
    """Ground-state observables of one structure.

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) array
        H_o, Loewdin frame, hartree.
    state : ElectronicState
    density : (n_orbital, n_orbital) array
        P_o, Loewdin frame.
    charges : (n_atom,) array
        Loewdin charges, e.
    dipole : (3,) array
        e bohr.
    energy : float
        Total energy, hartree.
    """

    hamiltonian: np.ndarray
    state: ElectronicState
    density: np.ndarray
    charges: np.ndarray
    dipole: np.ndarray
    energy: float


def ground_state(model: Model, prediction: Prediction, index: int) -> GroundState:
    """Diagonalise H_o of structure ``index`` of a prediction and evaluate its observables."""
    pairs = prediction.hamiltonian.pairs
    structure = pairs.structures[index]
    rows = pairs.atoms_of(index)
    hamiltonian = prediction.hamiltonian.matrix(index)
    state = eigen.solve(hamiltonian, structure.n_electron)
    density = state.density
    charges = observables.lowdin_charges(structure, density)
    dipole = observables.dipole(
        structure,
        charges,
        density,
        model.weights["dipole.sp"][pairs.species[rows]],
        prediction.atom_dipoles[rows][:, XYZ],
    )
    energy = float(prediction.atom_energies[rows].sum())
    return GroundState(hamiltonian, state, density, charges, dipole, energy)


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
        Total energy, hartree.
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


@cache
def _libraries() -> ThreadpoolController:
    """Thread pools of the linear-algebra libraries; scanned once, which takes milliseconds."""
    return ThreadpoolController()


class Clock:
    """Wall time of named steps."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time spent inside the block to ``name``."""
        start = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - start


def as_structure(
    source: str | os.PathLike[str] | Atoms | Structure, charge: int | None
) -> Structure:
    """Structure of a path (first frame), ``ase.Atoms`` or a Structure (returned as it is)."""
    if isinstance(source, Structure):
        return source
    if isinstance(source, Atoms):
        return Structure.from_ase(source, charge or 0)
    return next(iter_frames(os.fspath(source), charge)).structure


def singlepoint(
    source: str | os.PathLike[str] | Atoms | Structure,
    *,
    charge: int | None = None,
    parameters: str | os.PathLike[str] | Parameters = DEFAULT,
    singlets: int = 0,
    triplets: int = 0,
    max_energy: float | None = None,
    forces: bool = False,
    threads: int = 1,
) -> Result:
    """Orbitals, charges, dipole, energy; forces and excited states on request.

    Parameters
    ----------
    source : path, ase.Atoms or Structure
        A path is read with its first frame.
    charge : int, optional
        Total charge, e; by default what the file says, else 0. A Structure brings its own.
    parameters : str, path or Parameters
        Parameter set.
    singlets, triplets : int
        Number of excited states.
    max_energy : float, optional
        Instead of ``singlets``: all singlets up to this energy, hartree.
    forces : bool
        Analytic forces by the reverse walk.
    threads : int
        Threads of the linear-algebra libraries.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the structure is unusable or holds an element the parameters were not trained for.
    ParameterError
        If the parameter set is missing or corrupted.
    """
    clock = Clock()
    with clock.step("total"), _libraries().limit(limits=threads):
        chosen = parameters if isinstance(parameters, Parameters) else Parameters.load(parameters)
        structure = as_structure(source, charge)
        chosen.check(structure)
        model = chosen.model
        with clock.step("pairs"):
            pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        with clock.step("hamiltonian"):
            prediction, record = model.predict(pairs)
        with clock.step("electronic"):
            ground = ground_state(model, prediction, 0)
        with clock.step("forces"):
            gradient = _forces(model, pairs, prediction, record, ground) if forces else None
        frame = AtomicOrbitals(structure)
        with clock.step("excitations"):
            asked = {"singlet": singlets, "triplet": triplets}
            states = _excited(frame, ground.state, chosen.excitation, asked, max_energy)
    notes = chosen.warnings(structure, pairs, record.features) + _doubts(asked, states)
    return Result(
        structure, chosen, ground.state, frame, ground.charges, ground.dipole, ground.energy,
        gradient, states.get("singlets"), states.get("triplets"), notes, clock.timings,
    )  # fmt: skip


def _doubts(asked: dict[str, int], found: dict[str, ExcitedStates]) -> tuple[str, ...]:
    """What a user should know about the excited states."""
    out = []
    for multiplicity, number in asked.items():
        states = found.get(f"{multiplicity}s")
        if states is None:
            continue
        if states.n_state < number:
            out.append(f"only {states.n_state} {multiplicity}s exist in the minimal basis")
        if states.n_state and states.energies[0] < 0.0:
            out.append(
                f"the lowest {multiplicity} lies below the ground state: the closed-shell ground "
                "state is unstable or the geometry unusual"
            )
    return tuple(out)


def _forces(
    model: Model,
    pairs: PairList,
    prediction: Prediction,
    record: ModelRecord,
    ground: GroundState,
) -> np.ndarray:
    from mlsemi.adjoint import Cotangent, reverse

    _, positions_bar = reverse(
        model, pairs, prediction, record, [ground], [Cotangent(energy=1.0)], with_positions=True
    )
    assert positions_bar is not None
    return -positions_bar


def _excited(
    frame: AtomicOrbitals,
    state: ElectronicState,
    constants: ExcitationParameters,
    asked: dict[str, int],
    max_energy: float | None,
) -> dict[str, ExcitedStates]:
    """Excited states of each multiplicity asked for, with intensities."""
    out: dict[str, ExcitedStates] = {}
    if any(n < 0 for n in asked.values()):
        raise InputError("the number of excited states must not be negative")
    wanted = {m: n for m, n in asked.items() if n or (m == "singlet" and max_energy is not None)}
    if not wanted:
        return out
    x, basis, positions = frame.inverse_root, frame.basis, frame.structure.positions
    operators = [
        np.stack([x @ component @ x for component in integrals])
        for integrals in (
            dipole_integrals(basis, positions),
            velocity_integrals(basis, positions),
            angular_integrals(basis, positions, np.zeros(3)),
        )
    ]
    between = build_interaction(
        frame.structure.numbers, positions, basis.orbital_atom, basis.orbital_l, constants
    )
    for multiplicity, number in wanted.items():
        states = excite_with(
            state,
            between,
            number or None,
            multiplicity,  # type: ignore[arg-type]
            max_energy if multiplicity == "singlet" and not number else None,
        )
        out[f"{multiplicity}s"] = intensities(states, state, *operators)
    return out
