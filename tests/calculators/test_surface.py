"""Excited surfaces: the state a calculator follows, by its character, and where it ends."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.optimize import BFGS

import mlsemi
from mlsemi import calculator
from mlsemi.calculators.surface import CROSSED, Character, excited_surface
from mlsemi.errors import StateError, StateWarning
from mlsemi.molecule.structure import Structure


@pytest.fixture
def atoms():
    """Formaldehyde without symmetry."""
    out = molecule("H2CO")
    out.positions += 0.1 * np.random.default_rng(1).normal(size=(4, 3))
    return out


def stretched(amount):
    """Planar formaldehyde, the oxygen moved along the bond (angstrom)."""
    out = molecule("H2CO")
    bond = out.positions[0] - out.positions[1]
    out.positions[0] += amount * bond / np.linalg.norm(bond)
    return out


def test_a_state_is_followed_through_a_crossing(tiny):
    """Two states of different symmetry cross: the curve stays smooth and the change is said."""
    path = np.linspace(0.16, 0.40, 13)
    curves = {}
    for follow in (True, False):
        calc = mlsemi.MLSemi(tiny, state=4, follow=follow)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            curves[follow] = []
            for amount in path:
                frame = stretched(amount)
                frame.calc = calc
                curves[follow].append((frame.get_potential_energy(), calc.surface.index))
        if follow:
            crossing = calc.crossings[0]
            assert len(calc.crossings) == len(said) == 1
            assert said[0].category is StateWarning
            assert (crossing.before, crossing.after) == (4, 5)
            assert crossing.overlap > 0.9
            assert crossing.gap_ev < 0.05
            assert str(crossing) == str(said[0].message)
            changed = int(np.argmax(np.diff([number for _, number in curves[True]]) != 0)) + 1
            assert f"geometry {changed}: excited singlet 4 is now number 5" in str(crossing)
        else:
            assert calc.crossings == []
    energies, numbers = (np.array(x) for x in zip(*curves[True], strict=True))
    assert set(numbers) == {4, 5}
    assert np.abs(np.diff(energies, 3)).max() < 2e-3
    by_energy = np.array([energy for energy, _ in curves[False]])
    assert np.abs(np.diff(by_energy, 2)).max() > 5.0 * np.abs(np.diff(energies, 2)).max()


def test_a_state_that_is_lost_is_reported(tiny):
    calc = mlsemi.MLSemi(tiny, state=1)
    frame = stretched(0.0)
    frame.calc = calc
    frame.get_potential_energy()
    frame.positions = frame.positions[[1, 0, 2, 3]]
    with pytest.warns(StateWarning, match="excited singlet 1 is lost"):
        frame.get_potential_energy()
    assert calc.surface.index == 1
    calc.forget()
    assert calc.crossings == []
    frame.positions += 0.001
    frame.get_potential_energy()
    assert calc.crossings == []


def test_another_molecule_begins_a_new_path(tiny):
    calc = mlsemi.MLSemi(tiny, state=2)
    for name in ("H2CO", "CH3OH"):
        frame = molecule(name)
        frame.calc = calc
        frame.get_potential_energy()
    assert calc.surface.index == 2
    assert calc.crossings == []


def test_a_fall_below_the_ground_state_is_reported_and_not_followed_far(tiny, atoms, monkeypatch):
    calc = mlsemi.MLSemi(tiny, state=1)
    atoms.calc = calc
    atoms.get_potential_energy()
    original = calculator.excited_surface
    for excitation in (-0.002, -0.01):

        def fallen(*arguments, energy=excitation, **requests):
            return replace(original(*arguments, **requests), excitation_energy=energy)

        monkeypatch.setattr(calculator, "excited_surface", fallen)
        atoms.positions[0, 0] += 0.01
        if excitation == -0.002:
            with pytest.warns(StateWarning, match="geometry 1: excited singlet 1 lies below"):
                atoms.get_potential_energy()
        for _ in range(2):
            if excitation == -0.01:
                with pytest.raises(StateError, match=r"geometry 2: .* 0.27 eV below the ground"):
                    atoms.get_potential_energy()
    assert calc.surface.excitation_energy == -0.002
    assert len(calc.crossings) == 1


@pytest.mark.parametrize("name", ["H2CO", "CO2", "HCN"])
def test_character_does_not_depend_on_the_orientation(tiny, name):
    still, turned = molecule(name), molecule(name)
    turned.rotate(73.0, (0.3, -1.0, 0.4))
    turned.translate((1.0, 2.0, -0.5))
    points = [
        excited_surface(Structure.from_ase(frame), tiny, k, forces=False)
        for frame in (still, turned)
        for k in (1, 2, 3)
    ]
    transitions = np.stack([point.character.transition for point in points[3:]])
    states = mlsemi.singlepoint(still, parameters=tiny, singlets=4).singlets.energies
    for k in range(3):
        overlaps = points[k].character.overlaps(points[3].character.structure, transitions)
        if np.abs(np.delete(states, k) - states[k]).min() > 1e-5:
            assert overlaps[k] == pytest.approx(1.0, abs=1e-6)
            assert np.delete(overlaps, k).max() < 1e-6


def test_character_of_other_molecules_does_not_fit():
    water = Structure.from_ase(molecule("H2O"))
    character = Character(water, np.zeros((6, 6)))
    assert character.fits(Structure(water.numbers, water.positions + 0.1))
    assert not character.fits(Structure.from_ase(molecule("H2CO")))


def diazene():
    return Atoms("NHNH", [[0, 0.62, 0], [0, 0.92, 0.98], [0, -0.62, 0], [0, -0.92, -0.98]])


@pytest.mark.parametrize("make", [diazene, lambda: molecule("C2H4")], ids=["diazene", "ethene"])
def test_torsion_in_the_first_state_ends_behind_the_crossing(make):
    """The torsion of a double bond leads down through the ground state: no minimum lies there."""
    frame = make()
    frame.rattle(0.02, seed=1)
    calc = frame.calc = mlsemi.MLSemi(state=1)
    energies = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StateWarning)
        relaxation = BFGS(frame, logfile=None)
        relaxation.attach(lambda: energies.append(calc.surface.excitation_energy))
        with pytest.raises(StateError, match=r"excited singlet 1 lies .* below the ground state"):
            relaxation.run(fmax=0.03, steps=60)
    assert len(energies) >= 4
    assert min(energies) > -CROSSED
    assert energies[-1] < 0.5 * energies[0]
    with pytest.raises(StateError):
        mlsemi.MLSemi(state=1).get_potential_energy(frame)
    assert mlsemi.MLSemi().get_potential_energy(frame) < 0.0
