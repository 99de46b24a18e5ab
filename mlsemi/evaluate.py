"""One molecule: what a user gives, asked of the walk (:mod:`mlsemi.walk`), and said with doubts."""

from __future__ import annotations

import math
import os
from contextlib import ExitStack
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike

from mlsemi.errors import InputError
from mlsemi.excited.method import TDA, Method
from mlsemi.excited.states import ExcitedStates, Multiplicity
from mlsemi.ground.state import NOTHING, GroundState
from mlsemi.machine.clock import Clock
from mlsemi.machine.threads import check_threads, limited, useful
from mlsemi.model.applicability import check_energy, check_states, molecules
from mlsemi.molecule.dispersion import NO_DISPERSION
from mlsemi.molecule.electrons import settle
from mlsemi.molecule.formats import iter_frames, structure_of
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure, whole
from mlsemi.parameters import Parameters
from mlsemi.periodic.point import Mesh, cell_point, mesh_of
from mlsemi.periodic.result import CellResult, refuse_in_cells
from mlsemi.records.doubts import OF_NEUTRAL, excitation_doubts, no_gap
from mlsemi.records.uncertainty import Uncertainty
from mlsemi.response.solvents import Solvent, solvent_of
from mlsemi.response.surroundings import Surroundings, numbers_of, pair_of
from mlsemi.result import Result
from mlsemi.sets.releases import DEFAULT
from mlsemi.units import BOLTZMANN
from mlsemi.walk import Wanted, evaluate


def as_structure(
    source: str | os.PathLike[str] | Atoms | Structure,
    charge: int | None = None,
    multiplicity: int | None = None,
) -> tuple[Structure, tuple[str, ...]]:
    """Structure of a path (first frame), ``ase.Atoms`` or a Structure, with warnings about it."""
    if isinstance(source, Structure):
        if charge is None and multiplicity is None:
            return source, ()
        given = settle((), source.charge if charge is None else charge, multiplicity)
        spin = given.multiplicity
        if spin is None and (given.charge - source.charge) % 2 == 0:
            spin = source.multiplicity
        structure, notes = structure_of(source.to_ase(), given.charge, spin)
        return replace(structure, positions=source.positions), tuple(notes)
    if isinstance(source, Atoms):
        structure, notes = structure_of(source, charge, multiplicity)
        return structure, tuple(notes)
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"{type(source).__name__}: give a path, ase.Atoms or a Structure")
    frame = next(iter_frames(os.fspath(source), charge, multiplicity))
    return frame.structure, frame.warnings


