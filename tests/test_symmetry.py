"""What physics does not notice, the whole line must not notice: random and released sets."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from ase.build import molecule
from harness import assert_equivariant
from molecules import LOW_SYMMETRY, distorted, gapped_model, parameters_of, point_group, symmetric

from mlsemi.evaluate import singlepoint
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import available

RANDOM = "random weights"


@pytest.fixture(scope="module", params=[RANDOM, *available()])
def parameters(request):
    if request.param == RANDOM:
        return parameters_of(gapped_model([exact(name)[0] for name in DEGENERACIES], gap=1e-3))
    return Parameters.load(request.param)


@pytest.mark.parametrize("name", LOW_SYMMETRY)
def test_rotation_inversion_translation_permutation(parameters, name):
    def observe(structure):
        result = singlepoint(structure, parameters=parameters, forces=True)
        return {
            "energies": ("number", result.state.energies),
            "energy": ("number", np.array(result.energy)),
            "charges": ("atom", result.charges),
            "mulliken": ("atom", result.mulliken_charges),
            "dipole": ("vector", result.dipole),
            "orders": ("atom_pair", result.bond_orders),
            "forces": ("atom_vector", result.forces),
        }

    assert_equivariant(observe, distorted(name, seed=3), atol=1e-10)


@pytest.mark.parametrize("charge", [2, -2])
def test_dipole_of_an_ion_moves_with_the_origin(parameters, charge):
    neutral = distorted("HCOOH")
    shift = np.array([1.0, -2.0, 0.5])
    here, there = (
        singlepoint(Structure(neutral.numbers, x, charge), parameters=parameters)
        for x in (neutral.positions, neutral.positions + shift)
    )
    np.testing.assert_allclose(there.dipole - here.dipole, charge * shift, atol=1e-10)
    np.testing.assert_allclose(there.state.energies, here.state.energies, atol=1e-10)


@pytest.mark.parametrize("name", ["CH4", "C6H6", "C60"])
def test_coordinates_of_ase_need_their_symmetry_made_exact(name):
    """ase.build is symmetric to the digits of its tables only; that much splits levels."""
    structure, order = exact(name)
    assert order == {"CH4": 24, "C6H6": 12, "C60": 120}[name]
    x = Structure.from_ase(molecule(name)).positions
    moved = np.abs(structure.positions - (x - x.mean(axis=0))).max()
    assert moved < {"CH4": 1e-6, "C6H6": 1e-5, "C60": 0.02}[name]
    images = point_group(structure.numbers, structure.positions, tolerance=1e-3)
    lengths = np.linalg.norm(structure.positions[:, None] - structure.positions[None], axis=2)
    for image in images:
        assert np.abs(lengths[np.ix_(image, image)] - lengths).max() < 1e-12


@cache
def exact(name):
    return symmetric(name)


DEGENERACIES = {
    "CH4": {1: 2, 3: 2},  # 2 a1 + 2 t2
    "C6H6": {1: 10, 2: 10},  # five orbits of six equivalent functions, 2 e + 2 (a, b) in each
    "C60": {1: 4, 3: 24, 4: 16, 5: 20},  # 180 A' and 60 A'' functions of Cs, induced to Ih
}


@pytest.mark.parametrize("name", DEGENERACIES)
def test_point_group_degeneracies(parameters, name):
    structure, _ = exact(name)
    result = singlepoint(structure, parameters=parameters)
    energies = result.state.energies
    levels = np.split(energies, np.flatnonzero(np.diff(energies) > 1e-6) + 1)
    assert Counter(map(len, levels)) == DEGENERACIES[name]
    assert max(np.ptp(level) for level in levels) < 1e-8
    n = result.state.n_occupied
    assert energies[n] - energies[n - 1] > 1e-6, "no closed shell: charges would not be symmetric"
    for number in np.unique(structure.numbers):
        assert np.ptp(result.charges[structure.numbers == number]) < 1e-9
    assert np.abs(result.dipole).max() < 1e-9


def approach(distance, kind):
    """Something whose oxygen is ``distance`` (bohr) from that of a water molecule.

    ``atom``: a lone oxygen; ``fragment``: formaldehyde; ``third``: formaldehyde, and a second
    water beside the first, whose features carry the encounter on.
    """
    water, other = distorted("H2O", seed=2), distorted("H2CO", seed=3)
    axis = np.array([0.48, 0.6, 0.64])
    first = water.positions - water.positions[water.numbers == 8]
    second = other.positions - other.positions[other.numbers == 8]
    second = second if second.mean(axis=0) @ axis > 0 else -second
    parts = [(water.numbers, first)]
    if kind == "atom":
        parts.append((np.array([8]), distance * axis[None]))
    else:
        parts.append((other.numbers, second + distance * axis))
    if kind == "third":
        side = np.cross(axis, [0.0, 0.0, 1.0])
        parts.append((water.numbers, first @ np.diag([1.0, -1.0, 1.0]) - 5.5 * side))
    return Structure(np.concatenate([n for n, _ in parts]), np.concatenate([x for _, x in parts]))


KINDS = ("atom", "fragment", "third")


@pytest.mark.parametrize("kind", KINDS)
def test_levels_are_smooth_through_the_cutoff(parameters, kind):
    """One-sided slopes agree where the two oxygens lose sight of each other."""
    cutoff = parameters.model.form.cutoff

    def levels(distance):
        return singlepoint(approach(distance, kind), parameters=parameters).state.energies

    effect = np.abs(levels(cutoff) - levels(0.7 * cutoff)).max()
    assert effect > 1e-5, "the pair has no effect: nothing is tested"
    assert np.abs(levels(cutoff + 1e-9) - levels(cutoff - 1e-9)).max() < 1e-9
    h = 1e-3
    scan = np.array([levels(cutoff + k * h) for k in range(-20, 21)])
    slopes = np.diff(scan, axis=0) / h
    assert np.abs(np.diff(slopes, axis=0)).max() < 1e-4
    left = (3.0 * scan[20] - 4.0 * scan[19] + scan[18]) / (2.0 * h)
    right = (-3.0 * scan[20] + 4.0 * scan[21] - scan[22]) / (2.0 * h)
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_forces_are_smooth_through_the_cutoff(parameters, kind):
    cutoff = parameters.model.form.cutoff

    def forces(distance):
        structure = approach(distance, kind)
        return singlepoint(structure, parameters=parameters, forces=True).forces

    assert np.abs(forces(cutoff) - forces(0.7 * cutoff)).max() > 1e-6
    assert np.abs(forces(cutoff + 1e-7) - forces(cutoff - 1e-7)).max() < 1e-6
