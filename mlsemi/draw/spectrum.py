"""Broadened UV/Vis and circular dichroism spectra of excited singlets.

This is a door: energies are eV, absorption is L / (mol cm), rotatory strengths are
1e-40 esu^2 cm^2 (cgs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.excited.states import ExcitedStates
from mlsemi.molecule.structure import read_only
from mlsemi.units import (
    AVOGADRO,
    BOHR_MAGNETON,
    DIPOLE_SI,
    ELECTRIC_CONSTANT,
    ELECTRON_MASS,
    ELEMENTARY_CHARGE,
    EV_NM,
    HARTREE_EV,
    PLANCK,
    SPEED_OF_LIGHT,
)

Shape = Literal["gaussian", "lorentzian", "voigt"]

OSCILLATOR_AREA_CM = (
    AVOGADRO
    * ELEMENTARY_CHARGE**2
    / (4.0 * ELECTRIC_CONSTANT * ELECTRON_MASS * SPEED_OF_LIGHT**2 * np.log(10.0))
    / 10.0
)
"""Integral of epsilon over wavenumbers of a band with f = 1, L / (mol cm^2).

The classical oscillator absorbs the cross section int sigma d nu = e^2 f / (4 eps_0 m_e c) over
frequencies; with sigma = ln(10) epsilon / N_A, nu = c wavenumber and 1 L/(mol cm^2) =
10 m/mol this is f = 4.319e-9 int epsilon d(wavenumber) (Mulliken, J. Chem. Phys. 7, 14 (1939))."""

OSCILLATOR_AREA_EV = OSCILLATOR_AREA_CM * (PLANCK * SPEED_OF_LIGHT * 100.0) / ELEMENTARY_CHARGE
"""The same over energies, L eV / (mol cm)."""

ROTATORY_CGS = DIPOLE_SI * (SPEED_OF_LIGHT * 1e3) * (2.0 * BOHR_MAGNETON * 1e3) * 1e40
"""One atomic unit of rotatory strength, (e a_0)(e hbar / m_e), in 1e-40 esu^2 cm^2: 471.44.

