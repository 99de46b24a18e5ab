import numpy as np
import pytest
from harness import assert_adjoint, derivative

from mlsemi.symmetry.radial import DECAY, SHORTEST, RadialBasis

BASIS = RadialBasis(6, 9.0)


def test_smooth_at_the_cutoff():
    """Values vanish as (1 - x)^3: two continuous derivatives."""
    for gap in (1e-2, 1e-3):
        values, envelope = BASIS(np.array([BASIS.cutoff * (1.0 - gap)]))
        assert 0.0 < envelope[0] < 60.0 * gap**3
        assert np.abs(values).max() <= envelope[0]
    values, envelope = BASIS(np.array([BASIS.cutoff]))
    assert np.abs(values).max() < 1e-13
    assert abs(envelope[0]) < 1e-13


def test_envelope_falls_from_one_to_zero():
    r = np.linspace(0.0, BASIS.cutoff, 200)
    envelope = BASIS(r)[1]
    assert envelope[0] == 1.0
    assert (np.diff(envelope) <= 0.0).all()


def test_functions_are_different_and_cover_the_range():
    r = np.linspace(SHORTEST, 0.8 * BASIS.cutoff, 60)
    values = BASIS(r)[0]
    assert np.linalg.matrix_rank(values, tol=1e-4) == BASIS.n_radial
    assert values.max(axis=1).min() > 1e-2
    peaks = r[values.argmax(axis=0)]
    assert (np.diff(peaks) <= 0.0).all()


def test_neighbours_cross_where_the_docstring_says():
    middle = -np.log(BASIS.centers[4:6].mean()) / DECAY
    values, envelope = BASIS(np.array([middle]))
    crossing = values[0, 4:6] / envelope[0]
    np.testing.assert_allclose(crossing, 2.0 ** -((0.5 / 0.7) ** 2), rtol=1e-12)
    np.testing.assert_allclose(crossing, 0.70, atol=5e-3)


def test_adjoint():
    r = np.random.default_rng(0).uniform(1.5, BASIS.cutoff - 0.3, 8)
    assert_adjoint(BASIS, lambda *bars: BASIS.adjoint(r, *bars), [r])
    slope = derivative(lambda t: BASIS(r[:1] + t)[1][0])
    zeros = np.zeros((1, BASIS.n_radial))
    assert slope == pytest.approx(BASIS.adjoint(r[:1], zeros, np.ones(1))[0], rel=1e-10)
