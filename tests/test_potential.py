"""The energy surface without orbitals."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from ase.optimize import BFGS
from molecules import SMALL, parameters_of, random_model

import mlsemi
from mlsemi.errors import DomainWarning, InputError
from mlsemi.potential import potential_energy
from mlsemi.surface import excited_surface
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


def test_ions_have_charges_and_a_dipole_but_no_energy():
    """The energy of -2, 0 and +2 was once the same number."""
    atoms, chosen = molecule("H2CO"), parameters_of(random_model(seed=2))
    for charge in (2, -2):
        ion = atoms.copy()
        ion.calc = mlsemi.MLSemi(chosen, charge=charge)
        with pytest.warns(DomainWarning, match="no energy and forces"):
            assert ion.get_charges().sum() == pytest.approx(charge)
        assert np.isfinite(ion.get_dipole_moment()).all()
        assert len(ion.calc.excitations(singlets=2)["singlets"]) == 2
        assert "energy" not in ion.calc.results
        for asked in (ion.get_potential_energy, ion.get_forces):
            with pytest.raises(InputError, match=r"^energy and forces at charge [+-]2: .*neutral"):
                asked()
        with pytest.raises(InputError, match="neutral molecules only"):
            BFGS(ion, logfile=None).run(steps=1)
        ion.calc = mlsemi.MLSemi(chosen, charge=charge, state=1)
        with pytest.raises(InputError, match="energy and forces at charge"):
            ion.get_potential_energy()
    structure = mlsemi.Structure.from_ase(atoms, 2)
    with pytest.raises(InputError, match="of an excited state at charge"):
        excited_surface(structure, chosen, 1)
    with pytest.raises(InputError, match="energy and forces at charge"):
        potential_energy(structure, chosen)
