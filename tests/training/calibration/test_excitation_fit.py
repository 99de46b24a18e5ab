"""Constants of the excited states: a synthetic teacher is recovered, the header carries them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from molecules import distorted, gapped_model, parameters_of
from teacher import excited_lesson, lesson, named_in

from mlsemi.calculator import MLSemi
from mlsemi.errors import DomainWarning, InputError, ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import excite
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.sets.header import sealed
from mlsemi.training.calibration.committee_fit import (
    COVERED,
    excitation_errors_and_spreads,
    with_fitted_committee,
)
from mlsemi.training.calibration.excitation_fit import (
    FREE,
    FitOptions,
    calibrate,
    changed,
    compare,
    errors_of,
    extend,
    fit_constants,
)
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.objective.excitation_cases import RIS_SHIFT, Case, cases_of

STRUCTURES = tuple(
    distorted(name, seed=k) for k, name in enumerate(("H2CO", "HCN", "HCOOH", "C2H4"))
)
SOME = ("ax", "alpha_k", "beta_j", "fock_near", "fock_far", "hardness", "hardness.O", "exchange")
TRUE = changed(
    ExcitationParameters(), SOME, np.array([0.4, -0.15, -0.2, 0.1, 0.2, -0.2, 0.1, 0.25])
)


@pytest.fixture(scope="module")
def parameters():
    return parameters_of(gapped_model(STRUCTURES), name="taught")


@pytest.fixture(scope="module")
def dataset(parameters):
    """What the simplified method itself says with other constants, two test molecules too."""
    names = named_in("train", 4) + named_in("test", 2)
    records = [
        excited_lesson(parameters, STRUCTURES[k % 4], name, TRUE) for k, name in enumerate(names)
    ]
    return ReferenceDataset(tuple(records), {"method": "a teacher"})


def test_the_teacher_is_recovered(parameters, dataset):
    cases = cases_of(parameters, list(dataset))
    before = errors_of([compare(case, ExcitationParameters()) for case in cases])
    assert before["singlets_mae_ev"] > 0.05
    x = fit_constants(cases, ExcitationParameters(), FitOptions(free=SOME, prior=1e3))
    found = changed(ExcitationParameters(), SOME, x)
    for name in ("ax", "alpha_k", "beta_j", "fock_near", "fock_far"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=2e-3)
    assert found.hardness[8] == pytest.approx(TRUE.hardness[8], rel=2e-3)
    assert found.exchange_pp[6] == pytest.approx(TRUE.exchange_pp[6], rel=2e-3)
    after = errors_of([compare(case, found) for case in cases])
    assert max(after["singlets_mae_ev"], after["triplets_mae_ev"]) < 2e-3
    assert after["s1_count"] == after["t1_count"] == 6


def test_slopes_are_derivatives(parameters, dataset):
    case = cases_of(parameters, list(dataset)[2:3])[0]
    free = (*FREE[:6], "hardness.O", "exchange_sp", "exchange_pp.C")
    step = 1e-4
    here = compare(case, TRUE, free)
    for k in range(len(free)):
        moved = [
            compare(case, changed(TRUE, free, sign * step * np.eye(len(free))[k]))
            for sign in (1.0, -1.0)
        ]
        for found, up, down in zip(here, *moved, strict=True):
            numeric = (up.model - down.model) / (2 * step)
            np.testing.assert_allclose(found.slopes[:, k], numeric, atol=5e-7)
    assert (np.abs(here[0].slopes).max(axis=0) > 1e-6).all()


def test_triplets_of_the_reference_may_be_shifted(parameters, dataset):
    plain, shifted = (cases_of(parameters, list(dataset)[:1], shift)[0] for shift in (0.0, 0.01))
    moved = shifted.energies["triplet"] - plain.energies["triplet"]
    np.testing.assert_allclose(moved, 0.01)
    np.testing.assert_array_equal(shifted.energies["singlet"], plain.energies["singlet"])


def test_rydberg_states_are_left_out(parameters, dataset):
    record = dataset.records[0]
    density = record.singlet_transitions * np.array([1.0, 0.5, 1.0, 0.5])[:, None, None]
    case = cases_of(parameters, [replace(record, singlet_transitions=density)])[0]
    np.testing.assert_array_equal(case.energies["singlet"], record.singlet_energies[[0, 2]])
    assert case.energies["triplet"].size == 4


def test_further_elements_from_ris_singlets(parameters, dataset):
    """Only their own constants move, and they come out as the teacher's."""
    teacher = changed(ExcitationParameters(), ("hardness.O", "exchange.O"), np.array([0.2, -0.3]))
    records = []
    for record in dataset:
        state = singlepoint(record.structure, parameters=parameters).state
        states = excite(state, Case(record, state, {}, {}).interaction(teacher), 4, "singlet")
        n = state.n_occupied
        densities = state.orbitals[:, :n] @ states.amplitudes @ state.orbitals[:, n:].T
        bare = replace(record, singlet_energies=None, triplet_energies=None)
        ris = {"ris_energies": states.energies - RIS_SHIFT, "ris_transitions": densities}
        records.append(replace(bare, **ris))
    taught = ReferenceDataset(tuple(records), {"method": "a teacher"})
    options = FitOptions(prior=50.0, folds=2)
    start = parameters.with_excitation(ExcitationParameters(), {"errors": {}})
    fitted = extend(start, taught, ["O"], options)
    for table in ("hardness", "exchange_sp", "exchange_pp"):
        ours, theirs = getattr(fitted.excitation, table), getattr(teacher, table)
        for z in (6, 7, 8):
            assert ours[z] == pytest.approx(theirs[z], rel=1e-2 if z == 8 else 1e-12)
    about = fitted.header["excitation_fit"]["further_elements"]
    assert about["elements"] == ["O"]
    assert about["molecules"] == sum(
        "O" in r.structure.symbols for r in taught if r.split != "test"
    )
    assert about["errors"]["test"]["singlets_mae_ev"] < 2e-3
    assert about["errors"]["test_before"]["singlets_mae_ev"] > 2e-2


