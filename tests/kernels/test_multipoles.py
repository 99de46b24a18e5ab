"""Interaction of Gaussian multipoles against derivatives written out."""

import naive
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import erf

from mlsemi.kernels import multipoles

BLOCKS = np.array([[0, 3], [3, 7]])


def traceless(moments):
    """Of quadrupoles; with a trace the operators differ by a Laplacian, which Gaussians have."""
    moments[:, [4, 7, 9]] -= moments[:, [4, 7, 9]].mean(axis=1, keepdims=True)
    return moments


@pytest.fixture
def some():
    rng = np.random.default_rng(2)
    positions, squared = 2.0 * rng.normal(size=(7, 3)), rng.uniform(0.3, 2.0, 7)
    part = np.array([0, 0, 1, 2, 3, 3, 4])
    return positions, BLOCKS, squared, part, traceless(rng.normal(size=(7, 10)))


def test_all_pairs(some):
    energies = np.ones(7)
    multipoles.add_all_pairs(*some, energies)
    np.testing.assert_allclose(energies - 1.0, naive.all_pairs(*some), rtol=1e-11)


def test_all_pairs_adjoint(some):
    energies_bar = np.random.default_rng(3).normal(size=7)
    moments_bar, positions_bar = np.ones((7, 10)), np.ones((7, 3))
    multipoles.add_all_pairs_adjoint(*some, energies_bar, moments_bar, positions_bar)
    positions, blocks, squared, part, moments = some
    for argument, bar in enumerate((positions_bar, moments_bar)):
        twin = naive.adjoint(
            lambda x, m: naive.all_pairs(x, blocks, squared, part, m),
            (positions, moments),
            argument,
            energies_bar,
        )
        bar -= 1.0
        if bar is moments_bar:
            bar, twin = traceless(bar), traceless(twin)
        np.testing.assert_allclose(bar, twin, rtol=1e-9, atol=1e-11)


def test_chosen_pairs(some):
    positions, _, squared, _, moments = some
    first, second = np.array([0, 1, 4]), np.array([2, 2, 6])
    share = np.array([0.5, -1.0, 0.3])
    arguments = first, second, positions[second] - positions[first], squared, moments, share
    energies = np.ones(7)
    multipoles.add_chosen_pairs(*arguments, energies)
    np.testing.assert_allclose(energies - 1.0, naive.chosen_pairs(*arguments), rtol=1e-11)
    energies_bar = np.random.default_rng(3).normal(size=7)
    bars = np.ones((7, 10)), np.ones((3, 3)), np.ones(3)
    multipoles.add_chosen_pairs_adjoint(*arguments, energies_bar, *bars)
    for argument, bar in enumerate(bars):
        twin = naive.adjoint(
            lambda m, x, part: naive.chosen_pairs(first, second, x, squared, m, part),
            (moments, arguments[2], share),
            argument,
            energies_bar,
        )
        bar -= 1.0
        if bar is bars[0]:
            bar, twin = traceless(bar), traceless(twin)
        np.testing.assert_allclose(bar, twin, rtol=1e-9, atol=1e-11)


def test_far_apart_they_are_points():
    """Two dipoles in a row, 40 bohr apart: -2 mu mu' / r^3."""
    moments = np.zeros((2, 10))
    moments[:, 3] = 1.5, 2.0
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 40.0]])
    energies = np.zeros(2)
    multipoles.add_all_pairs(
        positions, np.array([[0, 2]]), np.ones(2), np.arange(2), moments, energies
    )
    assert energies.sum() == pytest.approx(-2.0 * 3.0 / 40.0**3, rel=1e-12)


def test_far_apart_a_quadrupole_is_one():
    """Two charges of each sign on a line against a charge: q q' (1/r sums) by hand."""
    h, far = 1e-2, 30.0
    moments = np.zeros((2, 10))
    moments[0, [4, 7, 9]] = np.array([-1.0, -1.0, 2.0]) / 3.0
    moments[1, 0] = 1.0
    energies = np.zeros(2)
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, far]])
    multipoles.add_all_pairs(
        positions, np.array([[0, 2]]), np.ones(2), np.arange(2), moments, energies
    )
    line = (1.0 / (far - h) + 1.0 / (far + h) - 2.0 / far) / h**2
    assert energies.sum() == pytest.approx(line, rel=1e-5)


def test_the_charges_are_gaussians():
    """Potential of one Gaussian averaged over another, by quadrature."""
    a, b, r = 0.7, 1.3, 1.1  # squared widths: density exp(-x^2 / a) / (pi a)^(3/2)

    def integrand(z, rho):
        density = np.exp(-(rho**2 + (z - r) ** 2) / b) / (np.pi * b) ** 1.5
        x = np.sqrt(rho**2 + z**2)
        return 2.0 * np.pi * rho * density * erf(x / np.sqrt(a)) / x

    expected, _ = dblquad(integrand, 0.0, 8.0, -7.0, 9.0, epsabs=1e-9)
    moments = np.zeros((2, 10))
    moments[:, 0] = 1.0
    energies = np.zeros(2)
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, r]])
    multipoles.add_all_pairs(
        positions, np.array([[0, 2]]), np.array([a, b]), np.arange(2), moments, energies
    )
    assert energies.sum() == pytest.approx(expected, rel=1e-6)
