"""Energies and forces for the model's own head: neutral molecules, ions, radicals, complexes."""

from dataclasses import replace

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, distorted, gapped_model, learned, random_model
from teacher import lesson, lessons, named_in, random_surfaces

from mlsemi.errors import InputError
from mlsemi.kernels.multipoles import N_MOMENT
from mlsemi.model.model import Model
from mlsemi.model.terms.intermolecular.multipoles import DIPOLE, QUADRUPOLE
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import fit
from mlsemi.training.fit.sources import load_sources
from mlsemi.training.objective.heads import Head
from mlsemi.training.objective.loss import GROUND_STATE, LossWeights
from mlsemi.training.objective.source import Source
from mlsemi.training.objective.surface_loss import OF_QUADRUPOLE, multipoles_loss

WEIGHTS = LossWeights(forces=2.0)


def source(entries, *targets):
    return Source(Head("model", 0), frozenset(targets), entries, [])


def check_gradient(model, one, names, step=1e-3, tolerance=1e-5):
    rows = range(len(one.entries))
    loss, gradients = one.loss(model, rows, WEIGHTS)
    assert loss > 0.0
    assert set(gradients) == set(model.weights)
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}

    def at(t):
        weights = {n: v + t * turns[n] * (n in names) for n, v in model.weights.items()}
        return one.loss(Model(model.form, weights), rows, WEIGHTS)[0]

    expected = sum(np.sum(turns[n] * gradients[n]) for n in names)
    assert abs(expected) > 1e-5
    assert derivative(at, step) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("targets", [("multipoles",), ("energy", "forces", "multipoles")])
def test_gradient_of_multipoles(targets):
    """Charges and dipoles that the energy of contacts reads, with and without the energy."""
    model = random_model(FORMS["bonded"], seed=7)
    one = source(random_surfaces("A"), *targets)
    read = ("flow.", "bonded.")
    names = {name for name in learned(model) if name.startswith(read)}
    check_gradient(model, one, names, 1e-3, 1e-4)


def distributed(shift=0.0, seed=0):
    """A record with multipoles of no method, and those multipoles of its atoms."""
    rng, neutral = np.random.default_rng(seed), distorted("CH3OH")
    structure = Structure(neutral.numbers, neutral.positions + shift, 2)
    record = replace(lesson(gapped_model([neutral]), neutral, "A"), structure=structure)
    own = rng.normal(size=(structure.n_atom, N_MOMENT))
    own[:, [4, 7, 9]] -= own[:, [4, 7, 9]].mean(axis=1, keepdims=True)
    own[:, 0] = record.charges + (2.0 - record.charges.sum()) / structure.n_atom
    x, quadrupole = structure.positions, np.zeros((3, 3))
    for q, mu, entries, at in zip(own[:, 0], own[:, DIPOLE], own[:, QUADRUPOLE], x, strict=True):
        theta = np.zeros((3, 3))
        theta[np.triu_indices(3)] = entries
        quadrupole += q * np.outer(at, at) + np.outer(mu, at) + np.outer(at, mu)
        quadrupole += 2.0 * (theta + np.triu(theta, 1).T)
    dipole = own[:, 0] @ x + own[:, DIPOLE].sum(axis=0)
    quadrupole += 0.7 * np.eye(3)  # a trace, which the multipoles leave open
    return replace(record, dipole=dipole, quadrupole=quadrupole, dipole_matrix=None), own


