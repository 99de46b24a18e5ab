"""The energy surface without orbitals."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase.build import molecule
from ase.optimize import BFGS
from molecules import SMALL, parameters_of, random_model

import mlsemi
from mlsemi.calculators.potential import potential_energy
from mlsemi.calculators.surface import excited_surface
from mlsemi.errors import DomainWarning, InputError, InputWarning
from mlsemi.parameters import Parameters
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


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
def test_ions_have_energies_of_their_own_and_forces_that_are_the_gradient():
    """The energy of -2, 0 and +2 was once the same number."""
    atoms, chosen = molecule("H2CO"), Parameters.load("organic-1")
    atoms.rattle(0.05, seed=3)
    direction = np.random.default_rng(4).normal(size=(4, 3))
    energies = []
    for charge, multiplicity in ((0, 1), (2, 1), (-2, 1), (1, 2), (0, 3)):
        ion = atoms.copy()
        ion.calc = mlsemi.MLSemi(chosen, charge=charge, multiplicity=multiplicity)
        energies.append(ion.get_potential_energy())
        slope, step = -np.sum(ion.get_forces() * direction), 1e-4
        found = []
        for sign in (1, -1):
            ion.positions = atoms.positions + sign * step * direction
            found.append(ion.get_potential_energy())
        assert (found[0] - found[1]) / (2.0 * step) == pytest.approx(slope, abs=3e-5)
    assert np.abs(np.subtract.outer(energies, energies)[np.triu_indices(5, 1)]).min() > 0.1


@pytest.mark.parametrize(("charge", "multiplicity"), [(0, 2), (1, 1), (-1, 3)])
def test_radicals_have_charges_and_a_dipole_but_no_energy(charge, multiplicity):
    """And so have all ions of them."""
    atoms, chosen = molecule("CH3"), parameters_of(random_model(seed=2))
    atoms.calc = mlsemi.MLSemi(chosen, charge=charge, multiplicity=multiplicity)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        with pytest.warns(DomainWarning, match="no energy and forces"):
            assert atoms.get_charges().sum() == pytest.approx(charge, abs=1e-9)
        assert np.isfinite(atoms.get_dipole_moment()).all()
        assert "energy" not in atoms.calc.results
        for asked in (atoms.get_potential_energy, atoms.get_forces):
            with pytest.raises(InputError, match=r"^energy and forces at charge .* odd number of"):
                asked()
        with pytest.raises(InputError, match="closed shells only"):
            BFGS(atoms, logfile=None).run(steps=1)
    if multiplicity == 1:
        states = atoms.calc.excitations(atoms, singlets=2)
        assert len(states["singlets"]) == 2


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
@pytest.mark.parametrize("electrons", [{"charge": 2}, {"charge": 1}, {"multiplicity": 3}])
def test_excited_surfaces_are_those_of_neutral_closed_shells(electrons):
    chosen = parameters_of(random_model(seed=2))
    atoms = molecule("H2CO")
    atoms.calc = mlsemi.MLSemi(chosen, state=1, **electrons)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        with pytest.raises(InputError, match="excited states are there for neutral closed shells"):
            atoms.get_potential_energy()
    charge = electrons.get("charge", 0)
    multiplicity = electrons.get("multiplicity", 1 + charge % 2)
    structure = mlsemi.Structure.from_ase(atoms, charge, multiplicity)
    with pytest.raises(InputError, match="excited states are there for neutral closed shells"):
        excited_surface(structure, chosen, 1)
    with pytest.raises(InputError, match="energies of ions and open shells need orbitals"):
        potential_energy(structure, chosen)
