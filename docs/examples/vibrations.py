"""Vibrational frequencies and infrared intensities from differences of forces and dipoles."""

from ase.build import molecule
from ase.optimize import BFGS
from ase.vibrations import Infrared

from mlsemi import MLSemi

atoms = molecule("H2CO")
atoms.calc = MLSemi()
BFGS(atoms, logfile=None).run(fmax=1e-3, steps=200)

infrared = Infrared(atoms, delta=0.005, name="formaldehyde-ir")
infrared.run()
infrared.summary()
wavenumbers = infrared.get_frequencies()[6:].real
intensities = infrared.intensities[6:]
infrared.write_spectra("formaldehyde-ir.dat", start=500, end=4000, width=20)
