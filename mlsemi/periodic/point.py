"""One cell, from coordinates to observables: the walk of a single point for what is periodic.

cell -> pairs with images -> features -> irreps of H -> H_o(k) -> bands -> Fermi level
-> charges, bond orders, energy -> dispersion -> forces and stress (reverse walk)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.errors import InputError
from mlsemi.machine.clock import Clock
from mlsemi.machine.threads import limited
from mlsemi.molecule.dispersion import dispersion_of
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.filling import Filling
from mlsemi.periodic.kpoints import KPoints, counts_of, mesh
from mlsemi.periodic.result import CellResult
from mlsemi.periodic.state import cell_energy, cell_state, energy_gradient
from mlsemi.records.doubts import LEAST_GAP_EV
from mlsemi.units import BOLTZMANN, HARTREE_EV

Mesh = str | Sequence[int] | None


def cell_point(
    structure: Structure,
    parameters: Parameters,
    *,
    kpts: Mesh = None,
    forces: bool = False,
    dispersion: bool = True,
    electronic_temperature: float = 0.0,
    threads: int = 1,
) -> CellResult:
    """Bands, charges, energy; forces and stress on request.

    Parameters
    ----------
    structure : Structure
        With a cell.
    parameters : Parameters
    kpts : str, sequence of int or None
        Mesh around Gamma, ``8x8x1``; None: one that fits the cell.
    forces : bool
        Forces and stress.
    dispersion : bool
        Add D4 of the functional the parameters were trained on.
    electronic_temperature : float
        Of the occupations, kelvin; the energy is then a free energy.
    threads : int
        Of the linear-algebra libraries.

    Raises
    ------
    InputError
        For a structure without a cell, an element without parameters, a mesh that makes no sense.
    """
    clock, kpoints = Clock(), mesh_of(structure, kpts)
    parameters.check(structure)
    model = parameters.model
    functional = parameters.functional if dispersion else None
    with clock.step("total"), limited(threads):
        with clock.step("pairs"):
            pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        with clock.step("hamiltonian"):
            prediction, record = model.predict(pairs)
        with clock.step("electronic"):
            state = cell_state(prediction.hamiltonian, kpoints, electronic_temperature * BOLTZMANN)
            energy = cell_energy(model, prediction, state)
        gradient = strain = None
        if forces:
            with clock.step("forces"):
                gradient, strain = energy_gradient(model, prediction, record, state)
        with clock.step("dispersion"):
            d4 = dispersion_of(structure, functional, forces)
        shifts = parameters.atom_shifts(prediction)
        notes = parameters.warnings(structure, prediction, shifts)
    notes = structure.unit_doubts() + notes + gap_doubts(state.filling)
    if dispersion and not parameters.functional:
        notes += ("no dispersion: the parameters do not name the functional they were trained on",)
    return CellResult(
        structure,
        parameters,
        state,
        energy + d4.energy,
        None if functional is None else d4.energy,
        None if gradient is None else -(gradient + d4.gradient),
        None if strain is None else strain + d4.strain,
        notes,
        clock.timings,
        threads,
    )


def mesh_of(structure: Structure, kpts: Mesh) -> KPoints:
    """Mesh around Gamma for the cell of a structure.

    Raises
    ------
    InputError
        If it has none, or the mesh makes no sense.
    """
    if structure.cell is None:
        raise InputError("k-points need a periodic cell, and the structure has none")
    return mesh(counts_of(structure.cell, kpts))


def cell_surface(
    structure: Structure,
    parameters: Parameters,
    *,
    dispersion: bool = True,
    threads: int = 1,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces and strain (:class:`CellResult`) of an energy that needs no orbitals.

    Parameters
    ----------
    structure : Structure
        With a cell.
    parameters : Parameters
        One whose energy does not depend on orbitals.
    dispersion : bool
        Add D4 of the functional the parameters were trained on.
    threads : int
        Of the linear-algebra libraries.
    """
    parameters.check(structure)
    model = parameters.model
    with limited(threads):
        pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
        prediction, record = model.predict(pairs, ("atom_energies",))
        strain = np.zeros((3, 3))
        slope = model.energy_slope(prediction, record, strain)
        functional = parameters.functional if dispersion else None
        d4 = dispersion_of(structure, functional, with_gradient=True)
    assert d4.gradient is not None
    assert d4.strain is not None
    return (
        float(prediction.atom_energies.sum()) + d4.energy,
        -(slope + d4.gradient),
        strain + d4.strain,
    )


def gap_doubts(filling: Filling) -> tuple[str, ...]:
    """A warning where it is arbitrary which states are occupied."""
    gap = filling.gap * HARTREE_EV
    if filling.kt or not gap < LEAST_GAP_EV:
        return ()
    return (
        f"the gap is {gap:.2f} eV: filled and empty bands are the wrong picture, and charges and "
        "energy depend on the mesh; an electronic temperature gives fractional occupations",
    )
