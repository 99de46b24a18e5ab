"""Excited states of a result as JSON: eV, nm, angstrom, e, 1e-40 esu^2 cm^2."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlsemi.draw.spectrum import ROTATORY_CGS
from mlsemi.excited.analysis import Transitions
from mlsemi.excited.states import ExcitedStates
from mlsemi.records.uncertainty import Uncertainty
from mlsemi.units import BOHR_ANGSTROM, EV_NM, HARTREE_EV


def excited_record(
    states: ExcitedStates, analysis: Transitions, uncertainty: Uncertainty | None
) -> list[dict[str, Any]]:
    """One mapping per state: energy, intensities, orbitals, character, charges.

    Parameters
    ----------
    states : ExcitedStates
        With intensities.
    analysis : Transitions
        Of the same states.
    uncertainty : Uncertainty or None
        Of the same single point.
    """
    spread = np.full(states.n_state, np.nan)
    if uncertainty is not None:
        spread = uncertainty.excitations(states)
    return [
        _energy(states, spread, k)
        | _intensities(states, k)
        | {
            "contributions": [
                _contribution(states, i, a, weight) for i, a, weight in states.contributions(k)
            ]
        }
        | _character(analysis, k)
        for k in range(states.n_state)
    ]


def _contribution(states: ExcitedStates, i: int, a: int, weight: float) -> dict[str, Any]:
    """One configuration, with its spin where there are two."""
    (source, spin), (target, _) = states.orbital_of(i), states.orbital_of(a)
    out = {"from": source, "to": target, "weight": weight}
    return out | ({"spin": spin} if spin else {})


def _energy(states: ExcitedStates, spread: np.ndarray, k: int) -> dict[str, Any]:
    energy_ev = float(states.energies[k]) * HARTREE_EV
    wavelength = EV_NM / energy_ev if energy_ev > 0.0 else None
    out: dict[str, Any] = {"energy_ev": energy_ev, "wavelength_nm": wavelength}
    if np.isfinite(spread[k]):
        out["uncertainty_ev"] = float(spread[k]) * HARTREE_EV
    if states.s_squared is not None:
        out["s2"] = float(states.s_squared[k])
    if states.selection_errors is not None:
        out["selection_error_ev"] = float(states.selection_errors[k]) * HARTREE_EV
    if states.solvent is not None:
        terms = [float(term[k]) * HARTREE_EV for term in states.solvent]
        names = ("solvent_linear_response_ev", "solvent_state_specific_ev", "emission_ev")
        out |= dict(zip(names, terms, strict=False))
        out["solvent_shift_ev"] = terms[-1] if np.isfinite(terms[-1]) else None
    return out


def _intensities(states: ExcitedStates, k: int) -> dict[str, Any]:
    return {
        "oscillator_strength": float(states.oscillator_strengths[k]),
        "rotatory_strength_1e40_cgs": float(states.rotatory_strengths[k]) * ROTATORY_CGS,
        "transition_dipole_e_angstrom": (states.transition_dipoles[k] * BOHR_ANGSTROM).tolist(),
        "oscillator_strength_velocity": float(states.velocity_strengths[k]),
        "rotatory_strength_length_1e40_cgs": float(states.rotatory_lengths[k]) * ROTATORY_CGS,
    }


def _character(analysis: Transitions, k: int) -> dict[str, Any]:
    out: dict[str, Any] = {
        "character": analysis.labels[k],
        "hole": dict(zip(("pi", "n", "sigma"), analysis.hole[k].tolist(), strict=True)),
        "electron": dict(zip(("pi", "sigma"), analysis.electron[k].tolist(), strict=True)),
        "nto_participation_ratio": float(analysis.participation_ratios[k]),
        "detachment_e": analysis.detachment[k].tolist(),
        "attachment_e": analysis.attachment[k].tolist(),
        "electron_hole_distance_angstrom": float(analysis.displacements[k]) * BOHR_ANGSTROM,
    }
    if len(analysis.fragments) > 1:
        out["charge_transfer_number"] = float(analysis.charge_transfer_numbers[k])
        out["fragment_charge_transfer"] = np.asarray(analysis.charge_transfer[k]).tolist()
    return out
