"""Average spectrum of many geometries of one molecule (nuclear-ensemble approximation)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlsemi.excited_states import ExcitedStates
from mlsemi.spectrum import Shape, Spectrum, spectrum


def average_spectrum(
    frames: Sequence[ExcitedStates],
    width_ev: float,
    shape: Shape = "gaussian",
    lorentz_ev: float | None = None,
) -> Spectrum:
    """Mean of the spectra of several frames; sticks carry their strength over ``len(frames)``.

    Parameters
    ----------
    frames : sequence of ExcitedStates
        Singlets with intensities, one item per frame.
    width_ev : float
        Full width at half maximum.
    shape : "gaussian", "lorentzian" or "voigt"
    lorentz_ev : float, optional
        Of the Lorentzian part of a Voigt line.

    Raises
    ------
    InputError
        As :func:`mlsemi.spectrum.spectrum`.
    """
    alone = [spectrum(states, width_ev, shape, None, lorentz_ev) for states in frames]
    if len(alone) == 1:
        return alone[0]
    step = float(alone[0].energies_ev[1] - alone[0].energies_ev[0])
    first = round(min(s.energies_ev[0] for s in alone) / step)
    last = round(max(s.energies_ev[-1] for s in alone) / step)
    grid = np.arange(first, last + 1) * step
    shared = [spectrum(states, width_ev, shape, grid, lorentz_ev) for states in frames]
    share = 1.0 / len(frames)
    return Spectrum(
        stick_energies_ev=np.concatenate([s.stick_energies_ev for s in shared]),
        oscillator_strengths=share * np.concatenate([s.oscillator_strengths for s in shared]),
        rotatory_strengths_1e40_cgs=share
        * np.concatenate([s.rotatory_strengths_1e40_cgs for s in shared]),
        width_ev=width_ev,
        shape=shape,
        energies_ev=grid,
        extinction=np.mean([s.extinction for s in shared], axis=0),
        delta_extinction=np.mean([s.delta_extinction for s in shared], axis=0),
    )
