"""Excited states in the loss: the gradient, who takes part, and that a run learns from them."""

from dataclasses import replace

import numpy as np
import pytest
from harness import derivative
from molecules import distorted, gapped_model, learned, parameters_of
from teacher import excited_lesson, named_in

from mlsemi.errors import InputError, ParameterError
from mlsemi.evaluate import singlepoint
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import excite
from mlsemi.model.model import Model
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import fit
from mlsemi.training.fit.sources import load_sources
from mlsemi.training.objective.excitation_cases import (
    BRIGHT,
    HIGHER,
    RIS_SHIFT,
    SOFT,
    case_of,
    match,
)
from mlsemi.training.objective.excited_levels import DARK, SOFT_RATIO, states_loss
from mlsemi.training.objective.heads import Head
from mlsemi.training.objective.loss import LossWeights
from mlsemi.training.objective.source import Source
from mlsemi.units import HARTREE_EV

STRUCTURES = tuple(distorted(name, seed=k) for k, name in enumerate(("H2CO", "HCN", "C2H4")))
CONSTANTS = ExcitationParameters(ax=0.3)
LATER = 0.01
"""What the states of the lessons lie above the teacher's, hartree."""


@pytest.fixture(scope="module")
def parameters():
    made = parameters_of(gapped_model(STRUCTURES), name="taught")
    return made.with_excitation(CONSTANTS, {"options": {"triplet_shift": 0.0}})


@pytest.fixture(scope="module")
def records(parameters):
    """Levels of the teacher and its excited states, all higher and brighter by the same amount."""
    names = named_in("train", 3) + named_in("validation", 2)
    out = []
    for k, name in enumerate(names):
        record = excited_lesson(parameters, STRUCTURES[k % 3], name, CONSTANTS)
        higher = {f: getattr(record, f) + LATER for f in ("singlet_energies", "triplet_energies")}
        brighter = 1.5 * record.singlet_strengths
        out.append(replace(record, **higher, singlet_strengths=brighter))
    return out


def source_of(records):
    head, targets = Head("model", 0), frozenset(("excitations",))
    given = records[:3], records[3:], (1.0, 1.0), (1.0, 1.0), CONSTANTS
    return Source(head, targets, *given)


def loss_of(record, state, strengths):
    return states_loss(record, state, CONSTANTS, 0.0, strengths)


@pytest.mark.parametrize("strengths", [0.0, 20.0])
def test_gradient_of_all_weights(parameters, records, strengths):
    model = parameters.model
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}
    names = set(learned(model))
    weights = LossWeights(excitations=0.4, strengths=strengths)
    _, gradients = source_of(records).loss(model, [0, 2], weights)
    assert {n: g.shape for n, g in gradients.items()} == {
        n: w.shape for n, w in model.weights.items()
    }

    def at(t):
        moved = {n: v + t * turns[n] * (n in names) for n, v in model.weights.items()}
        return source_of(records).loss(Model(model.form, moved), [0, 2], weights)[0]

    expected = sum(np.sum(turns[n] * gradients[n]) for n in names)
    assert abs(expected) > 1e-4
    assert derivative(at, 1e-4) == pytest.approx(expected, rel=1e-4)


def test_loss_is_the_mean_over_matched_states(parameters, records):
    """All states are off by the same amount: so is their weighted mean."""
    (record,) = records[:1]
    state = singlepoint(record.structure, parameters=parameters).state
    loss, _ = loss_of(record, state, 0.0)
    square = 2.0 * SOFT**2 * (np.sqrt(1.0 + (LATER / SOFT) ** 2) - 1.0)
    assert loss == pytest.approx(2 * square, rel=1e-3)  # singlets and triplets
    case = case_of(record, state)
    states = excite(state, case.interaction(CONSTANTS), 8)
    np.testing.assert_array_equal(match(case, states)[0], range(4))


def test_degenerate_states_are_told_apart(parameters, records):
    """States that share their overlaps still go to the partners that they overlap with most."""
    state = singlepoint(records[0].structure, parameters=parameters).state
    case = case_of(records[0], state)
    states = excite(state, case.interaction(CONSTANTS), 4)
    together = replace(
        states,
        energies=np.full(4, states.energies[0]),
        amplitudes=np.array([states.amplitudes[k] for k in (2, 0, 3, 1)]),
    )
    np.testing.assert_array_equal(match(case, together)[0], [1, 3, 0, 2])


