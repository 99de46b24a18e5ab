"""The sets that have learned contacts: single molecules as before, dimers as they should be."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.data.s22 import (
    create_s22_system,
    get_interaction_energy_s22,
    get_number_of_dimer_atoms,
)
from ase.md.verlet import VelocityVerlet
from ase.spacegroup import crystal

from mlsemi import MLSemi, singlepoint
from mlsemi.nuclei.relaxation import relax
from mlsemi.units import HARTREE_EV

SET, BEFORE = "organic-2", "organic-1.1"
OLDER = "contacts-1", "organic-1.0"
KCAL_MOL = HARTREE_EV * units.mol / units.kcal


def energy(atoms):
    return singlepoint(atoms, parameters=SET).energy


@pytest.mark.parametrize("sets", [(SET, BEFORE), OLDER], ids=lambda sets: sets[0])
@pytest.mark.parametrize("name", ["C6H6", "CH3CONH2", "CH3NO2", "SO2"])
def test_a_single_molecule_is_what_it_was(name, sets):
    """Levels and charges to rounding; the energy as well, since all bonds are whole."""
    now, before = (singlepoint(molecule(name), parameters=p, singlets=3) for p in sets)
    np.testing.assert_allclose(now.state.energies, before.state.energies, atol=1e-12)
    np.testing.assert_allclose(now.charges, before.charges, atol=1e-11)
    np.testing.assert_allclose(now.singlets.energies, before.singlets.energies, atol=1e-9)
    assert now.energy == pytest.approx(before.energy, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("Ammonia_dimer", 1.0),
        ("Benzene-methane_complex", 1.0),
        ("Benzene-water_complex", 1.0),
        ("Phenol_dimer", 1.6),  # 1.0 with contacts-1.0
    ],
)
def test_interaction_energies(name, within):
    """Near CCSD(T), kcal/mol, and both molecules are named in a warning."""
    dimer, (n, _) = create_s22_system(name), get_number_of_dimer_atoms(name)
    found = energy(dimer) - energy(dimer[:n]) - energy(dimer[n:])
    expected = get_interaction_energy_s22(name) * units.mol / units.kcal
    assert found * KCAL_MOL == pytest.approx(expected, abs=within)
    warnings = singlepoint(dimer, parameters=SET).warnings
    assert any("2 separate molecules: energies between" in text for text in warnings)


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
def test_an_ion_whose_neutral_form_is_a_radical_has_an_energy():
    """Ammonium; sets that have not learned ions refuse it."""
    ion = molecule("CH4")
    ion.symbols[0] = "N"
    ion.positions *= 1.02 / 1.09
    ion.calc = MLSemi(parameters=SET, charge=1)
    affinity = singlepoint(molecule("NH3"), parameters=SET).energy * HARTREE_EV
    affinity -= ion.get_potential_energy()
    assert affinity == pytest.approx(9.2, abs=1.5)  # of electrons and nuclei, measured
    assert np.abs(ion.get_forces()).max() < 1.5


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
def test_a_stretched_bond_is_what_it_was():
    """Up to 1.45 times the sum of covalent radii a bond is whole: energy and forces to rounding."""
    one = molecule("CH3OH")
    one.set_distance(0, 1, 2.0, fix=0, indices=[1, 3])
    energies, forces = [], []
    for parameters in (SET, BEFORE):
        one.calc = MLSemi(parameters=parameters)
        energies.append(one.get_potential_energy())
        forces.append(one.get_forces())
    assert energies[0] == pytest.approx(energies[1], abs=1e-8)
    np.testing.assert_allclose(*forces, atol=1e-8)


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


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
@pytest.mark.parametrize(
    ("parameters", "name", "apart"),
    [
        (SET, "H2O", 3.0),
        (SET, "NH3", 3.4),
        (SET, "HCl", 3.6),
        (SET, "PH3", 4.2),
        (OLDER[0], "H2O", 3.0),
    ],
)
def test_a_cluster_holds_together(parameters, name, apart):
    """Six molecules as they fall, relaxed, then at 250 K: no two melt into one, energy is kept."""
    rng, atoms, single = np.random.default_rng(0), Atoms(), molecule(name)
    for k in range(6):
        one = single.copy()
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.positions += apart * np.array([k % 2, k // 2 % 2, k // 4])
        atoms += one
    atoms = relax(atoms, MLSemi(parameters), fmax=0.05, steps=60).atoms
    atoms.calc = MLSemi(parameters=parameters)
    atoms.set_momenta(
        np.sqrt(atoms.get_masses() * 250 * units.kB)[:, None] * rng.normal(size=(len(atoms), 3))
    )
    dynamics, energies = VelocityVerlet(atoms, 0.5 * units.fs), []
    for _ in range(60):
        dynamics.run(1)
        energies.append(atoms.get_total_energy())
    assert np.ptp(energies) < 0.01
    of = np.arange(len(atoms)) // len(single)
    assert atoms.get_all_distances()[of[:, None] != of].min() > 1.5


def dry_ice():
    """Carbon dioxide, Pa-3."""
    places = [(0, 0, 0), (0.1185, 0.1185, 0.1185)]
    return crystal("CO", places, spacegroup=205, cellpar=[5.624] * 3 + [90] * 3)


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
@pytest.mark.parametrize(("name", "tolerance"), [("CH4", 1e-7), ("C6H6", 5e-6)])
def test_a_molecule_in_a_large_cell_is_the_molecule(name, tolerance):
    """40 angstrom: neither has a dipole; the quadrupole of benzene sees its images."""
    alone = molecule(name)
    inside = alone.copy()
    inside.set_cell([40.0, 40.0, 40.0])
    inside.pbc = True
    inside.positions += [1.0, 39.0, 20.0]
    inside.wrap()
    for atoms in (alone, inside):
        atoms.calc = MLSemi(parameters=SET)
    expected = alone.get_potential_energy()
    assert inside.get_potential_energy() == pytest.approx(expected, abs=tolerance)
    np.testing.assert_allclose(inside.get_forces(), alone.get_forces(), atol=tolerance)


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
def test_a_crystal_of_molecules():
    """Levels and energy of a mesh and of its supercell, 1e-9 eV; dynamics conserve energy."""
    one = singlepoint(dry_ice(), parameters=SET, kpts="2x1x1")
    two = singlepoint(dry_ice().repeat((2, 1, 1)), parameters=SET, kpts="1x1x1")
    assert two.energy / 2 == pytest.approx(one.energy, abs=1e-9 / HARTREE_EV)
    levels = np.sort(np.concatenate(one.state.filling.energies))
    np.testing.assert_allclose(two.state.filling.energies[0], levels, atol=1e-9 / HARTREE_EV)
    atoms = dry_ice()
    atoms.calc = MLSemi(parameters=SET)
    lattice = (
        atoms.get_potential_energy() / 4
        - singlepoint(molecule("CO2"), parameters=SET).energy * HARTREE_EV
    )
    assert -0.5 < lattice < -0.15  # measured, without vibrations: -0.29
    rng = np.random.default_rng(1)
    spread = np.sqrt(atoms.get_masses() * 200.0 * units.kB)
    atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
    dynamics, energies = VelocityVerlet(atoms, 0.5 * units.fs), []
    for _ in range(60):
        dynamics.run(1)
        energies.append(atoms.get_total_energy())
    assert np.ptp(energies) < 0.003
    assert abs(np.mean(energies[-20:]) - np.mean(energies[:20])) < 5e-4