def test_uncertainties_of_excitations(parameters, dataset):
    """With their own calibration, against the shifted triplets; the committee stays."""
    records = list(dataset)
    plain = with_fitted_committee(parameters, records, records, n_member=8)
    fitted = calibrate(plain, dataset, FitOptions(free=("hardness",), triplet_shift=0.01, folds=2))
    assert not {"singlets", "triplets"} & set(fitted.committee.calibration)
    both = with_fitted_committee(fitted, records, records, n_member=8, excited=records)
    np.testing.assert_array_equal(both.committee.shifts, plain.committee.shifts)
    assert set(both.committee.calibration) - set(plain.committee.calibration) == {
        "singlets",
        "triplets",
    }
    assert both.header["committee"]["excited_structures"] == len(records)
    found = excitation_errors_and_spreads(both, both.committee, records)
    for error, spread in found.values():
        assert np.mean(error < spread) == pytest.approx(COVERED, abs=0.15)
    triplets = [c.model - c.reference for c in comparisons(both, records, 0.01)]
    np.testing.assert_allclose(
        np.sort(found["triplets"][0]), np.sort(np.abs(np.concatenate(triplets))), atol=1e-8
    )


def comparisons(parameters, records, shift):
    """Triplets of a set beside those of records."""
    cases = cases_of(parameters, records, shift)
    return [
        c
        for case in cases
        for c in compare(case, parameters.excitation)
        if c.multiplicity == "triplet"
    ]


def test_calibrated_set_keeps_its_constants(parameters, dataset, tmp_path):
    options = FitOptions(free=SOME, folds=2, triplet_shift=0.0)
    fitted = calibrate(parameters, dataset, options)
    assert fitted.checksum != parameters.checksum
    fitted.save(tmp_path / "set")
    loaded = Parameters.load(tmp_path / "set")
    assert loaded.checksum == fitted.checksum
    expected = fitted.excitation.to_mapping(("H", "C", "N", "O"))
    assert loaded.excitation.to_mapping(("H", "C", "N", "O")) == expected
    assert loaded.excitation.ax == pytest.approx(TRUE.ax, rel=0.3)
    errors = loaded.header["excitation_fit"]["errors"]
    assert loaded.header["excitation_fit"]["molecules"] == 4
    assert errors["test"]["s1_mae_ev"] < errors["test_before"]["s1_mae_ev"]
    assert set(errors) == {"before", "after", "cross_validation", "test", "test_before"}


