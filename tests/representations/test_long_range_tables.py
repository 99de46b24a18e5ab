"""Potentials around an atom: oracles by brute-force integration, multipoles, symmetry, slopes."""

import numpy as np
import pytest
from harness import assert_equivariant, random_directions, real_harmonics
from representation_walks import (
    ELEMENTS,
    STRUCTURES,
    assert_position_derivative,
    by_order,
    fitted_atoms,
)
from scipy.special import erf

from mlsemi.errors import InputError
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.lattice_potentials import Potential
from mlsemi.representations.long_range_tables import LongRangeTable, monomials, smeared_power
from mlsemi.representations.neighbours import Points
from mlsemi.representations.potentials import PotentialFeatures

CUTOFF, N_DEGREE, WIDTH = 5.0, 4, 1.0


@pytest.fixture(scope="module", params=[1, 2, 3, 6])
def table(request):
    return LongRangeTable.of(request.param, CUTOFF, N_DEGREE, WIDTH)


def test_smeared_power():
    r = np.array([0.0, 1e-5, 1e-3, 0.3, 2.0, 9.0])
    expected = np.where(r > 0, erf(r / np.sqrt(2.0)) / np.maximum(r, 1e-300), np.sqrt(2 / np.pi))
    np.testing.assert_allclose(smeared_power(r, 1, 1.0), expected, rtol=1e-10)
    np.testing.assert_allclose(smeared_power(r[-1:], 6, 0.5), r[-1] ** -6.0, rtol=1e-10)
    near = smeared_power(np.array([4.4e-4, 4.5e-4]), 3, 1.0)
    assert near[0] == pytest.approx(near[1], rel=1e-6)


@pytest.mark.parametrize("distance", [2.0, 7.0, 30.0])
def test_coefficients_are_integrals_over_the_sphere(table, distance):
    """int_sphere R_l(x) Y_lm(x) v(|x - r|) d3x with points on every shell, for a slanted r."""
    t, w = np.polynomial.legendre.leggauss(24)
    x = 0.5 * CUTOFF * (t + 1.0)
    c, w_c = np.polynomial.legendre.leggauss(40)
    phi = np.arange(48) * 2.0 * np.pi / 48
    s = np.sqrt(1.0 - c**2)
    shell = np.stack(
        [np.outer(s, np.cos(phi)), np.outer(s, np.sin(phi)), np.outer(c, np.ones(48))], axis=-1
    ).reshape(-1, 3)
    weight = np.repeat(w_c, 48) * 2.0 * np.pi / 48
    direction = random_directions(1, seed=4)
    radial = monomials(CUTOFF, N_DEGREE)(x)[:, :, 0]
    values = table(np.array([distance]), np.array([0]))[0, :, 0]
    for l in range(N_DEGREE):
        total = np.zeros(2 * l + 1)
        for one, w_one, basis in zip(x, 0.5 * CUTOFF * w * x**2, radial[:, l], strict=True):
            gap = np.linalg.norm(one * shell - distance * direction, axis=1)
            field = smeared_power(gap, table.power, WIDTH)
            total += w_one * basis * (weight * field) @ real_harmonics(l, shell)
        expected = values[l] * real_harmonics(l, direction)[0]
        np.testing.assert_allclose(expected, total, rtol=1e-6, atol=1e-9 * np.abs(values).max())


def test_far_potential_is_a_multipole(table):
    """R_l falls as r^-(p + l); for p = 1 with the weight of a solid harmonic in the sphere."""
    r = np.array([300.0, 600.0])
    values = table(r, np.zeros(2, int))[:, :, 0]
    slope = np.log2(values[0] / values[1])
    np.testing.assert_allclose(slope, table.power + np.arange(N_DEGREE), atol=2e-3)
    if table.power == 1:
        l = np.arange(N_DEGREE)
        norm = np.sqrt(CUTOFF ** (2 * l + 3) / (2 * l + 3))
        expected = norm * 4.0 * np.pi / (2 * l + 1) / r[:, None] ** (l + 1)
        np.testing.assert_allclose(values, expected, rtol=1e-9)


@pytest.fixture(scope="module")
def potential(table):
    return Expansion(ELEMENTS, table)


def test_potentials_are_equivariant_with_derivatives():
    """All powers at once, and their products with the local density."""
    potentials = [Potential.of(ELEMENTS, power, CUTOFF, 3, WIDTH) for power in (1, 2, 3, 6)]
    features = PotentialFeatures.fit(STRUCTURES, potentials, fitted_atoms(1), 2, 6)
    assert_equivariant(lambda s: by_order(features([s])), STRUCTURES[1])
    assert_position_derivative(features, STRUCTURES[0])


def test_contraction_commutes_with_the_potential(potential):
    turned = potential.optimal(STRUCTURES, 1)
    for irrep, value in turned(turned.neighbours(STRUCTURES)).items():
        before = potential(potential.neighbours(STRUCTURES))[irrep]
        np.testing.assert_allclose(np.abs(value), np.abs(before), rtol=1e-10, atol=1e-15)


def test_potentials_reach_any_distance(potential):
    pair = Points(np.array([8, 1]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 200.0]]))
    value = potential(potential.neighbours([pair]))
    assert all(np.abs(v).max() > 0.0 for v in value.values())


def test_too_wide_atoms_are_refused():
    with pytest.raises(InputError, match="quarter"):
        LongRangeTable.of(1, 4.0, 2, 1.5)
