import subprocess
import sys

import numpy as np
import pytest

from mlsemi.draw.absorption import spectrum_figure
from mlsemi.draw.ensemble import average_spectrum
from mlsemi.draw.plots import learning_curve_figure, parity_figure, save
from mlsemi.errors import InputError
from mlsemi.excited.states import ExcitedStates
from mlsemi.units import EV_NM, HARTREE_EV

GRID = np.linspace(2.0, 7.0, 200)
CURVE = 1e4 * np.exp(-(((GRID - 4.5) / 0.3) ** 2))
STICKS = (np.array([4.5, 5.5]), np.array([0.3, 0.0]))


@pytest.mark.parametrize("axis", ["ev", "nm"])
@pytest.mark.parametrize("cd", [False, True])
def test_spectrum_axes(axis, cd):
    figure = spectrum_figure(GRID, CURVE, *STICKS, axis=axis, cd=cd, title="test")
    main, right = figure.axes
    x = GRID if axis == "ev" else EV_NM / GRID
    assert main.get_xlim() == pytest.approx((x.min(), x.max()))
    peak = main.lines[0].get_xdata()[np.argmax(main.lines[0].get_ydata())]
    assert peak == pytest.approx(4.5 if axis == "ev" else EV_NM / 4.5, rel=0.01)
    figure.draw_without_rendering()
    zero = [one.transData.transform((peak, 0.0))[1] for one in (main, right)]
    assert zero[0] == pytest.approx(zero[1])


def test_a_curve_ends_where_it_is_not_known():
    figure = spectrum_figure(GRID, CURVE, *STICKS, axis="ev", complete_ev=5.2)
    (line,) = figure.axes[0].lines
    assert 5.15 < line.get_xdata().max() <= 5.2
    assert figure.axes[0].get_xlim()[1] == pytest.approx(5.57)
    assert figure.axes[0].get_legend() is not None
    alone = spectrum_figure(GRID, CURVE, *STICKS, axis="ev", complete_ev=4.0)
    dashed, known = alone.axes[0].lines
    assert dashed.get_linestyle() == "--"
    assert known.get_xdata().max() <= 4.0
    whole = spectrum_figure(GRID, CURVE, *STICKS, axis="ev", complete_ev=np.inf)
    assert whole.axes[0].get_legend() is None


def test_noise_is_drawn_as_zero():
    figure = spectrum_figure(GRID, 1e-14 * CURVE, STICKS[0], np.array([1e-15, 0.0]))
    for axes in figure.axes:
        assert axes.get_ylim() == pytest.approx((0.0, 1.12))


@pytest.mark.parametrize("title", ["$\\frac$", "a\nb", "\udcff", "水", "n" * 300, "_^{"])
def test_any_title(tmp_path, title):
    save(spectrum_figure(GRID, CURVE, *STICKS, title=title), tmp_path / "a.svg")
    save(spectrum_figure(GRID, CURVE, *STICKS, title=title), tmp_path / "a.png")


def test_files_are_reproducible_and_other_formats_refused(tmp_path):
    for kind in ("png", "svg", "pdf"):
        data = []
        for run in range(2):
            path = tmp_path / f"{run}.{kind}"
            save(spectrum_figure(GRID, CURVE, *STICKS), path)
            data.append(path.read_bytes())
        assert data[0] == data[1]
    with pytest.raises(InputError, match="jpeg"):
        save(spectrum_figure(GRID, CURVE, *STICKS), tmp_path / "x.jpeg")


def test_learning_curve_and_parity(tmp_path):
    sizes = np.array([100, 200, 400])
    save(learning_curve_figure(sizes, {"HOMO": 1.0 / sizes}, "MAE / eV"), tmp_path / "curve.png")
    reference = np.linspace(-8.0, -4.0, 20)
    figure = parity_figure({"HOMO": (reference, reference + 0.25), "LUMO": STICKS}, "eV")
    save(figure, tmp_path / "parity.pdf")
    assert "MAE 0.25 eV" in {text.get_text() for text in figure.axes[0].texts}


def test_no_global_state():
    code = "import sys, mlsemi.draw.plots; print('matplotlib.pyplot' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert out.stdout.strip() == "False"


def states(energies_ev, strengths):
    energies = np.array(energies_ev) / HARTREE_EV
    n = energies.size
    strengths = np.array(strengths)
    return ExcitedStates(
        multiplicity="singlet",
        energies=energies,
        amplitudes=np.zeros((n, 1, n)),
        transition_dipoles=np.zeros((n, 3)),
        oscillator_strengths=strengths,
        rotatory_strengths=-strengths,
        velocity_strengths=strengths,
        rotatory_lengths=-strengths,
    )


@pytest.mark.parametrize("shape", ["gaussian", "lorentzian"])
def test_average_spectrum(shape):
    """The mean of two equal frames is either; of two different ones, half of each."""
    one, two = states([3.0, 5.0], [0.5, 0.2]), states([4.0], [1.0])
    alone = average_spectrum([one], 0.3, shape)
    twice = average_spectrum([one, one], 0.3, shape)
    np.testing.assert_allclose(twice.extinction, alone.extinction, rtol=1e-9)
    mixed = average_spectrum([one, two], 0.3, shape)
    np.testing.assert_allclose(mixed.oscillator_strengths, [0.25, 0.1, 0.5])
    at = np.argmin(np.abs(mixed.energies_ev - 3.0))
    assert mixed.extinction[at] == pytest.approx(0.5 * alone.extinction.max(), rel=0.05)
    assert mixed.delta_extinction.max() <= 0.0
    assert mixed.delta_extinction.min() < 0.0
