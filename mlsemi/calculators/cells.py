"""Doors for what is periodic or made of several molecules: bands and transfer integrals."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.stress import full_3x3_to_voigt_6_stress

from mlsemi.calculators.potential import needs_orbitals
from mlsemi.calculators.settings import SURROUNDINGS
from mlsemi.evaluate import as_structure
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.periodic.bands import Bands, bands_of
from mlsemi.periodic.couplings import Couplings, couplings_of
from mlsemi.periodic.point import Mesh, cell_point, cell_surface
from mlsemi.periodic.result import STRESS_EV_ANGSTROM3, refuse_in_cells
from mlsemi.sets.releases import DEFAULT
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

Source = str | os.PathLike[str] | Atoms | Structure


def bands(
    source: Source,
    *,
    path: str | None = None,
    npoints: int = 60,
    kpts: Mesh = None,
    parameters: str | os.PathLike[str] | Parameters = DEFAULT,
    electronic_temperature: float = 0.0,
    threads: int = 1,
) -> Bands:
    """Band structure of a chain, a layer or a crystal.

    Parameters
    ----------
    source : path, ase.Atoms or Structure
        With a periodic cell; a path is read with its first frame.
    path : str, optional
        Names of special points, as ``GXWG``; by default all that the lattice has.
    npoints : int
        On the whole path.
    kpts : str or sequence of int, optional
        Mesh of the Fermi level and the density of states, ``8x8x1``; by default one that fits.
    parameters : str, path or Parameters
        Parameter set.
    electronic_temperature : float
        Of the occupations, kelvin.
    threads : int
        Threads of the linear-algebra libraries.

    Raises
    ------
    InputError
        For a structure without a cell, or one that cannot be used; paths and meshes that make no
        sense.
    """
    chosen, structure = _read(source, parameters)
    return bands_of(
        structure,
        chosen,
        path=path,
        npoints=npoints,
        kpts=kpts,
        electronic_temperature=electronic_temperature,
        threads=threads,
    )


def couplings(
    source: Source,
    *,
    parameters: str | os.PathLike[str] | Parameters = DEFAULT,
    threads: int = 1,
) -> Couplings:
    """Transfer integrals and site energies of the molecules of a dimer, a cluster or a crystal.

    Parameters
    ----------
    source : path, ase.Atoms or Structure
        A path is read with its first frame.
    parameters : str, path or Parameters
        Parameter set.
    threads : int
        Threads of the linear-algebra libraries.

    Raises
    ------
    InputError
        For a single molecule, a polymer or network, or a structure that cannot be used.
    """
    chosen, structure = _read(source, parameters)
    return couplings_of(structure, chosen, threads=threads)


def cell_changes(before: Atoms, after: Atoms) -> list[str]:
    """What has changed of the cells of two Atoms, if it matters."""
    same = np.array_equal(before.cell, after.cell) and np.array_equal(before.pbc, after.pbc)
    return [] if same or not (before.pbc.any() or after.pbc.any()) else ["cell", "pbc"]


def cell_results(
    structure: Structure,
    parameters: Parameters,
    settings: Mapping[str, Any],
    properties: Sequence[str],
) -> dict[str, Any]:
    """Results of the ASE calculator for a periodic cell.

    Orbitals only where the energy or the charges need them. The stress is there in a crystal.

    Parameters
    ----------
    structure : Structure
    parameters : Parameters
    settings : mapping
        Of the calculator.
    properties : sequence of str
        What is asked for.

    Raises
    ------
    InputError
        For surroundings and excited states.
    """
    asked = {name: settings[name] is not None for name in SURROUNDINGS}
    refuse_in_cells(asked | {"an excited state": bool(settings["state"])})
    common = {name: settings[name] for name in ("dispersion", "threads")}
    kelvin, found = settings["electronic_temperature"], dict[str, Any]()
    if "charges" in properties or needs_orbitals(parameters, kelvin):
        point = cell_point(
            structure,
            parameters,
            kpts=settings["kpts"],
            forces=True,
            electronic_temperature=kelvin,
            **common,
        )
        found["charges"] = np.array(point.charges)
        energy, forces, strain = point.energy, point.forces, point.strain
        assert forces is not None
        assert strain is not None
    else:
        energy, forces, strain = cell_surface(structure, parameters, **common)
    found |= {"energy": energy * HARTREE_EV, "free_energy": energy * HARTREE_EV}
    found["forces"] = forces * FORCE_EV_ANGSTROM
    cell = structure.cell
    if cell is not None and cell.dimension == len(cell.vectors):
        stress = strain / cell.measure * STRESS_EV_ANGSTROM3
        found["stress"] = full_3x3_to_voigt_6_stress(stress)
    return found


def _read(
    source: Source, parameters: str | os.PathLike[str] | Parameters
) -> tuple[Parameters, Structure]:
    chosen = parameters if isinstance(parameters, Parameters) else Parameters.load(parameters)
    with chosen.naming_elements():
        return chosen, as_structure(source)[0]
