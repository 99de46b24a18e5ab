"""The colour that a solution shows: what it lets through, seen by the CIE 1931 observer."""

from __future__ import annotations

import numpy as np

from mlsemi.draw.spectrum import Spectrum
from mlsemi.units import EV_NM

VISIBLE_NM = (390.0, 720.0)
COLOURLESS = 200.0
"""Largest visible molar extinction, L / (mol cm), that nobody sees in a dilute solution."""

_LOBES = {
    "x": ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    "y": ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    "z": ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
}
"""Height, place and widths to either side (nm) of the lobes of the matching functions: Wyman,
Sloan and Shirley, J. Comput. Graph. Tech. 2 (2), 1 (2013), multi-lobe fit."""

_TO_SRGB = np.array(
    [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
)
"""From XYZ to linear sRGB, IEC 61966-2-1."""
_WHITE = np.array([0.9505, 1.0, 1.0890])
"""XYZ of its white, D65."""


def matching(wavelengths_nm: np.ndarray) -> np.ndarray:
    """(3, n) colour matching functions x, y, z.

    Parameters
    ----------
    wavelengths_nm : (n,) array
    """
    out = np.zeros((3, len(wavelengths_nm)))
    for row, lobes in zip(out, _LOBES.values(), strict=True):
        for height, place, left, right in lobes:
            away = wavelengths_nm - place
            row += height * np.exp(-0.5 * (away / np.where(away < 0.0, left, right)) ** 2)
    return out


def solution_colour(spectrum: Spectrum, absorbance: float = 1.0) -> str | None:
    """Colour of light through a solution, ``#rrggbb``; None if it has none, or it is not known.

    The concentration is such that the absorbance at the visible maximum is as given; white is what
    the empty cell lets through.

    Parameters
    ----------
    spectrum : Spectrum
        Complete up to the end of the visible.
    absorbance : float
    """
    if spectrum.complete_ev < EV_NM / VISIBLE_NM[0]:
        return None
    wavelengths = np.arange(VISIBLE_NM[0], VISIBLE_NM[1] + 1.0, 2.0)
    at = EV_NM / wavelengths[::-1]
    extinction = np.interp(at, spectrum.energies_ev, spectrum.extinction, left=0.0, right=0.0)[::-1]
    if extinction.max() < COLOURLESS:
        return None
    through = 10.0 ** (-absorbance * extinction / extinction.max())
    observer = matching(wavelengths)
    white = observer.sum(axis=1)
    linear = _TO_SRGB @ (observer @ through / white * _WHITE)
    linear = np.clip(linear, 0.0, 1.0)
    seen = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * value):02x}" for value in seen)
