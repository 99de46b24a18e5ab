"""Loss of one structure: zero at the truth, and its cotangents are its derivatives."""

from dataclasses import fields, replace
from inspect import signature

import numpy as np
import pytest
from harness import assert_adjoint, derivative
from molecules import FORMS, SMALL, distorted, learned, random_model
from teacher import lesson

from mlsemi.ground.adjoint import Cotangent
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.training.objective.evaluation import batch_loss
from mlsemi.training.objective.force_matching import STEP, displaced, energy_gradient, forces_of
from mlsemi.training.objective.loss import LossWeights, Target, force_loss, structure_loss
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

TEACHER = random_model(seed=1)
STUDENT = Model(
    SMALL,
    {
        name: value * (1.0 + 0.1 * np.random.default_rng(len(name)).uniform(-1, 1, value.shape))
        for name, value in TEACHER.weights.items()
    },
)
STRUCTURES = (distorted("HCOOH"), distorted("CH3OH", seed=2), distorted("HCN", seed=3))
TARGETS = [Target(lesson(TEACHER, s, f"M{k}")) for k, s in enumerate(STRUCTURES)]
EQUAL = LossWeights(**{entry.name: 1.0 for entry in fields(LossWeights)})


def ground_of(model, structure):
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    return ground_state(model, model.predict(pairs)[0], 0)


def forces_of_model(model, structures):
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    prediction, record = model.predict(pairs)
    every = range(len(structures))
    grounds = [ground_state(model, prediction, k) for k in every]
    return forces_of(model, prediction, record, grounds, every)


def test_projection_of_a_teacher_is_its_hamiltonian():
    for target in TARGETS:
        ground = ground_of(TEACHER, target.record.structure)
        np.testing.assert_allclose(target.record.hamiltonian, ground.hamiltonian, atol=1e-12)
        np.testing.assert_allclose(target.record.charges, ground.charges, atol=1e-12)
        np.testing.assert_allclose(target.record.density, ground.density, atol=1e-12)


def test_no_loss_at_the_truth():
    for target in TARGETS:
        ground = ground_of(TEACHER, target.record.structure)
        loss, errors, bar = structure_loss(target, ground, EQUAL)
        assert loss == pytest.approx(0.0, abs=1e-20)
        for value in [*errors[:-1], *(b for b in bar if b is not None)]:
            assert np.abs(value).max() < 1e-11


OF_OTHER_FUNCTIONS = (
    *("forces", "force_width", "interaction", "excitations", "strengths"),
    "multipoles",
)


def test_each_weight_alone_gives_a_loss():
    """Every term counts, and terms add up with their weights."""
    ground = ground_of(STUDENT, STRUCTURES[0])
    zero = {entry.name: 0.0 for entry in fields(LossWeights)}
    none = LossWeights(**zero | {"force_width": 1.0})
    parts = []
    for entry in fields(LossWeights):
        if entry.name in OF_OTHER_FUNCTIONS:
            continue
        one, _, _ = structure_loss(TARGETS[0], ground, replace(none, **{entry.name: 1.0}))
        two, _, _ = structure_loss(TARGETS[0], ground, replace(none, **{entry.name: 2.0}))
        assert one > 1e-8, entry.name
        assert two == pytest.approx(2.0 * one)
        parts.append(one)
    assert structure_loss(TARGETS[0], ground, EQUAL)[0] == pytest.approx(sum(parts))


def test_loss_of_the_forces():
    """Zero at the truth; its cotangent is its derivative; the weight scales it."""
    target = TARGETS[1]
    loss, error, bar = force_loss(target, target.record.forces, EQUAL)
    assert loss == 0.0
    np.testing.assert_array_equal([error, bar], 0.0)
    student = forces_of_model(STUDENT, [target.record.structure])[0]
    loss, error, bar = force_loss(target, student, EQUAL)
    np.testing.assert_array_equal(error, student - target.record.forces)
    assert force_loss(target, student, replace(EQUAL, forces=3.0))[0] == pytest.approx(3.0 * loss)
    assert_adjoint(
        lambda forces: force_loss(target, forces, EQUAL)[0], lambda y: (y * bar,), [student]
    )
    lengths = np.linalg.norm(error, axis=1)
    wide, narrow = (
        force_loss(target, student, replace(EQUAL, force_width=width))[0] for width in (1e4, 1e-6)
    )
    assert wide == pytest.approx(np.mean(lengths**2), rel=1e-5)
    narrow_width = 1e-6 / FORCE_EV_ANGSTROM
    assert narrow == pytest.approx(2.0 * narrow_width * np.mean(lengths), rel=1e-4)


