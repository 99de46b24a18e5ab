"""QCSchema in and out: a harness for QCEngine, ``qcengine.compute(input, "mlsemi")``.

The method of an input is a parameter set, its keywords are those of :func:`mlsemi.singlepoint`
(atomic units). What QCSchema has no name for, excited states, charges, warnings, stands in the
extras under ``mlsemi``, as in the JSON of the command line.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import qcengine
from qcelemental.models.v2 import AtomicProperties, AtomicResult, Provenance
from qcengine.exceptions import InputError as UnusableInput
from qcengine.programs.model import ProgramHarness

import mlsemi
from mlsemi.calculator import MLSemi
from mlsemi.errors import InputError, MlsemiError
from mlsemi.evaluate import molecular, singlepoint
from mlsemi.model.applicability import check_energy
from mlsemi.molecule.structure import Structure
from mlsemi.nuclei.vibrations import differences
from mlsemi.parameters import Parameters
from mlsemi.result import Result
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM

if TYPE_CHECKING:
    from qcelemental.models.v2 import AtomicInput
    from qcengine.config import TaskConfig

NAME = "mlsemi"
NO_KEYWORDS = frozenset(
    "source parameters charge multiplicity kpts forces threads method".split()  # noqa: SIM905
)
"""Arguments of a single point that follow from the molecule, the model, the driver and the task, or
that JSON has no word for."""

KEYWORDS = [name for name in inspect.signature(singlepoint).parameters if name not in NO_KEYWORDS]
HESSIAN_KEYWORDS = ("solvent", "dispersion", "electronic_temperature")
"""Those that change the surface and mean the same to the calculator."""


def register() -> None:
    """Let QCEngine know the program ``mlsemi``; once more does no harm."""
    if NAME not in qcengine.list_all_programs():
        qcengine.register_program(MLSemiHarness())


class MLSemiHarness(ProgramHarness):
    """Energies, gradients, Hessians and properties of molecules for QCEngine."""

    _defaults: ClassVar[dict[str, Any]] = {
        "name": NAME,
        "scratch": False,
        "thread_safe": True,
        "thread_parallel": True,
        "node_parallel": False,
        "managed_memory": False,
    }

    @staticmethod
    def found(raise_error: bool = False) -> bool:
        """Whether the program is there: it is this one."""
        return True

    def get_version(self) -> str:
        """Version of mlsemi."""
        return mlsemi.__version__

    def compute(self, input_data: AtomicInput, config: TaskConfig) -> AtomicResult:
        """Result of an input.

        Parameters
        ----------
        input_data : AtomicInput
        config : TaskConfig
            Its cores are threads of the linear-algebra libraries.

        Raises
        ------
        qcengine.exceptions.InputError
            For ghost atoms, a basis, keywords that there are not, energies that are not known.
        """
        try:
            return self._computed(input_data, config)
        except MlsemiError as error:
            raise UnusableInput(str(error)) from None

    def _computed(self, input_data: AtomicInput, config: TaskConfig) -> AtomicResult:
        """The same with errors of our own."""
        asked = input_data.specification
        driver, keywords = asked.driver.value, dict(asked.keywords)
        if unknown := sorted(set(keywords) - set(KEYWORDS)):
            raise InputError(f"no keyword {unknown[0]} (there are {', '.join(KEYWORDS)})")
        if asked.model.basis:
            raise InputError("give no basis: a parameter set has its own")
        structure = structure_of(input_data.molecule)
        parameters, threads = Parameters.load(asked.model.method), config.ncores or 1
        if driver != "properties":
            check_energy(structure, f"the {driver}", parameters.ions_learned)
        hessian = None
        if driver == "hessian":
            hessian = hessian_of(structure, parameters, keywords, threads)
        result = molecular(
            structure,
            parameters=parameters,
            forces=driver == "gradient",
            threads=threads,
            **keywords,
        )
        found = properties_of(result)
        if hessian is not None:
            found["return_hessian"] = hessian
        names = {"properties": "", "energy": "return_energy"}
        value = found.get(names.get(driver, f"return_{driver}"))
        if driver == "properties":
            value = {"dipole": result.dipole.tolist(), "charges": result.charges.tolist()}
        return AtomicResult(
            input_data=input_data,
            molecule=input_data.molecule,
            properties=AtomicProperties(**found),
            return_result=value,
            success=True,
            provenance=Provenance(creator=NAME, version=self.get_version(), routine="singlepoint"),
            stdout="\n".join(result.warnings),
            extras={NAME: result.to_dict()},
        )


def structure_of(molecule: Any) -> Structure:
    """Structure of a molecule of QCSchema.

    Raises
    ------
    InputError
        For ghost atoms, and what is no structure.
    """
    if not np.all(molecule.real):
        ghost = int(np.flatnonzero(~np.asarray(molecule.real))[0])
        raise InputError(f"atom {ghost} is a ghost: there are no basis functions without an atom")
    return Structure(
        np.asarray(molecule.atomic_numbers),
        np.asarray(molecule.geometry).reshape(-1, 3),
        molecule.molecular_charge,
        molecule.molecular_multiplicity,
    )


def properties_of(result: Result) -> dict[str, Any]:
    """What QCSchema has names for, atomic units."""
    structure = result.structure
    found: dict[str, Any] = {
        "calcinfo_natom": structure.n_atom,
        "calcinfo_nbasis": structure.n_orbital,
        "calcinfo_nmo": structure.n_orbital,
        "calcinfo_nalpha": structure.n_alpha,
        "calcinfo_nbeta": structure.n_electron - structure.n_alpha,
        "scf_dipole_moment": result.dipole,
    }
    if result.energy is not None:
        found["return_energy"] = result.energy
    if result.dispersion is not None:
        found["scf_dispersion_correction_energy"] = result.dispersion
    if result.forces is not None:
        found["return_gradient"] = -result.forces
    return found


def hessian_of(
    structure: Structure, parameters: Parameters, keywords: dict[str, Any], threads: int
) -> np.ndarray:
    """(3 n_atom, 3 n_atom) second derivatives, hartree / bohr^2.

    Raises
    ------
    InputError
        For keywords that a calculator does not know.
    """
    known = {name: keywords[name] for name in HESSIAN_KEYWORDS if name in keywords}
    if other := sorted(set(keywords) - set(known)):
        raise InputError(f"a Hessian takes no keyword {other[0]}")
    atoms = structure.to_ase()
    electrons = {"charge": structure.charge, "multiplicity": structure.multiplicity}
    atoms.calc = MLSemi(parameters, threads=threads, **electrons, **known)
    hessian, _ = differences(atoms, dipoles=False)
    return hessian / FORCE_EV_ANGSTROM * BOHR_ANGSTROM
