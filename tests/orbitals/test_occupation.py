"""Fermi occupations: counted electrons, limits, entropy, and divided differences."""

from decimal import Decimal, localcontext
from itertools import product

import numpy as np
import pytest

from mlsemi.orbitals.occupation import entropy, fermi_level, occupations, slopes
from mlsemi.units import BOLTZMANN

LEVELS = np.array([-0.9, -0.6, -0.55, -0.3, -0.28, -0.28, 0.1, 0.4])
KT = 0.02


def test_boltzmann():
    assert pytest.approx(9.5004e-4, rel=1e-4) == 300.0 * BOLTZMANN


@pytest.mark.parametrize("kt", [1e-5, 1e-3, 0.02, 1.0])
@pytest.mark.parametrize("n_electron", [2, 8, 10, 14])
def test_electrons_are_counted(n_electron, kt):
    f = occupations(LEVELS, n_electron, kt)
    assert f.sum() == pytest.approx(n_electron, abs=1e-11)
    assert (np.diff(f) <= 0.0).all()


def test_limits():
    cold = occupations(LEVELS, 6, 1e-5)
    np.testing.assert_allclose(cold, [2, 2, 2, 0, 0, 0, 0, 0], atol=1e-14)
    assert entropy(cold) == pytest.approx(0.0, abs=1e-12)
    half_filled = occupations(LEVELS, 10, 1e-6)
    np.testing.assert_allclose(half_filled[4:6], 1.0, atol=1e-9)
    assert entropy(half_filled) == pytest.approx(4.0 * np.log(2.0))
    hot = occupations(LEVELS, 8, 1e4)
    np.testing.assert_allclose(hot, 1.0, atol=1e-3)


def test_full_shell():
    assert fermi_level(LEVELS, 16, KT) == np.inf
    np.testing.assert_array_equal(occupations(LEVELS, 16, KT), 2.0)
    assert entropy(np.full(8, 2.0)) == 0.0


def test_they_minimise_the_free_energy():
    """Any other numbers with the same sum have more of sum f eps - T S."""
    f = occupations(LEVELS, 8, KT)

    def free(numbers):
        return numbers @ LEVELS - KT * entropy(numbers)

    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-6):
        shift = rng.normal(size=f.size) * f * (2.0 - f)
        shift -= shift.sum() * f * (2.0 - f) / (f * (2.0 - f)).sum()
        rise = free(f + size * shift) - free(f)
        expected = KT * size**2 * np.sum(shift**2 / (f * (2.0 - f)))
        assert rise == pytest.approx(expected, rel=0.05, abs=1e-15)


def test_divided_differences():
    """Against the plain quotient in 60 digits, for levels apart, near and equal."""
    levels = np.sort(np.concatenate([LEVELS, LEVELS + 1e-9, LEVELS + 0.9 * KT]))
    f = occupations(levels, 20, KT)
    found = slopes(levels, f, KT)
    with localcontext() as context:
        context.prec = 60
        kt, mu = Decimal(KT), Decimal(fermi_level(levels, 20, KT))
        e = [Decimal(float(x)) for x in levels]
        g = [2 / (1 + ((x - mu) / kt).exp()) for x in e]
        for p, q in product(range(levels.size), repeat=2):
            equal = -g[p] * (2 - g[p]) / 2 / kt
            exact = equal if e[p] == e[q] else (g[p] - g[q]) / (e[p] - e[q])
            assert found[p, q] == pytest.approx(float(exact), rel=1e-9, abs=1e-10)
