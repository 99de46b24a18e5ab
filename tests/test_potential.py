"""The energy surface without orbitals."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from molecules import SMALL, parameters_of, random_model

import mlsemi
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV


@pytest.mark.parametrize("form", ["readout", "band", "band+readout"])
@pytest.mark.parametrize("kelvin", [0.0, 15000.0])
def test_the_surface_without_orbitals_is_that_of_the_single_point(form, kelvin):
    """Bit by bit where the energy needs no orbitals, and computed with them where it does."""
    atoms = molecule("H2CO")
    atoms.rattle(0.1, seed=1)
    chosen = parameters_of(random_model(replace(SMALL, energy=form), seed=2))
    atoms.calc = mlsemi.MLSemi(chosen, electronic_temperature=kelvin, dispersion=False)
    forces = atoms.get_forces()
    assert ("charges" in atoms.calc.results) == (form != "readout" or kelvin > 0.0)
    assert np.abs(forces).max() > 1e-3
    given = {"parameters": chosen, "dispersion": False, "electronic_temperature": kelvin}
    whole = mlsemi.singlepoint(atoms, forces=True, **given)
    assert atoms.get_potential_energy() == whole.energy * HARTREE_EV
    np.testing.assert_array_equal(forces, whole.forces * FORCE_EV_ANGSTROM)
