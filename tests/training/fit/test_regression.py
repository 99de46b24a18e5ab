"""Closed-form start values: a teacher without corrections is found again."""

import numpy as np
import pytest
from molecules import FORMS, SMALL, baseline_only, distorted, random_model
from teacher import lesson, lessons, two_center_teacher

from mlsemi.ground.state import ground_state
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.training.fit.regression import initial_model

TEACHER = two_center_teacher()


@pytest.fixture(scope="module")
def records():
    return lessons(TEACHER, n_train=36, n_validation=0).records


@pytest.fixture(scope="module")
def student(records):
    return initial_model(SMALL, records, seed=0)


def predict(model, records):
    pairs = PairList.of([r.structure for r in records], SMALL.elements, SMALL.cutoff)
    return pairs, *model.predict(pairs)


def test_two_center_functions_are_recovered(records, student):
    """Of both directions of a pair only the mean enters H, so matrices are compared."""
    _, one, _ = predict(TEACHER, records)
    _, two, _ = predict(student, records)
    for index in range(len(records)):
        expected = one.hamiltonian.matrix(index)
        assert np.abs(expected - np.diag(np.diag(expected))).max() > 0.05
        np.testing.assert_allclose(two.hamiltonian.matrix(index), expected, atol=2e-3)


def test_two_center_functions_of_distance(records, student):
    pairs, prediction, _ = predict(TEACHER, records)
    basis = prediction.basis
    label, swapped = (
        pairs.pair_species,
        pairs.species[pairs.second] * 4 + pairs.species[pairs.first],
    )
    for column in (0, 2, 3):  # ss, pp0, pp2: means of both directions
        if column:
            keep = (pairs.species[pairs.first] > 0) & (pairs.species[pairs.second] > 0)
        else:
            keep = np.ones(label.size, dtype=bool)
        teach = TEACHER.weights["two_center"][:, :, column]
        expected = 0.5 * np.einsum("pn,pn->p", basis, teach[label] + teach[swapped])
        found = np.einsum("pn,pn->p", basis, student.weights["two_center"][label, :, column])
        np.testing.assert_allclose(found[keep], expected[keep], rtol=0, atol=5e-3)
        error = np.sqrt(np.mean((found - expected)[keep] ** 2))
        assert error < 0.01 * np.sqrt(np.mean(expected[keep] ** 2))


def test_levels_and_atomic_energies_are_recovered(records, student):
    with_p = [SMALL.elements.index(z) for z in (6, 7, 8)]
    np.testing.assert_allclose(
        student.weights["level"][with_p], TEACHER.weights["level"][with_p], atol=1e-10
    )
    np.testing.assert_allclose(
        student.weights["level"][0, 0], TEACHER.weights["level"][0, 0], atol=1e-10
    )
    np.testing.assert_allclose(
        student.weights["energy.atom"], TEACHER.weights["energy.atom"], atol=1e-9
    )


def test_corrections_start_at_zero(records, student):
    _, full, _ = predict(student, records)
    _, baseline, _ = predict(baseline_only(student), records)
    np.testing.assert_array_equal(full.hamiltonian.bonds, baseline.hamiltonian.bonds)
    np.testing.assert_array_equal(full.hamiltonian.atoms, baseline.hamiltonian.atoms)
    assert not full.atom_dipoles.any()


def test_features_have_unit_size(records, student):
    """Inputs of perceptrons are of order one, whatever the seed."""
    for seed in (0, 1):
        model = student if seed == 0 else initial_model(SMALL, records, seed)
        features = predict(model, records)[1]
        for value in (features.nodes, features.invariants @ model.weights["node.gate.in"]):
            assert 0.1 < np.sqrt(np.mean(value**2)) < 10.0


def test_seed_decides_everything(records, student):
    again, other = (initial_model(SMALL, records, seed) for seed in (0, 1))
    assert set(again.weights) == set(shapes_of(SMALL))
    for name, value in again.weights.items():
        np.testing.assert_array_equal(value, student.weights[name])
        assert value.shape == shapes_of(SMALL)[name]
    assert np.abs(other.weights["density.0"] - student.weights["density.0"]).max() > 1e-3


@pytest.mark.parametrize("form", ["band", "band+readout"])
def test_band_energies_and_pair_functions_are_taken_out_of_the_start(form):
    """Atoms, pairs and band energy of a teacher are found by regression: the rest is small."""
    teacher = random_model(FORMS[form], seed=4)
    silent = {name: np.zeros_like(value) for name, value in teacher.weights.items()}
    kept = ("level", "two_center", "energy.atom", "energy.pair")
    silent |= {name: teacher.weights[name] for name in kept if name in silent}
    teacher = Model(teacher.form, silent)
    names = ("H2O", "CH4", "NH3", "H2CO", "CH3OH", "HCN", "C2H4", "HCOOH")
    some = [
        lesson(teacher, distorted(name, seed=seed, amplitude=0.05), name)
        for name in names
        for seed in range(12)
    ]
    student = initial_model(teacher.form, some, seed=0)
    pairs = PairList.of([r.structure for r in some], SMALL.elements, SMALL.cutoff)
    prediction, _ = student.predict(pairs)
    energies = [ground_state(student, prediction, k).energy for k in range(len(some))]
    error = np.array(energies) - [r.energy for r in some]
    atoms_alone = np.array([r.energy for r in some])
    counts = [[np.sum(r.structure.numbers == z) for z in SMALL.elements] for r in some]
    atoms_alone = atoms_alone - counts @ np.linalg.lstsq(counts, atoms_alone, rcond=None)[0]
    assert np.std(atoms_alone) > 0.02
    assert np.std(error) < 0.2 * np.std(atoms_alone)


def energies_of(model, structures):
    pairs = PairList.of(structures, SMALL.elements, SMALL.cutoff)
    found = model.predict(pairs, ("atom_energies",))[0].atom_energies
    return np.array([found[pairs.atoms_of(k)].sum() for k in range(len(structures))])


def test_atoms_of_an_energy_that_sees_one_molecule(records):
    """From nothing: the energies of the atoms are found as they are without."""
    student = initial_model(FORMS["bonded"], records, seed=0)
    energies = energies_of(student, [r.structure for r in records])
    expected = np.array([r.energy for r in records])
    assert np.abs(energies - expected).max() < 0.1 * np.std(expected)
