"""Ridge regression: its gradient is one, it solves its equations, it finds a linear teacher."""

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, random_model
from teacher import lesson, lessons

from mlsemi.model.catalogue import weights_of
from mlsemi.molecule.pairs import PairList
from mlsemi.training.fit.regression import initial_model
from mlsemi.training.fit.ridge import residual_gradient, ridge, with_weights
from mlsemi.training.objective.loss import LossWeights, Target

LOSS = LossWeights(residual_virtual=1.0)
RECORDS = lessons(random_model(seed=12), n_train=10, n_validation=0).records
TARGETS = [Target(record) for record in RECORDS]


def squares(model, targets):
    """Sum of the squared residuals, from their definition."""
    total = 0.0
    for target in targets:
        pairs = PairList.of([target.record.structure], model.form.elements, model.form.cutoff)
        matrix = model.predict(pairs)[0].hamiltonian.matrix()
        orbitals, levels, share = target.projected(LOSS)
        for t, level, s in zip(orbitals.T, levels, share, strict=True):
            total += s * np.sum((matrix @ t - level * t) ** 2)
    return total


def flat(model):
    names = [name for name, fact in weights_of(model.form).items() if fact.linear]
    return names, np.concatenate([model.weights[name].ravel() for name in names])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gradient_of_the_residuals(form):
    model = random_model(form, seed=3)
    names, w = flat(model)
    direction = np.random.default_rng(0).normal(size=w.size)
    gradient = residual_gradient(model, TARGETS[:3], LOSS)
    walked = np.concatenate([gradient[name].ravel() for name in names]) @ direction
    found = derivative(
        lambda t: squares(with_weights(model, names, w + t * direction), TARGETS[:3])
    )
    assert abs(walked) > 1e-3
    assert found == pytest.approx(walked, rel=1e-8)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_normal_equations_are_solved(form):
    """At the minimum the gradient of the squares balances that of the penalty."""
    start = initial_model(form, RECORDS, seed=0)
    penalty = 1e-2
    model = ridge(start, TARGETS, LOSS, steps=160, penalty=penalty)
    names, w0 = flat(start)
    _, w = flat(model)
    gradient = residual_gradient(model, TARGETS, LOSS)
    pull = np.concatenate([gradient[n].ravel() for n in names]) / len(TARGETS)
    assert np.linalg.norm(w - w0) > 1e-3
    rest = 0.5 * pull - penalty * (w0 - w)
    assert np.linalg.norm(rest) < 1e-5 * np.linalg.norm(pull)
    assert squares(model, TARGETS) < 0.9 * squares(start, TARGETS)
    for name in set(model.weights) - set(names):
        np.testing.assert_array_equal(model.weights[name], start.weights[name])


def test_linear_teacher_is_found():
    """H of a linear model is reproduced from its projected orbitals, on other geometries too."""
    student = initial_model(FORMS["linear"], RECORDS, seed=0)
    names, w = flat(student)
    noise = np.random.default_rng(1).normal(size=w.size)
    teacher = with_weights(student, names, w + 0.02 * noise)
    taught = [Target(lesson(teacher, r.structure, r.molecule)) for r in RECORDS]
    fitted = ridge(student, taught, LOSS, steps=120, penalty=1e-12)
    assert squares(student, taught) > 1e-2
    assert squares(fitted, taught) < 1e-4 * squares(student, taught)
