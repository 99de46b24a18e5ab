"""Energies, forces, charges and dipoles of GFN2-xTB along relaxations: ``mlsemi surfaces``.

Every molecule is embedded and relaxed; then all atoms are displaced at random by 0.04 to 0.14
angstrom and relaxed for a few steps, several times over. The geometries on the way are kept, so
that stiff bonds are nearly as short as they are in a warm molecule. One call of GFN2-xTB gives one
geometry.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS
from rich.console import Console
from rich.progress import track

from mlsemi.errors import InputError, MlsemiError
from mlsemi.outputs import check_writable
from mlsemi.structure import Structure
from mlsemi.training.auxiliary import Surface, save_surfaces
from mlsemi.training.commands import available_cores, require_programs
from mlsemi.training.dataset import split_of
from mlsemi.training.geometries import bonds_of, embed, gfn2_calculator, has_reacted, seed_of
from mlsemi.training.inputs import read_hashes
from mlsemi.training.workers import process_pool
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM, HARTREE_EV

AMPLITUDES = (0.04, 0.09, 0.14)
"""Standard deviations of the displacements, angstrom."""

LABELS = ("energy", "forces", "charges", "dipole")
"""What is kept of each geometry."""

RELAXED, DISPLACED = (0, 4, 12), (0, 2)
"""Steps that are kept of the first relaxation and of those after a displacement."""

LARGEST_FORCE = 12.0
"""Geometries with a larger force on an atom are left out, eV / angstrom."""

FORCE_MAX = 0.03
"""Where relaxations end, eV / angstrom."""


def surfaces_of_list(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    exclude: str | os.PathLike[str] | None = None,
    seed: int = 1,
    processes: int | None = None,
    quiet: bool = False,
) -> list[Surface]:
    """Auxiliary surfaces of the training molecules of SMILES lists -> one file.

    Parameters
    ----------
    inputs : sequence of path
        One SMILES per line.
    output : path
        HDF5 file to write, see :mod:`mlsemi.training.auxiliary`.
    exclude : path, optional
        sha256(InChIKey) of molecules to leave out.
    seed : int
        Of the embedding and the displacements.
    processes : int, optional
        One per core by default.
    quiet : bool
        No progress bar and no summary.

    Raises
    ------
    InputError
        If a list cannot be read or no molecule gives a geometry.
    MlsemiError
        If a program is missing, or a worker process dies.
    """
    require_programs()
    check_writable(output)
    labels = molecules_of(inputs, read_hashes(exclude))
    console = Console(stderr=True, quiet=quiet)
    try:
        with process_pool(processes or available_cores()) as pool:
            work = pool.map(relaxation_surfaces, labels, [seed] * len(labels), chunksize=4)
            shown = track(work, "surfaces", total=len(labels), console=console, disable=quiet)
            surfaces = [surface for some in shown for surface in some]
    except BrokenProcessPool:
        raise MlsemiError("a worker process died: use fewer --processes") from None
    if not surfaces:
        raise InputError("no training molecule in the lists gives a geometry")
    save_surfaces(Path(output), surfaces)
    if not quiet:
        n_molecule = len({surface.molecule for surface in surfaces})
        console.print(
            f"{output}: {len(surfaces)} geometries of {n_molecule} molecules; "
            f"{len(labels) - n_molecule} molecules failed"
        )
    return surfaces


def molecules_of(
    inputs: Sequence[str | os.PathLike[str]], excluded: frozenset[str]
) -> list[tuple[str, str]]:
    """(SMILES, InChIKey) of every training molecule of the lists, each once."""
    from rdkit import Chem

    from mlsemi.training.campaign import jobs_of_smiles

    kept = {}
    for path in inputs:
        for job in jobs_of_smiles(path, excluded):
            if split_of(job.molecule) == "train":
                canonical = Chem.MolToSmiles(Chem.MolFromSmiles(job.label))
                kept[canonical] = job.label, job.molecule
    return list(kept.values())


def relaxation_surfaces(of: tuple[str, str], seed: int) -> list[Surface]:
    """All geometries of one neutral molecule; none if GFN2-xTB fails, it reacts, or mlsemi does
    not know an element.

    Parameters
    ----------
    of : (SMILES, InChIKey)
    seed : int
    """
    smiles, molecule = of
    own = seed_of(smiles, seed)
    rng = np.random.default_rng(own)
    try:
        atoms, charge = embed(smiles, own)
        if charge:
            return []
        atoms.calc = gfn2_calculator(charge)
        found = _along(atoms, RELAXED)
        for amplitude in AMPLITUDES:
            moved = atoms.copy()
            moved.positions += amplitude * rng.normal(size=moved.positions.shape)
            moved.calc = atoms.calc
            found += _along(moved, DISPLACED)
        bonds = bonds_of(smiles)
        return [
            _surface(frame, molecule)
            for frame in found
            if np.linalg.norm(frame.get_forces(), axis=1).max() <= LARGEST_FORCE
            and not has_reacted(frame, bonds)
        ]
    except (InputError, CalculationFailed, RuntimeError):
        return []


def _surface(frame: Atoms, molecule: str) -> Surface:
    return Surface(
        Structure.from_ase(frame),
        frame.get_potential_energy() / HARTREE_EV,
        frame.get_forces() / FORCE_EV_ANGSTROM,
        frame.get_charges(),
        frame.get_dipole_moment() / BOHR_ANGSTROM,
        molecule,
    )


def _along(atoms: Atoms, kept: tuple[int, ...]) -> list[Atoms]:
    """Some steps of a relaxation with their results; ``atoms`` ends at the last."""
    out = []
    for step, _ in enumerate(BFGS(atoms, logfile=None).irun(fmax=FORCE_MAX, steps=kept[-1])):
        if step in kept:
            atoms.get_potential_energy()
            frame = atoms.copy()
            results = {name: atoms.calc.results[name] for name in LABELS}
            frame.calc = SinglePointCalculator(frame, **results)
            out.append(frame)
    return out
