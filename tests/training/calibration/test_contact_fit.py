"""Contacts fitted to complexes: what is fitted, its gradient, and that a teacher is found again."""

from dataclasses import replace

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, SMALL, distorted, random_model
from teacher import lesson, named_in

from mlsemi.errors import InputError
from mlsemi.model.model import Model
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.training.calibration.contact_fit import (
    REPULSION,
    Complexes,
    fitted_weights,
    molecules_of,
    with_fitted_contacts,
)
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.objective.force_matching import EnergyWalk

MODEL = random_model(FORMS["bonded"])
CONTACTS = [name for name in MODEL.weights if name.startswith("contact.")]


def energies_of(model, record):
    return EnergyWalk(model, [record.structure, *molecules_of(record)]).energies


def complexes(n=3):
    """Formaldehyde and hydrogen cyanide, nearer and nearer; bound by what the model says."""
    out = []
    for k, name in enumerate(named_in("train", n)):
        one, two = distorted("H2CO", seed=k), distorted("HCN", seed=k)
        aside = two.positions + np.array([0.3 * k, 0.0, 8.0 - 0.8 * k])
        positions = np.concatenate([one.positions, aside])
        both = Structure(np.concatenate([one.numbers, two.numbers]), positions)
        record = lesson(MODEL, both, name)
        fragments = np.repeat([0, 1], [one.n_atom, two.n_atom])
        record = replace(record, fragments=fragments, fragment_charges=np.array([0, 0]))
        out.append(replace(record, fragment_energies=energies_of(MODEL, record)[1:]))
    return out


def as_set(model):
    header = {"checksum": checksum_of(model.weights)}
    return Parameters("x", header, model, header["checksum"])


def test_errors_are_those_of_three_single_points():
    """Of weights that the model was not made with, on references that are not its own."""
    records = [
        replace(r, fragment_energies=r.fragment_energies - 0.01 * k)
        for k, r in enumerate(complexes())
    ]
    other = {name: 1.3 * MODEL.weights[name] + 0.01 for name in CONTACTS}
    model = Model(MODEL.form, {**MODEL.weights, **other})
    found = Complexes.of(MODEL, records).errors(other)
    for error, record in zip(found, records, strict=True):
        whole, *alone = energies_of(model, record)
        assert error == pytest.approx(whole - sum(alone) - record.interaction_energy, abs=1e-12)


def test_the_gradient_of_the_loss():
    """Attractive complexes count by their error, repulsive ones by a part of it."""
    records = complexes()
    for shift in (-0.02, 0.05):
        moved = [replace(r, fragment_energies=r.fragment_energies - shift) for r in records]
        chunk = Complexes.of(MODEL, moved)
        weights = {name: MODEL.weights[name].copy() for name in CONTACTS}
        gradients = {name: np.zeros_like(value) for name, value in weights.items()}
        chunk.loss(weights, gradients)
        rng = np.random.default_rng(0)
        along = {name: rng.normal(size=value.shape) for name, value in weights.items()}

        def loss(x, chunk=chunk, weights=weights, along=along):
            at = {name: value + x * along[name] for name, value in weights.items()}
            return chunk.loss(at, {name: np.zeros_like(value) for name, value in at.items()})

        slope = sum(np.sum(gradients[name] * along[name]) for name in weights)
        assert slope == pytest.approx(derivative(loss, 1e-4), rel=1e-6)
        expected = np.array([r.interaction_energy for r in moved])
        assert np.allclose(chunk.scale > 1.0, expected > 0.0)
        assert np.allclose(chunk.scale, 1.0 + np.maximum(0.0, expected) / REPULSION)


def test_a_teacher_is_found_again():
    """Interaction energies of the fitted set are those of the model that made the data."""
    records = complexes(6)
    first = {name: 0.5 * MODEL.weights[name] + 0.05 for name in CONTACTS}
    chunk, told = Complexes.of(MODEL, records), []
    before = np.abs(chunk.errors(first)).mean()
    found = fitted_weights([chunk], first, lambda step, loss: told.append(loss))
    assert np.abs(chunk.errors(found)).mean() < 0.1 * before
    assert told == sorted(told, reverse=True)
    student = Model(MODEL.form, {**MODEL.weights, **first})
    fitted = with_fitted_contacts(as_set(student), ReferenceDataset(tuple(records)))
    assert fitted.header["contact_fit"]["complexes"] == 6
    assert fitted.checksum == fitted.header["checksum"] == checksum_of(fitted.model.weights)
    for name, value in student.weights.items():
        if name not in CONTACTS:
            np.testing.assert_array_equal(fitted.model.weights[name], value)


def test_sets_without_contacts_and_files_without_complexes_are_refused():
    records = complexes(1)
    with pytest.raises(InputError, match="of a form with bonded = true"):
        with_fitted_contacts(as_set(random_model(SMALL)), ReferenceDataset(tuple(records)))
    alone = ReferenceDataset((replace(records[0], fragments=None, fragment_energies=None),))
    with pytest.raises(InputError, match="no complex of neutral molecules"):
        with_fitted_contacts(as_set(MODEL), alone)