def test_errors_are_model_minus_reference():
    record, ground = TARGETS[0].record, ground_of(STUDENT, STRUCTURES[0])
    _, errors, _ = structure_loss(TARGETS[0], ground, EQUAL)
    n = record.n_occupied
    np.testing.assert_allclose(errors.occupied, ground.state.energies[:n] - record.energies[:n])
    assert errors.homo == pytest.approx(ground.state.homo - record.energies[n - 1])
    assert errors.lumo == pytest.approx(ground.state.lumo - record.energies[n])
    np.testing.assert_allclose(errors.dipole, ground.dipole - record.dipole)
    assert errors.energy == pytest.approx(ground.energy - record.energy)


def test_virtuals_are_matched_by_overlap_not_by_order():
    target = TARGETS[0]
    ground = ground_of(TEACHER, target.record.structure)
    n = ground.state.n_occupied
    order = np.arange(ground.state.energies.size)
    order[[n, n + 2]] = order[[n + 2, n]]
    swapped = ElectronicState(ground.state.energies, ground.state.orbitals[:, order], n)
    ours, theirs = target.match(swapped)
    np.testing.assert_array_equal(theirs, order[ours])


def test_cotangents_of_the_loss():
    """Each observable moved on its own, the others and the matching kept."""
    target, ground = TARGETS[0], ground_of(STUDENT, STRUCTURES[0])
    state = ground.state

    def forward(hamiltonian, energies, density, charges, dipole, energy):
        moved = ground._replace(
            hamiltonian=hamiltonian,
            state=ElectronicState(energies, state.orbitals, state.n_occupied),
            density=density,
            charges=charges,
            dipole=dipole,
            energy=float(energy),
        )
        return structure_loss(target, moved, EQUAL)[0]

    def adjoint(loss_bar):
        bar = structure_loss(target, ground, EQUAL)[2]
        assert {name for name in Cotangent._fields if getattr(bar, name) is not None} == set(names)
        return tuple(loss_bar * np.asarray(getattr(bar, name)) for name in names)

    names = tuple(signature(forward).parameters)
    values = ground._asdict() | {"energies": state.energies}
    assert_adjoint(forward, adjoint, [values[name] for name in names])


def test_gradient_of_a_batch():
    names = learned(STUDENT)

    def forward(*values):
        weights = dict(STUDENT.weights) | dict(zip(names, values, strict=True))
        return sum(batch_loss(Model(SMALL, weights), TARGETS, EQUAL, with_gradient=False)[0])

    def adjoint(loss_bar):
        gradients = batch_loss(STUDENT, TARGETS, EQUAL)[2]
        return tuple(loss_bar * gradients[name] for name in names)

    arrays = [STUDENT.weights[name] for name in names]
    assert_adjoint(forward, adjoint, arrays, step=5e-3, n_element=1, rtol=1e-7)


def test_batch_is_the_sum_of_its_structures():
    losses, errors, gradients = batch_loss(STUDENT, TARGETS, EQUAL)
    single = [batch_loss(STUDENT, [target], EQUAL) for target in TARGETS]
    np.testing.assert_allclose(losses, [part[0][0] for part in single], rtol=1e-11)
    assert len(errors) == len(TARGETS)
    for name, value in gradients.items():
        total = sum(part[2][name] for part in single)
        np.testing.assert_allclose(value, total, rtol=1e-8, atol=1e-9)
    direct = structure_loss(TARGETS[0], ground_of(STUDENT, STRUCTURES[0]), EQUAL)[0]
    direct += force_loss(TARGETS[0], forces_of_model(STUDENT, STRUCTURES[:1])[0], EQUAL)[0]
    assert losses[0] == pytest.approx(direct * HARTREE_EV**2)


