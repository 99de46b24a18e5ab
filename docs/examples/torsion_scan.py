"""Relaxed scan of a torsion: the methyl group of acetaldehyde."""

import numpy as np
from ase.build import molecule
from ase.constraints import FixInternals
from ase.optimize import BFGS

from mlsemi import MLSemi

start = molecule("CH3CHO")
oxygen, carbon, methyl, hydrogen = 0, 1, 3, 5
angles = np.arange(0, 121, 15)
energies = []
for angle in angles:
    atoms = start.copy()
    turned = [i for i in range(4, 7)]
    atoms.set_dihedral(oxygen, carbon, methyl, hydrogen, angle, indices=turned)
    atoms.calc = MLSemi()
    kept = [[float(angle), [oxygen, carbon, methyl, hydrogen]]]
    atoms.set_constraint(FixInternals(dihedrals_deg=kept))
    BFGS(atoms, logfile=None).run(fmax=0.02, steps=200)
    energies.append(atoms.get_potential_energy())

profile = 23.0605 * (np.array(energies) - min(energies))
for angle, energy in zip(angles, profile, strict=True):
    print(f"{angle:4d} degrees {energy:6.2f} kcal/mol")
