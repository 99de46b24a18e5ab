"""Surfaces of excited singlets in a solvent, a field, among charges: derivatives and limits."""

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted, moved

from mlsemi import MLSemi
from mlsemi.calculators.surface import excited_surface
from mlsemi.evaluate import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.response.solvated_excitations import SolvatedExcitations
from mlsemi.response.solvents import solvent_of
from mlsemi.response.surroundings import Surroundings
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

ORGANIC = Parameters.load("organic-1")
MOLECULE = distorted("H2CO")
FIELD = np.array([0.004, -0.003, 0.006])
PLACES = np.array([[9.0, 8.0, 9.0], [-8.0, 9.0, 10.0]])
WATER = Surroundings(solvent=solvent_of("water"))
EVERYTHING = Surroundings(FIELD, np.array([0.5, -0.7]), PLACES, solvent_of("acetone"))


@pytest.mark.parametrize("around", [Surroundings(field=FIELD), WATER, EVERYTHING])
def test_forces_are_derivatives(around):
    own = excited_surface(MOLECULE, ORGANIC, 1, surroundings=around)
    way = np.random.default_rng(0).normal(size=MOLECULE.positions.shape)
    way /= np.linalg.norm(way)

    def energy(step):
        there = moved(MOLECULE, MOLECULE.positions + 2e-3 * step * way)
        given = {"surroundings": around, "forces": False, "previous": own}
        return excited_surface(there, ORGANIC, 1, **given).energy

    slope = (8.0 * (energy(1) - energy(-1)) - energy(2) + energy(-2)) / (12.0 * 2e-3)
    assert abs(slope) > 1e-2
    assert -np.sum(own.forces * way) == pytest.approx(slope, abs=1e-9)
    in_the_gas = excited_surface(MOLECULE, ORGANIC, 1).forces
    assert np.abs(own.forces - in_the_gas).max() > 1e-4


def test_the_solvent_has_followed_the_state():
    """Less than the vertical energy by 1/2 dq K_slow dq, and above the emission by as much."""
    result = singlepoint(MOLECULE, singlets=5, solvent="water", parameters=ORGANIC)
    states, terms = result.singlets, result.singlets.solvent
    fast = SolvatedExcitations.of(result.response.embedding)
    share = fast.solvent.factor / fast.solvent.fast_factor
    for k in (1, 2):
        point = excited_surface(MOLECULE, ORGANIC, k, surroundings=WATER, forces=False)
        expected = states.energies - terms.state_specific + share * terms.state_specific
        assert np.abs(expected - point.excitation_energy).min() < 1e-7
        nearest = int(np.abs(expected - point.excitation_energy).argmin())
        assert terms.emission[nearest] < point.excitation_energy < states.energies[nearest]
        assert point.emission_energy == pytest.approx(terms.emission[nearest], abs=1e-7)
        total = result.energy + point.excitation_energy
        assert point.energy == pytest.approx(total, abs=1e-9)


def test_dielectric_constant_one_is_empty_space():
    own = excited_surface(MOLECULE, ORGANIC, 2, surroundings=Surroundings(solvent=solvent_of(1.0)))
    gas = excited_surface(MOLECULE, ORGANIC, 2)
    assert own.energy == pytest.approx(gas.energy, abs=1e-10)
    assert own.emission_energy == pytest.approx(gas.emission_energy, abs=1e-10)
    np.testing.assert_allclose(own.forces, gas.forces, atol=1e-8)


def test_degenerate_states_keep_the_symmetry():
    """Of the two e1u states of benzene the mean: forces along the spokes, all alike."""
    point = excited_surface(singlepoint(molecule("C6H6")).structure, ORGANIC, 3, surroundings=WATER)
    spokes = np.linalg.norm(point.forces[:6], axis=1)
    assert point.gap * HARTREE_EV < 2e-3
    assert np.ptp(spokes) < 0.05 * spokes.max()


def test_calculator_has_surfaces_in_a_solvent():
    atoms = MOLECULE.to_ase()
    atoms.calc = MLSemi(state=1, solvent="water")
    point = excited_surface(MOLECULE, ORGANIC, 1, surroundings=WATER)
    assert atoms.get_potential_energy() == pytest.approx(point.energy * HARTREE_EV, abs=1e-7)
    np.testing.assert_allclose(atoms.get_forces(), point.forces * FORCE_EV_ANGSTROM, atol=1e-6)