def test_loss_of_strengths(parameters, records):
    """Bright states count by the log of their ratio, dark ones hardly or not at all."""
    found = []
    for record in records[:3]:
        state = singlepoint(record.structure, parameters=parameters).state
        plain, with_ratio = (loss_of(record, state, w * HARTREE_EV**2)[0] for w in (0, 1))
        found.append(with_ratio - plain)
        reference = record.singlet_strengths
        ratio = np.log((reference / 1.5 + DARK) / (reference + DARK))
        square = 2.0 * SOFT_RATIO**2 * (np.sqrt(1.0 + (ratio / SOFT_RATIO) ** 2) - 1.0)
        share = np.where(np.arange(reference.size) == 0, 1.0, HIGHER)
        expected = float((share / share.sum()) @ (square * (reference > BRIGHT)))
        assert with_ratio - plain == pytest.approx(expected, rel=1e-3)
    assert max(found) > 1e-3


def test_who_takes_part(parameters, records, tmp_path):
    """Training molecules with full singlets, else with those of TDA-ris; never without any."""
    ris = replace(
        records[0],
        singlet_energies=None,
        singlet_transitions=None,
        ris_energies=records[0].singlet_energies,
        ris_transitions=records[0].singlet_transitions,
    )
    bare = replace(records[1], singlet_energies=None, singlet_transitions=None)
    parameters.save(tmp_path / "taught")
    ReferenceDataset((ris, bare, *records[2:])).save(tmp_path / "lessons.h5")
    table = {"files": ["lessons.h5"], "targets": ["excitations"], "share": 0.5}
    recipe = recipe_of(parameters, table, {})
    data = load_sources(recipe, tmp_path)[1][1]
    found = data.source(0, CONSTANTS)
    assert found.share == (0.5, 0.5)
    assert sorted(r.molecule for r in found.entries) == sorted(
        r.molecule for r in (ris, records[2])
    )
    (raised,) = (r for r in found.entries if r.molecule == ris.molecule)
    np.testing.assert_allclose(raised.singlet_energies, ris.ris_energies + RIS_SHIFT)
    with pytest.raises(InputError, match="need its fitted constants"):
        data.source(0, None)
    ReferenceDataset((bare,)).save(tmp_path / "bare.h5")
    with pytest.raises(ParameterError, match="what the targets need"):
        load_sources(recipe_of(parameters, table | {"files": ["bare.h5"]}, {}), tmp_path)


def recipe_of(parameters, table, stage, **entries):
    """A recipe with the form of a set, of lessons and one more source."""
    sizes = ("n_radial", "n_channel", "n_node", "n_hidden", "cutoff")
    return Recipe.of_mapping(
        {
            "name": "finer",
            "start": "taught",
            "elements": ["H", "C", "N", "O"],
            "source": [{"files": ["lessons.h5"]}, table],
            "model": {name: getattr(parameters.model.form, name) for name in sizes},
            "stage": [stage],
            "committee": 0,
            **entries,
        }
    )


def test_a_run_starts_from_a_set_and_learns(parameters, records, tmp_path):
    parameters.save(tmp_path / "taught")
    ReferenceDataset(tuple(records)).save(tmp_path / "lessons.h5")
    table = {"files": ["lessons.h5"], "targets": ["excitations"], "weight": 10.0}
    stage = {"epochs": 30, "batch": 3, "learning_rate": 1e-3, "weight_decay": 0.0}
    recipe = recipe_of(parameters, table, stage)
    finer = fit(recipe, tmp_path, quiet=True)
    assert finer.header["start"]["checksum"] == parameters.checksum
    assert finer.excitation == parameters.excitation
    assert Parameters.load(tmp_path / "finer").checksum == finer.checksum
    rows = [0, 1, 2]
    one, weights = source_of(records), recipe.stage[0].loss
    before = one.loss(parameters.model, rows, weights)[0]
    assert one.loss(finer.model, rows, weights)[0] < 0.5 * before
    unseen = [one.validation_loss(p.model, weights) for p in (parameters, finer)]
    assert unseen[1] < 0.5 * unseen[0]
    alone = replace(one, entries=one.validation).loss(finer.model, [0, 1], weights)[0]
    assert unseen[1] == pytest.approx(alone / 2, rel=1e-9)
    other = replace(recipe, model=recipe.model | {"n_hidden": 3}, output="other")
    with pytest.raises(InputError, match="another form"):
        fit(other, tmp_path, quiet=True)
    from_uncalibrated = replace(recipe, start="plain", output="other")
    parameters_of(parameters.model).save(tmp_path / "plain")
    with pytest.raises(InputError, match="need its fitted constants"):
        fit(from_uncalibrated, tmp_path, quiet=True)
