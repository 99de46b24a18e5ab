"""What ASE finds by name: the calculator (``ase run mlsemi``), and results as a file format.

ASE imports this file with :mod:`ase.io` (entry point ``ase.ioformats``), so nothing here imports
what is slow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from ase import Atoms
from ase.calculators.calculator import external_calculators, register_calculator_class
from ase.utils.plugins import ExternalIOFormat

if TYPE_CHECKING:
    from mlsemi.calculator import MLSemi

NAME = "mlsemi"
RESULTS = {
    "energy": "energy_ev",
    "forces": "forces_ev_per_angstrom",
    "charges": "charges_e",
    "dipole": "dipole_e_angstrom",
    "stress": "stress_ev_per_angstrom3",
}
"""ASE's names of what stands in a record."""

results_format = ExternalIOFormat(
    desc="results of mlsemi --json",
    code="+F",
    module="mlsemi.ase_plugin",
    magic=b'{"mlsemi_version"',
)


def calculator(**settings: Any) -> MLSemi:
    """Calculator with these settings; ASE calls it as it would the class.

    Parameters
    ----------
    **settings
        Of :class:`mlsemi.MLSemi`.
    """
    from mlsemi.calculator import MLSemi

    return MLSemi(**settings)


if NAME not in external_calculators:
    register_calculator_class(NAME, calculator)


def read_mlsemi(fd: IO[str], index: int | slice = -1) -> Iterator[Atoms]:
    """Structures of JSON records, with energies, forces, charges and dipoles where they have them.

    Parameters
    ----------
    fd : file
        One record a line.
    index : int or slice

    Yields
    ------
    ase.Atoms
    """
    lines = [line for line in fd if line.strip()]
    for line in lines[index] if isinstance(index, slice) else [lines[index]]:
        yield _atoms_of(json.loads(line))


def _atoms_of(record: dict[str, Any]) -> Atoms:
    """Atoms of one record."""
    from ase.calculators.singlepoint import SinglePointCalculator

    structure = record["structure"]
    info = {key: structure[key] for key in ("charge", "multiplicity")}
    if record.get("name"):
        info["name"] = record["name"]
    atoms = Atoms(
        structure["symbols"],
        structure["positions_angstrom"],
        cell=structure.get("cell_angstrom"),
        pbc=structure.get("pbc", False),
        info=info,
    )
    found = {name: record[key] for name, key in RESULTS.items() if record.get(key) is not None}
    atoms.calc = SinglePointCalculator(atoms, **found)
    return atoms
