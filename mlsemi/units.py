"""One set of CODATA constants; atomic units are used everywhere inside the package.

A name that is not in atomic units carries its unit (``gap_ev``); the factors below are
applied only where data enters or leaves the program.
"""

SPEED_OF_LIGHT, PLANCK, ELEMENTARY_CHARGE, AVOGADRO = (
    299792458.0,
    6.62607015e-34,
    1.602176634e-19,
    6.02214076e23,
)
ELECTRIC_CONSTANT, ELECTRON_MASS, BOHR_MAGNETON = (
    8.8541878188e-12,
    9.1093837139e-31,
    9.2740100657e-24,
)
DIPOLE_SI = 8.4783536198e-30
"""SI units; CODATA 2022, written out because importing those of SciPy takes longer than a job."""

HARTREE_EV = 27.211386245981
BOHR_ANGSTROM = 5.29177210544e-11 * 1e10
AU_DEBYE = DIPOLE_SI * SPEED_OF_LIGHT * 1e21
FORCE_EV_ANGSTROM = HARTREE_EV / BOHR_ANGSTROM
EV_NM = 4.135667696923859e-15 * SPEED_OF_LIGHT * 1e9
BOLTZMANN = 3.1668115634564e-06
"""Hartree per kelvin."""
