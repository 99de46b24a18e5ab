"""UV spectrum of a molecule in motion: the mean over snapshots of a trajectory at 300 K."""

import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin

import mlsemi
from mlsemi.ensemble import average_spectrum

rng = np.random.default_rng(0)
atoms = read("p-nitroaniline.xyz")
atoms.calc = mlsemi.MLSemi()
spread = np.sqrt(atoms.get_masses() * 300 * units.kB)  # Maxwell and Boltzmann
atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
thermostat = Langevin(
    atoms, 0.5 * units.fs, temperature_K=300, friction=0.02 / units.fs, fixcm=False, rng=rng
)
thermostat.run(200)

snapshots = []
for _ in range(20):
    thermostat.run(20)
    snapshots.append(mlsemi.singlepoint(atoms, singlets=6).singlets)
thermal = average_spectrum(snapshots, width_ev=0.1)

peak = thermal.energies_ev[np.argmax(thermal.extinction)]
print(f"strongest absorption at {peak:.2f} eV")
np.savetxt("p-nitroaniline-300K.csv", np.transpose([thermal.energies_ev, thermal.extinction]))
