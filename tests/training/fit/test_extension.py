"""A known model in a larger form: what it knew stays to the bit, what is new is a good start."""

from dataclasses import replace

import numpy as np
import pytest
from molecules import FORMS, SMALL, distorted, parameters_of, random_model
from teacher import lessons

from mlsemi.errors import InputError
from mlsemi.model.catalogue import shapes_of
from mlsemi.model.model import Model
from mlsemi.molecule.elements import relative_of
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.blocks import irreps_of
from mlsemi.training.fit.extension import extended_model, further_rows, rows_of_elements
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.regression import missing_energy
from mlsemi.training.fit.run import fit

TEACHER = random_model(seed=12)
FEWER = replace(SMALL, elements=SMALL.elements[:3])
"""Without oxygen."""

OLD, NEW = ("CH4", "NH3", "HCN"), ("H2O", "H2CO", "CH3OH")


@pytest.fixture(scope="module")
def dataset():
    return lessons(TEACHER)


@pytest.fixture(scope="module")
def known():
    """The teacher without what it knows of oxygen."""
    rows = rows_of_elements(SMALL, range(3))
    return Model(FEWER, {name: value[rows[name]] for name, value in TEACHER.weights.items()})


def predicted(model, names):
    structures = [distorted(name) for name in names]
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    found = model.predict(pairs)[0]
    energies = [found.atom_energies[pairs.atoms_of(k)] for k in range(len(names))]
    return [found.hamiltonian.matrix(k) for k in range(len(names))], energies


def test_rows_of_elements_by_hand():
    rows = rows_of_elements(SMALL, (2, 0))
    assert rows["level"].tolist() == [2, 0]
    assert rows["two_center"].tolist() == [10, 8, 2, 0]
    assert rows["density.1"].tolist() == [8, 9, 10, 11, 0, 1, 2, 3]
    assert rows["energy.in"].tolist() == list(range(SMALL.n_invariant))


@pytest.mark.parametrize("form", [SMALL, FORMS["bonded"], FORMS["nu3"]])
def test_further_rows_are_those_with_the_element(form):
    """Twin: mark every element's rows by its number, and pairs by both."""
    form = replace(form, n_hidden=5, n_radial=5)  # other numbers than of elements
    owned = further_rows(replace(form, elements=form.elements[:3]), form)
    n = len(form.elements)
    for name, shape in shapes_of(form).items():
        if shape[0] == n:
            expected = [z == 3 for z in range(n)]
        elif name.endswith(("two_center", "flow.radial", "bond.scale", "bond.bias")):
            expected = [3 in (i, j) for i in range(n) for j in range(n)]
        elif "density." in name:
            expected = [z == 3 for z in range(n) for _ in range(form.n_radial)]
        else:
            expected = [False] * shape[0]
        assert owned[name].tolist() == expected, name


def test_relatives():
    known = (1, 6, 7, 8, 9, 16, 17)
    assert [relative_of(z, known) for z in (5, 14, 15, 34, 35, 53)] == [6, 6, 7, 16, 17, 17]


def test_further_element_leaves_known_molecules_and_starts_near(known, dataset):
    found = extended_model(known, SMALL, dataset.records, seed=0)
    for one, two in zip(predicted(known, OLD), predicted(found, OLD), strict=True):
        for before, after in zip(one, two, strict=True):
            np.testing.assert_array_equal(before, after)


def test_further_element_is_right_on_average(known, dataset):
    """Levels and energy of the new atoms: what is left of both is none of theirs."""
    found = extended_model(known, SMALL, dataset.records, seed=0)
    records = [r for r in dataset.records if 8 in r.structure.numbers]
    pairs = PairList.of([r.structure for r in records], SMALL.elements, SMALL.cutoff)
    prediction, _ = found.predict(pairs)
    wanted = irreps_of(pairs, [r.hamiltonian for r in records])
    rows = dict(pairs.groups)[3]
    missing = (wanted.atoms - prediction.hamiltonian.atoms)[rows]
    assert np.abs(wanted.atoms[rows][:, [0, 4]]).mean() > 0.5
    np.testing.assert_allclose(missing[:, [0, 4]].mean(axis=0), 0.0, atol=1e-12)
    errors = [missing_energy(found, r) for r in records]
    counts = [np.sum(r.structure.numbers == 8) for r in records]
    np.testing.assert_allclose(np.dot(counts, errors), 0.0, atol=1e-10)


def test_training_moves_the_further_element_alone(known, dataset, tmp_path):
    parameters_of(known, "fewer").save(tmp_path / "fewer")
    dataset.save(tmp_path / "lessons.h5")
    recipe = Recipe.of_mapping(
        {
            "name": "more",
            "start": "fewer",
            "elements": ["H", "C", "N", "O"],
            "committee": 2,
            "model": {
                entry: getattr(SMALL, entry)
                for entry in ("cutoff", "n_radial", "n_channel", "n_node", "n_hidden")
            },
            "source": [{"files": ["lessons.h5"]}],
            "stage": [{"epochs": 3, "batch": 4, "further_elements": True}],
        }
    )
    made = fit(recipe, tmp_path, quiet=True)
    for one, two in zip(predicted(known, OLD), predicted(made.model, OLD), strict=True):
        for before, after in zip(one, two, strict=True):
            np.testing.assert_array_equal(before, after)
    start = extended_model(known, SMALL, dataset.records, seed=0)
    owned = further_rows(FEWER, SMALL)
    for name in ("level", "two_center", "density.1", "atom.0", "bond.scale"):
        moved = np.any(made.model.weights[name] != start.weights[name], axis=-1)
        moved = moved.reshape(len(moved), -1).any(axis=1)
        assert moved.any(), name
        assert not moved[~owned[name]].any(), name
    assert np.isfinite(made.model.weights["domain.spread"]).all()
    with pytest.raises(InputError, match="has all elements already"):
        fit(recipe.changed(start="more", name="again"), tmp_path, quiet=True)


def test_other_forms_are_refused(known, dataset):
    for form, what in (
        (replace(SMALL, elements=(1, 6, 8, 7)), "begin with those of the set"),
        (replace(SMALL, n_channel=4), "another form"),
        (replace(SMALL, elements=(1, 6, 7, 9)), "no neutral training molecule holds F"),
    ):
        with pytest.raises(InputError, match=what):
            extended_model(known, form, dataset.records, seed=0)
    linear = random_model(replace(FORMS["linear"], elements=FEWER.elements))
    with pytest.raises(InputError, match="nonlinear"):
        extended_model(linear, FORMS["linear"], dataset.records, seed=0)


def energies_of(model, structures):
    pairs = PairList.of(structures, SMALL.elements, SMALL.cutoff)
    found = model.predict(pairs, ("atom_energies",))[0].atom_energies
    return np.array([found[pairs.atoms_of(k)].sum() for k in range(len(structures))])


def test_a_known_model_gets_an_energy_that_sees_one_molecule(dataset):
    """Molecules have the energies they had; H stays; contacts begin with filled shells."""
    known = random_model(SMALL, seed=4)
    found = extended_model(known, FORMS["bonded"], dataset.records, seed=0)
    some = [distorted(name, amplitude=0.02) for name in ("H2O", "HCOOH", "HCN")]
    np.testing.assert_allclose(energies_of(found, some), energies_of(known, some), rtol=1e-11)
    for name, value in known.weights.items():
        kept = name if name in found.weights else "bonded." + name
        np.testing.assert_array_equal(found.weights[kept], value)
    assert found.weights["contact.level"][1].tolist() == [[0.9, 0.3], [0.1, 0.1]]
