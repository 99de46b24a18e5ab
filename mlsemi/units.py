"""One set of CODATA constants; atomic units are used everywhere inside the package.

A name that is not in atomic units carries its unit (``gap_ev``); the factors below are
applied only where data enters or leaves the program.
"""

from scipy.constants import physical_constants, speed_of_light

HARTREE_EV = physical_constants["Hartree energy in eV"][0]
BOHR_ANGSTROM = physical_constants["Bohr radius"][0] * 1e10
AU_DEBYE = physical_constants["atomic unit of electric dipole mom."][0] * speed_of_light * 1e21
FORCE_EV_ANGSTROM = HARTREE_EV / BOHR_ANGSTROM
EV_NM = physical_constants["Planck constant in eV/Hz"][0] * speed_of_light * 1e9
BOLTZMANN = physical_constants["kelvin-hartree relationship"][0]
"""Hartree per kelvin."""
