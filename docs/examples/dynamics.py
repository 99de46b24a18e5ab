"""Molecular dynamics: Langevin to reach 300 K, then at constant energy."""

import numpy as np
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from mlsemi import MLSemi

rng = np.random.default_rng(0)
atoms = read("p-nitroaniline.xyz")
atoms.calc = MLSemi()
BFGS(atoms, logfile=None).run(fmax=0.05, steps=100)
spread = np.sqrt(atoms.get_masses() * 300 * units.kB)  # Maxwell and Boltzmann
atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
Stationary(atoms)
ZeroRotation(atoms)

thermostat = Langevin(
    atoms, 0.5 * units.fs, temperature_K=300, friction=0.02 / units.fs, fixcm=False, rng=rng
)
thermostat.run(200)

total = []
dynamics = VelocityVerlet(atoms, 0.5 * units.fs, trajectory="p-nitroaniline.traj", loginterval=10)
dynamics.attach(lambda: total.append(atoms.get_total_energy()), interval=1)
dynamics.run(400)
drift = 1e3 * np.ptp(total) / len(atoms)
print(f"{atoms.get_temperature():.0f} K; total energy within {drift:.3f} meV per atom over 0.2 ps")