def singlepoint(
    source: str | os.PathLike[str] | Atoms | Structure,
    *,
    charge: int | None = None,
    multiplicity: int | None = None,
    solvent: str | float | Solvent | None = None,
    field: ArrayLike | None = None,
    point_charges: tuple[ArrayLike, ArrayLike] | None = None,
    kpts: Mesh = None,
    parameters: str | os.PathLike[str] | Parameters = DEFAULT,
    singlets: int = 0,
    triplets: int = 0,
    doublets: int = 0,
    max_energy: float | None = None,
    method: Method = TDA,
    forces: bool = False,
    polarizability: bool = False,
    dispersion: bool = True,
    electronic_temperature: float = 0.0,
    threads: int = 1,
) -> Result | CellResult:
    """Orbitals, charges, dipole, energy; forces and excited states on request.

    What is periodic (``Structure.cell``) gets bands, charges, energy, forces and stress.

    Parameters
    ----------
    source : path, ase.Atoms or Structure
        A path is read with its first frame.
    charge : int, optional
        Total charge, e; by default what the file, the Atoms (``info["charge"]``, initial charges)
        or the Structure says, else 0.
    multiplicity : int, optional
        2 S + 1; by default what the file, the Atoms or (for an even change of the charge) the
        Structure say, else 1, or 2 for an odd number of electrons.
    solvent : str, float or Solvent, optional
        Name or dielectric constant of a polarisable continuum around the molecule.
    field : (3,) array, optional
        Uniform electric field, atomic units.
    point_charges : tuple of (n,) and (n, 3) arrays, optional
        Charges around the molecule, e, and their positions, bohr.
    kpts : str or sequence of int, optional
        Mesh of k-points around Gamma for a periodic cell, ``8x8x1``; by default one that fits it.
    parameters : str, path or Parameters
        Parameter set.
    singlets, triplets : int
        Number of excited states of a closed shell.
    doublets : int
        Number of excited states of a radical (multiplicity 2).
    max_energy : float, optional
        Instead of ``singlets`` or ``doublets``: all of them up to this energy, hartree.
    method : Method
        How excited states are computed: Tamm-Dancoff, full response, selected configurations;
        of radicals Tamm-Dancoff.
    forces : bool
        Analytic forces by the reverse walk; like the energy only where the neutral molecule has
        an even number of electrons.
    polarizability : bool
        Static polarisability.
    dispersion : bool
        Add the D4 dispersion of the functional the parameters were trained on.
    electronic_temperature : float
        Of the occupations, kelvin; the energy is then a free energy. Excited states keep the
        closed shell.
    threads : int
        Threads of the linear-algebra libraries; small molecules take one.

    Returns
    -------
    Result, or CellResult for what is periodic

    Raises
    ------
    InputError
        If the structure is unusable or holds an element the parameters were not trained for, or
        the temperature is not a number from zero upwards; for states by number and by energy
        at once, or by a number or energy that makes no sense; for excited states that a spin does
        not have, forces that are not known, surroundings that make no sense; for all of these,
        excited states and polarisabilities of a periodic cell, and for k-points without one.
    ParameterError
        If the parameter set is missing or corrupted.
    """
    check_temperature(electronic_temperature)
    if not isinstance(method, Method):
        raise InputError(f"method {method!r}: give a Method")
    clock = Clock()
    check_threads(threads)
    with clock.step("total"), ExitStack() as inside:
        chosen = parameters if isinstance(parameters, Parameters) else Parameters.load(parameters)
        with chosen.naming_elements():
            structure, notes = as_structure(source, charge, multiplicity)
        threads = useful(threads, structure.n_orbital)
        inside.enter_context(limited(threads))
        chosen.check(structure)
        if structure.cell is not None:
            refuse_in_cells(
                {
                    "a solvent": solvent is not None,
                    "an electric field": field is not None,
                    "point charges": point_charges is not None,
                    "excited states": bool(singlets or triplets or doublets)
                    or max_energy is not None,
                    "a polarisability": polarizability,
                }
            )
            periodic = cell_point(
                structure,
                chosen,
                kpts=kpts,
                forces=forces,
                dispersion=dispersion,
                electronic_temperature=electronic_temperature,
                threads=threads,
            )
            return replace(periodic, warnings=(*notes, *periodic.warnings))
        if kpts is not None:
            mesh_of(structure, kpts)
        if forces:
            check_energy(structure, "forces", chosen.ions_learned)
        check_excitations(singlets, triplets, doublets, max_energy)
        asked: dict[Multiplicity, int]
        asked = {"singlet": singlets, "triplet": triplets, "doublet": doublets}
        if singlets or triplets:
            check_states(structure, (1,))
        if doublets:
            check_states(structure, (2,))
        if max_energy is not None:
            check_states(structure, (1, 2))
        kt = electronic_temperature * BOLTZMANN
        around = surroundings_of(solvent, field, point_charges)
        wanted = Wanted(
            forces=forces,
            dispersion=dispersion,
            kt=kt,
            surroundings=around,
            polarizability=polarizability,
            singlets=singlets,
            triplets=triplets,
            doublets=doublets,
            max_energy=max_energy,
            method=method,
        )
        found = evaluate(structure, chosen, wanted, clock)
        ground, prediction, alpha = found.ground, found.prediction, found.polarizability
        assert ground is not None
        states: dict[Multiplicity, ExcitedStates | None] = {
            "singlet": found.singlets,
            "triplet": found.triplets,
            "doublet": found.doublets,
        }
        shifts = chosen.atom_shifts(prediction)
        notes += structure.unit_doubts() + around.doubts(structure)
        if 0.0 < kt < ground.state.kt:
            kelvin = ground.state.kt / BOLTZMANN
            notes += (f"the electrons of ions and open shells have {kelvin:.0f} K at least",)
        if alpha is not None and (structure.charge or structure.multiplicity > 1):
            notes += (OF_NEUTRAL,)
        notes += chosen.warnings(structure, prediction, shifts)
        notes += no_gap(ground.state) + (chosen.excitation_warnings if any(states.values()) else ())
        notes += excitation_doubts(asked, states)
    if dispersion and not chosen.functional:
        notes += ("no dispersion: the parameters do not name the functional they were trained on",)
    return Result(
        structure=structure,
        parameters=chosen,
        state=ground.state,
        response=ground.response,
        frame=found.frame,
        charges=ground.charges,
        dipole=ground.dipole,
        energy=found.energy,
        dispersion=None if found.dispersion is NO_DISPERSION else found.dispersion.energy,
        forces=found.forces,
        polarizability=alpha,
        singlets=found.singlets,
        triplets=found.triplets,
        doublets=found.doublets,
        uncertainty=_uncertainty(chosen, prediction.pairs, shifts, ground),
        warnings=notes,
        timings=clock.timings,
        threads=threads,
    )


