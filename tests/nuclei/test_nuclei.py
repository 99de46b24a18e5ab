"""Minima, scans, vibrations and conformers on the model's surfaces."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.vibrations import Infrared

from mlsemi import MLSemi
from mlsemi.errors import DomainWarning, InputError
from mlsemi.molecule.formats import iter_frames
from mlsemi.molecule.smiles import molecule_of
from mlsemi.nuclei.conformers import conformers, drawn
from mlsemi.nuclei.relaxation import (
    Constraints,
    coordinates_from,
    displacement,
    largest_force,
    relax,
    value_of,
)
from mlsemi.nuclei.scan import hanging_on, scan
from mlsemi.nuclei.vibrations import rigid_motions, vibrations


@pytest.fixture(scope="module")
def formaldehyde():
    return relax(molecule("H2CO"), fmax=1e-4).atoms


def test_a_relaxation_ends_in_a_minimum():
    start = molecule("CH3CHO")
    before = start.get_positions()
    told = []
    found = relax(start, tell=lambda *step: told.append(step))
    np.testing.assert_array_equal(start.positions, before)
    assert found.converged
    assert found.fmax_ev_per_angstrom < 0.01
    assert found.energies_ev[-1] < found.energies_ev[0]
    assert found.steps + 1 == len(found.energies_ev) == len(told)
    assert 0.0 < found.moved_angstrom < 0.2
    unfinished = relax(start, steps=1)
    assert not unfinished.converged
    assert unfinished.steps == 1


def test_what_is_held_stays():
    start = molecule("CH3CH2OH")
    kept = ((0, 1), (0, 1, 2), (3, 2, 0, 1))
    values = [value_of(start, coordinate) for coordinate in kept]
    found = relax(start, fmax=0.05, constraints=Constraints((), kept))
    assert found.converged
    for coordinate, value in zip(kept, values, strict=True):
        off = (value_of(found.atoms, coordinate) - value + 180.0) % 360.0 - 180.0
        assert off == pytest.approx(0.0, abs=0.02)
    fixed = relax(start, fmax=0.05, constraints=Constraints((0, 1)))
    np.testing.assert_array_equal(fixed.atoms.positions[:2], start.positions[:2])
    assert np.abs(fixed.atoms.positions - start.positions).max() > 1e-3


@pytest.mark.parametrize(
    ("coordinate", "reason"),
    [((0, 9), "atom 9 does not exist"), ((0, 0), "named twice"), ((0, 1, 2, 3, 4), "two atoms")],
)
def test_coordinates_that_are_none(coordinate, reason):
    with pytest.raises(InputError, match=reason):
        relax(molecule("H2CO"), constraints=Constraints((), (coordinate,)))
    with pytest.raises(InputError, match="give atoms counted from 0"):
        coordinates_from(["0-x"])
    assert coordinates_from(["0-1", "3-2-1-0"]) == ((0, 1), (3, 2, 1, 0))


def test_surfaces_have_minima_of_their_own(formaldehyde):
    """The n-pi* states of formaldehyde stretch the C=O bond: 1.21 to 1.32 angstrom (experiment)."""
    excited = relax(formaldehyde, MLSemi(state=1), fmax=0.02)
    with pytest.warns(DomainWarning, match="closed shells only"):
        triplet = relax(formaldehyde, MLSemi(multiplicity=3), fmax=0.02)
    assert formaldehyde.get_distance(0, 1) == pytest.approx(1.20, abs=0.01)
    for found in (excited, triplet):
        assert 1.22 < found.atoms.get_distance(0, 1) < 1.45


def test_displacement_leaves_out_turning_and_shifting():
    atoms = molecule("CH3CHO")
    turned = atoms.copy()
    turned.rotate(50, (1, 2, 3))
    turned.translate((4, 5, 6))
    assert displacement(atoms.positions, turned.positions) == pytest.approx(0.0, abs=1e-6)
    chiral = molecule("CH3CH2OH").positions + np.eye(9, 3)
    assert displacement(chiral, chiral * [1, 1, -1]) > 0.1


def test_vibrations_are_those_of_ase(formaldehyde, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = vibrations(formaldehyde)
    atoms = Atoms(formaldehyde.numbers, formaldehyde.positions, calculator=MLSemi())
    infrared = Infrared(atoms, delta=0.005)
    infrared.run()
    np.testing.assert_allclose(mine.wavenumbers, infrared.get_frequencies()[6:].real, atol=0.2)
    intensities = infrared.intensities[6:] * 42.2561  # (D/angstrom)^2/amu to km/mol
    np.testing.assert_allclose(mine.intensities, intensities, rtol=0.01, atol=0.01)
    assert mine.intensities.max() > 10.0
    assert mine.imaginary.size == 0
    assert not mine.linear
    masses = formaldehyde.get_masses()
    for mode in mine.modes:  # no momentum
        np.testing.assert_allclose(masses @ mode, 0.0, atol=1e-10)
        assert np.linalg.norm(mode, axis=1).max() == pytest.approx(1.0)


def test_modes_of_linear_molecules_and_atoms():
    acetylene = relax(molecule("C2H2"), fmax=1e-3).atoms
    found = vibrations(acetylene)
    assert found.linear
    assert len(found.wavenumbers) == 7
    np.testing.assert_allclose(found.wavenumbers[0], found.wavenumbers[1], atol=1.0)
    assert rigid_motions(Atoms("C")).shape == (3, 3)


def test_a_planar_ammonia_has_one_imaginary_mode():
    angles = 2.0 * np.pi * np.arange(3) / 3.0
    ring = np.stack([np.cos(angles), np.sin(angles), 0.0 * angles], axis=1)
    flat = Atoms("NH3", [[0.0, 0.0, 0.0], *ring])
    found = vibrations(relax(flat, fmax=1e-3).atoms)
    assert found.imaginary.tolist() == [0]
    out_of_plane = found.modes[0][:, 2]
    assert np.abs(out_of_plane).max() == pytest.approx(1.0, abs=1e-3)
    film = found.frames(0, number=4)
    moved = film[1].positions - film[0].positions
    np.testing.assert_allclose(moved, 0.4 * found.modes[0], atol=1e-12)
    assert found.zero_point_ev == pytest.approx(
        0.5 * found.wavenumbers[1:].sum() / 8065.54, rel=1e-5
    )


def test_thermochemistry_of_water():
    """S(298.15 K) of the gas is 188.8 J/(mol K), H - E of the rigid rotor 4 k T + zero point."""
    water = vibrations(relax(molecule("H2O"), fmax=1e-3).atoms)
    found = water.thermochemistry(symmetry_number=2)
    assert found["entropy_ev_per_kelvin"] * 96485.33 == pytest.approx(188.8, abs=0.6)
    correction = found["enthalpy_ev"] - water.energy_ev - found["zero_point_ev"]
    assert correction == pytest.approx(4 * 8.617333e-5 * 298.15, abs=1e-3)
    assert found["gibbs_ev"] == pytest.approx(
        found["enthalpy_ev"] - 298.15 * found["entropy_ev_per_kelvin"]
    )
    with pytest.raises(InputError, match="must be positive"):
        water.thermochemistry(kelvin=-1.0)


def test_a_scan_holds_its_coordinate_and_relaxes_the_rest():
    butane = next(iter_frames("smiles:CCCC")).structure.to_ase()
    values = np.array([180.0, 120.0, 60.0])
    relaxed = scan(butane, (0, 1, 2, 3), values)
    rigid = scan(butane, (0, 1, 2, 3), values, rigid=True)
    assert relaxed.converged.all()
    for frame, value in zip(relaxed.frames, values, strict=True):
        assert frame.get_dihedral(0, 1, 2, 3) == pytest.approx(value, abs=0.1)
        assert largest_force(_with_calculator(frame)) < 0.3
    assert (relaxed.energies_ev <= rigid.energies_ev + 1e-4).all()
    profile = (relaxed.energies_ev - relaxed.energies_ev[0]) * 23.06
    assert 2.0 < profile[1] < 5.0  # eclipsed, kcal/mol
    assert 0.3 < profile[2] < 1.8  # gauche


def _with_calculator(frame):
    atoms = frame.copy()
    atoms.calc = MLSemi()
    return atoms


def test_scans_of_distances_and_angles():
    water = molecule("H2O")
    found = scan(water, (0, 1), [0.9, 1.0, 1.1], rigid=True)
    assert [f.get_distance(0, 1) for f in found.frames] == pytest.approx([0.9, 1.0, 1.1])
    assert [f.get_distance(0, 2) for f in found.frames] == pytest.approx([0.969] * 3, abs=0.001)
    assert found.energies_ev.argmin() == 1
    bent = scan(water, (1, 0, 2), [90.0, 105.0, 130.0])
    assert [f.get_angle(1, 0, 2) for f in bent.frames] == pytest.approx([90, 105, 130], abs=0.1)
    assert bent.energies_ev.argmin() == 1


def test_a_bond_of_a_ring_is_not_scanned():
    with pytest.raises(InputError, match="part of one ring"):
        hanging_on(molecule("C6H6"), (0, 1, 2, 3))


def test_conformers_of_butane():
    """Anti, and two gauche ones that are mirror images, a little higher."""
    found = conformers(molecule_of("CCCC"), 8)
    assert found.n_built == 8
    assert len(found.frames) == 3
    gauche = (found.energies_ev[1:] - found.energies_ev[0]) * 23.06
    np.testing.assert_allclose(gauche, gauche[0], atol=0.05)
    assert 0.1 < gauche[0] < 1.8
    assert found.populations().sum() == pytest.approx(1.0)
    assert found.populations()[0] > found.populations()[1]


def test_bonds_of_coordinates():
    acetate = next(iter_frames("smiles:CC(=O)[O-]")).structure
    assert drawn(acetate.to_ase(), -1).GetNumAtoms() == 7
    with pytest.raises(InputError, match="no bonds fit"):
        drawn(Atoms("C5", np.eye(5, 3) * 1.4), 0)
