"""Figures of what nuclei do: infrared spectra, energies along a coordinate."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mlsemi.draw.plots import CURVE, STICKS, STYLE, figure_of, title_of

ABSORPTION = 100.0 / np.log(10.0)
"""Integral of epsilon over wavenumbers of 1 km/mol, L / (mol cm^2): 1e5 cm/mol are ln(10) times
1000 cm^2/mol per cm."""


EDGE = 0.005
"""An end of a scan nearer to a tick, in lengths of the scan, is drawn at the tick."""


def infrared_grid(wavenumbers: np.ndarray, width: float) -> np.ndarray:
    """(n_point,) wavenumbers from 400 cm^-1, or below the lowest mode, to above the highest."""
    real = wavenumbers[wavenumbers > 0.0]
    low, high = 400.0, 4000.0
    if real.size:
        low = max(0.0, min(low, float(real.min()) - 5.0 * width))
        high = max(high, float(real.max()) + 10.0 * width)
    return np.linspace(low, high, 1 + int(np.ceil(12.0 * (high - low) / width)))


def infrared_curve(
    grid: np.ndarray, wavenumbers: np.ndarray, intensities: np.ndarray, width: float
) -> np.ndarray:
    """(n_point,) molar extinction of Lorentzian lines, L / (mol cm).

    Parameters
    ----------
    grid : (n_point,) array
        cm^-1.
    wavenumbers : (n_mode,) array
        cm^-1; imaginary ones (negative) have no line.
    intensities : (n_mode,) array
        km/mol.
    width : float
        Full width at half maximum, cm^-1.
    """
    half = 0.5 * width
    curve = np.zeros(len(grid))
    for at, area in zip(wavenumbers, intensities, strict=True):
        if at > 0.0:
            curve += ABSORPTION * area * half / np.pi / ((grid - at) ** 2 + half**2)
    return curve


def infrared_figure(
    grid: np.ndarray,
    curve: np.ndarray,
    wavenumbers: np.ndarray,
    intensities: np.ndarray,
    title: str,
) -> Figure:
    """Infrared spectrum, wavenumbers falling to the right as in a spectrometer's print.

    Parameters
    ----------
    grid, curve : (n_point,) arrays
        cm^-1 and L / (mol cm).
    wavenumbers, intensities : (n_mode,) arrays
        cm^-1 and km/mol.
    title : str
    """
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(5.6, 3.0)
        axes.plot(grid, curve, color=CURVE, lw=1.2, zorder=3)
        axes.fill_between(grid, 0.0, curve, color=CURVE, alpha=0.12, lw=0)
        axes.set_xlim(float(grid[-1]), float(grid[0]))
        axes.set_xlabel(r"wavenumber / cm$^{-1}$")
        axes.set_ylabel(r"$\varepsilon$ / (L mol$^{-1}$ cm$^{-1}$)", color=CURVE)
        axes.spines["top"].set_visible(False)
        right = axes.twinx()
        real = wavenumbers > 0.0
        right.vlines(wavenumbers[real], 0.0, intensities[real], color=STICKS, lw=1.0)
        right.spines["right"].set_visible(True)
        right.spines["top"].set_visible(False)
        right.set_ylabel("intensity / (km/mol)", color=STICKS)
        for one, values in ((axes, curve), (right, intensities[real])):
            one.set_ylim(0.0, 1.08 * (float(np.max(values, initial=0.0)) or 1.0))
        figure.suptitle(title_of(title), fontsize=9, parse_math=False)
    return figure


def scan_figure(values: np.ndarray, energies_ev: np.ndarray, label: str, title: str) -> Figure:
    """Energy along a coordinate, from its lowest point.

    Parameters
    ----------
    values, energies_ev : (n_point,) arrays
    label : str
        Of the lower axis.
    title : str
    """
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(4.4, 3.0)
        above = energies_ev - energies_ev.min()
        axes.plot(values, above, "o-", color=CURVE, lw=1.2, ms=4, clip_on=False, zorder=3)
        axes.set_ylim(0.0, 1.08 * (float(above.max()) or 1.0))
        first, last = float(values.min()), float(values.max())
        if last == first:
            first, last = first - 1.0, last + 1.0
        if last - first >= 90.0:  # degrees
            axes.locator_params(axis="x", steps=[1, 3, 4.5, 6, 9, 10])
        ticks = np.asarray(axes.xaxis.get_major_locator().tick_values(first, last))
        low, high = (float(ticks[np.abs(ticks - end).argmin()]) for end in (first, last))
        edge = EDGE * (last - first)  # a turn from -179.99 to 180.01 begins with the number -180
        axes.set_xlim(
            low if abs(low - first) < edge else first, high if abs(high - last) < edge else last
        )
        axes.set_xlabel(label)
        axes.set_ylabel("energy / eV", color=CURVE)
        kcal = axes.secondary_yaxis("right", functions=(_to_kcal, _to_ev))
        kcal.set_ylabel("kcal/mol")
        axes.spines["top"].set_visible(False)
        axes.grid(axis="y", alpha=0.25, lw=0.6)
        figure.suptitle(title_of(title), fontsize=9, parse_math=False)
    return figure


KCAL_EV = 23.060548
"""kcal/mol of 1 eV."""


def _to_kcal(value: ArrayLike) -> np.ndarray:
    return np.asarray(value) * KCAL_EV


def _to_ev(value: ArrayLike) -> np.ndarray:
    return np.asarray(value) / KCAL_EV
