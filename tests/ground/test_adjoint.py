"""The whole walk: observables of several molecules back to every weight and to positions."""

import numpy as np
import pytest
from harness import assert_adjoint, derivative
from molecules import (
    FORMS,
    LOW_SYMMETRY,
    SMALL,
    distorted,
    gapped_model,
    learned,
    moved,
    parameters_of,
    random_model,
)

from mlsemi.evaluate import singlepoint
from mlsemi.ground.adjoint import Cotangent, reverse
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters

STRUCTURES = tuple(distorted(name) for name in LOW_SYMMETRY[:2])
SPLIT = STRUCTURES[0].n_atom
POSITIONS = np.concatenate([s.positions for s in STRUCTURES])
OBSERVABLES = ("hamiltonian", "energies", "density", "charges", "dipole", "energy")


@pytest.fixture(scope="module")
def model():
    """A model whose molecules have gaps, so that the density is a smooth function."""
    return gapped_model(STRUCTURES)


def walk(model, positions=POSITIONS, kt=0.0):
    parts = (positions[:SPLIT], positions[SPLIT:])
    structures = [moved(s, x) for s, x in zip(STRUCTURES, parts, strict=True)]
    pairs = PairList.of(structures, model.form.elements, model.form.cutoff)
    prediction, record = model.predict(pairs)
    grounds = [ground_state(model, prediction, index, kt) for index in range(len(structures))]
    return prediction, record, grounds


def read(ground, name):
    return ground.state.energies if name == "energies" else np.asarray(getattr(ground, name))


def check(model, asked):
    """Adjoint of the observables ``asked`` of both molecules, to positions and all weights."""
    names = learned(model)

    def forward(positions, *values):
        weights = dict(model.weights) | dict(zip(names, values, strict=True))
        grounds = walk(Model(model.form, weights), positions)[2]
        return tuple(read(ground, name) for ground in grounds for name in asked)

    def adjoint(*bars):
        half = len(asked)
        cotangents = [
            Cotangent(**dict(zip(asked, part, strict=True))) for part in (bars[:half], bars[half:])
        ]
        gradients, positions_bar = reverse(model, *walk(model), cotangents, with_positions=True)
        return positions_bar, *(gradients[name] for name in names)

    arrays = [POSITIONS, *(model.weights[name] for name in names)]
    assert_adjoint(forward, adjoint, arrays, seed=1, n_element=2)


def test_all_observables_together(model):
    check(model, OBSERVABLES)


@pytest.mark.parametrize("kt", [0.0, 0.05])
@pytest.mark.parametrize("name", OBSERVABLES)
def test_each_observable(model, name, kt):
    """Alone, an observable may not hide behind the others; positions and the energies suffice."""
    rng = np.random.default_rng(5)
    prediction, record, grounds = walk(model, kt=kt)
    bars = [rng.normal(size=read(ground, name).shape) for ground in grounds]
    gradients, positions_bar = reverse(
        model,
        prediction,
        record,
        grounds,
        [Cotangent(**{name: bar}) for bar in bars],
        with_positions=True,
    )

    def value(model, positions=POSITIONS):
        fresh = walk(model, positions, kt)[2]
        return sum(np.sum(b * read(g, name)) for b, g in zip(bars, fresh, strict=True))

    direction = rng.normal(size=POSITIONS.shape)
    found = derivative(lambda t: value(model, POSITIONS + t * direction))
    expected = np.sum(direction * positions_bar)
    assert abs(expected) > 1e-3
    assert found == pytest.approx(expected, rel=1e-9)
    turns = {key: rng.normal(size=model.weights[key].shape) for key in learned(model)}

    def at(t):
        weights = {key: model.weights[key] + t * turn for key, turn in turns.items()}
        return value(Model(model.form, dict(model.weights) | weights))

    found = derivative(at, 2e-3)
    expected = sum(np.sum(turn * gradients[key]) for key, turn in turns.items())
    assert abs(expected) > 1e-3
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("form", ["band", "band+readout"])
@pytest.mark.parametrize("kt", [0.0, 0.05])
def test_band_energy(form, kt):
    """tr(P H), or its free energy, as part of the total energy."""
    model = random_model(FORMS[form], seed=3)
    grounds = walk(model, kt=kt)[2]
    band = [ground.state.band_energy for ground in grounds]
    np.testing.assert_allclose(
        band, [np.sum(g.state.closed_density * g.hamiltonian) for g in grounds], rtol=1e-12
    )
    bars = [Cotangent(energy=0.7), Cotangent(energy=-1.3)]
    gradients, positions_bar = reverse(model, *walk(model, kt=kt), bars, with_positions=True)

    def value(model, positions=POSITIONS):
        first, second = walk(model, positions, kt)[2]
        return 0.7 * first.energy - 1.3 * second.energy

    rng = np.random.default_rng(8)
    direction = rng.normal(size=POSITIONS.shape)
    found = derivative(lambda t: value(model, POSITIONS + t * direction))
    assert abs(found) > 1e-3
    assert np.sum(direction * positions_bar) == pytest.approx(found, rel=1e-8)
    turns = {key: rng.normal(size=model.weights[key].shape) for key in learned(model)}

    def at(t):
        weights = {key: model.weights[key] + t * turn for key, turn in turns.items()}
        return value(Model(model.form, dict(model.weights) | weights))

    expected = sum(np.sum(turn * gradients[key]) for key, turn in turns.items())
    assert derivative(at, 2e-3) == pytest.approx(expected, rel=1e-8)
    silent = {key: value for key, value in gradients.items() if key.startswith("level")}
    assert all(np.abs(value).max() > 1e-3 for value in silent.values())