def test_a_set_without_constants_has_the_published_ones(parameters):
    """And whoever asks for excited states is told."""
    assert parameters.excitation == ExcitationParameters()
    (text,) = parameters.excitation_warnings
    assert "no fitted constants" in text
    assert "ax 0.20" in text
    for wanted in ({"singlets": 1}, {"triplets": 1}, {"max_energy": 0.3}):
        assert text in singlepoint(STRUCTURES[0], parameters=parameters, **wanted).warnings
    assert text not in singlepoint(STRUCTURES[0], parameters=parameters).warnings
    with pytest.warns(DomainWarning, match="no fitted constants"):
        MLSemi(parameters=parameters, state=1)
    with pytest.warns(DomainWarning, match="no fitted constants"):
        MLSemi(parameters=parameters).set(state=1)
    fitted = parameters.with_excitation(TRUE, {})
    assert not fitted.excitation_warnings
    MLSemi(parameters=fitted, state=1)
    assert checksum_of(parameters.model.weights, None) == checksum_of(parameters.model.weights)


def edited(parameters, folder, change, honest):
    """Save with changed constants, with a checksum that fits (honest) or the old one."""
    parameters.with_excitation(TRUE, {}).save(folder)
    header = json.loads((folder / "header.json").read_text())
    change(header["excitation"])
    if honest:
        header["checksum"] = checksum_of(parameters.model.weights, header["excitation"])
        header = sealed(header)
    (folder / "header.json").write_text(json.dumps(header))
    return folder


def test_a_changed_constant_is_noticed(parameters, tmp_path):
    folder = edited(parameters, tmp_path / "set", lambda e: e.update(ax=0.21), honest=False)
    with pytest.raises(ParameterError, match="corrupted"):
        Parameters.load(folder)
    folder = edited(parameters, tmp_path / "set", lambda e: e.update(ax=0.21), honest=True)
    assert Parameters.load(folder).excitation.ax == 0.21


def test_sets_without_a_factor_of_the_moments_still_load(parameters, tmp_path):
    folder = edited(parameters, tmp_path / "set", lambda e: e.pop("moment"), honest=True)
    found = Parameters.load(folder).excitation
    assert (found.moment, found.scalars) == (1.0, TRUE.scalars)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.pop("ax"), "exactly"),
        (lambda e: e.update(bx=1.0), "exactly"),
        (lambda e: e.update(ax="0.2"), "not a number"),
        (lambda e: e.update(ax=True), "not a number"),
        (lambda e: e.update(ax=-0.2), "positive"),
        (lambda e: e.update(hardness=0.4), "excitation parameters"),
        (lambda e: e.update(ax={"C": 0.2}), "excitation parameters"),
        (lambda e: e["hardness"].update(C=None), "not a number"),
        (lambda e: e["hardness"].update(Qq=0.4), "'Qq'"),
        (lambda e: e["hardness"].pop("C"), "other elements"),
        (lambda e: e["hardness"].update(Cl=0.4), "other elements"),
        (lambda e: e["exchange_sp"].update(Cl=0.1), "other elements"),
        (lambda e: e.update(moment=float("nan")), "positive"),
    ],
)
def test_malformed_constants(parameters, tmp_path, change, message):
    folder = edited(parameters, tmp_path / "set", change, honest=True)
    with pytest.raises(ParameterError, match=message):
        Parameters.load(folder)


def test_unknown_names_and_empty_datasets(parameters, dataset):
    with pytest.raises(InputError, match="'hardnes'"):
        changed(ExcitationParameters(), ("hardnes",), np.zeros(1))
    bare = lesson(parameters.model, STRUCTURES[0], "bare")
    with pytest.raises(InputError, match="--excitations"):
        cases_of(parameters, [bare])
