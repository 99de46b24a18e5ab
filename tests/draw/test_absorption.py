"""Figures of one and of several spectra, measured curves, colours of solutions."""

from dataclasses import replace

import numpy as np
import pytest

from mlsemi.draw.absorption import spectrum_figure
from mlsemi.draw.colour import matching, solution_colour
from mlsemi.draw.comparison import comparison_figure
from mlsemi.draw.measured import Measured
from mlsemi.draw.spectrum import Lines, spectrum
from mlsemi.errors import InputError
from mlsemi.units import EV_NM, HARTREE_EV

GRID = np.linspace(1.5, 4.0, 400)


def band(nm, strength=0.5, searched=6.0):
    lines = Lines(np.array([EV_NM / nm / HARTREE_EV]), np.array([strength]), np.array([0.01]))
    return spectrum(lines, 0.3, energies_ev=GRID, searched_ev=searched)


def texts(figure):
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def test_degenerate_sticks_stand_on_each_other():
    energies, strengths = np.array([2.5, 2.5, 3.5]), np.array([0.3, 0.3, 0.1])
    curve = band(EV_NM / 2.5).extinction
    figure = spectrum_figure(GRID, curve, energies, strengths, axis="ev", labels=["S1", "S2", "S3"])
    right = figure.axes[1]
    ends = [path.vertices[:, 1].max() for lines in right.collections for path in lines.get_paths()]
    assert ends == pytest.approx([0.3, 0.6, 0.1])
    assert right.get_ylim()[1] > 0.6
    assert {"S1,S2", "S3", "2.50 eV"} <= set(texts(figure))


def test_weak_states_and_ends_of_curves_are_not_named():
    rising = spectrum_figure(
        GRID, GRID**2, np.array([2.0, 3.0]), np.array([1.0, 0.01]), labels="ab"
    )
    assert texts(rising) == ["a"]


@pytest.mark.parametrize("stack", [True, False])
def test_several_spectra(stack):
    parts = [band(450.0), band(600.0), replace(band(500.0), complete_ev=3.0)]
    figure = comparison_figure(parts, ["a", "_b", "$c"], axis="ev", stack=stack)
    axes = figure.axes[0]
    assert axes.get_xlim() == pytest.approx((1.5, 4.0))
    curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
    ends = sorted(float(np.max(line.get_xdata())) for line in curves)
    assert ends[0] == pytest.approx(3.0, abs=0.01)  # no curve where nothing was computed
    assert ends[1:] == [4.0, 4.0]
    figure.draw_without_rendering()
    names = texts(figure) if stack else [t.get_text() for t in axes.get_legend().get_texts()]
    assert sorted(name.split()[0] for name in names) == sorted(["a", "_b", "$c"])


def test_measured_tables(tmp_path):
    energies = EV_NM / np.array([600.0, 500.0, 400.0])
    rising = zip(energies, (3, 2, 1), strict=True)
    for text in (
        "wavelength_nm,absorbance\n400,1\n500,2\n600,3\n",
        "400\t1\n500\t2\n600\t3\n",
        "Wavelength (nm);A\n400,0;1,0\n500,0;2,0\n600,0;3,0\n",
        "# by hand\nnm A\n400 1\n500 2\n600 3\n",
        "Energy / eV,eps\n" + "".join(f"{e},{v}\n" for e, v in rising),
        "wavenumber,eps\n" + "".join(f"{1e7 / n},{v}\n" for n, v in ((400, 1), (500, 2), (600, 3))),
    ):
        (tmp_path / "m.csv").write_text(text)
        found = Measured.read(tmp_path / "m.csv")
        np.testing.assert_allclose(found.energies_ev, energies)
        np.testing.assert_allclose(found.values, [3.0, 2.0, 1.0])
    for text, reason in (
        ("", "need a column"),
        ("a,b\n", "need a column"),
        ("-1,2\n3,4\n", "positive"),
    ):
        (tmp_path / "m.csv").write_text(text)
        with pytest.raises(InputError, match=reason):
            Measured.read(tmp_path / "m.csv")
    with pytest.raises(InputError, match="No such file"):
        Measured.read(tmp_path / "none.csv")


def test_a_measured_curve_is_scaled_where_both_are_known():
    measured = Measured(np.array([1.0, 2.0, 3.0]), np.array([0.0, 4.0, 2.0]))
    scaled = measured.scaled_to(np.array([1.5, 2.0, 3.0]), np.array([1.0, 8.0, 3.0]))
    np.testing.assert_allclose(scaled, [0.0, 8.0, 4.0])
    with pytest.raises(InputError, match="share no range"):
        measured.scaled_to(np.array([5.0, 6.0]), np.array([1.0, 1.0]))
    drawn = spectrum_figure(
        GRID, band(450.0).extinction, np.zeros(0), np.zeros(0), measured=measured
    )
    assert drawn.axes[0].get_legend() is not None


def test_colours_of_solutions():
    """Complementary to what is absorbed: 430 nm yellow, 530 nm purple-red, 610 nm blue."""

    def rgb(nm):
        colour = solution_colour(band(nm))
        return [int(colour[k : k + 2], 16) for k in (1, 3, 5)]

    red, green, blue = rgb(430.0)
    assert min(red, green) > blue + 60
    red, green, blue = rgb(530.0)
    assert min(red, blue) > green + 40
    red, green, blue = rgb(610.0)
    assert blue > red + 60
    assert solution_colour(band(300.0)) is None  # nothing visible
    assert solution_colour(band(500.0, searched=2.5)) is None  # not computed


def test_matching_functions():
    """Equal energy is white: the three integrals agree; y has its maximum at 555 nm."""
    wavelengths = np.arange(360.0, 831.0)
    x, y, z = matching(wavelengths)
    assert wavelengths[y.argmax()] == pytest.approx(555, abs=5)
    assert x.sum() == pytest.approx(106.86, rel=0.02)
    assert z.sum() == pytest.approx(106.89, rel=0.02)
