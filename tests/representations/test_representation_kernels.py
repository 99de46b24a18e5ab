"""Every kernel of the representation against its slow twin; adjoints against the Jacobian."""

import naive
import naive_representation as twin
import numpy as np
import pytest
from harness import random_directions, real_harmonics

from mlsemi.kernels import products
from mlsemi.representations.kernels import expansion, harmonics, splines, triplets
from mlsemi.representations.neighbours import harmonic_norms
from mlsemi.symmetry.products import coupling


def same(actual, expected):
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-12)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_spherical(rng):
    """All l to 8 against SciPy; the polynomials and their derivatives against the twin."""
    unit, norm = random_directions(7, seed=2), harmonic_norms(9)
    out = harmonics.spherical(unit, norm)
    for l in range(9):
        same(out[:, l * l : (l + 1) ** 2], real_harmonics(l, unit))
    out_bar = rng.normal(size=(7, 25))
    small = harmonic_norms(5)
    same(harmonics.spherical(unit, small), twin.spherical(unit, small))
    expected = naive.adjoint(lambda u: twin.spherical(u, small), [unit], 0, out_bar)
    same(harmonics.spherical_adjoint(unit, small, out_bar), expected)


def test_harmonics_at_the_poles():
    poles = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    norm = harmonic_norms(6)
    bar = harmonics.spherical_adjoint(poles, norm, np.ones((2, 36)))
    expected = naive.adjoint(lambda u: twin.spherical(u, norm), [poles], 0, np.ones((2, 36)))
    same(bar, expected)


def test_splines(rng):
    coefficients = rng.normal(size=(2, 4, 6, 3))
    x, row = np.array([0.0, 0.7, 1.5, 1.99, 2.0, 3.1]), np.array([0, 1, 1, 0, 0, 1])
    out = splines.splines(x, row, coefficients, 0.5)
    same(out, twin.splines(x, row, coefficients, 0.5))
    assert not out[-2:].any()
    out_bar = rng.normal(size=out.shape)
    expected = naive.adjoint(lambda t: twin.splines(t, row, coefficients, 0.5), [x], 0, out_bar)
    same(splines.splines_adjoint(x, row, coefficients, 0.5, out_bar), expected)


def test_expand(rng):
    first, channel = np.array([0, 0, 2, 1, 2]), np.array([0, 2, 2, 0, 0])
    arrays = rng.normal(size=(5, 3, 2)), rng.normal(size=(5, 9))

    def slow(radial, sphere):
        return twin.expand(first, channel, radial, sphere, 3, 4)

    out = expansion.expand(first, channel, *arrays, 3, 4)
    same(out, slow(*arrays))
    out_bar = rng.normal(size=out.shape)
    bars = expansion.expand_adjoint(first, channel, *arrays, 3, 4, out_bar)
    for n, bar in enumerate(bars):
        same(bar, naive.adjoint(slow, arrays, n, out_bar))


@pytest.mark.parametrize("degrees", [(1, 2, 2), (2, 2, 0), (3, 1, 3)])
def test_product(rng, degrees):
    first, second = np.array([0, 0, 2, 1]), np.array([1, 0, 1, 1])
    arrays = [rng.normal(size=(3, 2 * l + 1, n)) for l, n in zip(degrees[:2], (3, 2), strict=True)]
    table = coupling(*degrees)

    def slow(a, b):
        return twin.product(a, b, first, second, degrees)

    out = products.product(*arrays, first, second, *table, 2 * degrees[2] + 1)
    same(out, slow(*arrays))
    out_bar = rng.normal(size=out.shape)
    bars = [np.ones_like(x) for x in arrays]
    products.product_adjoint(*arrays, first, second, *table, out_bar, *bars)
    for n, bar in enumerate(bars):
        same(bar, 1.0 + naive.adjoint(slow, arrays, n, out_bar))


def test_sum_even_gaussians(rng):
    center = np.array([0, 2, 2, 1])
    arrays = rng.uniform(size=4), 2.0 + rng.uniform(size=(4, 3)), rng.normal(size=(4, 3))

    def slow(weight, even, odd):
        return twin.sum_even_gaussians(center, weight, even, odd, 3)

    out = np.ones((3, 3))
    triplets.sum_even_gaussians(center, *arrays, out)
    same(out, 1.0 + slow(*arrays))
    out_bar = rng.normal(size=out.shape)
    bars = triplets.sum_even_gaussians_adjoint(center, *arrays, out_bar)
    for n, bar in enumerate(bars):
        same(bar, naive.adjoint(slow, arrays, n, out_bar))
