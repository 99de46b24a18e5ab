from dataclasses import replace

import numpy as np
import pytest
from harness import assert_adjoint, assert_equivariant
from molecules import (
    FORMS,
    LOW_SYMMETRY,
    SMALL,
    baseline_only,
    distorted,
    learned,
    moved,
    random_model,
)
from scipy.linalg import block_diag

from mlsemi.errors import InputError
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.model import Model
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.model.terms.prediction import PredictionBar
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import orbital_atom
from mlsemi.symmetry.blocks import P_LEVEL, BlockedOperator
from mlsemi.symmetry.so3 import XYZ

STRUCTURES = tuple(distorted(name) for name in LOW_SYMMETRY)


def predict(model, *structures):
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    return pairs, *model.predict(pairs)


def read_of_one_molecule(model):
    """Names of weights that are learned from it: contacts have tests of their own."""
    between = ("flow.", "contact.", "bonded.node.")
    return [name for name in learned(model) if not name.startswith(between)]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_weight_is_read(form):
    """A weight that no prediction depends on would be dead."""
    model = random_model(form)
    before = outputs(model, STRUCTURES)
    for name in model.weights:
        if name not in read_of_one_molecule(model):
            continue
        changed = Model(form, dict(model.weights) | {name: 1.1 * model.weights[name]})
        after = outputs(changed, STRUCTURES)
        assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) > 1e-6, name


def outputs(model, structures):
    _, prediction, _ = predict(model, *structures)
    matrices = [prediction.hamiltonian.matrix(n) for n in range(len(structures))]
    return *matrices, prediction.atom_energies, prediction.atom_dipoles, prediction.sp_lengths


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_batch_equals_one_by_one(form):
    model = random_model(form, seed=2)
    pairs, together, _ = predict(model, *STRUCTURES)
    for index, structure in enumerate(STRUCTURES):
        single_pairs, alone, _ = predict(model, structure)
        rows, single_rows = pairs.atoms_of(index), single_pairs.atoms_of(0)
        np.testing.assert_allclose(
            together.hamiltonian.matrix(index), alone.hamiltonian.matrix(), atol=1e-13
        )
        for name in ("atom_energies", "atom_dipoles", "sp_lengths", "charges", "invariants"):
            a, b = getattr(together, name), getattr(alone, name)
            if a.size:
                np.testing.assert_allclose(a[rows], b[single_rows], atol=1e-13)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("seed", [0, 1])
def test_equivariant(form, seed):
    model = random_model(form, seed=seed)

    def observe(structure):
        pairs, prediction, _ = predict(model, structure)
        rows = pairs.atoms_of(0)
        return {
            "H": ("orbital_pair", prediction.hamiltonian.matrix()),
            "energies": ("atom", prediction.atom_energies[rows]),
            "dipoles": ("atom_vector", prediction.atom_dipoles[rows][:, XYZ]),
        }

    assert_equivariant(observe, STRUCTURES[seed], atol=1e-11)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_adjoint_to_every_weight_and_to_positions(form):
    model = random_model(form, seed=4)
    pairs, prediction, record = predict(model, *STRUCTURES[:2])
    names = read_of_one_molecule(model)
    split = STRUCTURES[0].n_atom

    def forward(x, *values):
        weights = dict(model.weights) | dict(zip(names, values, strict=True))
        parts = zip(STRUCTURES[:2], (x[:split], x[split:]), strict=True)
        _, p, _ = predict(Model(form, weights), *(moved(s, part) for s, part in parts))
        rest = p.atom_energies, p.atom_dipoles, p.sp_lengths
        return p.hamiltonian.atoms, p.hamiltonian.bonds, *rest

    def adjoint(atoms_bar, bonds_bar, *bars):
        operator_bar = BlockedOperator(pairs, atoms_bar, bonds_bar)
        given = (prediction, record, PredictionBar(operator_bar, *bars))
        gradients, positions_bar = model.adjoint(*given, with_positions=True)
        only_weights, nothing = model.adjoint(*given)
        assert nothing is None
        assert set(gradients) == set(shapes_of(form))
        assert not any(gradients[name].any() for name in gradients if name not in learned(model))
        for name in names:
            np.testing.assert_array_equal(only_weights[name], gradients[name])
        return positions_bar, *(gradients[name] for name in names)

    positions = np.concatenate([s.positions for s in STRUCTURES[:2]])
    arrays = [positions, *(model.weights[name] for name in names)]
    assert_adjoint(forward, adjoint, arrays, step=1e-2, rtol=1e-9, n_element=2)


