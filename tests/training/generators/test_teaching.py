"""Taught surfaces: the mean of sets, their loss and its gradient, and what training makes of it."""

import re
from pathlib import Path

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, learned, random_model
from teacher import lessons, named_in, random_surfaces
from typer.testing import CliRunner

from mlsemi import singlepoint
from mlsemi.cli import app
from mlsemi.errors import InputError, ParameterError
from mlsemi.model.model import Model
from mlsemi.parameters import Parameters
from mlsemi.training.data.surfaces import load_surfaces, save_surfaces
from mlsemi.training.fit.config import Taught, TrainConfig
from mlsemi.training.fit.fit import fit
from mlsemi.training.fit.parts import other_methods
from mlsemi.training.generators.teaching import LARGEST_MOVE, teach
from mlsemi.training.objective.loss import LossWeights
from mlsemi.training.objective.taught import TaughtSet, taught_loss

SETS = Path(__file__).parents[3] / "parameters"
TEACHERS = ["organic-1", str(SETS / "organic-1-ground")]
WEIGHTS = LossWeights(forces=2.0)


@pytest.mark.parametrize("kind", ["nonlinear", "local", "linear"])
def test_gradient_of_all_weights(kind):
    model, given = random_model(FORMS[kind], seed=7), random_surfaces("A")
    loss, gradients = taught_loss(model, given, WEIGHTS)
    assert loss > 0.0
    assert set(gradients) == set(model.weights)
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}

    def at(t):
        weights = {n: v + t * turns[n] * (n in taught) for n, v in model.weights.items()}
        return taught_loss(Model(model.form, weights), given, WEIGHTS)[0]

    for taught in (set(learned(model)), {n for n in model.weights if n.startswith("energy.")}):
        expected = sum(np.sum(turns[n] * gradients[n]) for n in taught)
        assert abs(expected) > 1e-5
        assert derivative(at, 1e-3) == pytest.approx(expected, rel=1e-5)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A file of surfaces of three molecules, and what two sets say near them."""
    folder = tmp_path_factory.mktemp("teaching")
    save_surfaces(folder / "given.h5", random_surfaces("ABC"))
    teach([folder / "given.h5"], folder / "taught.h5", TEACHERS, processes=1, quiet=True)
    return folder


def test_surfaces_are_the_mean_of_the_sets_near_the_given_geometries(taught):
    given, found = load_surfaces(taught / "given.h5"), load_surfaces(taught / "taught.h5")
    assert {s.molecule for s in found} <= {"A", "B", "C"}
    assert len(found) >= 4
    for surface in found:
        near = [
            np.abs(surface.structure.positions - s.structure.positions).max()
            for s in given
            if s.structure.n_atom == surface.structure.n_atom
        ]
        assert 0.0 < min(near) < 5.0 * LARGEST_MOVE
        results = [
            singlepoint(surface.structure, parameters=name, forces=True, dispersion=False)
            for name in TEACHERS
        ]
        assert surface.energy == pytest.approx(np.mean([r.energy for r in results]), abs=1e-5)
        for name in ("forces", "charges", "dipole"):
            mean = np.mean([getattr(r, name) for r in results], axis=0)
            np.testing.assert_allclose(getattr(surface, name), mean, rtol=0.0, atol=2e-4)


def test_same_seed_same_surfaces(taught, tmp_path):
    teach([taught / "given.h5"], tmp_path / "again.h5", TEACHERS, processes=2, quiet=True)
    for one, two in zip(
        load_surfaces(taught / "taught.h5"), load_surfaces(tmp_path / "again.h5"), strict=True
    ):
        assert one.energy == two.energy
        np.testing.assert_array_equal(one.forces, two.forces)


def test_training_with_taught_surfaces(tmp_path):
    """They teach the model itself, and only training molecules take part."""
    lessons(random_model(seed=12)).save(tmp_path / "lessons.h5")
    molecules = [*named_in("train", 2), *named_in("test", 1)]
    save_surfaces(tmp_path / "taught.h5", random_surfaces(molecules))
    config = TrainConfig(
        name="student",
        datasets=("lessons.h5",),
        output="student",
        committee=0,
        taught=(Taught("taught.h5", 0.5, 0.25),),
    ).with_changes(epochs=2)
    (one,) = other_methods(config, tmp_path)
    assert set(one.molecules) == set(molecules[:2])
    entry = fit(config, tmp_path, quiet=True).header["training"]["taught"]["taught.h5"]
    assert entry["structures"] == len(one.surfaces)
    assert entry["weight"] == 0.25


def test_weight_of_a_set():
    """It scales loss and gradient."""
    model, surfaces = random_model(seed=7), random_surfaces("A")
    (one, gradients), (half, halves) = (
        TaughtSet("a.h5", 1.0, weight, surfaces, "").loss(model, range(len(surfaces)), WEIGHTS)
        for weight in (1.0, 0.5)
    )
    assert half == pytest.approx(0.5 * one, rel=1e-12)
    for name, value in gradients.items():
        np.testing.assert_allclose(halves[name], 0.5 * value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("model", "message"),
    [({"energy": "band"}, "energy reads"), ({"energy": "band+readout"}, "readout alone")],
)
def test_taught_surfaces_need_an_energy_of_features_alone(tmp_path, model, message):
    config = TrainConfig("x", (), "x", taught=(Taught("taught.h5"),), model=model)
    with pytest.raises(InputError, match=message):
        other_methods(config, tmp_path)


def test_command(taught, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    given, out = str(taught / "given.h5"), tmp_path / "out.h5"
    ask = ["surfaces", given, "-o", str(out), "--processes", "1"]
    both = [word for name in TEACHERS for word in ("--teacher", name)]
    assert CliRunner().invoke(app, [*ask, *both]).exit_code == 0
    assert load_surfaces(out)[0].energy == load_surfaces(taught / "taught.h5")[0].energy
    out.unlink()
    for words, message in (
        ([*ask, *both[:2]], "two teachers"),
        ([*ask, *both, "--dynamics", "organic-1"], "give one of"),
        ([*ask, *both[:2], "--teacher", "nowhere"], "nowhere"),
        (["surfaces", str(tmp_path / "none.h5"), *ask[2:], *both], "none.h5"),
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code != 0
        assert message in result.output.replace("\n", "")
        assert not out.exists()


def test_released_set_keeps_who_taught():
    """The header of a taught set names file and checksum."""
    training = Parameters.load("organic-1").header["training"]
    assert training["taught"]
    for entry in training["taught"].values():
        assert re.fullmatch("[0-9a-f]{64}", entry["checksum"])


def test_missing_file_of_taught_surfaces(tmp_path):
    config = TrainConfig("x", (), "x", taught=(Taught("none.h5"),))
    with pytest.raises(ParameterError, match=r"none\.h5"):
        other_methods(config, tmp_path)
