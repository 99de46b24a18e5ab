"""What a single point returns: typed records, atomic units, and the JSON made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

import mlsemi
from mlsemi.brief import Brief
from mlsemi.excited.analysis import Transitions, analyse
from mlsemi.excited.states import ExcitedStates
from mlsemi.excited.unrestricted import SpinOrbitals
from mlsemi.machine.threads import limited
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import overlap
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen, observables
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.outputs import counted
from mlsemi.parameters import Parameters
from mlsemi.records.excited import excited_record
from mlsemi.records.uncertainty import Uncertainty
from mlsemi.response.difference_density import SPREAD, Response
from mlsemi.units import BOHR_ANGSTROM, BOLTZMANN, FORCE_EV_ANGSTROM, HARTREE_EV

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlsemi.page.document import View

FRACTIONAL = 0.01
"""Occupations farther than this from 2 and 0 are fractional."""

P = ParamSpec("P")
T = TypeVar("T")


def _limited(
    method: Callable[Concatenate[Result, P], T],
) -> Callable[Concatenate[Result, P], T]:
    """What is evaluated after the single point runs with its threads too."""

    @wraps(method)
    def wrapped(self: Result, *args: P.args, **kwargs: P.kwargs) -> T:
        with limited(self.threads):
            return method(self, *args, **kwargs)

    return wrapped


def _level(entry: object) -> str:
    """``functional/basis`` of an entry of a header, empty without one."""
    reference = entry.get("reference", entry) if isinstance(entry, Mapping) else {}
    level = reference.get("level", {}) if isinstance(reference, Mapping) else {}
    words = (level.get(key) for key in ("method", "basis")) if isinstance(level, Mapping) else ()
    return "/".join(word for word in words if isinstance(word, str))


@dataclass(frozen=True, eq=False, repr=False)
class AtomicOrbitals(Brief):
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


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Everything computed for one structure, atomic units.

    Attributes
    ----------
    structure : Structure
    parameters : Parameters
    state : ElectronicState
        Orbital energies (hartree) and orbitals in the Loewdin frame, of both spins or of alpha.
    response : Response or None
        Of charge, spin and surroundings; None for a neutral closed shell in empty space.
    frame : AtomicOrbitals
        Basis, overlap and S^-1/2.
    charges : (n_atom,) array
        Loewdin charges, e.
    dipole : (3,) array
        e bohr, about the origin of the coordinates.
    energy : float or None
        Total energy with dispersion, hartree; a free energy at a finite electronic temperature.
        None where the neutral molecule has an odd number of electrons.
    dispersion : float or None
        What D4 contributes to the energy, hartree; None if it was left out or there is no energy.
    forces : (n_atom, 3) array or None
        Hartree / bohr.
    polarizability : (3, 3) array or None
        Static, bohr^3.
    singlets, triplets : ExcitedStates or None
        Of a closed shell.
    doublets : ExcitedStates or None
        Of a radical.
    uncertainty : Uncertainty or None
        Of all the above but the forces; None if the parameters have no committee.
    warnings : tuple of str
    timings : dict of str to float
        Wall time of each step, s.
    threads : int
        Of the linear-algebra libraries, also for what is evaluated when first asked for.
    name : str
        Title of the record it was read from, if it came in a batch.
    """

    structure: Structure
    parameters: Parameters
    state: ElectronicState
    response: Response | None
    frame: AtomicOrbitals
    charges: np.ndarray
    dipole: np.ndarray
    energy: float | None
    dispersion: float | None
    forces: np.ndarray | None
    polarizability: np.ndarray | None
    singlets: ExcitedStates | None
    triplets: ExcitedStates | None
    doublets: ExcitedStates | None
    uncertainty: Uncertainty | None
    warnings: tuple[str, ...]
    timings: dict[str, float]
    threads: int
    name: str = ""

    def __repr__(self) -> str:
        """One line."""
        homo, lumo = self.frontier
        spin = self.structure.multiplicity
        energy = "-" if self.energy is None else f"{self.energy * HARTREE_EV:.4f} eV"
        parts = [
            self.structure.formula,
            f"charge {self.structure.charge}" + (f", multiplicity {spin}" if spin > 1 else ""),
            self.parameters.name,
            f"energy {energy}",
            f"gap {(lumo - homo) * HARTREE_EV:.3f} eV",
        ]
        for name, states in self.excited.items():
            parts.append(counted(states.n_state, name.removesuffix("s")))
        return f"Result({', '.join([*parts, counted(len(self.warnings), 'warning')])})"

    def _repr_html_(self) -> str:
        """Card for notebooks."""
        from mlsemi.draw.pictures import card

        return card(self)

    def plot_spectrum(self, width_ev: float = 0.4, cd: bool = False) -> Figure:
        """Figure of the absorption spectrum, or with ``cd`` of circular dichroism."""
        from mlsemi.draw.pictures import spectrum_of

        return spectrum_of(self, width_ev, cd)

    def plot_levels(self) -> Figure:
        """Figure of the orbital energies around the gap."""
        from mlsemi.draw.pictures import levels_of

        return levels_of(self)

    def view(self) -> View:
        """A page to turn and click in: shown in a notebook, elsewhere ``.save("page.html")``."""
        from mlsemi.page.document import View

        return View.of(self)

    def plot(self) -> Figure:
        """Figure of the absorption spectrum, or of the orbital energies without singlets."""
        from mlsemi.draw.pictures import picture

        return picture(self)

    @property
    def basis(self) -> Basis:
        """Valence minimal basis."""
        return self.frame.basis

    @property
    def overlap(self) -> np.ndarray:
        """(n_orbital, n_orbital) overlap S of the atomic orbitals."""
        return self.frame.overlap

    @property
    @_limited
    def inverse_root(self) -> np.ndarray:
        """(n_orbital, n_orbital) S^-1/2."""
        return self.frame.inverse_root

    @cached_property
    @_limited
    def orbitals(self) -> np.ndarray:
        """(n_orbital, n_orbital) columns C = S^-1/2 C_o over atomic orbitals."""
        return self.inverse_root @ self.state.orbitals

    @property
    def excited(self) -> dict[str, ExcitedStates]:
        """Excited states that were asked for: ``singlets``, ``triplets``, ``doublets``."""
        names = ("singlets", "triplets", "doublets")
        return {name: states for name in names if (states := getattr(self, name)) is not None}

    @property
    def absorbing(self) -> ExcitedStates | None:
        """Those that light reaches: singlets of a closed shell, doublets of a radical."""
        return self.doublets if self.singlets is None else self.singlets

    @property
    def beta(self) -> ElectronicState | None:
        """Orbitals of the beta electrons where they differ from ``state``."""
        return None if self.response is None else self.response.beta

    @cached_property
    @_limited
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix of both spins over atomic orbitals."""
        return self.inverse_root @ self.frame_density @ self.inverse_root

    @property
    def frame_density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix of both spins in the Loewdin frame."""
        if self.beta is None:
            return self.state.density
        return 0.5 * (self.state.density + self.beta.density)

    @property
    def frontier(self) -> tuple[float, float]:
        """Highest occupied and lowest unoccupied level of either spin, hartree."""
        spins = [self.state] if self.beta is None else [self.state, self.beta]
        homo = max(s.homo for s in spins if s.n_occupied)
        return homo, float(np.fmin.reduce([s.lumo for s in spins]))

    @property
    def smeared(self) -> bool:
        """Whether levels share electrons: at a temperature, or degenerate ones of an open shell."""
        if self.response is None or self.state.kt > SPREAD:
            return self.state.kt > 0.0
        spins = self.response.states
        return any(np.abs(s.occupations - 1.0).min() < 1.0 - FRACTIONAL for s in spins)

    @cached_property
    @_limited
    def mulliken_charges(self) -> np.ndarray:
        """(n_atom,) Mulliken charges, e."""
        return observables.mulliken_charges(self.structure, self.density, self.overlap)

    @cached_property
    @_limited
    def bond_orders(self) -> np.ndarray:
        """(n_atom, n_atom) Mayer bond orders; those of both spins are added."""
        if self.beta is None:
            return observables.mayer_bond_orders(self.structure, self.density, self.overlap)
        spins = (self.inverse_root @ s.density @ self.inverse_root for s in (self.state, self.beta))
        orders = (observables.mayer_bond_orders(self.structure, P, self.overlap) for P in spins)
        return 0.5 * np.sum(list(orders), axis=0)

    @_limited
    def analysis(
        self, states: ExcitedStates, fragments: Sequence[Sequence[int]] | None = None
    ) -> Transitions:
        """Hole, electron, character and charge transfer of this result's excited states.

        Parameters
        ----------
        states : ExcitedStates
        fragments : sequence of sequences of int, optional
            Atoms of each fragment; by default the molecules.
        """
        basis = self.basis
        at = (self.structure, basis.orbital_l, basis.orbital_atom)
        spins = self.response.states if states.n_alpha and self.response else None
        orbitals = SpinOrbitals.of(*spins) if spins else self.state
        return analyse(states, orbitals, *at, fragments)

    def _references(self) -> dict[str, str]:
        """Levels of theory that the uncertainties are errors against."""
        header = self.parameters.header
        named = {"against": "reference", "excitations_against": "excitation_fit"}
        levels = {key: _level(header.get(entry)) for key, entry in named.items()}
        return {key: level for key, level in levels.items() if level}

    @_limited
    def to_dict(
        self,
        bond_order_threshold: float = 0.1,
        fragments: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, Any]:
        """Record of one structure for JSON (eV, angstrom, e); keys not asked for are absent.

        Parameters
        ----------
        bond_order_threshold : float
            Smaller bond orders are left out.
        fragments : sequence of sequences of int, optional
            Atoms of each fragment, for the charge transfer of excited states.
        """
        n = self.state.n_occupied
        homo, lumo = self.frontier
        orders = np.triu(self.bond_orders)
        record: dict[str, Any] = {
            "mlsemi_version": mlsemi.__version__,
            "parameters": {"name": self.parameters.name, "checksum": self.parameters.checksum},
            "structure": {
                "symbols": self.structure.symbols,
                "positions_angstrom": (self.structure.positions * BOHR_ANGSTROM).tolist(),
                "charge": self.structure.charge,
                "multiplicity": self.structure.multiplicity,
            },
            "orbital_energies_ev": (self.state.energies * HARTREE_EV).tolist(),
            "n_occupied": n,
            "homo_ev": homo * HARTREE_EV,
            "lumo_ev": lumo * HARTREE_EV,
            "gap_ev": (lumo - homo) * HARTREE_EV,
            "charges_e": self.charges.tolist(),
            "dipole_e_angstrom": (self.dipole * BOHR_ANGSTROM).tolist(),
            "bond_orders": [
                [int(i), int(j), float(orders[i, j])]
                for i, j in np.argwhere(orders > bond_order_threshold)
            ],
        }
        if self.name:
            record["name"] = self.name
        if self.energy is not None:
            record["energy_ev"] = self.energy * HARTREE_EV
        if self.dispersion is not None:
            record["dispersion_ev"] = self.dispersion * HARTREE_EV
        if self.response is not None:
            record |= _response_record(self.response, self.beta)
        if self.smeared:
            record |= self._temperature_record()
        if self.forces is not None:
            record["forces_ev_per_angstrom"] = (self.forces * FORCE_EV_ANGSTROM).tolist()
        if self.polarizability is not None:
            record["polarizability_bohr3"] = self.polarizability.tolist()
        if self.uncertainty is not None:
            record["uncertainty"] = self.uncertainty.to_dict() | self._references()
        if self.excited:
            record["excitations"] = found = {}
            for name, states in self.excited.items():
                analysis = self.analysis(states, fragments)
                record["excitation_method"] = states.method_name
                found[name] = excited_record(states, analysis, self.uncertainty)
                if len(analysis.fragments) > 1:
                    record["fragments"] = [list(part) for part in analysis.fragments]
        return record | {"warnings": list(self.warnings), "timings_s": self.timings}

    def _temperature_record(self) -> dict[str, Any]:
        """What an electronic temperature adds to the record."""
        state, beta = self.state, self.beta
        each = 2.0 if beta is None else 1.0
        record: dict[str, Any] = {
            "electronic_temperature_k": state.kt / BOLTZMANN,
            "occupations": (0.5 * each * state.occupations).tolist(),
        }
        if beta is not None:
            record["occupations_beta"] = (0.5 * beta.occupations).tolist()
        entropy = -state.kt * state.entropy
        if self.response is not None:
            entropy = self.response.entropy_energy
        return record | {"electronic_entropy_term_ev": entropy * HARTREE_EV}


def _response_record(response: Response, beta: ElectronicState | None) -> dict[str, Any]:
    """What charge, spin and surroundings add to the record."""
    record: dict[str, Any] = {}
    if beta is not None:
        record["orbital_energies_beta_ev"] = (beta.energies * HARTREE_EV).tolist()
        record["n_occupied_beta"] = beta.n_occupied
        record["spin_populations"] = response.spin_populations.tolist()
        record["s2"] = response.s_squared
    solvent, field = response.embedding.surroundings.solvent, response.embedding.surroundings.field
    if field is not None:
        record["field_v_per_angstrom"] = (field * FORCE_EV_ANGSTROM).tolist()
    if solvent is not None:
        record["solvent"] = {
            "name": solvent.name,
            "epsilon": solvent.epsilon,
            "refractive_index": solvent.refractive_index,
            "polar_ev": response.polar_energy * HARTREE_EV,
            "nonpolar_ev": response.embedding.nonpolar_energy * HARTREE_EV,
        }
    return record