@pytest.mark.parametrize("shift", [0.0, np.array([30.0, -20.0, 10.0])])
def test_multipoles_that_make_the_quadrupole_have_no_loss(shift):
    """Wherever the molecule lies; one off has the loss of its own error."""
    record, own = distributed(shift)
    rows = [np.arange(record.structure.n_atom)]
    right, _ = multipoles_loss(rows, own, [record], LossWeights(), True)
    own[2, QUADRUPOLE] += 1e-3 * np.array([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    off, _ = multipoles_loss(rows, own, [record], LossWeights(), True)
    weight = LossWeights().multipoles * OF_QUADRUPOLE / record.structure.n_atom
    assert off - right == pytest.approx(weight * 2.0 * 2e-3**2, rel=1e-4)


def test_gradient_by_multipoles():
    """Of charges, atoms' dipoles and quadrupoles of a record that tells all of them."""
    record, own = distributed()
    n = record.structure.n_orbital
    matrix = np.random.default_rng(1).normal(size=(3, n, n))
    record = replace(record, dipole_matrix=matrix + matrix.swapaxes(1, 2))
    rows = [np.arange(record.structure.n_atom)]
    given = own + 0.1 * np.random.default_rng(2).normal(size=own.shape)
    turn = np.random.default_rng(3).normal(size=own.shape)
    _, bar = multipoles_loss(rows, given, [record], LossWeights(), True)
    _, without = multipoles_loss(rows, given, [record], LossWeights(), False)
    assert np.abs(bar - without)[:, 1:].min() > 0.0

    def at(t):
        return multipoles_loss(rows, given + t * turn, [record], LossWeights(), True)[0]

    assert derivative(at, 1e-3) == pytest.approx(np.sum(turn * bar), rel=1e-7)


@pytest.mark.parametrize("kind", ["nonlinear", "local", "linear", "band", "bonded"])
def test_gradient_of_surfaces(kind):
    model = random_model(FORMS[kind], seed=7)
    one = source(random_surfaces("A"), "energy", "forces")
    for names in (set(learned(model)), {n for n in model.weights if "energy." in n}):
        check_gradient(model, one, names, 1e-4 if kind == "band" else 1e-3, 1e-4)


def ion(structure, charge, multiplicity):
    return Structure(structure.numbers, structure.positions, charge, multiplicity)


@pytest.mark.parametrize(("charge", "multiplicity"), [(1, 2), (0, 3)])
def test_gradient_of_ions_and_radicals(charge, multiplicity):
    """Their energies and forces reach the Hamiltonian through the response."""
    near = [distorted(name) for name in ("H2CO", "CH3OH")]
    model = gapped_model(near)
    changed = [
        surface._replace(structure=ion(known, charge, multiplicity))
        for surface, known in zip(random_surfaces("A"), near, strict=True)
    ]
    one = source(changed, "energy", "forces")
    check_gradient(model, one, set(learned(model)), 1e-4, 1e-4)
    assert one.loss(model, [0], WEIGHTS)[1]["level"].any()


def test_a_run_with_ions(tmp_path):
    """They need no class of their own and teach what has a gradient; they are validated."""
    teacher = random_model(seed=12)
    lessons(teacher, 4, 2).save(tmp_path / "lessons.h5")
    names = named_in("train", 2) + named_in("validation", 1)
    charged = []
    for k, name in enumerate(names):
        one, two = distorted("H2CO", seed=k), distorted("HCN", seed=k)
        positions = np.concatenate([one.positions, two.positions + np.array([0.0, 0.0, 9.0])])
        both = Structure(np.concatenate([one.numbers, two.numbers]), positions)
        record = lesson(teacher, both, name)
        charged.append(replace(record, structure=ion(record.structure, 2, 1)))
    ReferenceDataset(tuple(charged)).save(tmp_path / "ions.h5")
    tables = [{"files": ["lessons.h5"]}, {"files": ["ions.h5"], "weight": 0.1}]
    sizes = {"n_radial": 4, "n_channel": 3, "n_node": 2, "n_hidden": 4, "cutoff": 6.5}
    data = {"name": "x", "source": tables, "stage": [{"epochs": 2}], "model": sizes}
    recipe = Recipe.of_mapping(data | {"committee": 0})
    _, (_, ions) = load_sources(recipe, tmp_path)
    assert ions.targets == {"energy", "forces"}
    assert ions.source(0, None).validation
    about = fit(recipe, tmp_path, quiet=True).header["training"]["sources"]
    assert about["ions.h5"]["targets"] == ["energy", "forces"]
    tables[1]["targets"] = ["levels"]
    with pytest.raises(InputError, match='ions and radicals teach "energy" and "forces"'):
        load_sources(Recipe.of_mapping(data), tmp_path)


def test_an_ion_among_others_teaches_energy_and_forces(tmp_path):
    """It neither silences the levels of the others nor is asked for its own."""
    model = gapped_model([distorted("H2CO"), distorted("CH3OH")])
    names = named_in("train", 2)
    near = [lesson(random_model(seed=3), distorted("H2CO"), names[0])]
    known = lesson(random_model(seed=3), distorted("CH3OH"), names[1])
    charged = replace(known, structure=ion(known.structure, 2, 1))
    both = source([*near, charged], *GROUND_STATE)
    check_gradient(model, both, set(learned(model)), 1e-4, 1e-4)
    loss, gradient = source([charged], *GROUND_STATE).loss(model, [0], WEIGHTS)
    alone, expected = source([charged], "energy", "forces").loss(model, [0], WEIGHTS)
    assert loss == pytest.approx(alone, rel=1e-10)
    for name, value in expected.items():
        np.testing.assert_allclose(gradient[name], value, rtol=1e-6, atol=1e-8, err_msg=name)
    ReferenceDataset((*near, charged)).save(tmp_path / "both.h5")
    table = {"files": ["both.h5"]}
    _, (data,) = load_sources(Recipe.of_mapping({"name": "x", "source": [table]}), tmp_path)
    assert data.targets == GROUND_STATE


def test_weight_of_a_source():
    """It scales loss and gradient."""
    model, one = random_model(seed=7), source(random_surfaces("A"), "energy", "forces")
    (whole, gradients), (half, halves) = (
        one.loss(model, [0, 1], WEIGHTS, weight) for weight in (1.0, 0.5)
    )
    assert half == pytest.approx(0.5 * whole, rel=1e-12)
    for name, value in gradients.items():
        np.testing.assert_allclose(halves[name], 0.5 * value, rtol=1e-12, err_msg=name)
