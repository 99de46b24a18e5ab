"""The factor of the transition moments: recovered from a teacher, and the best for its loss."""

from dataclasses import replace

import numpy as np
import pytest
from molecules import distorted, gapped_model, parameters_of
from teacher import lesson, named_in

from mlsemi.errors import InputError
from mlsemi.evaluate import singlepoint
from mlsemi.training.calibration.moment_fit import best_factor, with_fitted_moment
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.objective.excitation_cases import RIS_SHIFT

STRUCTURES = tuple(
    distorted(name, seed=k) for k, name in enumerate(("H2CO", "HCN", "HCOOH", "C2H4"))
)


@pytest.fixture(scope="module")
def parameters():
    return parameters_of(gapped_model(STRUCTURES), name="bright")


def records_of(parameters, factor):
    """What the set itself says, with all strengths times a factor."""
    names = named_in("train", 3) + named_in("test", 1)
    records = []
    for structure, name in zip(STRUCTURES, names, strict=True):
        result = singlepoint(structure, parameters=parameters, singlets=6)
        states, n = result.singlets, result.state.n_occupied
        C = result.state.orbitals
        record = replace(
            lesson(parameters.model, structure, name),
            ris_energies=states.energies - RIS_SHIFT,
            ris_strengths=factor * states.oscillator_strengths,
            ris_transitions=C[:, :n] @ states.amplitudes @ C[:, n:].T,
        )
        records.append(record)
    return ReferenceDataset(tuple(records))


def test_the_teachers_factor_is_recovered(parameters):
    strength = max(
        singlepoint(s, parameters=parameters, singlets=5).singlets.oscillator_strengths.max()
        for s in STRUCTURES
    )
    assert strength > 0.1
    fitted = with_fitted_moment(parameters, records_of(parameters, 0.64))
    assert fitted.excitation.moment == pytest.approx(0.8, rel=1e-6)
    about = fitted.header["excitation_fit"]["strengths"]["errors"]
    assert about["fitted"]["before"] == pytest.approx(1.0 / 0.64 - 1.0, abs=1e-3)
    assert about["fitted"]["after"] == pytest.approx(0.0, abs=1e-3)
    # fitted again, it stays
    again = with_fitted_moment(fitted, records_of(parameters, 0.64))
    assert again.excitation.moment == pytest.approx(0.8, rel=1e-6)


def test_best_factor_minimises_the_loss():
    x = np.random.default_rng(0).lognormal(0.2, 0.5, size=31)
    best = best_factor(x)
    scan = best * np.linspace(0.5, 2.0, 3001)
    loss = np.abs(scan[:, None] * x - 1.0).sum(axis=1)
    assert np.abs(best * x - 1.0).sum() <= loss.min() + 1e-12


def test_dark_molecules_cannot_be_fitted_to(parameters):
    with pytest.raises(InputError, match="bright"):
        with_fitted_moment(parameters, records_of(parameters, 1e-6))
