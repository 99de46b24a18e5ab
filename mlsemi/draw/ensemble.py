"""Average spectrum of many geometries of one molecule (nuclear-ensemble approximation)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.draw.spectrum import Lines, Shape, Spectrum, grid_around, spectrum
from mlsemi.excited.states import ExcitedStates
from mlsemi.units import HARTREE_EV


def average_spectrum(
    frames: Sequence[ExcitedStates | Lines],
    width_ev: float,
    shape: Shape = "gaussian",
    lorentz_ev: float | None = None,
    searched_ev: float | None = None,
    energies_ev: np.ndarray | None = None,
) -> Spectrum:
    """Mean of the spectra of several frames; sticks carry their strength over ``len(frames)``.

    Parameters
    ----------
    frames : sequence of ExcitedStates or Lines
        Singlets with intensities, one item per frame; a frame without any adds nothing.
    width_ev : float
        Full width at half maximum.
    shape : "gaussian", "lorentzian" or "voigt"
    lorentz_ev : float, optional
        Of the Lorentzian part of a Voigt line.
    searched_ev : float, optional
        All states of every frame up to this energy are known; by default up to the lowest of the
        last states.
    energies_ev : (n_point,) array, optional
        Ascending positive grid; by default one around all sticks.

    Raises
    ------
    InputError
        As :func:`mlsemi.draw.spectrum.spectrum`; if no frame has a state.
    """
    grid = energies_ev
    if grid is None:
        every = [np.zeros(0), *(states.energies * HARTREE_EV for states in frames)]
        grid = grid_around(np.concatenate(every), width_ev)
    share = 1.0 / len(frames)
    parts = [spectrum(states, width_ev, shape, grid, lorentz_ev, searched_ev) for states in frames]
    return Spectrum(
        stick_energies_ev=np.concatenate([s.stick_energies_ev for s in parts]),
        oscillator_strengths=share * np.concatenate([s.oscillator_strengths for s in parts]),
        rotatory_strengths_1e40_cgs=share
        * np.concatenate([s.rotatory_strengths_1e40_cgs for s in parts]),
        width_ev=width_ev,
        shape=shape,
        energies_ev=grid,
        extinction=np.mean([s.extinction for s in parts], axis=0),
        delta_extinction=np.mean([s.delta_extinction for s in parts], axis=0),
        complete_ev=min(s.complete_ev for s in parts),
    )
