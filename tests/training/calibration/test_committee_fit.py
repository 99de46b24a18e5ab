"""The committee: its linear algebra, its calibration, and that it knows what it does not know."""

import numpy as np
import pytest
from molecules import SMALL, distorted, parameters_of, random_model
from teacher import lesson, lessons

from mlsemi.ground.state import ground_state
from mlsemi.model.committee import Calibration
from mlsemi.model.model import Model
from mlsemi.model.terms.domain import fit_domain
from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.pairs import PairList
from mlsemi.orbitals import eigen
from mlsemi.orbitals.observables import lowdin_charges
from mlsemi.training.calibration.committee_fit import (
    CHARGE_WIDTH,
    COVERED,
    LEVEL_WIDTH,
    RIDGE,
    Bootstrap,
    calibrated,
    energy_observation,
    errors_and_spreads,
    fit_members,
    observations,
    points_of,
    with_fitted_committee,
)
from mlsemi.training.fit.regression import initial_model

TEACHER = random_model(seed=12)
LESSONS = lessons(TEACHER, n_train=24, n_validation=8)
TRAIN, VALIDATION = LESSONS.split("train").records, LESSONS.split("validation").records


def listed(structures):
    return PairList.of(structures, SMALL.elements, SMALL.cutoff)


def student():
    """Closed-form start values with the training domain of the lessons."""
    model = initial_model(SMALL, TRAIN, seed=3)
    pairs = listed([r.structure for r in TRAIN])
    invariants = model.invariants(pairs)
    return Model(SMALL, dict(model.weights) | fit_domain(pairs.species, invariants, 4))


MODEL = student()


def test_observations_are_derivatives():
    """Levels and charges change by J theta when the levels of H are shifted as a member would."""
    point = next(points_of(MODEL, TRAIN[:1]))
    design, errors = observations(point, 4)
    theta = np.random.default_rng(0).normal(size=(4, point.inputs.shape[1], 2))
    shift = np.einsum("id,idx->ix", point.inputs, theta[point.species])
    sizes = [n_orbital_of(z) for z in point.structure.numbers.tolist()]
    diagonal = np.concatenate([[s, p, p, p][:n] for (s, p), n in zip(shift, sizes, strict=True)])
    pairs = listed([point.structure])
    ground = ground_state(MODEL, MODEL.predict(pairs)[0], 0)
    known = len(errors) - point.structure.n_atom

    def observed(t):
        matrix = ground.hamiltonian + t * np.diag(diagonal)
        state = eigen.solve(matrix, point.structure.n_electron)
        charges = lowdin_charges(point.structure, state.density)
        return np.concatenate([state.energies[:known] / LEVEL_WIDTH, charges / CHARGE_WIDTH])

    step = 1e-5
    difference = (observed(step) - observed(-step)) / (2.0 * step)
    assert np.abs(difference).min() > 1.0
    np.testing.assert_allclose(design @ theta.ravel(), difference, rtol=1e-5)


def test_energy_observation_is_a_sum_over_atoms():
    point = next(points_of(MODEL, TRAIN[:1]))
    design, _ = energy_observation(point, 4)
    theta = np.random.default_rng(0).normal(size=(4, point.inputs.shape[1]))
    expected = sum(x @ theta[s] for x, s in zip(point.inputs, point.species, strict=True))
    assert (design @ theta.ravel())[0] * LEVEL_WIDTH == pytest.approx(expected)


def test_members_have_the_sandwich_covariance():
    rng = np.random.default_rng(5)
    boot = Bootstrap(3)
    rows = [(f"m{k % 4}", rng.normal(size=(2, 3)), rng.normal(size=2)) for k in range(8)]
    for row in rows:
        boot.add(*row)
    x = np.concatenate([design for _, design, _ in rows])
    scale = np.mean(x**2, axis=0)
    inverse = np.linalg.inv(x.T @ x + RIDGE * len(x) * np.diag(scale))
    pulls = {name: np.zeros(3) for name, _, _ in rows}
    for name, design, errors in rows:
        pulls[name] += design.T @ errors
    expected = inverse @ sum(np.outer(g, g) for g in pulls.values()) @ inverse
    members = boot.members(rng.normal(size=(4, 100_000)))
    found = members @ members.T / members.shape[1]
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_calibration_covers_its_share():
    parameters = with_fitted_committee(parameters_of(MODEL), TRAIN, VALIDATION, n_member=8)
    pairs = errors_and_spreads(MODEL, parameters.committee, VALIDATION)
    for name in ("occupied", "charges"):
        error, spread = pairs[name]
        assert np.mean(error < spread) == pytest.approx(COVERED, abs=0.1)
    assert set(parameters.committee.calibration) == set(pairs)
    entry = parameters.header["committee"]
    assert entry["members"] == parameters.committee.n_member == 8
    assert entry["checksum"] == parameters.committee.checksum


def test_strange_molecules_are_less_certain():
    """A nitro group, which no lesson has, spreads the members more than lessons do."""
    committee = fit_members(MODEL, TRAIN, n_member=16, seed=0)

    def spread(structures):
        records = [lesson(TEACHER, s, f"x{k}-Y") for k, s in enumerate(structures)]
        return np.mean(errors_and_spreads(MODEL, committee, records)["charges"][1])

    usual = spread([distorted(name, seed=50) for name in ("H2O", "CH4", "H2CO", "CH3OH")])
    assert spread([distorted("CH3NO2", seed=50)]) > 2.0 * usual


def test_seed_decides_the_members():
    one, two, other = (fit_members(MODEL, TRAIN[:4], 3, seed).shifts for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-9
    assert one.shape == (4, 1 + SMALL.n_invariant, 3, 3)


@pytest.mark.parametrize(("factor", "floor"), [(3.0, 0.0), (0.5, 0.2), (0.0, 1.0)])
def test_factor_and_floor_are_found_again(factor, floor):
    rng = np.random.default_rng(2)
    spread = rng.lognormal(-1.5, 1.0, 20_000)
    error = np.abs(rng.normal(size=spread.size)) * np.hypot(factor * spread, floor)
    found = calibrated(error, spread)
    expected = Calibration(factor, floor)
    for s in (0.05, 0.2, 1.0):
        assert found(s) == pytest.approx(expected(s), rel=0.1, abs=0.01)


def test_nothing_to_calibrate():
    assert calibrated(np.zeros(3), np.ones(3)) == Calibration()


def test_domain_holds_the_training_atoms_and_not_strange_ones():
    committee = fit_members(MODEL, TRAIN, n_member=16, seed=0)

    def outside(structure):
        pairs = listed([structure])
        invariants = MODEL.invariants(pairs)
        return committee.outside(pairs, committee.atom_shifts(pairs, invariants, MODEL.weights))

    n_atom = sum(r.structure.n_atom for r in TRAIN)
    assert sum(outside(r.structure).size for r in TRAIN) <= 0.1 * n_atom
    strange = distorted("CH3NO2", seed=1)
    assert 7 in strange.numbers[outside(strange)]
