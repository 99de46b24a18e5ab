"""The constants are CODATA's."""

import pytest
from scipy import constants

from mlsemi import units

SI = constants.physical_constants


def test_constants():
    assert SI["Hartree energy in eV"][0] == units.HARTREE_EV
    assert SI["Bohr radius"][0] * 1e10 == units.BOHR_ANGSTROM
    assert SI["Planck constant in eV/Hz"][0] * constants.c * 1e9 == units.EV_NM
    assert SI["kelvin-hartree relationship"][0] == units.BOLTZMANN
    assert SI["atomic unit of electric dipole mom."][0] == units.DIPOLE_SI
    assert SI["Bohr magneton"][0] == units.BOHR_MAGNETON
    assert pytest.approx(2.541746473, rel=1e-9) == units.AU_DEBYE
    assert (constants.c, constants.h) == (units.SPEED_OF_LIGHT, units.PLANCK)
    assert (constants.e, constants.N_A) == (units.ELEMENTARY_CHARGE, units.AVOGADRO)
    assert (constants.epsilon_0, constants.m_e) == (units.ELECTRIC_CONSTANT, units.ELECTRON_MASS)
