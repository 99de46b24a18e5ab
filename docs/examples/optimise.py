"""Relax a molecule with BFGS and write it with its energy."""

from ase.io import read, write
from ase.optimize import BFGS

from mlsemi import MLSemi

atoms = read("caffeine.xyz")
atoms.calc = MLSemi()
before = atoms.get_potential_energy()
optimiser = BFGS(atoms, logfile=None)
converged = optimiser.run(fmax=0.02, steps=300)
gained = before - atoms.get_potential_energy()

print(f"{optimiser.get_number_of_steps()} steps, {gained:.4f} eV lower, converged: {converged}")
write("caffeine-relaxed.xyz", atoms)
