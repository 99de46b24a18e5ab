"""Reaction path and barrier with the nudged elastic band: a methyl group of ethane turns."""

from ase.build import molecule
from ase.mep import NEB
from ase.optimize import BFGS, FIRE

from mlsemi import MLSemi

start = molecule("C2H6")
start.calc = MLSemi()
BFGS(start, logfile=None).run(fmax=0.01, steps=200)
end = start.copy()
end.rotate_dihedral(2, 0, 1, 5, 120.0, indices=[5, 6, 7])
end.calc = MLSemi()

images = [start, *(start.copy() for _ in range(5)), end]
for image in images[1:-1]:
    image.calc = MLSemi()
band = NEB(images, climb=True, k=1.0, method="improvedtangent")
band.interpolate("idpp")
converged = FIRE(band, logfile=None).run(fmax=0.05, steps=300)

energies = [image.get_potential_energy() for image in images]
barrier = 23.0605 * (max(energies) - energies[0])
print(f"barrier {barrier:.1f} kcal/mol, converged: {converged}")
