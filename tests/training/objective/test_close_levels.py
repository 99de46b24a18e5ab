"""Close levels: their differences, their loss and its gradient, and that they teach the model."""

from dataclasses import replace

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, learned, random_model
from teacher import lessons, named_in

from mlsemi.errors import ParameterError
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.config import Close, TrainConfig
from mlsemi.training.fit.fit import fit
from mlsemi.training.fit.parts import other_methods
from mlsemi.training.objective.close_levels import CloseSet, differences, with_differences
from mlsemi.training.objective.evaluation import batch_loss, evaluate_model
from mlsemi.training.objective.extra_maps import base_name, prefix_of, released
from mlsemi.training.objective.loss import LossWeights, Target

WEIGHTS = LossWeights(close=0.7)
NUMBER = 1
PREFIX = prefix_of("close", NUMBER)
RECORDS = lessons(random_model(seed=3), n_train=2, n_validation=0)
TARGETS = [Target(record) for record in RECORDS]
CLOSE = CloseSet("close.h5", NUMBER, 1.0, TARGETS, "")


def with_random_differences(model, size=0.1, seed=1):
    """The model with random differences of a close level."""
    rng = np.random.default_rng(seed)
    start = differences(model, TARGETS, NUMBER)
    more = {name: size * rng.normal(size=value.shape) for name, value in start.items()}
    return replace(model, weights=dict(model.weights) | more)


@pytest.mark.parametrize("kind", ["nonlinear", "local", "band", "linear"])
def test_gradient_of_all_weights(kind):
    plain = random_model(FORMS[kind], seed=7)
    model = with_random_differences(plain)
    _, gradients = CLOSE.loss(model, [0, 1], WEIGHTS)
    assert {n: g.shape for n, g in gradients.items()} == {
        n: w.shape for n, w in model.weights.items()
    }
    own = {name for name in model.weights if name.startswith(PREFIX)}
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}
    for names in (own, set(learned(plain))):

        def at(t, names=names):
            weights = {n: v + t * turns[n] * (n in names) for n, v in model.weights.items()}
            return CLOSE.loss(Model(model.form, weights), [0, 1], WEIGHTS)[0]

        expected = sum(np.sum(turns[n] * gradients[n]) for n in names)
        assert abs(expected) > 1e-5
        assert derivative(at, 1e-3) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["nonlinear", "linear", "band"])
def test_without_differences_it_is_the_model(kind):
    """Zero differences: the loss of the model itself, and gradients that add up nowhere twice."""
    plain = random_model(FORMS[kind], seed=7)
    start = differences(plain, TARGETS, NUMBER)
    start = {n: v if n.endswith((".in", ".bias")) else 0.0 * v for n, v in start.items()}
    model = replace(plain, weights=dict(plain.weights) | start)
    loss, gradients = CLOSE.loss(model, [1], WEIGHTS)
    terms = replace(WEIGHTS, virtual=0.0, residual_virtual=0.0)
    direct, _, of_model = batch_loss(plain, TARGETS[1:], terms)
    assert loss == pytest.approx(0.7 * direct[0], rel=1e-12)
    for name, value in of_model.items():
        np.testing.assert_allclose(gradients[name], 0.7 * value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["nonlinear", "linear", "band", "band+readout"])
def test_start(kind):
    """The energies are those of the close level, and all else is the model's."""
    model = random_model(FORMS[kind], seed=7)
    start = differences(model, TARGETS, NUMBER)
    both = replace(model, weights=dict(model.weights) | start)
    assert set(released(both.weights)) == set(model.weights)
    assert {base_name(name) for name in start} <= set(model.weights)
    close = with_differences(both, NUMBER)
    for record in RECORDS:
        pairs = PairList.of([record.structure], model.form.elements, model.form.cutoff)
        energy = ground_state(close, close.predict(pairs)[0], 0).energy
        assert energy == pytest.approx(record.energy, abs=1e-6)
    same = {n for n, w in model.weights.items() if np.array_equal(w, close.weights[n])}
    wider = {"energy.in", "energy.bias", "energy.out"} if "energy.in" in model.weights else set()
    assert set(model.weights) - same == {"energy.atom"} | wider


def test_lean_records_teach_the_same(tmp_path):
    lean = [record.lean() for record in RECORDS]
    ReferenceDataset(tuple(lean)).save(tmp_path / "lean.h5")
    read = [Target(record) for record in ReferenceDataset.load(tmp_path / "lean.h5")]
    student = random_model(seed=9)
    losses, _, gradients = batch_loss(student, TARGETS, WEIGHTS)
    again, _, of_lean = batch_loss(student, read, WEIGHTS)
    assert read[0].record.dipole_matrix is None
    np.testing.assert_allclose(losses, again, rtol=1e-5)
    for name, value in gradients.items():
        np.testing.assert_allclose(of_lean[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())


def test_training_with_a_close_level(tmp_path):
    """Few records of a teacher and many of one shifted against it: better than the few alone."""
    teacher = random_model(seed=12)
    shifted = dict(teacher.weights)
    shifted["level"] = shifted["level"] + 0.02
    shifted["energy.atom"] = shifted["energy.atom"] - 0.3
    few = lessons(teacher, n_train=3, n_validation=4)
    few.save(tmp_path / "few.h5")
    lessons(Model(teacher.form, shifted), n_train=12, n_validation=2).save(tmp_path / "many.h5")
    config = TrainConfig(
        name="student",
        datasets=("few.h5",),
        output="student",
        committee=0,
        model={"n_channel": teacher.form.n_channel, "n_hidden": teacher.form.n_hidden},
    ).with_changes(epochs=40)
    config = replace(config, schedule=replace(config.schedule, batch=3))
    plain = fit(config, tmp_path, quiet=True)
    told = replace(config, close=(Close(("many.h5",), 4.0),), output="taught")
    taught = fit(told, tmp_path, quiet=True)
    assert set(taught.model.weights) == set(plain.model.weights)
    baseline = replace(told, only=("level",), output="baseline").with_changes(epochs=1)
    fit(baseline, tmp_path, quiet=True)
    moments = np.load(tmp_path / "baseline.checkpoint.npz").files
    assert {"moments/level:first", "moments/close.0.level:first"} <= set(moments)
    assert not any("two_center:first" in name for name in moments)
    unseen = [Target(record) for record in few.split("validation")]
    errors = [evaluate_model(p.model, unseen, LossWeights()) for p in (plain, taught)]
    assert errors[1]["loss"] < 0.9 * errors[0]["loss"]
    (one,) = other_methods(told, tmp_path)
    assert len(one.targets) == 12
    entry = taught.header["training"]["close"]["many.h5"]
    assert (entry["structures"], entry["checksum"]) == (12, one.checksum)


def test_records_without_a_training_molecule(tmp_path):
    path = tmp_path / "close.h5"
    (test,) = named_in("test", 1)
    ReferenceDataset(tuple(replace(r, molecule=test) for r in RECORDS)).save(path)
    config = TrainConfig("x", (), "x", close=(Close(("close.h5",)),))
    with pytest.raises(ParameterError, match=r"close\.h5: no record of a training"):
        other_methods(config, tmp_path)
