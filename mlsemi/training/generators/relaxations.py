"""Energies, forces, charges and dipoles of GFN2-xTB along relaxations.

Every molecule is embedded and relaxed; then all atoms are displaced at random by 0.04 to 0.14
angstrom and relaxed for a few steps, several times over. The geometries on the way are kept, so
that stiff bonds are nearly as short as they are in a warm molecule. One call of GFN2-xTB gives one
geometry.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.geometries import bonds_of, embed, gfn2_calculator, has_reacted, seed_of
from mlsemi.training.data.surfaces import Surface
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
            surface_of(frame, molecule)
            for frame in found
            if np.linalg.norm(frame.get_forces(), axis=1).max() <= LARGEST_FORCE
            and not has_reacted(frame, bonds)
        ]
    except (InputError, CalculationFailed, RuntimeError):
        return []


def surface_of(frame: Atoms, molecule: str) -> Surface:
    """What the calculator of a frame knows of it."""
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
