"""Lattice energies of molecular crystals beside published ones.

    python validation/lattice_energies.py [PARAMETERS] [--against OTHER]

Seventeen of the X23 crystals in their measured cells (`crystals.py`), beside diffusion Monte Carlo
(Della Pia et al., Phys. Rev. Lett. 133, 046401 (2024)). Rigid: energy of a molecule in the crystal
less that of the same molecule alone, at the published positions. Relaxed: positions in the fixed
cell, and the molecule, are those of the parameters. Published mean absolute errors on X23: GFN2-xTB
14.5, GFN1-xTB 11.1 kJ/mol. With ``--against`` another set is measured beside, rigid alone.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import report
from ase import Atoms, units
from crystals import CRYSTALS, Crystal

from mlsemi import MLSemi
from mlsemi.errors import DomainWarning
from mlsemi.molecule.structure import Structure
from mlsemi.nuclei.relaxation import relax
from mlsemi.parameters import Parameters
from mlsemi.periodic.fragments import fragments_of
from mlsemi.units import BOHR_ANGSTROM

KJ_MOL = units.mol / units.kJ
FMAX, STEPS = 0.05, 80


def molecule_of(cell: Atoms) -> Atoms:
    """The first molecule of a crystal, whole."""
    found = fragments_of(Structure.from_ase(cell))[0]
    return Atoms(cell.get_atomic_numbers()[found.atoms], found.positions * BOHR_ANGSTROM)


def lattice_energy(crystal: Crystal, parameters: Parameters, relaxed: bool = False) -> float:
    """Of one molecule, kJ/mol."""
    cell = crystal.structure()
    alone = molecule_of(cell)
    energies = []
    for atoms in (cell, alone):
        if relaxed:
            atoms = relax(atoms, MLSemi(parameters), fmax=FMAX, steps=STEPS).atoms
        atoms.calc = MLSemi(parameters)
        energies.append(atoms.get_potential_energy())
    return float(energies[0] / crystal.molecules - energies[1]) * KJ_MOL


def mean_absolute_error(parameters: Parameters) -> float:
    """Of the rigid lattice energies, kJ/mol."""
    errors = [lattice_energy(c, parameters) - c.energy for c in CRYSTALS.values()]
    return float(np.abs(errors).mean())


def main() -> None:
    """Write ``lattice_energies.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parameters", nargs="?", default="contacts-1")
    parser.add_argument("--against", default="organic-1.0")
    given = parser.parse_args()
    warnings.simplefilter("ignore", DomainWarning)
    chosen, other = Parameters.load(given.parameters), Parameters.load(given.against)
    rows, found = [], {}
    for name, crystal in CRYSTALS.items():
        values = (
            lattice_energy(crystal, chosen),
            lattice_energy(crystal, chosen, relaxed=True),
            lattice_energy(crystal, other),
        )
        found[name] = [crystal.energy, *values]
        rows.append([name, *(f"{value:.1f}" for value in found[name])])
        print(*rows[-1], flush=True)
    table = np.array(list(found.values()))
    errors = table[:, 1:] - table[:, :1]
    for title, values in (
        ("mean absolute error", np.abs(errors).mean(axis=0)),
        ("mean error", errors.mean(axis=0)),
    ):
        rows.append([title, "", *(f"{value:.1f}" for value in values)])
    head = ("crystal", "Monte Carlo", f"{chosen.name}, rigid", "relaxed", f"{other.name}, rigid")
    sections = [
        "kJ/mol for a molecule, in measured cells. Published mean absolute errors on X23: GFN2-xTB "
        "14.5, GFN1-xTB 11.1.",
        report.table(head, rows),
    ]
    report.write("lattice_energies", "Lattice energies", sections, {"kj_mol": found})


if __name__ == "__main__":
    main()
