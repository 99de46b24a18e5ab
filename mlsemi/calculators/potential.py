"""The ground-state energy surface alone: what molecular dynamics asks for, step after step.

A total energy that is read off the features (:mod:`mlsemi.model.terms.energy`) needs no orbitals,
so neither the Hamiltonian nor its eigenvectors are computed; energy and forces are those of
``singlepoint``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError
from mlsemi.machine.threads import limited, useful
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.walk import Wanted, evaluate


class PotentialEnergy(NamedTuple):
    """Energy with dispersion (hartree) and forces (n_atom, 3; hartree / bohr) or None."""

    energy: float
    forces: np.ndarray | None


def needs_orbitals(parameters: Parameters, electronic_temperature: float) -> bool:
    """Whether the energy depends on the orbitals: by its band part, or by occupations."""
    return parameters.model.form.band or electronic_temperature > 0.0


def potential_energy(
    structure: Structure,
    parameters: Parameters,
    *,
    forces: bool = True,
    dispersion: bool = True,
    threads: int = 1,
) -> PotentialEnergy:
    """Energy and forces of the closed-shell ground state, without its orbitals.

    Parameters
    ----------
    structure : Structure
    parameters : Parameters
        One whose energy does not depend on orbitals: :func:`needs_orbitals`.
    forces : bool
    dispersion : bool
        Add the D4 dispersion of the functional the parameters were trained on.
    threads : int
        Threads of the linear-algebra libraries.

    Raises
    ------
    InputError
        If the structure is charged or holds an element without parameters.
    """
    if structure.charge or structure.multiplicity > 1:
        raise InputError("energies of ions and open shells need orbitals")
    if structure.cell is not None:
        raise InputError("has a periodic cell: give it to mlsemi.singlepoint or the calculator")
    parameters.check(structure)
    wanted = Wanted(orbitals=False, forces=forces, dispersion=dispersion)
    with limited(useful(threads, structure.n_orbital)):
        found = evaluate(structure, parameters, wanted)
    assert found.energy is not None
    return PotentialEnergy(found.energy, found.forces)
