"""Relax the first excited singlet and compare absorption with emission."""

from ase.io import read
from ase.optimize import BFGS

from mlsemi import MLSemi


def s1_above_s0(atoms):
    """Excitation energy at the present geometry, eV."""
    return MLSemi().excitations(atoms, singlets=1)["singlets"][0]["energy_ev"]


atoms = read("porphin.xyz")
atoms.calc = MLSemi()
BFGS(atoms, logfile=None).run(fmax=0.01, steps=200)
absorption = s1_above_s0(atoms)

atoms.rattle(0.01, seed=1)  # the minimum of S1 need not be planar
atoms.calc = MLSemi(state=1)
converged = BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.02, steps=300)
emission = s1_above_s0(atoms)

print(f"absorption {absorption:.2f} eV, emission {emission:.2f} eV, converged: {converged}")
