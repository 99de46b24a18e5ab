import numpy as np
import pytest
from ase.build import molecule
from ase.optimize import BFGS
from tiny import write_tiny_parameters

import mlsemi
from mlsemi.errors import InputError
from mlsemi.parameters import Parameters
from mlsemi.surface import excited_surface

STEP = 1e-3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return Parameters.load(write_tiny_parameters(tmp_path_factory.mktemp("parameters") / "tiny"))


@pytest.fixture
def atoms():
    """Formaldehyde without symmetry."""
    out = molecule("H2CO")
    out.positions += 0.1 * np.random.default_rng(1).normal(size=(4, 3))
    return out


@pytest.mark.parametrize("state", [0, 1, 3])
def test_forces_are_the_gradient_of_the_surface(tiny, atoms, state):
    atoms.calc = mlsemi.MLSemi(tiny, state=state)
    forces = atoms.get_forces()
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-6)
    for atom, axis in ((0, 2), (1, 0), (3, 1)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, axis] += sign * STEP
            moved.calc = mlsemi.MLSemi(tiny, state=state)
            energies.append(moved.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * STEP)
        assert forces[atom, axis] == pytest.approx(-slope, rel=1e-4, abs=1e-4)


def test_surfaces_differ_by_the_excitation_energy(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    ground = atoms.get_potential_energy()
    listed = atoms.calc.excitations(singlets=3, triplets=1)
    assert [len(listed[kind]) for kind in ("singlets", "triplets")] == [3, 1]
    for k, state in enumerate(listed["singlets"], start=1):
        atoms.calc = mlsemi.MLSemi(tiny, state=k)
        assert atoms.get_potential_energy() - ground == pytest.approx(state["energy_ev"], abs=1e-6)


def test_degenerate_states_share_a_symmetric_gradient(tiny):
    """Both components of a degenerate pair give the same forces, with the molecule's symmetry."""
    angles = 2.0 * np.pi / 3.0 * np.arange(3)
    hydrogens = np.stack([1.8 * np.cos(angles), 1.8 * np.sin(angles), [-0.6] * 3], axis=1)
    structure = mlsemi.Structure([7, 1, 1, 1], np.vstack([np.zeros(3), hydrogens]))
    energies = mlsemi.singlepoint(structure, parameters=tiny, singlets=9).singlets.energies
    close = np.flatnonzero(np.diff(energies) < 1e-8)
    assert close.size, "ammonia has degenerate states"
    pair = [excited_surface(structure, tiny, int(close[0]) + k).forces for k in (1, 2)]
    np.testing.assert_allclose(pair[0], pair[1], atol=1e-6)
    sizes = np.linalg.norm(pair[0][1:], axis=1)
    np.testing.assert_allclose(sizes, sizes[0], rtol=1e-5)
    assert sizes[0] > 1e-3


def test_charges_dipole_and_units(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    record = mlsemi.singlepoint(atoms, parameters=tiny).to_dict()
    assert atoms.get_potential_energy() == pytest.approx(record["energy_ev"])
    np.testing.assert_allclose(atoms.get_charges(), record["charges_e"])
    np.testing.assert_allclose(atoms.get_dipole_moment(), record["dipole_e_angstrom"])


def test_it_drives_ase(tiny, atoms):
    atoms.calc = mlsemi.MLSemi(tiny)
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None, maxstep=0.02).run(steps=3)
    assert atoms.get_potential_energy() < before


def test_wrong_states_are_refused(tiny, atoms):
    with pytest.raises(InputError, match="ground state"):
        mlsemi.MLSemi(tiny, state=-1)
    atoms.calc = mlsemi.MLSemi(tiny, state=25)
    with pytest.raises(InputError, match="no excited singlet 25: there are 24"):
        atoms.get_potential_energy()
    with pytest.raises(InputError, match="give atoms"):
        mlsemi.MLSemi(tiny).excitations(singlets=1)
