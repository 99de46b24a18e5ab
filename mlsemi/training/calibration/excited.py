"""Everything of the excited states that is fitted to a set of weights: after every stage of a run.

The constants make up for what the orbitals and a monopole interaction miss on average, so they
belong to one set of weights.
"""

from __future__ import annotations

from mlsemi.parameters import Parameters
from mlsemi.training.calibration.excitation_fit import FitOptions, calibrate, extend
from mlsemi.training.calibration.moment_fit import with_fitted_moment
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.units import HARTREE_EV


def with_fitted_excitations(
    parameters: Parameters,
    constants: ReferenceDataset,
    moments: ReferenceDataset | None,
    triplet_shift: float,
) -> Parameters:
    """The set with fitted constants of the interaction and factor of the transition moments.

    Elements that only the second dataset holds get their constants from its TDA-ris singlets.

    Parameters
    ----------
    parameters : Parameters
    constants : ReferenceDataset
        With full Tamm-Dancoff states, or TDA-ris singlets.
    moments : ReferenceDataset or None
        With TDA-ris singlets and their strengths.
    triplet_shift : float
        Added to the triplets of the first, eV.
    """
    known = set(parameters.elements)
    constants = _of_elements(constants, known)
    options = FitOptions(triplet_shift=triplet_shift / HARTREE_EV)
    fitted = calibrate(parameters, constants, options)
    if moments is None:
        return fitted
    moments = _of_elements(moments, known)
    further = sorted(_elements(moments) - _elements(constants))
    if further:
        fitted = extend(fitted, moments, further)
    return with_fitted_moment(fitted, moments)


def _elements(dataset: ReferenceDataset) -> set[str]:
    return {symbol for record in dataset for symbol in record.structure.symbols}


def _of_elements(dataset: ReferenceDataset, known: set[str]) -> ReferenceDataset:
    if _elements(dataset) <= known:
        return dataset
    records = [record for record in dataset if set(record.structure.symbols) <= known]
    return ReferenceDataset(tuple(records), dataset.provenance)
