"""ASE calculator: energies and forces of the ground or an excited state, in eV and angstrom."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, ReadError, all_changes
from ase.io.jsonio import write_json

from mlsemi.calculators.cells import cell_changes, cell_results
from mlsemi.calculators.potential import needs_orbitals, potential_energy
from mlsemi.calculators.settings import SURROUNDINGS, checked, restored, showing, surroundings
from mlsemi.calculators.surface import Crossing, SurfacePoint, check_uncrossed, excited_surface
from mlsemi.errors import DomainWarning, InputError, InputWarning, StateWarning
from mlsemi.evaluate import molecular, surroundings_of
from mlsemi.ground.state import GroundState
from mlsemi.model.applicability import check_energy
from mlsemi.molecule.electrons import StoredCharge, said_by, settle, silent
from mlsemi.molecule.formats import structure_of
from mlsemi.molecule.structure import Structure
from mlsemi.molecule.wording import named
from mlsemi.parameters import Parameters
from mlsemi.response.difference_density import Response
from mlsemi.result import Result
from mlsemi.sets.releases import DEFAULT
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM, HARTREE_EV

SURFACE = frozenset({"energy", "free_energy", "forces"})
"""Properties of the energy surface alone."""

Evaluated = tuple[float | None, np.ndarray | None, Result | GroundState | None]
"""Energy if known, forces if asked for, what holds charges and dipole if orbitals were needed."""


class MLSemi(Calculator):
    """Calculator for ``atoms.calc``; in a periodic cell energy, forces, stress and charges alone.

    Energies and forces are consistent: ``energy`` and ``free_energy`` are the same number, at a
    finite electronic temperature the free energy, whose gradient the forces are. Charges and
    dipole are those of the ground state, whatever ``state`` is.

    An excited state is followed by its character: what counts is the state with the largest overlap
    between geometries, not the k-th by energy. ``crossings`` lists changes of its number, each also
    a :class:`mlsemi.errors.StateWarning`; ``surface`` is the last point. Behind a crossing with the
    ground state, 0.1 eV below it, :class:`mlsemi.errors.StateError` is raised instead of an energy.

    The first geometry that is periodic, charged, of several molecules, with a bond broken or
    crushed or unusual contacts is said in a :class:`mlsemi.errors.DomainWarning`, each kind once.
    Where the neutral molecule is a radical there are charges and a dipole, no energy and forces.

    Parameters
    ----------
    parameters : str, path or Parameters
        Parameter set.
    state : int
        0 for the ground state, k for the k-th excited singlet of the first geometry.
    charge, multiplicity : int, optional
        By default what the Atoms say (``info["charge"]``, initial charges and magnetic moments,
        see :mod:`mlsemi.molecule.electrons`), else 0, and 1 or for an odd number of electrons 2. A
        charge given here is stored in the ``info`` of the Atoms: files written from them keep it.
    solvent : str or float, optional
        Name or dielectric constant of a polarisable continuum.
    field : (3,) sequence, optional
        Uniform electric field, V/angstrom.
    point_charges : tuple of (n,) and (n, 3) sequences, optional
        Charges (e) and positions (angstrom); :meth:`point_charge_forces` are the forces on them.
    dispersion : bool
        Add the D4 dispersion of the functional the parameters were trained on.
    electronic_temperature : float
        Of the occupations, kelvin.
    follow : bool
        Follow an excited state by its character; else it is the k-th at every geometry.
    kpts : str or sequence of int, optional
        Mesh around Gamma in a periodic cell; by default one that fits it.
    threads : int
        Threads of the linear-algebra libraries.
    **keywords
        Of ``ase.calculators.calculator.Calculator``: ``restart``, ``label``, ``atoms``, ...

    Raises
    ------
    InputError
        For a state or temperature below zero, a charge that is no whole number, or an unknown
        keyword.
    """

    name = "mlsemi"
    implemented_properties = [*sorted(SURFACE), "stress", "charges", "dipole"]  # noqa: RUF012
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012
    default_parameters = {  # noqa: RUF012
        "parameters": DEFAULT,
        "state": 0,
        "charge": None,
        "multiplicity": None,
        "solvent": None,
        "field": None,
        "point_charges": None,
        "dispersion": True,
        "electronic_temperature": 0.0,
        "follow": True,
        "kpts": None,
        "threads": 1,
    }

    @showing(default_parameters)
    def __init__(
        self, parameters: str | os.PathLike[str] | Parameters | None = None, **keywords: Any
    ) -> None:
        self.parameter_set: Parameters
        self.crossings: list[Crossing] = []
        self.surface: SurfacePoint | None = None
        self.evaluations = 0
        self.noted: set[str] = set()
        self.response: Response | None = None
        if parameters is not None:
            keywords["parameters"] = parameters
        elif keywords.get("restart") is None:
            keywords["parameters"] = DEFAULT
        super().__init__(**keywords)

    def set(self, **changes: Any) -> dict[str, Any]:
        """Change parameters; results of the old ones are forgotten.

        Parameters
        ----------
        **changes
            Any of the parameters of the class.

        Returns
        -------
        dict
            Those that have changed.
        """
        changes = checked(changes, self.parameters, self.default_parameters)
        chosen = changes.pop("parameters", None)
        before = self.parameters.get("parameters"), getattr(self, "parameter_set", None)
        if chosen is not None:
            self.parameter_set = (
                chosen if isinstance(chosen, Parameters) else Parameters.load(chosen)
            )
            given = chosen.name if isinstance(chosen, Parameters) else os.fspath(chosen)
            self.parameters["parameters"] = given
        changed: dict[str, Any] = super().set(**changes)
        if chosen is not None and before != (given, self.parameter_set):
            changed["parameters"] = given
        if self.parameters["state"] and {"state", "parameters"} & set(changed):
            for text in self.parameter_set.excitation_warnings:
                warnings.warn(text, DomainWarning, stacklevel=2)
        if set(changed) - {"threads"}:
            self.reset()
            self.forget()
        return changed

    def forget(self) -> None:
        """Let the next geometry begin a new path: the excited state is chosen by energy again."""
        self.crossings, self.surface, self.evaluations = [], None, 0
        self.noted = set()

    def set_atoms(self, atoms: Atoms) -> None:
        """Store a charge given explicitly in the ``info`` of the Atoms; ASE calls it.

        Parameters
        ----------
        atoms : ase.Atoms
            Those that the calculator has been attached to.
        """
        charge, stored = self.parameters["charge"], atoms.info.get("charge")
        if charge is None:
            return
        if stored is not None and not isinstance(stored, StoredCharge):
            self._say(settle(named("charge", stored, "info['charge']"), charge).notes)
        atoms.info["charge"] = StoredCharge(charge)

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """What has changed since the last call, as ASE's but exactly and in less time.

        Parameters
        ----------
        atoms : ase.Atoms
        tol : float
            Has no effect: the smallest displacement is a new geometry.
        """
        before = self.atoms
        if before is None or not np.array_equal(before.numbers, atoms.numbers):
            return list(super().check_state(atoms))
        changes = [] if np.array_equal(before.positions, atoms.positions) else ["positions"]
        changes += cell_changes(before, atoms)
        if not silent(before, atoms, self) and self._decided(before) != self._decided(atoms):
            changes.append("initial_charges")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Fill ``results`` with what is asked for and what comes with it.

        Energy and forces of the ground state may need no orbitals, which halves the time of a step
        of dynamics; they come together. A property asked for later is computed then.

        Parameters
        ----------
        atoms : ase.Atoms
        properties : sequence of str
            Any of ``implemented_properties``.
        system_changes : sequence of str
            What ASE found to have changed since the last call.

        Raises
        ------
        InputError
            For energy and forces that are not known (``applicability.has_energy``), excited states
            of anything but a neutral closed shell, unusable structures.
        """
        if atoms is not None:
            self.set_atoms(atoms)
        super().calculate(atoms, properties, system_changes)
        if "initial_charges" in system_changes and "numbers" not in system_changes:
            self.forget()
        structure = self._structure(self.atoms)
        if not SURFACE.isdisjoint(properties):
            check_energy(structure, "energy and forces", self.parameter_set.ions_learned)
        if system_changes:
            self.results = {}
            self.evaluations += 1
            self._say_doubts(structure)
        if structure.cell is not None:
            self.results |= cell_results(structure, self.parameter_set, self.parameters, properties)
            return
        if self.parameters["state"]:
            energy, forces, ground = self._excited(structure, "forces" in properties)
        elif SURFACE.issuperset(properties) and not self._needs_orbitals(structure):
            energy, forces, ground = self._potential(structure)
        else:
            energy, forces, ground = self._ground(structure, "forces" in properties)
        if energy is not None:
            self.results |= {"energy": energy * HARTREE_EV, "free_energy": energy * HARTREE_EV}
        if ground is not None:
            self.results["charges"] = np.array(ground.charges)
            self.results["dipole"] = ground.dipole * BOHR_ANGSTROM
        if forces is not None:
            self.results["forces"] = forces * FORCE_EV_ANGSTROM

    def excitations(
        self, atoms: Atoms | None = None, singlets: int = 0, triplets: int = 0, doublets: int = 0
    ) -> dict[str, list[dict[str, Any]]]:
        """Excited states at the geometry of ``atoms``, as under ``excitations`` in the JSON.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            By default those the calculator has seen last.
        singlets, triplets, doublets : int
            Number of states; doublets are those of radicals.
        """
        structure = self._structure(self._target(atoms))
        result = self._point(structure, singlets=singlets, triplets=triplets, doublets=doublets)
        return dict(result.to_dict().get("excitations", {}))

    def point_charge_forces(self) -> np.ndarray:
        """(n, 3) forces on the point charges at the last geometry, eV/angstrom.

        Raises
        ------
        InputError
            If there are no point charges or no energy yet.
        """
        gradient = None if self.response is None else self.response.cotangent.charge_positions
        if gradient is None:
            raise InputError("give point charges and compute an energy first")
        return -gradient * FORCE_EV_ANGSTROM

    def uncertainty(self, atoms: Atoms | None = None) -> dict[str, Any]:
        """Uncertainties at the geometry of ``atoms``, as under ``uncertainty`` in the JSON.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            By default those the calculator has seen last.
        """
        found = self._point(self._structure(self._target(atoms))).uncertainty
        if found is None:
            raise InputError(
                f"parameter set {self.parameter_set.name} has no committee; "
                "sets of 'mlsemi train' have one"
            )
        return found.to_dict()

    def write(self, label: str | os.PathLike[str]) -> None:
        """Write parameters, atoms and results to ``label.json``, for ``MLSemi(restart=label)``."""
        content = {
            "parameters": self.todict(skip_default=False),
            "checksum": self.parameter_set.checksum,
            "atoms": self.atoms,
            "results": self.results,
        }
        write_json(f"{os.fspath(label)}.json", content)

    def read(self, label: str | os.PathLike[str]) -> None:
        """Take over what :meth:`write` has written.

        Raises
        ------
        ReadError
            If the file is missing, no such file, or its parameter set has changed since.
        """
        settings, found = restored(path := f"{os.fspath(label)}.json")
        self.parameters = self.get_default_parameters()
        self.set(**settings)
        checksum, self.atoms, self.results = found
        if checksum != self.parameter_set.checksum:
            raise ReadError(f"{path}: written with another parameter set {settings['parameters']}")

    def _target(self, atoms: Atoms | None) -> Atoms:
        target = self.atoms if atoms is None else atoms
        if target is None:
            raise InputError("give atoms, or compute an energy first")
        return target

    def _say_doubts(self, structure: Structure) -> None:
        """Say, once of each kind, that a path has left the training domain."""
        around = surroundings_of(**surroundings(self.parameters)).doubts(structure)
        found = self.parameter_set.doubts(structure) | {text: text for text in around}
        new = [text for kind, text in found.items() if kind not in self.noted]
        if new:
            self.noted.update(found)
            warnings.warn("; ".join(new), DomainWarning, stacklevel=2)

    def _structure(self, atoms: Atoms) -> Structure:
        """Structure of Atoms with the charge that counts; what is not used is said once."""
        with self.parameter_set.naming_elements():
            structure, notes = structure_of(atoms, *self._given)
        self._say([*notes, *structure.unit_doubts()])
        return structure

    def _decided(self, atoms: Atoms) -> tuple[int, int | None]:
        return settle(said_by(atoms), *self._given)[:2]

    @property
    def _given(self) -> tuple[int | None, int | None]:
        return self.parameters["charge"], self.parameters["multiplicity"]

    def _say(self, notes: Sequence[str]) -> None:
        """Warn of everything once."""
        for text in notes:
            if text not in self.noted:
                self.noted.add(text)
                warnings.warn(text, InputWarning, stacklevel=2)

    def _settings(self) -> dict[str, Any]:
        names = ("dispersion", "electronic_temperature", "threads")
        return {name: self.parameters[name] for name in names}

    def _point(self, structure: Structure, **requests: Any) -> Result:
        requests |= {**surroundings(self.parameters), **self._settings()}
        return molecular(structure, parameters=self.parameter_set, **requests)

    def _needs_orbitals(self, structure: Structure) -> bool:
        surrounded = any(self.parameters[name] is not None for name in SURROUNDINGS)
        changed = structure.charge or structure.multiplicity > 1 or surrounded
        return bool(changed) or needs_orbitals(
            self.parameter_set, self.parameters["electronic_temperature"]
        )

    def _potential(self, structure: Structure) -> Evaluated:
        """Energy and forces of the ground state without its orbitals."""
        settings = {name: self.parameters[name] for name in ("dispersion", "threads")}
        return *potential_energy(structure, self.parameter_set, forces=True, **settings), None

    def _ground(self, structure: Structure, forces: bool) -> Evaluated:
        """Energy and forces of the ground state, and all the rest of it."""
        result = self._point(structure, forces=forces)
        self.response = result.response
        return result.energy, result.forces, result

    def _excited(self, structure: Structure, forces: bool) -> Evaluated:
        """Energy and forces of the followed state, and the ground state below."""
        before = self.surface if self.parameters["follow"] else None
        point = excited_surface(
            structure,
            self.parameter_set,
            self.parameters["state"],
            forces=forces,
            previous=before,
            surroundings=surroundings_of(**surroundings(self.parameters)),
            **self._settings(),
        )
        check_uncrossed(self.evaluations - 1, point)
        if before is not None and (found := Crossing.of(self.evaluations - 1, before, point)):
            self.crossings.append(found)
            warnings.warn(str(found), StateWarning, stacklevel=2)
        self.surface = point
        return point.energy, point.forces, point.ground
