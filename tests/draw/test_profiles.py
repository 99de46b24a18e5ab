"""Figures of what nuclei do: axes that hold all there is."""

import numpy as np
import pytest

from mlsemi.draw.profiles import infrared_curve, infrared_figure, infrared_grid, scan_figure


@pytest.mark.parametrize("modes", [[1200.0, 3600.0], [60.0, 3000.0], [-200.0, 350.0, 4400.0], []])
def test_infrared_grid_holds_every_real_mode(modes):
    grid = infrared_grid(np.array(modes), 10.0)
    real = [mode for mode in modes if mode > 0.0]
    assert grid[0] == pytest.approx(min([400.0, *(max(0.0, mode - 50.0) for mode in real)]))
    assert grid[-1] >= max([4000.0, *real])
    curve = infrared_curve(grid, np.array(modes), np.ones(len(modes)), 10.0)
    for mode in real:
        assert curve[np.abs(grid - mode).argmin()] >= 0.9 * 100 / np.log(10) / (np.pi * 5.0)


@pytest.mark.parametrize("values", [[-180.0, -90.0, 0.0], [0.0, 60.0], [-2.0, -1.0], [0.0, 0.0]])
def test_a_scan_fills_its_axis(values):
    values = np.array(values)
    figure = scan_figure(values, np.arange(len(values)) * 0.1, "angle", "a scan")
    first, last = figure.axes[0].get_xlim()
    assert first <= values.min()
    assert last >= values.max()
    if np.ptp(values):
        assert (first, last) == (values.min(), values.max())


@pytest.mark.parametrize("start", [-180.0, -179.9997, -179.2, -65.0])
def test_the_ends_of_a_turn_have_their_numbers(start):
    """The angle of a molecule is never -180 to the last digit."""
    figure = scan_figure(np.linspace(start, start + 360.0, 25), np.arange(25.0), "angle", "a scan")
    axes, whole = figure.axes[0], start < -179.0
    first, last = axes.get_xlim()
    shown = [tick for tick in axes.get_xticks() if first <= tick <= last]
    assert (first, last) == ((-180.0, 180.0) if whole else (start, start + 360.0))
    assert ({-180.0, 180.0} <= set(shown)) == whole


def test_an_infrared_figure_of_nothing_real():
    grid = infrared_grid(np.array([-50.0]), 10.0)
    figure = infrared_figure(grid, 0.0 * grid, np.array([-50.0]), np.ones(1), "imaginary")
    assert figure.axes[0].get_ylim()[1] > 0.0


def test_figures_show_themselves_in_a_notebook():
    """Without pyplot, Jupyter shows of a plain figure no more than its class."""
    figure = scan_figure(np.arange(3.0), np.arange(3.0), "angle", "a scan")
    assert figure._repr_png_().startswith(b"\x89PNG")
