"""Radial functions with a smooth cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlsemi.kernels.geometry import radial, radial_adjoint
from mlsemi.units import BOHR_ANGSTROM

DECAY = 0.6 * BOHR_ANGSTROM
"""Decay of the exponential coordinate, 0.6 per angstrom."""

SHORTEST = 0.6 / BOHR_ANGSTROM
"""Distance of the innermost radial function, 0.6 angstrom."""


@dataclass(frozen=True)
class RadialBasis:
    """B_n(r) = exp(-b (exp(-a r) - m_n)^2) f(r / r_c), n = 1 .. n_radial.

    Gaussians in an exponential coordinate (Unke and Meuwly, JCTC 15, 3678 (2019)), dense at bond
    lengths and wide at long range; f = 1 - 28 x^6 + 48 x^7 - 21 x^8 goes to zero with two
    continuous derivatives.

    Attributes
    ----------
    n_radial : int
        At least two.
    cutoff : float
        r_c, bohr.
    """

    n_radial: int
    cutoff: float

    @cached_property
    def centers(self) -> np.ndarray:
        """(n_radial,) centers m_n, uniform in exp(-a r)."""
        return np.linspace(np.exp(-DECAY * self.cutoff), np.exp(-DECAY * SHORTEST), self.n_radial)

    @cached_property
    def sharpness(self) -> float:
        """b: a function has fallen to one half at 0.7 spacings, and neighbours cross at 0.70."""
        spacing = float(self.centers[1] - self.centers[0])
        return np.log(2.0) / (0.7 * spacing) ** 2

    def __call__(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values (n_pair, n_radial) and the cutoff envelope f (n_pair,)."""
        return radial(distance, self.cutoff, DECAY, self.centers, self.sharpness)

    def adjoint(
        self, distance: np.ndarray, out_bar: np.ndarray, envelope_bar: np.ndarray
    ) -> np.ndarray:
        """dL/d distance (n_pair,) from the cotangents of both results."""
        return radial_adjoint(
            distance, self.cutoff, DECAY, self.centers, self.sharpness, out_bar, envelope_bar
        )


def smooth_step(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H = 0 below 0, x^3 (10 - 15 x + 6 x^2), 1 above 1, with two continuous derivatives; dh/dx."""
    t = np.clip(x, 0.0, 1.0)
    return t**3 * (10.0 - 15.0 * t + 6.0 * t * t), 30.0 * (t * (1.0 - t)) ** 2