def molecular(source: str | os.PathLike[str] | Atoms | Structure, **requests: Any) -> Result:
    """A :func:`singlepoint` of something that has no periodic cell.

    Parameters
    ----------
    source : path, ase.Atoms or Structure
    **requests
        As there.

    Raises
    ------
    InputError
        If it has one.
    """
    result = singlepoint(source, **requests)
    if isinstance(result, CellResult):
        raise InputError("has a periodic cell, and this is for molecules: remove the cell")
    return result


def _uncertainty(
    parameters: Parameters, pairs: PairList, shifts: np.ndarray | None, ground: GroundState
) -> Uncertainty | None:
    """Spread of the committee for the only structure of a pair list, if there is a committee.

    It is that of neutral closed shells: there is none of an open shell.
    """
    if parameters.committee is None or shifts is None or ground.beta is not None:
        return None
    structure, calibration = pairs.structures[0], parameters.committee.calibration
    known = ground.response is None and not molecules(structure).any()
    return Uncertainty(structure, ground.state, shifts[pairs.atoms_of(0)], calibration, known)


def surroundings_of(
    solvent: str | float | Solvent | None,
    field: ArrayLike | None,
    point_charges: tuple[ArrayLike, ArrayLike] | None,
) -> Surroundings:
    """Surroundings of the arguments of :func:`singlepoint`.

    Parameters
    ----------
    solvent : str, float, Solvent or None
    field : (3,) array or None
        Atomic units.
    point_charges : tuple of (n,) and (n, 3) arrays, or None
        Charges, e, and their positions, bohr.

    Raises
    ------
    InputError
        If they make no sense.
    """
    if solvent is None and field is None and point_charges is None:
        return NOTHING
    charges, places = (None, None) if point_charges is None else pair_of(point_charges)
    return Surroundings(
        None if field is None else numbers_of("field", field),
        charges,
        places,
        None if solvent is None else solvent_of(solvent),
    )


def check_temperature(kelvin: float) -> None:
    """Refuse an electronic temperature that is none.

    Raises
    ------
    InputError
        If it is negative or not finite.
    """
    if not (isinstance(kelvin, Real) and math.isfinite(kelvin) and kelvin >= 0.0):
        raise InputError(f"electronic temperature {kelvin!r} K: need a number from zero upwards")


def check_excitations(
    singlets: int, triplets: int, doublets: int, max_energy: float | None
) -> None:
    """Refuse numbers and bounds of excited states that make no sense.

    Parameters
    ----------
    singlets, triplets, doublets : int
    max_energy : float or None
        Hartree.

    Raises
    ------
    InputError
    """
    for n in (singlets, triplets, doublets):
        if whole(n, "number of excited states") < 0:
            raise InputError(f"{n} excited states: need a whole number from zero upwards")
    if max_energy is not None and not (isinstance(max_energy, Real) and max_energy > 0.0):
        raise InputError(
            f"an upper bound of {max_energy!r} hartree for excitations: need more than zero"
        )
    if (singlets or doublets) and max_energy is not None:
        raise InputError("give a number of states or an upper bound of their energy, not both")
