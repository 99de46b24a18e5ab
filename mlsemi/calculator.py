"""ASE calculator: energies and forces of the ground or an excited state, in eV and angstrom."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from mlsemi.errors import InputError
from mlsemi.parameters import DEFAULT, Parameters
from mlsemi.result import Result
from mlsemi.singlepoint import singlepoint
from mlsemi.structure import Structure
from mlsemi.surface import excited_surface
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM, HARTREE_EV


class MLSemi(Calculator):
    """Calculator for ``atoms.calc``; the periodic cell, if any, is ignored.

    Charges and dipole are those of the ground state, whatever ``state`` is.

    Parameters
    ----------
    parameters : str, path or Parameters
        Parameter set.
    state : int
        0 for the ground state, k for the k-th excited singlet: its energy and forces.
    charge : int
        Total charge, e.
    threads : int
        Threads of the linear-algebra libraries.
    **keywords
        Handed to ``ase.calculators.calculator.Calculator``.
    """

    implemented_properties = ["energy", "free_energy", "forces", "charges", "dipole"]  # noqa: RUF012

    def __init__(
        self,
        parameters: str | os.PathLike[str] | Parameters = DEFAULT,
        state: int = 0,
        charge: int = 0,
        threads: int = 1,
        **keywords: Any,
    ) -> None:
        if state < 0:
            raise InputError(f"state {state}: 0 is the ground state, 1 the first excited singlet")
        super().__init__(**keywords)
        self.parameter_set = (
            parameters if isinstance(parameters, Parameters) else Parameters.load(parameters)
        )
        self.state, self.charge, self.threads = state, charge, threads

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Fill ``results``; forces only when asked for.

        Parameters
        ----------
        atoms : ase.Atoms
        properties : sequence of str
            Any of ``implemented_properties``.
        system_changes : sequence of str
            What ASE found to have changed since the last call.
        """
        super().calculate(atoms, properties, system_changes)
        with_forces = "forces" in properties
        result = self._point(self.atoms, forces=with_forces and self.state == 0)
        energy, forces = result.energy, result.forces
        if self.state:
            point = excited_surface(result.structure, self.parameter_set, self.state, self.threads)
            energy, forces = point.energy, point.forces
        self.results = {
            "energy": energy * HARTREE_EV,
            "free_energy": energy * HARTREE_EV,
            "charges": np.array(result.charges),
            "dipole": result.dipole * BOHR_ANGSTROM,
        }
        if forces is not None:
            self.results["forces"] = forces * FORCE_EV_ANGSTROM

    def excitations(
        self, atoms: Atoms | None = None, singlets: int = 0, triplets: int = 0
    ) -> dict[str, list[dict[str, Any]]]:
        """Excited states at the geometry of ``atoms``, as under ``excitations`` in the JSON.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            By default those the calculator has seen last.
        singlets, triplets : int
            Number of states.
        """
        target = self.atoms if atoms is None else atoms
        if target is None:
            raise InputError("give atoms, or compute an energy first")
        result = self._point(target, singlets=singlets, triplets=triplets)
        return dict(result.to_dict().get("excitations", {}))

    def _point(self, atoms: Atoms, **requests: Any) -> Result:
        structure = Structure.from_ase(atoms, self.charge)
        return singlepoint(
            structure, parameters=self.parameter_set, threads=self.threads, **requests
        )