def test_cotangents_add_up(model):
    """The walk is linear in the cotangents."""
    rng = np.random.default_rng(6)
    parts = walk(model)
    every = [
        {name: rng.normal(size=read(ground, name).shape) for name in OBSERVABLES}
        for ground in parts[2]
    ]
    together = reverse(model, *parts, [Cotangent(**bars) for bars in every], with_positions=True)
    total = np.zeros_like(POSITIONS)
    for index in range(2):
        for name in OBSERVABLES:
            alone = [Cotangent(), Cotangent()]
            alone[index] = Cotangent(**{name: every[index][name]})
            total += reverse(model, *parts, alone, with_positions=True)[1]
    np.testing.assert_allclose(total, together[1], atol=1e-10)


def test_weights_alone_are_the_same(model):
    parts = walk(model)
    bars = [Cotangent(energies=np.ones(g.state.energies.size), energy=1.0) for g in parts[2]]
    with_positions, _ = reverse(model, *parts, bars, with_positions=True)
    alone, nothing = reverse(model, *parts, bars)
    assert nothing is None
    assert set(alone) == set(model.weights)
    for name, value in alone.items():
        np.testing.assert_array_equal(value, with_positions[name])


def test_positions_alone_are_the_same(model):
    parts = walk(model)
    bars = [Cotangent(**{n: np.ones_like(read(g, n)) for n in OBSERVABLES}) for g in parts[2]]
    _, with_weights = reverse(model, *parts, bars, with_positions=True)
    nothing, alone = reverse(model, *parts, bars, with_positions=True, with_weights=False)
    assert not nothing
    np.testing.assert_array_equal(alone, with_weights)


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "random"
    parameters_of(random_model(SMALL, seed=8)).save(folder)
    return Parameters.load(folder)


@pytest.mark.parametrize("name", LOW_SYMMETRY)
def test_forces_are_minus_the_gradient(parameters, name):
    structure = distorted(name, seed=6)
    result = singlepoint(structure, parameters=parameters, forces=True)
    assert np.abs(result.forces).max() > 1e-2
    assert np.abs(result.forces.sum(axis=0)).max() < 1e-12
    torque = np.cross(structure.positions, result.forces).sum(axis=0)
    assert np.abs(torque).max() < 1e-11

    def energy(x):
        return singlepoint(moved(structure, x), parameters=parameters).energy

    for atom in range(structure.n_atom):
        for axis in range(3):
            shift = np.zeros((structure.n_atom, 3))
            shift[atom, axis] = 2e-4
            low, high = (energy(structure.positions + s * shift) for s in (-1.0, 1.0))
            assert -(high - low) / 4e-4 == pytest.approx(result.forces[atom, axis], abs=1e-6)
    direction = np.random.default_rng(0).normal(size=(structure.n_atom, 3))
    found = derivative(lambda t: energy(structure.positions + t * direction))
    assert -found == pytest.approx(np.sum(result.forces * direction), rel=1e-10)


def test_forces_where_homo_and_lumo_coincide(parameters):
    """Closed-shell O2 and a lone oxygen: half-filled degenerate levels, still a smooth energy."""
    for structure in (
        Structure([8, 8], [[0.0, 0.0, 0.0], [0.0, 0.0, 2.3]]),
        Structure([8], np.zeros((1, 3))),
    ):
        result = singlepoint(structure, parameters=parameters, forces=True)
        assert np.isfinite(result.forces).all()
        assert np.abs(result.forces.sum(axis=0)).max() < 1e-13