1 C m = c[m/s] 1e3 esu cm; 1 J/T = 1e3 erg/G."""

ROTATORY_PER_DELTA_EPSILON = (
    3.0
    * (PLANCK * 1e7)
    * (SPEED_OF_LIGHT * 1e2)
    * 1e3
    * np.log(10.0)
    / (32.0 * np.pi**3 * AVOGADRO)
    * 1e40
)
"""R = this x int (Delta epsilon / nu) d nu, 22.97 in units of 1e-40 esu^2 cm^2 (Moscowitz 1960;
Stephens and Harada, Chirality 22, 229 (2010)): 3 h c 1000 ln(10) / (32 pi^3 N_A) in cgs."""


MARGIN = 2.0
"""Widths that the default grid goes beyond the states: lines have fallen off there, and farther on
absorption would seem to be missing that nobody asked for."""

POINTS_PER_WIDTH = 60
"""Of the default grid: straight lines between the points look round."""


@dataclass(frozen=True, eq=False, repr=False)
class Lines(Brief):
    """What a spectrum needs of excited singlets, and no more, so that many frames can be kept.

    Attributes
    ----------
    energies : (n_state,) array
        Hartree, ascending.
    oscillator_strengths, rotatory_strengths : (n_state,) arrays
        Atomic units.
    """

    energies: np.ndarray
    oscillator_strengths: np.ndarray
    rotatory_strengths: np.ndarray

    @classmethod
    def of(cls, states: ExcitedStates) -> Lines:
        """Lines of excited states with intensities."""
        return cls(
            read_only(states.energies),
            read_only(states.oscillator_strengths),
            read_only(states.rotatory_strengths),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Brief):
    """Sticks and the curves they broaden to.

    Attributes
    ----------
    stick_energies_ev : (n_state,) array
    oscillator_strengths : (n_state,) array
    rotatory_strengths_1e40_cgs : (n_state,) array
    width_ev : float
        Full width at half maximum; of a Voigt line, of its Gaussian part.
    shape : "gaussian", "lorentzian" or "voigt"
    energies_ev : (n_point,) array
        Ascending.
    extinction : (n_point,) array
        Molar decadic extinction coefficient epsilon, L / (mol cm).
    delta_extinction : (n_point,) array
        epsilon(left) - epsilon(right), L / (mol cm).
    complete_ev : float
        Above, states that were not computed would add to the curves: a width below the energy up
        to which all states are known.
    """

    stick_energies_ev: np.ndarray
    oscillator_strengths: np.ndarray
    rotatory_strengths_1e40_cgs: np.ndarray
    width_ev: float
    shape: Shape
    energies_ev: np.ndarray
    extinction: np.ndarray
    delta_extinction: np.ndarray
    complete_ev: float

    @property
    def has_complete_part(self) -> bool:
        """Whether a state lies where the curves are complete."""
        return bool((self.stick_energies_ev <= self.complete_ev).any())

    def complete_part(self) -> Spectrum:
        """The same with its curves up to ``complete_ev``; all of it if no state lies below."""
        if not self.has_complete_part:
            return self
        end = int(np.searchsorted(self.energies_ev, self.complete_ev, side="right"))
        return replace(
            self,
            energies_ev=self.energies_ev[:end],
            extinction=self.extinction[:end],
            delta_extinction=self.delta_extinction[:end],
        )

    @property
    def wavelengths_nm(self) -> np.ndarray:
        """(n_point,) wavelengths of ``energies_ev``."""
        return EV_NM / self.energies_ev

    def table(self, circular_dichroism: bool = False) -> tuple[list[str], list[list[float]]]:
        """Header and rows of the curves, one row per energy, ready for a CSV writer."""
        header = ["energy_ev", "wavelength_nm", "epsilon_l_per_mol_cm"]
        columns = [self.energies_ev, self.wavelengths_nm, self.extinction]
        if circular_dichroism:
            header.append("delta_epsilon_l_per_mol_cm")
            columns.append(self.delta_extinction)
        return header, np.stack(columns, axis=1).tolist()


def spectrum(
    states: ExcitedStates | Lines,
    width_ev: float = 0.3,
    shape: Shape = "gaussian",
    energies_ev: np.ndarray | None = None,
    lorentz_ev: float | None = None,
    searched_ev: float | None = None,
) -> Spectrum:
    """Broaden excited states to a spectrum.

    Each state k adds, with g the line shape of unit area over energy (eV),

        epsilon(E)       += f_k * OSCILLATOR_AREA_EV * g(E - E_k),
        Delta epsilon(E) += R_k E_k / ROTATORY_PER_DELTA_EPSILON * g(E - E_k).

    Parameters
    ----------
    states : ExcitedStates or Lines
        With intensities.
    width_ev : float
        Full width at half maximum; of a Voigt line, of its Gaussian part.
    shape : "gaussian", "lorentzian" or "voigt"
    energies_ev : (n_point,) array, optional
        Ascending positive grid; by default the sticks and two widths around them in steps of a
        sixtieth of the width.
    lorentz_ev : float, optional
        Full width at half maximum of the Lorentzian part of a Voigt line (the lifetime, beside the
        inhomogeneous width); by default a quarter of ``width_ev``.
    searched_ev : float, optional
        All states up to this energy are among ``states``; by default up to the last of them.

    Raises
    ------
    InputError
        For a width or grid that is not positive, an unknown shape,
        or neither states nor a grid.
    """
    sticks = states.energies * HARTREE_EV
    line = _line(width_ev, shape, 0.25 * width_ev if lorentz_ev is None else lorentz_ev)
    grid = grid_around(sticks, width_ev) if energies_ev is None else read_only(energies_ev)
    if grid.ndim != 1 or not grid.size or grid[0] <= 0.0 or not (np.diff(grid) > 0.0).all():
        raise InputError("the energy grid of a spectrum must be ascending and positive")
    rotatory = states.rotatory_strengths * ROTATORY_CGS
    extinction, delta = np.zeros(grid.size), np.zeros(grid.size)
    for energy, f, R in zip(sticks, states.oscillator_strengths, rotatory, strict=True):
        profile = line(grid - energy)
        extinction += (OSCILLATOR_AREA_EV * f) * profile
        delta += (R * energy / ROTATORY_PER_DELTA_EPSILON) * profile
    if searched_ev is None:
        searched_ev = float(sticks[-1]) if sticks.size else np.inf
    return Spectrum(
        stick_energies_ev=sticks,
        oscillator_strengths=states.oscillator_strengths,
        rotatory_strengths_1e40_cgs=rotatory,
        width_ev=width_ev,
        shape=shape,
        energies_ev=grid,
        extinction=extinction,
        delta_extinction=delta,
        complete_ev=searched_ev - width_ev,
    )


def _line(width_ev: float, shape: str, lorentz_ev: float) -> Callable[[np.ndarray], np.ndarray]:
    """Line shape of unit area and width ``width_ev``, 1/eV."""
    _check_width(width_ev)
    _check_width(lorentz_ev)
    half = 0.5 * width_ev
    if shape == "gaussian":
        norm = np.sqrt(np.log(2.0) / np.pi) / half
        return lambda x: norm * np.exp(-np.log(2.0) * (x / half) ** 2)
    if shape == "lorentzian":
        return lambda x: half / np.pi / (x**2 + half**2)
    if shape == "voigt":
        sigma = half / np.sqrt(2.0 * np.log(2.0))
        from scipy.special import voigt_profile

        return lambda x: voigt_profile(x, sigma, 0.5 * lorentz_ev)
    raise InputError(f"line shape {shape!r} is not one of gaussian, lorentzian, voigt")


def _check_width(width_ev: float) -> None:
    if not (np.isfinite(width_ev) and width_ev > 0.0):
        raise InputError(f"the width of a spectrum must be positive, not {width_ev} eV")


def grid_between(low_ev: float, high_ev: float, width_ev: float) -> np.ndarray:
    """(n_point,) energies from end to end, eV, in steps of at most a sixtieth of the width."""
    _check_width(width_ev)
    n = int(np.ceil((high_ev - low_ev) * POINTS_PER_WIDTH / width_ev)) + 1
    return np.linspace(low_ev, high_ev, max(n, 2))


def grid_around(sticks: np.ndarray, width_ev: float) -> np.ndarray:
    """Energies from ``MARGIN`` widths below the first state to as much above the last, eV.

    All are multiples of one step, so that the grids of several frames have common points.

    Raises
    ------
    InputError
        If no state lies above zero, or the width is not positive.
    """
    _check_width(width_ev)
    if not sticks.size or sticks.max() <= 0.0:
        raise InputError("no excited state lies above the ground state and in the range asked for")
    step = width_ev / POINTS_PER_WIDTH
    first = max(1, int(np.floor((sticks.min() - MARGIN * width_ev) / step)))
    last = int(np.ceil((sticks.max() + MARGIN * width_ev) / step))
    return read_only(np.arange(first, last + 1) * step)