def force_gradient(model, structures, bars, step=STEP):
    """Gradient of the weights from cotangents of the forces: the difference of two walks."""
    moved = [displaced(s, bar, step) for s, bar in zip(structures, bars, strict=True)]
    slopes = [slope for _, slope in moved]
    there = energy_gradient(model, [s for s, _ in moved], slopes)
    here = energy_gradient(model, structures, slopes)
    return {name: value - here[name] for name, value in there.items()}


@pytest.mark.parametrize("form", ["nonlinear", "band", "linear", "bonded"])
def test_force_gradient(form):
    """The difference of two reverse walks against that of the forces, along all weights."""
    rng = np.random.default_rng(4)
    student = STUDENT if form == "nonlinear" else random_model(FORMS[form], seed=9)
    bars = [rng.normal(size=(s.n_atom, 3)) for s in STRUCTURES]
    gradient = force_gradient(student, STRUCTURES, bars)
    turns = {name: rng.normal(size=student.weights[name].shape) for name in learned(student)}

    def at(t):
        moved = {name: student.weights[name] + t * turn for name, turn in turns.items()}
        forces = forces_of_model(Model(student.form, dict(student.weights) | moved), STRUCTURES)
        return sum(np.sum(bar * force) for bar, force in zip(bars, forces, strict=True))

    walked = sum(np.sum(gradient[name] * turn) for name, turn in turns.items())
    assert abs(walked) > 1e-3
    assert walked == pytest.approx(derivative(at, 2e-3), rel=1e-6)


def test_multipoles_beside_orbitals():
    """In one loss with levels and forces they add what they give alone."""
    student = random_model(FORMS["bonded"], seed=9)
    with_them, none = EQUAL, replace(EQUAL, multipoles=0.0)
    alone = replace(none.of(()), multipoles=EQUAL.multipoles)
    (both, errors, g_both), (rest, _, g_rest), (own, no_errors, g_own) = (
        batch_loss(student, TARGETS, weights) for weights in (with_them, none, alone)
    )
    assert sum(both) == pytest.approx(sum(rest) + sum(own))
    assert sum(own) > 0.0
    assert len(errors) == len(TARGETS)
    assert not no_errors
    for name, value in g_both.items():
        np.testing.assert_allclose(value, g_rest[name] + g_own[name], atol=1e-9)


def test_step_of_the_force_gradient():
    """A larger step is off in proportion; the one in use is exact enough for any training."""
    bars = [np.random.default_rng(5).normal(size=(s.n_atom, 3)) for s in STRUCTURES]
    at = {
        step: force_gradient(STUDENT, STRUCTURES, bars, step)["energy.in"]
        for step in (STEP, 10.0 * STEP, 1e-3, 2e-3)
    }
    size = np.linalg.norm(at[STEP])
    off = {step: np.linalg.norm(value - at[STEP]) / size for step, value in at.items()}
    assert off[2e-3] / off[1e-3] == pytest.approx(2.0, rel=0.05)
    assert off[10.0 * STEP] < 1e-5


def test_forces_that_agree_have_no_gradient():
    assert displaced(STRUCTURES[0], np.zeros((STRUCTURES[0].n_atom, 3))) is None


def test_forces_are_optional():
    """Without forces, with a weight of zero, and where they are silenced: the same numbers."""
    bare = [Target(replace(target.record, forces=None)) for target in TARGETS]
    none = batch_loss(STUDENT, bare, EQUAL)
    assert all(error.forces is None for error in none[1])
    unweighted = batch_loss(STUDENT, TARGETS, replace(EQUAL, forces=0.0))
    silenced = batch_loss(STUDENT, TARGETS, EQUAL, silent=range(len(TARGETS)))
    mixed = batch_loss(STUDENT, TARGETS, EQUAL, silent=[0, 2])
    for losses, _, gradients in (unweighted, silenced):
        assert losses == none[0]
        for name, value in gradients.items():
            np.testing.assert_array_equal(value, none[2][name])
    assert [m > n for m, n in zip(mixed[0], none[0], strict=True)] == [False, True, False]
    assert [error.forces is None for error in mixed[1]] == [True, False, True]
    assert np.abs(mixed[2]["energy.in"] - none[2]["energy.in"]).max() > 1e-6