def test_baseline_is_levels_and_two_center_functions():
    model = baseline_only(random_model(seed=1))
    structure = STRUCTURES[0]
    pairs, prediction, _ = predict(model, structure)
    atoms, w = prediction.hamiltonian.atoms, model.weights
    np.testing.assert_allclose(atoms[:, 0], w["level"][pairs.species, 0])
    np.testing.assert_allclose(atoms[:, 4], P_LEVEL * w["level"][pairs.species, 1])
    assert not np.delete(atoms, [0, 4], axis=1).any()
    values = np.einsum("pn,pnc->pc", prediction.basis, w["two_center"][pairs.pair_species])
    bonds = prediction.hamiltonian.bonds
    np.testing.assert_allclose(bonds[:, 0], values[:, 0] * pairs.sphere[:, 0], atol=1e-14)
    np.testing.assert_allclose(bonds[:, 1:4], values[:, 1:2] * pairs.sphere[:, 1:4], atol=1e-14)
    assert not bonds[:, 5:8].any()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_corrections_change_the_baseline(form):
    model = random_model(form, seed=1)
    one, two = (predict(m, STRUCTURES[0])[1] for m in (model, baseline_only(model)))
    assert np.abs(one.hamiltonian.matrix() - two.hamiltonian.matrix()).max() > 1e-2


@pytest.mark.parametrize("kind", ["nonlinear", "kernel"])
def test_far_fragments_do_not_couple(kind):
    """Without the long-range field nothing is felt beyond the cutoff."""
    model = random_model(replace(FORMS[kind], long_range=False), seed=6)
    one, two = STRUCTURES[0], STRUCTURES[1]
    both = Structure(
        np.concatenate([one.numbers, two.numbers]),
        np.concatenate([one.positions, two.positions + 30.0]),
    )
    apart = [predict(model, s)[1] for s in (one, two)]
    together = predict(model, both)[1]
    expected = block_diag(*(p.hamiltonian.matrix() for p in apart))
    np.testing.assert_allclose(together.hamiltonian.matrix(), expected, atol=1e-13)
    energies = sum(p.atom_energies.sum() for p in apart)
    assert together.atom_energies.sum() == pytest.approx(energies, abs=1e-12)


def test_on_site_element_depends_on_neighbours():
    """The environment enters every on-site block: not one is that of the free atom."""
    model = random_model(seed=3)
    structure = STRUCTURES[1]
    matrix = predict(model, structure)[1].hamiltonian.matrix()
    atom = orbital_atom(structure)
    for a in np.flatnonzero(structure.numbers > 1):
        block = matrix[np.ix_(atom == a, atom == a)]
        assert np.abs(block - np.diag(np.diag(block))).max() > 1e-3
        assert np.ptp(np.diag(block)[1:]) > 1e-3


def test_other_forms():
    """Any element list, one channel, one element."""
    form = ModelForm((6, 1), cutoff=7.0, n_radial=3, n_channel=1, n_node=1, n_hidden=2)
    for name in ("CH4", "C2H6"):
        _, prediction, _ = predict(random_model(form), distorted(name))
        assert np.isfinite(prediction.hamiltonian.matrix()).all()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_adjoint_without_the_hamiltonian(form):
    """None stands for zero cotangents of the irreps, which need not be predicted either."""
    model = random_model(form, seed=4)
    pairs, prediction, record = predict(model, *STRUCTURES)
    rng = np.random.default_rng(0)
    bars = rng.normal(size=pairs.n_atom), rng.normal(size=(pairs.n_atom, 3))
    operator = prediction.hamiltonian
    zeros = BlockedOperator(pairs, np.zeros_like(operator.atoms), np.zeros_like(operator.bonds))
    wanted = ("atom_energies", "atom_dipoles")
    one = model.adjoint(*model.predict(pairs, wanted), PredictionBar(None, *bars), True)
    two = model.adjoint(prediction, record, PredictionBar(zeros, *bars), True)
    np.testing.assert_allclose(one[1], two[1], atol=1e-13)
    for name, value in one[0].items():
        np.testing.assert_allclose(value, two[0][name], atol=1e-13)


@pytest.mark.parametrize("changes", [{"kind": "quadratic"}, {"nu": 4}, {"nu": 1}])
def test_unknown_forms_are_refused(changes):
    with pytest.raises(InputError, match="need"):
        replace(SMALL, **changes)


def test_linear_model_is_linear():
    """Of coefficients: the corrections double with them, without any nonlinearity."""
    model = random_model(FORMS["linear"], seed=2)
    heads = ("onsite", "charge", "bond.out", "level", "two_center")
    twice = Model(
        model.form, dict(model.weights) | {name: 2.0 * model.weights[name] for name in heads}
    )
    for structure in STRUCTURES:
        structure = Structure(structure.numbers, structure.positions, 0)
        one, two = (predict(m, structure)[1].hamiltonian.matrix() for m in (model, twice))
        np.testing.assert_allclose(two, 2.0 * one, atol=1e-13)


def test_cutoff_is_crossed_smoothly():
    """H does not jump when an atom leaves the environment of another."""
    for form in FORMS.values():
        model = random_model(replace(form, long_range=False), seed=3)

        def matrix(r, model=model):
            x = np.array([[0.0, 0.0, 0.0], [2.2, 0.0, 0.0], [0.0, 2.1, r]])
            return predict(model, Structure([6, 8, 8], x))[1].hamiltonian.matrix()

        r = np.sqrt(SMALL.cutoff**2 - 2.1**2)
        inside, at, beyond = (matrix(r + d) for d in (-1e-3, 0.0, 1e-3))
        assert np.abs(at - beyond).max() < 1e-6
        assert np.abs(inside - beyond).max() < 1e-5
        assert np.abs(matrix(0.5 * r) - beyond).max() > 1e-4
