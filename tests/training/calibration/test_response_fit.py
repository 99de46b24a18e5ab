"""Constants of the response fitted to ions: exact gradients, and nothing else changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from molecules import SMALL, distorted, random_model

from mlsemi.errors import InputError
from mlsemi.evaluate import singlepoint
from mlsemi.ground.state import constants_of
from mlsemi.model.catalogue import start_of
from mlsemi.model.terms.response import Response
from mlsemi.molecule.elements import valence
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.response.constants import ResponseConstants
from mlsemi.training.calibration import response_fit
from mlsemi.training.calibration.response_fit import (
    Scale,
    weights_adjoint,
    weights_at,
    with_fitted_response,
)
from mlsemi.training.calibration.response_lessons import lessons_of
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.vertical import load_vertical

REFERENCE = Path(__file__).parents[3] / "parameters" / "reference"
ORGANIC = Parameters.load("organic-1")


@pytest.fixture(scope="module")
def data():
    every = ReferenceDataset.load(REFERENCE / "ions-2.h5")
    small = sorted(every, key=lambda record: record.structure.n_atom)[:4]
    ions = ReferenceDataset(tuple(replace(r) for r in small), every.provenance)
    opened = sorted(load_vertical(REFERENCE / "vertical.json"), key=lambda v: v.structure.n_atom)
    return ions, [one for one in opened if one.structure.n_atom > 3 and one.split == "train"][:4]


@pytest.fixture(scope="module")
def fitted(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response_fit, "STEPS", 8)
        losses = []
        made = with_fitted_response(ORGANIC, *data, lambda step, loss: losses.append(loss))
    return made, losses


def test_gradient(data):
    lessons = lessons_of(ORGANIC, list(data[0]), data[1])
    assert {one.structure.multiplicity for one in lessons} == {1, 2, 3}
    form = replace(ORGANIC.model.form, extra=("response",))
    term, start = Response(form), start_of(form, 0)
    scale = Scale.of(lessons)
    n = len(form.elements)
    x = 0.05 * np.random.default_rng(0).normal(size=3 * (n + 1) + 2 + scale.axes.shape[1])
    x[3 * (n + 1) :][:2] += 0.2, 2.0
    x[[0, 2 * (n + 1)]] += -0.3, -2.4

    def loss(x):
        weights = weights_at(x, start, scale)
        gradients = {name: np.zeros_like(weights[name]) for name in term.weights()}
        value = sum(one.loss(term, weights, gradients) for one in lessons)
        return value, weights_adjoint(x, weights, scale, gradients)

    direction, h = np.random.default_rng(1).normal(size=x.size), 1e-4
    slope = (loss(x + h * direction)[0] - loss(x - h * direction)[0]) / (2.0 * h)
    assert abs(slope) > 0.1
    assert loss(x)[1] @ direction == pytest.approx(slope, rel=1e-5)


def test_the_fit_helps_and_neutral_molecules_keep_their_bits(fitted, tmp_path):
    made, losses = fitted
    assert losses[-1] < 0.8 * losses[0]
    made.save(tmp_path / "set")
    loaded = Parameters.load(tmp_path / "set")
    assert loaded.model.form.ions_learned
    assert loaded.header["response_fit"]["ions"] > 0
    assert loaded.excitation == ORGANIC.excitation
    molecule = distorted("HCOOH")
    before, after = (
        singlepoint(molecule, parameters=name, forces=True, singlets=2)
        for name in ("organic-1", tmp_path / "set")
    )
    for name in ("energy", "forces", "charges", "dipole"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    np.testing.assert_array_equal(before.state.energies, after.state.energies)
    np.testing.assert_array_equal(before.singlets.energies, after.singlets.energies)


def test_forces_of_an_ion_are_the_slope_of_its_energy(fitted, tmp_path):
    """Of one whose neutral form is a radical; its energy is refused by sets without."""
    made, _ = fitted
    made.save(tmp_path / "set")
    plain = distorted("HCOOH")
    numbers, x = np.append(plain.numbers, 1), plain.positions
    x = np.vstack([x, x[0] + np.array([0.2, 0.3, 3.1])])

    def at(x, forces=False):
        return singlepoint(Structure(numbers, x, 1), parameters=tmp_path / "set", forces=forces)

    own = at(x, True)
    assert "neutral form is a radical" in " ".join(own.warnings)
    step = 1e-3
    for atom, axis in ((0, 1), (3, 2), (5, 0)):
        moved = np.zeros_like(x)
        moved[atom, axis] = step
        slope = (at(x + moved).energy - at(x - moved).energy) / (2.0 * step)
        assert own.forces[atom, axis] == pytest.approx(-slope, abs=2e-6)
    with pytest.raises(InputError, match="odd number of electrons"):
        singlepoint(Structure(numbers, x, 1), parameters="organic-1", forces=True)


def test_it_starts_as_sets_without():
    form = replace(SMALL, extra=("response",))
    start = start_of(form, 0)
    model = random_model(form)
    names = Response(form).weights()
    model = replace(model, weights=dict(model.weights) | {name: start[name] for name in names})
    structure = distorted("CH3NO2")
    prediction = model.predict(PairList.of([structure], form.elements, form.cutoff))[0]
    found = constants_of(prediction, 0)
    expected = ResponseConstants.of_elements(structure.numbers)
    np.testing.assert_array_equal(found.rows[0], expected.rows[0])
    np.testing.assert_array_equal(found.rows[1], expected.rows[1])
    assert expected.hardness[0] == 0.77 * valence(int(structure.numbers[0])).hardness


def test_two_molecules_far_apart_are_an_ion_and_a_molecule(fitted, tmp_path):
    """The charge stays where it belongs, and the other molecule costs nothing."""
    made, _ = fitted
    made.save(tmp_path / "set")
    ion, other = distorted("CH3CONH2"), distorted("H2O")
    far = other.positions + np.array([1e4, 0.0, 0.0])
    both = Structure(
        np.concatenate([ion.numbers, other.numbers]), np.concatenate([ion.positions, far]), 1, 2
    )

    def energy(structure):
        return singlepoint(structure, parameters=tmp_path / "set", dispersion=False).energy

    alone = energy(Structure(ion.numbers, ion.positions, 1, 2)) + energy(other)
    assert energy(both) == pytest.approx(alone, abs=1e-3)


def test_nothing_to_fit(data):
    with pytest.raises(InputError, match="no ion"):
        with_fitted_response(ORGANIC, ReferenceDataset(()), [])
