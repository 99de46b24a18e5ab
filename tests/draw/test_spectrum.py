import numpy as np
import pytest

from mlsemi.draw.spectrum import (
    OSCILLATOR_AREA_CM,
    ROTATORY_CGS,
    ROTATORY_PER_DELTA_EPSILON,
    spectrum,
)
from mlsemi.errors import InputError
from mlsemi.excited.states import ExcitedStates
from mlsemi.units import HARTREE_EV

EV_WAVENUMBER = 8065.543937
"""cm^-1 per eV, CODATA 2018."""


def states(energies_ev, f, R):
    k = len(energies_ev)
    return ExcitedStates(
        multiplicity="singlet",
        energies=np.array(energies_ev) / HARTREE_EV,
        amplitudes=np.ones((k, 1, 1)),
        transition_dipoles=np.zeros((k, 3)),
        oscillator_strengths=np.array(f, dtype=float),
        rotatory_strengths=np.array(R, dtype=float),
        velocity_strengths=np.array(f, dtype=float),
        rotatory_lengths=np.array(R, dtype=float),
    )


@pytest.fixture
def three():
    return states([4.0, 4.2, 6.0], [0.1, 0.0, 0.7], [0.02, -0.05, 0.01])


def test_textbook_prefactors():
    """Mulliken's 4.319e-9, 22.97 (Stephens and Harada 2010), 471.44 (Gaussian's au -> cgs)."""
    assert pytest.approx(1.0 / 4.319e-9, rel=1e-4) == OSCILLATOR_AREA_CM
    assert pytest.approx(22.97, rel=3e-4) == ROTATORY_PER_DELTA_EPSILON
    assert pytest.approx(471.44, rel=1e-5) == ROTATORY_CGS


def test_area_is_the_sum_of_oscillator_strengths(three):
    grid = np.linspace(0.5, 12.0, 4001)
    curve = spectrum(three, 0.3, "gaussian", grid)
    area_cm = np.trapezoid(curve.extinction, curve.energies_ev * EV_WAVENUMBER)
    assert area_cm * 4.319e-9 == pytest.approx(0.8, rel=1e-4)
    rotatory = np.array([0.02, -0.05, 0.01]) * ROTATORY_CGS
    area = np.trapezoid(curve.delta_extinction, curve.energies_ev)
    assert area * 22.97 == pytest.approx((rotatory * [4.0, 4.2, 6.0]).sum(), rel=3e-4)


def test_lorentzian_has_long_tails(three):
    grid = np.linspace(1e-3, 400.0, 400001)
    curve = spectrum(three, 0.3, "lorentzian", grid)
    area_cm = np.trapezoid(curve.extinction, curve.energies_ev * EV_WAVENUMBER)
    assert area_cm * 4.319e-9 == pytest.approx(0.8, rel=2e-2)


@pytest.mark.parametrize("shape", ["gaussian", "lorentzian"])
def test_full_width_at_half_maximum(shape):
    one = states([5.0], [1.0], [0.0])
    curve = spectrum(one, 0.4, shape, np.array([4.8, 5.0, 5.2]))
    np.testing.assert_allclose(curve.extinction / curve.extinction[1], [0.5, 1.0, 0.5])
    assert not curve.delta_extinction.any()


def test_voigt_is_the_convolution_of_its_parts():
    grid = np.linspace(1e-3, 10.0, 4001)
    curve = spectrum(states([5.0], [1.0], [0.0]), 0.3, "voigt", grid, lorentz_ev=0.2)
    x = grid - grid[2000]
    gauss = np.exp(-np.log(2.0) * (x / 0.15) ** 2)
    lorentz = 0.1 / (x**2 + 0.1**2)
    both = np.convolve(gauss, lorentz, mode="same")
    shown = np.abs(x) < 1.0
    expected = both[shown] / both.max()
    found = np.interp(x[shown] + 5.0, grid, curve.extinction)
    np.testing.assert_allclose(found / curve.extinction.max(), expected, atol=2e-3)
    area_cm = np.trapezoid(curve.extinction, grid * EV_WAVENUMBER)
    assert area_cm * 4.319e-9 == pytest.approx(1.0, rel=2e-2)
    narrow = spectrum(states([5.0], [1.0], [0.0]), 0.3, "voigt", grid, lorentz_ev=1e-6)
    plain = spectrum(states([5.0], [1.0], [0.0]), 0.3, "gaussian", grid)
    peak = plain.extinction.max()
    np.testing.assert_allclose(narrow.extinction, plain.extinction, atol=1e-4 * peak)


def test_peak_of_a_unit_band():
    """Gaussian of FWHM 0.3 eV, f = 1: 28707 * 2 sqrt(ln 2/pi) / 0.3 = 8.99e4 L/(mol cm)."""
    curve = spectrum(states([5.0], [1.0], [0.0]), 0.3, "gaussian", np.array([5.0]))
    assert curve.extinction[0] == pytest.approx(8.989e4, rel=1e-3)


def test_default_grid_and_table(three):
    curve = spectrum(three)
    assert curve.energies_ev[0] == pytest.approx(3.4, abs=0.02)
    assert curve.energies_ev[-1] == pytest.approx(6.6, abs=0.02)
    header, rows = curve.table()
    assert header == ["energy_ev", "wavelength_nm", "epsilon_l_per_mol_cm"]
    assert len(rows) == curve.energies_ev.size
    assert rows[3][1] == pytest.approx(1239.841984 / rows[3][0])
    header, rows = curve.table(circular_dichroism=True)
    assert len(header) == len(rows[0]) == 4
    low = spectrum(states([0.1], [0.1], [0.0]), 1.0)
    assert low.energies_ev[0] > 0.0


def test_the_grid_follows_the_width():
    """Straight lines between the points are off by less than 1e-3 of the height."""
    for width in (0.05, 0.4):
        curve = spectrum(states([5.0], [1.0], [0.0]), width)
        fine = np.linspace(4.5, 5.5, 5001)
        exact = spectrum(states([5.0], [1.0], [0.0]), width, energies_ev=fine).extinction
        between = np.interp(fine, curve.energies_ev, curve.extinction)
        assert np.abs(between - exact).max() < 1e-3 * exact.max()


def test_complete_part(three):
    curve = spectrum(three, 0.3)
    assert curve.complete_ev == pytest.approx(5.7)
    part = curve.complete_part()
    assert part.energies_ev[-1] == pytest.approx(5.7, abs=0.005)
    assert part.energies_ev[-1] <= 5.7
    assert part.extinction.size == part.delta_extinction.size == part.energies_ev.size
    assert part.stick_energies_ev.size == 3
    assert spectrum(three, 0.3, searched_ev=8.0).complete_ev == pytest.approx(7.7)
    single = spectrum(states([4.0], [0.1], [0.0]), 0.3)
    assert not single.has_complete_part
    assert single.complete_part() is single


def test_what_cannot_be_drawn(three):
    with pytest.raises(InputError, match="width"):
        spectrum(three, 0.0)
    with pytest.raises(InputError, match="shape"):
        spectrum(three, 0.3, "box")
    with pytest.raises(InputError, match="grid"):
        spectrum(three, energies_ev=np.array([2.0, 1.0]))
    with pytest.raises(InputError, match="no excited state lies"):
        spectrum(states([], [], []))
    assert not spectrum(states([], [], []), energies_ev=np.array([1.0, 2.0])).extinction.any()
