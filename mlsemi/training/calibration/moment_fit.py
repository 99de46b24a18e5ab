"""The factor of the transition moments, fitted to oscillator strengths of TDA-ris singlets.

Simplified Tamm-Dancoff states in a minimal basis are too bright by a nearly constant factor. With
x_m = f / f(reference) of the bright state of molecule m, the factor s of all strengths minimises
sum_m |s x_m - 1|, and c = s^1/2 that of the moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlsemi.errors import InputError
from mlsemi.evaluate import molecular
from mlsemi.excited.states import ExcitedStates
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.objective.excitation_cases import (
    BRIGHT,
    N_MODEL,
    Case,
    cases_of,
    match,
    reference_strengths,
    shifted_ris,
)

N_LOWEST = 5
"""The bright state is the brightest of so many valence states."""


def brightest(case: Case, states: ExcitedStates) -> tuple[int, int]:
    """Number of the bright singlet among the reference's valence states and among the model's.

    Parameters
    ----------
    case : Case
        Of a record with oscillator strengths and at least one valence singlet.
    states : ExcitedStates
        Singlets of the model.

    Returns
    -------
    int, int
        The second is -1 if no state of the model resembles the first.
    """
    bright = int(np.argmax(reference_strengths(case.record)[:N_LOWEST]))
    return bright, int(match(case, states)[0][bright])


def strength_ratios(parameters: Parameters, records: Sequence[Reference]) -> np.ndarray:
    """F / f(reference) of the bright TDA-ris singlet of every record where both are found."""
    ratios = []
    for record in map(shifted_ris, records):
        strengths = reference_strengths(record)[:N_LOWEST]
        if strengths.max(initial=0.0) < BRIGHT:
            continue
        (case,) = cases_of(parameters, [record])
        states = molecular(record.structure, parameters=parameters, singlets=N_MODEL).singlets
        assert states is not None
        bright, found = brightest(case, states)
        if found >= 0:
            ratios.append(states.oscillator_strengths[found] / strengths[bright])
    return np.array(ratios)


def best_factor(ratios: np.ndarray) -> float:
    """S that minimises sum |s x - 1|: the median of 1/x, each with weight x."""
    inverse = np.sort(1.0 / ratios)
    weight = np.cumsum(1.0 / inverse)
    return float(inverse[np.searchsorted(weight, 0.5 * weight[-1])])


def with_fitted_moment(parameters: Parameters, dataset: ReferenceDataset) -> Parameters:
    """Parameter set whose bright states are as bright as those of TDA-ris on average.

    Parameters
    ----------
    parameters : Parameters
        With all other constants of the excited states fitted.
    dataset : ReferenceDataset
        Those of its molecules that have TDA-ris singlets, and elements of the set alone, are fitted
        to; the test molecules only measure.

    Raises
    ------
    InputError
        If no molecule has a bright state.
    """
    known = set(parameters.elements)
    records = [
        r for r in dataset if r.ris_energies is not None and set(r.structure.symbols) <= known
    ]
    fitted = strength_ratios(parameters, [r for r in records if r.split != "test"])
    if not fitted.size:
        raise InputError("no record has a bright TDA-ris singlet")
    test = strength_ratios(parameters, [r for r in records if r.split == "test"])
    factor = best_factor(fitted)
    errors = {
        name: {
            "count": x.size,
            "before": round(float(np.mean(np.abs(x - 1.0))), 4),
            "after": round(float(np.mean(np.abs(factor * x - 1.0))), 4),
        }
        for name, x in (("fitted", fitted), ("test", test))
        if x.size
    }
    before = parameters.header.get("excitation_fit")
    provenance = dict(before) if isinstance(before, dict) else {}
    provenance["strengths"] = {"dataset_checksum": dataset.checksum, "errors": errors}
    constants = parameters.excitation
    moment = constants.moment * float(np.sqrt(factor))
    return parameters.with_excitation(replace(constants, moment=moment), provenance)
