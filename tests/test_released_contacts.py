"""The set that has learned contacts: single molecules as before, dimers as they should be."""

import numpy as np
import pytest
from ase import units
from ase.build import molecule
from ase.data.s22 import (
    create_s22_system,
    get_interaction_energy_s22,
    get_number_of_dimer_atoms,
)

from mlsemi import MLSemi, singlepoint
from mlsemi.errors import InputError
from mlsemi.units import HARTREE_EV

SET, BEFORE = "contacts-1", "organic-1.0"
KCAL_MOL = HARTREE_EV * units.mol / units.kcal


def energy(atoms):
    return singlepoint(atoms, parameters=SET).energy


@pytest.mark.parametrize("name", ["C6H6", "CH3CONH2", "CH3NO2", "SO2"])
def test_a_single_molecule_is_what_it_was(name):
    """Levels and charges to rounding; the energy as well, since all bonds are whole."""
    now, before = (singlepoint(molecule(name), parameters=p, singlets=3) for p in (SET, BEFORE))
    np.testing.assert_allclose(now.state.energies, before.state.energies, atol=1e-12)
    np.testing.assert_allclose(now.charges, before.charges, atol=1e-11)
    np.testing.assert_allclose(now.singlets.energies, before.singlets.energies, atol=1e-9)
    assert now.energy == pytest.approx(before.energy, abs=1e-9)


@pytest.mark.parametrize(
    "name", ["Ammonia_dimer", "Benzene-methane_complex", "Benzene-water_complex", "Phenol_dimer"]
)
def test_interaction_energies(name):
    """Within 1 kcal/mol of CCSD(T), and both molecules are named in a warning."""
    dimer, (n, _) = create_s22_system(name), get_number_of_dimer_atoms(name)
    found = energy(dimer) - energy(dimer[:n]) - energy(dimer[n:])
    expected = get_interaction_energy_s22(name) * units.mol / units.kcal
    assert found * KCAL_MOL == pytest.approx(expected, abs=1.0)
    warnings = singlepoint(dimer, parameters=SET).warnings
    assert any("2 separate molecules: energies between" in text for text in warnings)


def test_a_polar_partner_far_away_shifts_no_level():
    """Nitromethane 100 angstrom from ethene: the potential of its dipole, 1e-5 eV (0.24 before)."""
    one, two = molecule("C2H4"), molecule("CH3NO2")
    far = two.copy()
    far.positions[:, 2] += 100.0
    alone = [singlepoint(a, parameters=SET).state.energies for a in (one, two)]
    both = singlepoint(one + far, parameters=SET).state.energies
    shift = np.abs(both - np.sort(np.concatenate(alone))).max() * HARTREE_EV
    assert shift < 5e-5


def test_forces_of_a_dimer_are_derivatives():
    dimer = create_s22_system("Water_dimer")
    dimer.rattle(0.05, seed=1)
    dimer.calc = MLSemi(parameters=SET)
    with pytest.warns(UserWarning, match="separate molecules"):
        forces = dimer.get_forces()
    direction = np.random.default_rng(0).normal(size=forces.shape)
    h, energies = 1e-4, []
    for sign in (1.0, -1.0):
        moved = dimer.copy()
        moved.positions += sign * h * direction
        energies.append(singlepoint(moved, parameters=SET).energy * HARTREE_EV)
    slope = (energies[1] - energies[0]) / (2.0 * h)
    assert np.sum(forces * direction) == pytest.approx(slope, abs=1e-6)


def test_cells_are_refused():
    crystal = molecule("H2O", vacuum=3.0)
    crystal.pbc = True
    crystal.calc = MLSemi(parameters=SET)
    with (
        pytest.raises(InputError, match="use organic-1"),
        pytest.warns(UserWarning, match="nothing periodic was learned"),
    ):
        crystal.get_potential_energy()
